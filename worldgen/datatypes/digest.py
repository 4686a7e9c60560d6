"""Digests: sha256 over canonical JSON, keys sorted, so that equal values have equal names."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def canonical_json(value: Any) -> str:  # noqa: ANN401 -- anything that JSON can hold, or a model
    """Write a value as JSON with sorted keys and no white space; NaN and infinity are refused."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(*values: Any) -> str:  # noqa: ANN401 -- see canonical_json
    """Name values by content: 64 hexadecimal characters."""
    plain = [v.model_dump(mode="json") if isinstance(v, BaseModel) else v for v in values]
    return hashlib.sha256(canonical_json(plain).encode()).hexdigest()

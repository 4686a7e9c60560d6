"""A record: what is known about a published variant without opening its labels, verdict or video."""

from typing import Final

from worldgen.datatypes import Candidate, Spec, VerdictState
from worldgen.datatypes.digest import Value

FORMAT_VERSION: Final = 1
"""Of the folder layout; `catalog.json` carries it."""


class Record(Value):
    """`variant.json`: identity, spec, candidate, outcome and the digest of every other file."""

    format_version: int = FORMAT_VERSION
    id: str
    spec: Spec
    candidate: Candidate
    """Its video's `uri` is relative to the folder; empty when a guardrail blocked the candidate."""
    state: VerdictState
    model: str
    revision: str
    source_sha256: str
    labels_digest: str
    """Of the labels as a value; empty without labels."""
    created: str
    files: dict[str, str]
    """Name -> sha256 of every file in the folder but this one."""

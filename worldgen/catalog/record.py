"""A record: what is known about a published variant without opening its labels, verdict or video."""

import re
from typing import Final

from worldgen.datatypes import Candidate, Spec, VerdictState
from worldgen.datatypes.digest import Value

FORMAT_VERSION: Final = 1
"""Of the folder layout; `catalog.json` carries it."""

_WORDS: Final = (
    ("rain_mm_h", "rain-{:g}mmh"),
    ("snow_mm_h", "snow-{:g}mmh"),
    ("snow_cover", "cover-{:.0%}"),
    ("fog_mor_m", "fog-{:g}m"),
    ("dust_mor_m", "dust-{:g}m"),
    ("sand_cover", "sand-{:.0%}"),
    ("wetness", "wet-{:.0%}"),
    ("sun_elevation_deg", "sun{:g}deg"),
    ("clouds_okta", "clouds-{:g}"),
)


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


def folder_name(variant_id: str, spec: Spec) -> str:
    """Name a variant's folder: what the spec asks for in words, then the first 12 characters of the id.

    A pure function of what the id is made of (never of the spec's display name), so that two processes
    that make the same variant meet at the same name and only one can take it.
    """
    changes = spec.changes
    details = [form.format(changes[field]) for field, form in _WORDS if field in changes]
    label = spec.asks_for or "other"
    says_it = bool(details) and (spec.asks_for is None or details[0].startswith(label))
    words = details if says_it else [label, *details]
    slug = "_".join(words[:4]).replace("%", "pct")
    return re.sub(r"[^a-z0-9_-]+", "p", slug) + f"-{variant_id[:12]}"

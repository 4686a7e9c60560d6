"""Names of folders: the same in the catalogue and beside a client that saves what a server has made."""

import re
from typing import Final

from worldgen.datatypes.spec import Spec

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

"""Sentences of the report page: what was asked, what made it, and what may be claimed."""

from typing import Final

from worldgen.datatypes import Provenance, Spec

_DEGREE: Final = "\N{DEGREE SIGN}"
_FORMS: Final = (
    ("rain_mm_h", "rain {:g} mm/h"),
    ("snow_mm_h", "snowfall {:g} mm/h"),
    ("snow_cover", "snow cover {:.0%}"),
    ("fog_mor_m", "visibility {:g} m"),
    ("dust_mor_m", "dust, visibility {:g} m"),
    ("sand_cover", "sand cover {:.0%}"),
    ("wetness", "wetness {:.0%}"),
    ("spray", "spray {:.0%}"),
    ("lens_drops", "lens drops {:.0%}"),
    ("clouds_okta", "clouds {:g}/8"),
    ("sun_elevation_deg", "sun {:+g}" + _DEGREE),
    ("sun_azimuth_deg", "sun azimuth {:g}" + _DEGREE),
    ("exposure_stops", "exposure {:+g} stops"),
)
_ORIGINS: Final = {
    "simulator": "from the simulator",
    "sidecar": "measured beside the clip",
    "estimated": "estimated by a network",
    "from_motion": "from the clip's own motion",
    "assumed": "assumed",
    "absent": "absent",
}
LABELS: Final = {"low_sun": "low sun"}
"""Condition classes whose name needs other words."""


def details_of(spec: Spec) -> tuple[str, ...]:
    """Say what a spec sets, in SI units."""
    changes = spec.changes
    return tuple(form.format(changes[field]) for field, form in _FORMS if field in changes)


def title_of(spec: Spec) -> str:
    """Name a spec as its author did, else by its condition class."""
    label = spec.asks_for or "unnamed"
    return spec.name.replace("_", " ") or LABELS.get(label, label)


def label_of(spec: Spec) -> str:
    """Name the condition class that a spec asks for."""
    label = spec.asks_for or "other"
    return LABELS.get(label, label)


def made_by(provenance: Provenance) -> str:
    """Say what made a variant, so that nobody takes it for a recording."""
    if provenance.plan.prompt:
        said = (
            f"Repainted by the world model {provenance.model}: looks can be invented; "
            "colour, text, plates and lamp states are claimed only where a check says so."
        )
        return f"{said} {provenance.model_note}".strip()
    if provenance.model.startswith("physics"):
        return (
            "A simulated effect: weather physics computed on the source's own frames and geometry. "
            "It is not a recording of this weather."
        )
    return f"Made by the world model {provenance.model}. It is not a recording of this weather."


def scale_of(provenance: Provenance) -> str:
    """Say where depth and metres come from, and what may be claimed in metres."""
    origins = provenance.geometry_origins
    if not origins:
        return "No geometry is recorded for this variant; no claim in metres is made."
    depth = _ORIGINS.get(origins.get("depth", "absent"), "unknown")
    scale = origins.get("scale", "absent")
    if scale in ("simulator", "sidecar"):
        return f"Depth {depth}; metres are metric, {_ORIGINS[scale]}."
    why = "camera height assumed" if scale == "assumed" else _ORIGINS.get(scale, "unknown")
    claim = f"Depth {depth}; distances are relative ({why}), so no visibility in metres is claimed."
    return claim + _interval(provenance)


def _interval(provenance: Provenance) -> str:
    geometry = provenance.plan.geometry
    if geometry is None or geometry.scale_interval == (1.0, 1.0):
        return ""
    low, high = geometry.scale_interval
    return f" The true scale lies between {low:g} and {high:g} times the assumed one."

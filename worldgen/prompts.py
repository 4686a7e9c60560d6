"""Prompts: specs in words, for world models that read text."""

from worldgen.datatypes import Spec


def describe(spec: Spec) -> str:
    """Say a spec in one plain English sentence, deterministically."""
    parts: list[str] = []
    if spec.sun_elevation_deg is not None:
        parts.append(_light(spec.sun_elevation_deg))
    if spec.clouds_okta is not None:
        parts.append("overcast sky" if spec.clouds_okta >= 6 else "clear sky" if spec.clouds_okta <= 2 else "some clouds")
    if spec.rain_mm_h:
        strength = "heavy" if spec.rain_mm_h >= 8.1 else "moderate" if spec.rain_mm_h >= 1.9 else "light"
        parts.append(f"{strength} rain")
    if spec.snow_mm_h:
        parts.append("heavy snowfall" if spec.snow_mm_h >= 2.5 else "snowfall")
    if spec.fog_mor_m:
        parts.append(f"fog with {spec.fog_mor_m:.0f} m visibility")
    if spec.dust_mor_m:
        parts.append(f"blowing dust with {spec.dust_mor_m:.0f} m visibility")
    if spec.wetness:
        parts.append("standing water on the road" if spec.wetness >= 0.8 else "wet road")
    if spec.snow_cover:
        parts.append("snow on the ground")
    if spec.sand_cover:
        parts.append("sand drifted over the road")
    return ", ".join(parts) if parts else "the scene as it is"


def _light(elevation_deg: float) -> str:
    steps = ((-6.0, "night"), (0.0, "dusk"), (12.0, "low sun"), (35.0, "morning light"))
    return next((words for limit, words in steps if elevation_deg < limit), "full daylight")


def prompt_for(spec: Spec) -> str:
    """Write the prompt of a diffusion world model; a template, no network."""
    return f"A realistic driving video from a front camera: {describe(spec)}. All vehicles, lanes and signs stay."


def negative_prompt_for(spec: Spec) -> str:
    """Write the negative prompt."""
    del spec  # the same for every condition today
    return "blurry, distorted, flickering, cartoon, extra objects, missing objects"

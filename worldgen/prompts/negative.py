"""Negative prompts: what is never wanted, and what would contradict the spec.

The vendor's is a caption of a badly rendered clip in the same JSON schema; so is ours, in our own words, for
driving clips, and shorter. Theirs was blocked by their own guardrail ("bleeding", "lifeless"); tests keep
ours free of such words.
"""

from typing import Final

from worldgen.datatypes import Spec
from worldgen.prompts.structured import Aesthetics, Caption, Cinematography, Lighting, Subject
from worldgen.prompts.words import is_night

_SUBJECT: Final = Subject(
    description="Badly rendered vehicles and people: melted outlines, wrong proportions, missing parts.",
    appearance_details="Smeared textures, plastic surfaces, crooked wheels, lamps and windows out of place.",
    relationship="Things float above the ground, run into each other or cut through buildings.",
    action="Jerky, sliding motion; things jump, stop, appear and vanish between frames.",
    state_changes="Shape, color and type of a vehicle change while it drives; outlines shimmer.",
    number_of_subjects=0,
)


def negative_plain(spec: Spec) -> str:
    """Write the negative prompt for models that read a line of words."""
    parts = [
        "blurry, distorted, flickering, cartoon, video game, extra objects, missing objects",
        "deformed vehicles, warped lane markings, garbled signs, watermark",
    ]
    parts += _against(spec)
    return ", ".join(dict.fromkeys(", ".join(parts).split(", ")))


def negative_structured(spec: Spec) -> Caption:
    """Write the negative prompt as a caption of the clip that nobody wants."""
    against = ", ".join(dict.fromkeys(", ".join(_against(spec)).split(", "))) if _against(spec) else ""
    return Caption(
        subjects=(_SUBJECT,),
        background_setting=(
            "A flat, painted backdrop with repeated textures and visible seams. Buildings bend, trees are "
            "cut out like paper, lane markings wobble, break off or change sides, signs carry garbled "
            "letters. Textures swim over surfaces. The weather covers only part of the picture or switches "
            "on and off."
        ),
        lighting=Lighting(
            conditions=f"Inconsistent light{f'; {against}' if against else ''}",
            direction="Contradictory: shadows and reflections point different ways",
            shadows="Detached from their things, blocky, crawling from frame to frame",
            illumination_effect="Flicker, pumping exposure, clipped highlights, lost darks, color banding",
        ),
        aesthetics=Aesthetics(
            composition="Cluttered and unstable",
            color_scheme="Oversaturated or washed out, with colors smearing across edges",
            mood_atmosphere="Artificial, like a computer game of long ago",
            patterns="Tiling, grid artifacts, compression blocks",
        ),
        cinematography=Cinematography(
            camera_motion="Shaking and jumping",
            focus="Soft, with ghosting and double edges",
        ),
        style_medium="Low-resolution computer graphics, cartoon, painting",
        artistic_style="Unrealistic",
        temporal_caption=(
            "The clip looks generated: frames do not follow from each other, things flicker, double, melt or "
            "vanish, motion stutters, and the quality falls off towards the end."
        ),
    )


def _against(spec: Spec) -> list[str]:
    sun = spec.sun_elevation_deg
    parts = []
    if is_night(spec):
        parts.append("daylight, bright sky, sun shadows")
    elif sun is not None and sun > 12:
        parts.append("night, headlight glow")
    if (spec.clouds_okta or 0) >= 6 or spec.fog_mor_m or spec.dust_mor_m or spec.rain_mm_h or spec.snow_mm_h:
        parts.append("blue sky, hard sun shadows")
    if spec.wetness is not None:
        parts.append(
            "wet road, reflections" if spec.wetness < 0.1 else "dry road" if spec.wetness >= 0.3 else ""
        )
    if (spec.snow_cover or 0) >= 0.3:
        parts.append("bare ground")
    return [part for part in parts if part]

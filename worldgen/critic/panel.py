"""The panel: every check, in the order they are made. A literal list; add a check by adding a line."""

from collections.abc import Callable
from typing import Final, TypeAlias

from worldgen.critic.checks import (
    alignment,
    banding,
    chroma,
    colour,
    condition,
    depth,
    detail,
    drift,
    ground,
    ground_light,
    labels,
    lamps,
    markings,
    objects,
    presence,
    segmentation,
    sky,
    skyline,
    structure,
    technical,
    temporal,
    tracks,
)
from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Finding

Check: TypeAlias = Callable[[Evidence], tuple[Finding, ...]]
"""Looks at the evidence and says what it found; nothing when it does not apply."""

FIRST: Final[tuple[Check, ...]] = (
    technical.frames_match,
    technical.not_blank,
)
"""Without these the rest means nothing: a failure here ends the judgement."""

PANEL: Final[tuple[Check, ...]] = (
    technical.not_clipped,
    banding.not_banded,
    technical.not_mirrored,
    technical.not_a_copy,
    structure.whole_kept,
    structure.tiles_kept,
    structure.objects_kept,
    structure.nothing_new,
    objects.patterns_kept,
    presence.things_present,
    tracks.things_steady,
    drift.colour_steady,
    alignment.displacement,
    colour.local_colour,
    chroma.colour_in_place,
    detail.fine_detail,
    detail.nothing_lingers,
    detail.nothing_shines_through,
    temporal.steady,
    temporal.moving,
    temporal.in_order,
    temporal.boiling,
    temporal.not_stuck,
    condition.condition_visible,
    condition.uniform,
    condition.fog_amount,
    depth.veil_follows_depth,
    segmentation.borders_kept,
    segmentation.classes_kept,
    ground.nothing_on_ground,
    ground_light.ground_steady,
    markings.paint_kept,
    lamps.lights_kept,
    lamps.rear_lamps_kept,
    sky.sky_whole,
    skyline.sky_empty,
    skyline.things_hide_sky,
    labels.boxes_fit,
    labels.visibility_agrees,
)

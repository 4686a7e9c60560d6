"""Lamps of the scene: what shines by itself once daylight is gone, and its glow.

Only what the geometry knows is lit, or what can hardly be else: rear lamps on pixels tagged as vehicles
(where none are tagged, small red things in dark surroundings below the horizon), signals on pixels tagged as
traffic lights, panes on pixels tagged as buildings. Weights are continuous in the source's colours, so a
lamp is as steady as its picture.
"""

from typing import Final

import cv2
import numpy as np

from worldgen.datatypes import Tag
from worldgen.datatypes.tags import VEHICLES
from worldgen.imaging.channels import largest, smallest
from worldgen.models.physics.box import Shining, box_around
from worldgen.models.physics.light import Linear, Plane
from worldgen.models.physics.ops import enlarge, reduce, smoothstep, soften
from worldgen.models.physics.paint import (
    FILMED_LAMP_M,
    LAMP_M,
    PAINT_LOOKS,
    PAINT_REACH,
    SIZES,
    metre_at,
    paint_of,
    painted_bodies,
)
from worldgen.models.physics.scene import ASPHALT, Mask
from worldgen.models.physics.view import View
from worldgen.models.physics.windows import lit_windows

_REDUCE: Final = 4
REAR_LAMP: Final = (1.0, 0.035, 0.02)
_VEHICLE_M: Final = (1.1, 0.8)
"""Width and height of what should be mostly dark around a rear lamp."""
_FILLED: Final = 0.42
_HALO: Final = 0.15
"""Of a frame's height: how far halos reach, two and a half widths of the wide one."""
_HANGS: Final = 0.33
"""Lamps hang no higher than two thirds of the camera's height, about a metre."""
CLIPPED_LAMP: Final = 5.0
_FORWARD: Final = 0.85
"""q of fog: 0.8 to 0.85 (Narasimhan and Nayar 2003, table of weather conditions)."""
_PURE: Final = (2.6, 5.0)
_PURE_FILMED: Final = (1.9, 3.2)
"""Red over the other channels, linear, from where a lamp may be to where it is; codecs blur colour."""
_BRIGHT: Final = (0.02, 0.08)
_BRIGHT_FILMED: Final = (0.25, 0.6)
"""Red light from where a lamp may be to where it is; where no vehicle is known, as a share of dry road's."""


def lamps_of(view: View, seed: int, *, windows: bool) -> Linear | None:
    """Light that leaves lamps towards the lens, at full size; None when nothing is known to shine.

    Args:
        view: The frame; read from its source, not from what was done to it.
        seed: Of which windows are lit.
        windows: Whether people have switched on the light at home.
    """
    scene = view.scene
    emitted: Linear | None = None
    if scene.knows(*VEHICLES):
        emitted = _colour(rear_lamps(view), REAR_LAMP)
    elif not scene.has_true_depth:
        emitted = _colour(rear_lamps(view, _likely_vehicles(view)), REAR_LAMP)
    if scene.knows(Tag.TRAFFIC_LIGHT):
        emitted = _plus(emitted, _signals(view), view)
    if windows and scene.knows(Tag.BUILDING) and scene.geometry.origins.depth in ("simulator", "sidecar"):
        emitted = _plus(emitted, lit_windows(view, seed), view)
    return emitted


def lit_lamps(view: View) -> tuple[slice, slice, Linear] | None:
    """Lamps that shine by day already: brake lights and signals that the source shows bright and pure.

    They clip the source's camera, so their true radiance is unknown and far above white: here it is taken as
    `CLIPPED_LAMP` times what is seen. In fog they outlive the bodies that carry them.

    Returns:
        Rows and columns around them, and their added light there; None when there are none.
    """
    carriers = view.has_tag(*VEHICLES, Tag.TRAFFIC_LIGHT)
    box = box_around(carriers)
    if box is None:
        return None
    r, g, b = cv2.split(view.frame[box])
    bright, dull = (pick(pick(r, g), b).astype(np.float32) for pick in (cv2.max, cv2.min))
    # Code values: bright from 170 on, and three times purer than paint usually is.
    pure = np.clip((bright - 150) / 60, 0, 1) * np.clip((100 - dull) / 50, 0, 1)
    weight: Plane = np.asarray(pure * carriers[box], np.float32)
    if float(weight.max()) < 0.1:
        return None
    # Nothing but these may be lamps or paint: they, with what paint is told from and their halo, are enough.
    lit = np.zeros(carriers.shape, np.float32)
    lit[box] = weight
    box = box_around(lit > 0, margin=max(PAINT_LOOKS, round(_HALO * len(lit)))) or box
    weight = lit[box]
    bodies = painted_bodies(view, weight > 0.1, view.has_tag(*VEHICLES)[box], box)
    weight *= 1 - paint_of(view, weight, box)
    if bodies is not None:
        weight *= 1 - bodies
    if float(weight.max()) < 0.1:
        return None
    light = cv2.multiply(view.source[box], cv2.merge([weight, weight, weight]), scale=CLIPPED_LAMP)
    return *box, np.asarray(light, np.float32)


def glow(emitted: Linear, *, height: int) -> Linear:
    """Light that the lens spreads around lamps: a narrow and a wide blur.

    Args:
        emitted: Light of the lamps.
        height: Rows of a frame, which `emitted` may be a part of: the lens draws by angle.
    """
    return _spread(emitted, height, narrow=0.45, wide=0.35)


def halo(emitted: Linear, transmission: Plane, *, height: int) -> Linear:
    """Light that the air scatters around lamps, as bright as the way to them is long.

    Of what is scattered on an optical path of t, T = exp(-t), fog sends most almost straight on (the forward
    parameter q of Narasimhan and Nayar 2003, "Shedding light on the weather"): T^(1 - q) still comes from
    within some degrees of the lamp, T of it from the lamp itself. So a lamp a few metres away has next to no
    halo, and one that can hardly be seen is all halo.

    Args:
        emitted: Light of the lamps before the air takes its share.
        transmission: T of the same pixels, 0..1.
        height: Rows of a frame, which `emitted` may be a part of.
    """
    share = cv2.pow(transmission, 1 - _FORWARD) - transmission
    return _spread(emitted * share[..., None], height, narrow=0.25, wide=0.75)


def _spread(light: Linear, height: int, *, narrow: float, wide: float) -> Linear:
    small = reduce(light, _REDUCE)
    rows = height // _REDUCE
    near = cv2.GaussianBlur(small, (0, 0), 0.012 * rows + 0.5)
    far = soften(small, 0.06 * rows)
    return enlarge(np.asarray(np.float32(narrow) * near + np.float32(wide) * far, np.float32), light)


def _likely_vehicles(view: View) -> Mask:
    """Where a vehicle may be when none is tagged: dark all around, lower than the camera, beyond the bonnet.

    Lamps hang lower than the camera, so they are seen below the horizon; cones, kerbs and people stand on
    bright road, lamps in dark paint, between tyres and windows.
    """
    inverse = view.plane.inverse_depth(view.scene.rays)
    below = (inverse > np.float32(1 / 200)) & (inverse < np.float32(1 / 6))
    road = ASPHALT / view.scene.reflectance_gain
    dark = (reduce(view.luma, _REDUCE) < 0.4 * road).astype(np.float32)
    # The box around a lamp that its vehicle should fill, in pixels of the reduced picture.
    metre = metre_at(view, _REDUCE)
    share = np.zeros_like(dark)
    for size, least, most in SIZES:
        wide, tall = round(_VEHICLE_M[0] * size) | 1, round(_VEHICLE_M[1] * size) | 1
        here = (metre >= least) & (metre < most)
        if here.any():
            share = np.where(here, cv2.blur(dark, (wide, tall)), share)
    large = enlarge(np.asarray(share, np.float32), view.light)
    return view.without_ego(np.asarray(below & (large > _FILLED) & (_over_foot(view, inverse) > _HANGS)))


def _over_foot(view: View, inverse: Plane) -> Plane:
    """Row below the horizon over that of the ground contact below: 1 on the ground, 0 at the camera's height.

    Inverse depth of the ground plane is linear in the row, so no depth of the thing itself is needed.
    """
    step = _REDUCE
    flat = view.flat[::step, ::step]
    height = len(flat)
    rows = np.where(flat, np.arange(height)[:, None], height - 1)
    foot = np.minimum.accumulate(rows[::-1], axis=0)[::-1]
    here = inverse[::step, ::step]
    at_foot = np.take_along_axis(here, foot, axis=0)
    share = np.asarray(here / np.maximum(at_foot, np.float32(1e-4)), np.float32)
    return np.asarray(cv2.resize(share, view.frame.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.float32)


def rear_lamps(view: View, carriers: Mask | None = None) -> Plane:
    """How much each pixel is a red lamp, 0..1: red, on a vehicle, and small.

    A red car is red all over: what a third of a metre fits into is paint and not a lamp.

    Args:
        view: The frame.
        carriers: Where vehicles are, or may be; what is tagged so unless given.
    """
    is_known = carriers is None
    carriers = view.has_tag(*VEHICLES) if carriers is None else carriers
    lamps = np.zeros(view.frame.shape[:2], np.float32)
    box = box_around(carriers, margin=PAINT_REACH)
    if box is None:
        return lamps
    r, g, b = cv2.split(view.source[box])
    other = cv2.max(g, b)
    pure, bright = (_PURE, _BRIGHT) if is_known else (_PURE_FILMED, _bright_filmed(view))
    red = smoothstep(*pure, np.asarray(r / np.maximum(other, 0.008), np.float32))
    red *= smoothstep(*bright, np.asarray(r, np.float32))
    coloured = red > 0.12
    # What is red all over is judged on all that is red, shirts and signs too, not on what may be a vehicle.
    paint = paint_of(view, red, box, LAMP_M if is_known else FILMED_LAMP_M)
    red *= carriers[box]
    if view.scene.has_true_depth or view.scene.knows(*VEHICLES):
        height = view.height_m[box]
        red *= (height > 0.25) & (height < 2.4)
    red *= 1 - paint
    bodies = painted_bodies(view, coloured, carriers[box], box)
    lamps[box] = red if bodies is None else red * (1 - bodies)
    return lamps


def _bright_filmed(view: View) -> tuple[float, float]:
    """Light that a lamp reflects by day and a shirt in the shade does not, whatever the exposure."""
    road = ASPHALT / view.scene.reflectance_gain
    return _BRIGHT_FILMED[0] * road, _BRIGHT_FILMED[1] * road


def _signals(view: View) -> Shining | None:
    """Signal heads: the bright and coloured part of what is tagged as traffic light."""
    heads = view.has_tag(Tag.TRAFFIC_LIGHT)
    box = box_around(heads)
    if box is None:
        return None
    source = view.source[box]
    bright = largest(source)
    colourful = 1 - smallest(source) / np.maximum(bright, 1e-3)
    weight = smoothstep(0.12, 0.35, bright) * smoothstep(0.45, 0.75, np.asarray(colourful, np.float32))
    weight *= heads[box]
    light = source / np.maximum(bright, 1e-3)[..., None] * (1.6 * weight)[..., None]
    return box, np.asarray(light, np.float32)


def _colour(weight: Plane, colour: tuple[float, float, float]) -> Linear:
    return np.asarray(cv2.merge([weight * np.float32(1.4 * c) for c in colour]), np.float32)


def _plus(emitted: Linear | None, more: Shining | None, view: View) -> Linear | None:
    if more is None:
        return emitted
    box, light = more
    whole = np.zeros_like(view.light) if emitted is None else emitted
    whole[box] += light
    return whole

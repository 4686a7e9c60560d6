"""Particles in the air: a box of drops or flakes, fixed to the world, drawn as the exposure smears them."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64

from worldgen.models.physics.light import Plane
from worldgen.models.physics.view import View

_LEVELS: Final = 51
_SHIFT: Final = 4
"""Fractional bits of drawn coordinates."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Smear:
    """Particles of one frame as seen: segments in pixels, width in pixels, opacity 0..1, depth in metres."""

    start: Float32[npt.NDArray[np.float32], "n 2"]
    end: Float32[npt.NDArray[np.float32], "n 2"]
    width: Float32[npt.NDArray[np.float32], " n"]
    opacity: Float32[npt.NDArray[np.float32], " n"]
    depth: Float32[npt.NDArray[np.float32], " n"]
    position: Float32[npt.NDArray[np.float32], "n 3"]
    """Camera axes, metres."""


class Swarm:
    """A box of particles around the camera that wraps around, so that it is endless and has no state.

    A particle's place is a function of time alone: (start + velocity * t - camera) modulo the box. It is
    fixed to the world: the camera drives through it.

    Args:
        box_m: Edge lengths right, ahead, up.
        velocity: Of each particle on level axes (right, ahead, up), m/s.
        diameter_m: Of each particle.
        seed: Of the places.
        sway_m: Amplitude of a slow sideways swing (flakes).
    """

    def __init__(
        self,
        box_m: tuple[float, float, float],
        velocity: Float64[npt.NDArray[np.float64], "n 3"],
        diameter_m: Float64[npt.NDArray[np.float64], " n"],
        seed: int,
        *,
        sway_m: float = 0.0,
    ) -> None:
        rng = np.random.default_rng([seed, 0xD409])
        self._box = np.array(box_m)
        self._start = rng.random((len(diameter_m), 3)) * self._box
        self._phase = rng.random((len(diameter_m), 2)) * 2 * np.pi
        self._rate = 1.0 + rng.random((len(diameter_m), 2)) * 1.5
        self._velocity = velocity
        self._diameter = diameter_m
        self._sway = sway_m

    def __len__(self) -> int:
        """Count the particles of the box."""
        return len(self._diameter)

    def seen(self, view: View, exposure_s: float, *, blur_px_m: float, near_m: float = 0.35) -> Smear:
        """Project the box into a view.

        Args:
            view: The frame.
            exposure_s: For which a particle draws its streak.
            blur_px_m: Diameter of the blur disc in pixels at one metre (lens focused far away).
            near_m: Nearer particles fill the lens and are left to the blur.
        """
        scene = view.scene
        pose = scene.poses[view.index]
        camera = scene.level @ pose[:3, 3]
        turn = pose[:3, :3].T @ scene.level.T
        t = view.seconds
        place = self._start + self._velocity * t - camera
        velocity = self._velocity - scene.level @ scene.velocities[view.index]
        if self._sway:
            angle = self._phase + self._rate * t
            place[:, :2] += self._sway * np.sin(angle)
            velocity = velocity.copy()
            velocity[:, :2] += self._sway * self._rate * np.cos(angle)
        # Into the box around the camera; floor is three times as fast as numpy's modulo.
        place -= np.floor(place / self._box + 0.5) * self._box
        here = place @ turn.T
        ahead = here[:, 2] > near_m
        here, moved = here[ahead], velocity[ahead] @ turn.T * exposure_s
        there = here - moved
        keep = there[:, 2] > 0.5 * near_m
        here, there = here[keep], there[keep]
        diameter = self._diameter[ahead][keep]
        fx, fy = scene.camera.fx, scene.camera.fy
        centre = np.array([scene.camera.cx, scene.camera.cy])
        start = here[:, :2] / here[:, 2:] * (fx, fy) + centre
        end = there[:, :2] / there[:, 2:] * (fx, fy) + centre
        width, height = scene.size
        inside = ((start > -40) & (start < (width + 40, height + 40))).all(axis=1)
        inside |= ((end > 0) & (end < (width, height))).all(axis=1)
        start, end, here, diameter = start[inside], end[inside], here[inside], diameter[inside]
        hidden = _hidden(view, start, here[:, 2])
        start, end, here, diameter = (a[~hidden] for a in (start, end, here, diameter))
        return _smear(start, end, here, diameter * fx / here[:, 2], blur_px_m)


def _hidden(
    view: View, pixel: Float64[npt.NDArray[np.float64], "n 2"], depth: Float64[npt.NDArray[np.float64], " n"]
) -> npt.NDArray[np.bool_]:
    width, height = view.scene.size
    x = np.clip(pixel[:, 0], 0, width - 1).astype(np.int32)
    y = np.clip(pixel[:, 1], 0, height - 1).astype(np.int32)
    return np.asarray(view.depth_m[y, x] < depth)


def _smear(
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    here: npt.NDArray[np.float64],
    size_px: npt.NDArray[np.float64],
    blur_px_m: float,
) -> Smear:
    """Spread a particle's own area over blur disc and streak: opacity is the share of time it covers a pixel.

    A drop of diameter D that moves L pixels during the exposure covers each pixel of its streak for D / L of
    it (Garg and Nayar 2007); below one pixel the width is drawn as one pixel and paid for in opacity.
    """
    blurred = np.hypot(size_px, blur_px_m / here[:, 2])
    wide = np.maximum(blurred, 1.0)
    length = np.linalg.norm(end - start, axis=1)
    opacity = (size_px / wide) * (size_px / np.maximum(np.hypot(length, wide), 1e-6))
    return Smear(
        start=start.astype(np.float32),
        end=end.astype(np.float32),
        width=wide.astype(np.float32),
        opacity=np.clip(opacity, 0, 1).astype(np.float32),
        depth=here[:, 2].astype(np.float32),
        position=here.astype(np.float32),
    )


def draw(
    shape: tuple[int, int],
    smear: Smear,
    strength: Float32[npt.NDArray[np.float32], " n"],
    *,
    most: float,
    soft_px: float = 3.0,
) -> Plane:
    """Draw segments as a plane of `strength`.

    Drawn in classes of equal strength and width, one call each; wide (blurred) ones go to a plane of their
    own that is smoothed, since a blur disc has no hard edge.

    Args:
        shape: Height and width.
        smear: The segments.
        strength: What to draw per segment, 0..most.
        most: Full scale.
        soft_px: Segments wider than this are smoothed.
    """
    # Levels are spaced by the square root: most particles are faint.
    level = np.round(np.sqrt(np.clip(strength / most, 0, 1)) * _LEVELS).astype(int)
    thickness = np.clip(np.round(smear.width), 1, 24).astype(int)
    segments = np.stack([smear.start, smear.end], axis=1)
    fixed = np.round(np.clip(segments, -4000, 8000) * (1 << _SHIFT)).astype(np.int32)
    crisp = np.zeros(shape, np.uint8)
    soft = np.zeros(shape, np.uint8)
    is_soft = smear.width > soft_px
    key = level * 64 + thickness * 2 + is_soft
    order = np.argsort(key, kind="stable")
    bounds = np.flatnonzero(np.diff(key[order])) + 1
    for group in np.split(order, bounds):
        if not len(group) or level[group[0]] == 0:
            continue
        value = int(level[group[0]] * (255 // _LEVELS))
        target = soft if is_soft[group[0]] else crisp
        cv2.polylines(target, list(fixed[group]), False, value, int(thickness[group[0]]), cv2.LINE_AA, _SHIFT)
    table = (np.arange(256, dtype=np.float32) / np.float32(255 // _LEVELS * _LEVELS)) ** 2 * np.float32(most)
    if is_soft.any():
        crisp = np.maximum(crisp, cv2.blur(cv2.blur(soft, (5, 5)), (5, 5)))
    return np.asarray(cv2.LUT(crisp, table), np.float32)

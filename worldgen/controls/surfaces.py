"""Surfaces of every frame: ground, what stands on it, sky behind, and one smooth depth through all.

Stixels (Badino et al. 2009) say that what is not ground stands upright on its ground contact. Here the same
holds softly: contacts, triangulated points, ground and sky each give inverse depths with a trust, and one
edge-aware least-squares problem spreads them over surfaces.
"""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32

from worldgen.controls.evidence import Plane
from worldgen.controls.free_space import (
    GroundColour,
    contact_rows,
    distance_bands,
    joined_to,
    with_low,
    without_dark,
)
from worldgen.controls.green import is_green
from worldgen.controls.memory import Memory
from worldgen.controls.relative import road_prior
from worldgen.controls.settings import GeometrySettings
from worldgen.controls.view import View
from worldgen.imaging.flow import DenseFlow, pull
from worldgen.imaging.ground import horizon_row, inverse_ground_depth
from worldgen.imaging.sky import sky_mask
from worldgen.imaging.spread import spread

_HORIZON_ROWS: Final = 3.0
"""How well the horizon is known, in small pixels."""
_FURNITURE_M: Final = 1.7
"""Cars, people and bollards reach about so high: nothing is seen through them."""
_OVERHEAD_M: Final = 2.3
"""Crowns, gantries and signs hang higher than this and need no contact below."""
_BACKDROP_M: Final = 150.0
"""Where nothing at all is known, things are this far away."""
_WEAK: Final = (0.012, 0.12)
"""Trust in the backdrop near the horizon, and well above it: what towers over the street and shows no
parallax at all is rather far than as near as the crown before it."""
_POLE: Final = 1.25
_POLE_PX: Final = (21, 21)
_LAWN: Final = 0.75
_EDGE: Final = 2.5
"""Difference of colour across which depth hardly spreads: a crown before a tower is only some 20 darker."""
_MEMORY_S: Final = 0.2
"""Seconds after which a surface's depth has forgotten most of what earlier frames said."""
_SCORE_S: Final = 0.25
"""The same for what is ground and what is sky."""
_SAME_PLACE: Final = 14.0
"""Difference in luma above which a pixel is not the one that was there before."""


@dataclass(frozen=True, slots=True)
class Surfaces:
    """One frame at the small size."""

    inverse: Plane
    """1/z in 1/m; 0 is sky."""
    ground: Bool[npt.NDArray[np.bool_], "h w"]
    sky: Plane
    """Probability."""


class SurfaceSolver:
    """Solves the frames of one clip in order, remembering the last one so that nothing flickers."""

    def __init__(self, view: View, memory: Memory, settings: GeometrySettings) -> None:
        self._view = view
        self._memory = memory
        camera = view.small_camera
        self._focal, self._height_m = camera.fy, camera.height_m
        self._plane = inverse_ground_depth(camera)
        self._far = np.float32(1.0 / settings.far_m)
        height, width = self._plane.shape
        self._rows = np.arange(height)[:, None]
        self._horizon = horizon_row(camera)
        self._road = road_prior(height, width)
        # Near the camera most of what lies below the horizon is ground.
        place = 1.3 * np.clip(6.0 * self._plane, 0.0, 1.0) + np.where(self._road, 0.25, 0.0) - 0.12
        self._place = place.astype(np.float32)
        # The horizon is known to a few rows, so far ground is known badly: what stands there tells its depth.
        unsure = _HORIZON_ROWS / (camera.fy * camera.height_m)
        above = np.clip((self._horizon - self._rows) / (0.25 * height), 0.0, 1.0).astype(np.float32)
        self._weak = _WEAK[0] + (_WEAK[1] - _WEAK[0]) * above
        self._memory_share = np.float32(math.exp(-1.0 / (_MEMORY_S * max(view.fps, 1.0))))
        self._score_share = np.float32(math.exp(-1.0 / (_SCORE_S * max(view.fps, 1.0))))
        self._firm = np.clip((self._plane / unsure - 1.5) / 2.0, 0.0, 1.0) ** 2
        self._flow = DenseFlow("ultrafast")
        self._last: tuple[npt.NDArray[np.uint8], Plane, Plane] | None = None
        self._last_inverse: Plane | None = None
        self._skies = [sky_mask(frame, self._horizon) for frame in view.small]
        self._colour = self._learned()

    def solve(self, frames: range) -> list[Surfaces]:
        """Solve a batch of frames; batches must come in order."""
        ways, masks, skies, values, trusts, caps = [], [], [], [], [], []
        for frame in frames:
            way, kept = self._way_back(frame)
            trust, weighted, evidence = self._memory.at(frame)
            score, sky = self._score(frame, evidence, way, kept)
            ground = self._ground(score)
            value, total, cap = self._knowledge(score, ground, sky > 0.5, trust, weighted)
            ways.append((way, kept))
            masks.append(ground)
            skies.append(sky)
            values.append(value)
            trusts.append(total)
            caps.append(cap)
        guide = np.stack([cv2.GaussianBlur(self._view.small[f], (3, 3), 0) for f in frames])
        solved = spread(np.stack(values), np.stack(trusts), guide.astype(np.uint8, copy=False), edge=_EDGE)
        results = []
        for i, frame in enumerate(frames):
            inverse = np.minimum(self._steady(frame, solved[i], *ways[i]), caps[i])
            self._last_inverse = inverse
            below = self._rows > self._horizon
            inverse = np.where(below, np.maximum(inverse, self._plane), inverse)
            inverse = np.where(masks[i], self._firm * self._plane + (1 - self._firm) * inverse, inverse)
            results.append(Surfaces(np.maximum(inverse, 0.0).astype(np.float32), masks[i], skies[i]))
        return results

    def _learned(self) -> GroundColour:
        """Learn the colours of the ground on keyframes, or on a dozen frames where nothing moved."""
        view = self._view
        colour = GroundColour(distance_bands(self._plane))
        above = (self._rows < self._horizon - 2).astype(np.float32) * np.ones_like(self._plane)
        clear = np.ones_like(self._plane)
        if view.ego is not None:
            clear -= cv2.dilate(view.ego.astype(np.float32), np.ones((7, 7), np.uint8))
        known = {k.frame: k.ground for k in self._memory.keyframes}
        still = np.zeros_like(self._plane)
        for frame in known or range(0, len(view), max(1, len(view) // 12)):
            vote = known.get(frame, still)
            ground = np.maximum(0.7 * self._road * (vote > -0.3), np.clip(vote, 0, 2))
            other = (
                above * np.where(self._skies[frame], 0.0, 0.5) + np.clip(-vote, 0, 2) * (1 - above) * clear
            )
            ground = without_dark(view.small_greys[frame], np.asarray(ground * clear, np.float32))
            colour.learn(view.small[frame], ground, other.astype(np.float32))
        return colour

    def _way_back(self, frame: int) -> tuple[npt.NDArray[np.float32], Plane]:
        """Flow to the frame before, and where the two show the same."""
        grey = self._view.small_greys[frame]
        if frame == 0:
            return np.zeros((*grey.shape, 2), np.float32), np.zeros(grey.shape, np.float32)
        before = self._view.small_greys[frame - 1]
        way = self._flow(grey, before)
        error = cv2.blur(np.abs(pull(before.astype(np.float32), way) - grey), (3, 3))
        return way, np.clip(2.0 - error / (0.5 * _SAME_PLACE), 0.0, 1.0).astype(np.float32)

    def _score(
        self, frame: int, evidence: Plane, way: npt.NDArray[np.float32], kept: Plane
    ) -> tuple[Plane, Plane]:
        """Log-odds of ground, and probability of sky, both steadied by the frame before."""
        picture = cv2.GaussianBlur(self._view.small[frame], (3, 3), 0)
        colour = self._colour(np.asarray(picture, np.uint8))
        # Lawns rise beside a road, and are no plane: motion against the plane says little where all looks
        # like grass.
        lawn = np.clip(2.0 * colour, 0.0, 1.0) * is_green(picture)
        against = np.clip(evidence, -3.0, 0.8) * np.where(evidence < 0, 1.0 - _LAWN * lawn, 1.0)
        score = 1.4 * colour + against + self._place
        score = np.asarray(cv2.blur(score.astype(np.float32), (3, 3)), np.float32)
        sky = self._skies[frame].astype(np.float32)
        if self._last is not None:
            _, last_score, last_sky = self._last
            share = self._score_share * kept
            score = score + share * (pull(last_score, way) - score)
            sky = sky + share * (pull(last_sky, way) - sky)
        self._last = (self._view.small_greys[frame], score, sky)
        score = np.where((self._plane <= self._far) | (sky > 0.5), np.float32(-3.0), score)
        return score, sky

    def _ground(self, score: Plane) -> Bool[npt.NDArray[np.bool_], "h w"]:
        closed = cv2.morphologyEx((score > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        ground = joined_to(closed > 0, self._road, min_area=score.size // 400)
        ground = with_low(ground, self._plane, self._focal)
        return ground if self._view.ego is None else ground | self._view.ego

    def _knowledge(
        self,
        score: Plane,
        ground: Bool[npt.NDArray[np.bool_], "h w"],
        sky: Bool[npt.NDArray[np.bool_], "h w"],
        trust: Plane,
        weighted: Plane,
    ) -> tuple[Plane, Plane, Plane]:
        """Inverse depth and trust per pixel before they are spread, and the most that it may become."""
        height = len(score)
        foot = contact_rows(ground)
        at_foot = np.take_along_axis(self._plane, np.minimum(foot, height - 1), axis=0)
        at_foot = np.maximum(at_foot, self._far)
        stands = (foot < height) & ~ground & ~sky
        tall = (foot - self._rows) / self._focal / at_foot
        sure = np.clip(np.abs(score) / 1.5, 0.15, 1.0)
        contact = np.where(stands, 0.6 * np.exp(-((tall / 1.5) ** 2)) * sure, 0.0)
        points, inverse = self._points(trust, weighted, ground, at_foot, stands & (tall < _FURNITURE_M))
        floor = np.where(ground, self._firm, 0.0)
        weak = self._weak
        total = points + contact + floor + weak
        value = points * inverse + contact * at_foot + floor * self._plane + weak / _BACKDROP_M
        value = np.where(sky, 0.0, value / total)
        # At its border sky is mixed with what stands before it: thin poles must not be drowned in it.
        core = cv2.erode(sky.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        total = np.where(sky, np.where(core, 2.0, 0.02), total)
        if self._view.ego is not None:
            value = np.where(self._view.ego, self._plane, value)
            total = np.where(self._view.ego, 1e-4, total)
        # Nothing that stands on the ground is nearer than where it touches it.
        cap = np.where(~sky & (tall < _FURNITURE_M), 1.2 * at_foot + 0.004, np.inf)
        return value.astype(np.float32), total.astype(np.float32), cap.astype(np.float32)

    def _points(
        self,
        trust: Plane,
        weighted: Plane,
        ground: Bool[npt.NDArray[np.bool_], "h w"],
        at_foot: Plane,
        furniture: Bool[npt.NDArray[np.bool_], "h w"],
    ) -> tuple[Plane, Plane]:
        """Take triangulated points that can be true, each widened to the pixels around it."""
        inverse = weighted / np.maximum(trust, 1e-6)
        # What is nearer than its own foot floats: crowns and gantries do, things near the ground do not; a
        # car that crosses ahead looks as if it did.
        lifted = self._height_m * (1.0 - self._plane / np.maximum(inverse, 1e-4))
        floats = (inverse > 1.5 * at_foot + 0.004) & (lifted < _OVERHEAD_M)
        # What is farther than its own foot is seen through a window, or moves along with the camera.
        behind = furniture & (inverse < 0.6 * at_foot)
        trust = np.where(floats | behind | ground, 0.0, trust).astype(np.float32)
        # Few near points among many far ones are a pole: widened they would draw the trees behind along.
        known = (trust * inverse).astype(np.float32)
        around = cv2.blur(known, _POLE_PX) / (cv2.blur(trust, _POLE_PX) + np.float32(1e-6))
        thin = np.where(inverse > _POLE * around, trust, np.float32(0.0))
        thick = trust - thin
        wide = cv2.GaussianBlur(thick, (0, 0), 1.2) * 8.0 + thin
        inverse = (cv2.GaussianBlur(thick * inverse, (0, 0), 1.2) * 8.0 + thin * inverse) / np.maximum(
            wide, 1e-6
        )
        return np.where(ground, 0.0, np.minimum(wide, 4.0)).astype(np.float32), np.asarray(
            inverse, np.float32
        )

    def _steady(self, frame: int, inverse: Plane, way: npt.NDArray[np.float32], kept: Plane) -> Plane:
        """Blend with the frame before along the flow, where both show the same."""
        if self._last_inverse is None or frame == 0:
            return inverse
        before = pull(self._last_inverse, way)
        metres = np.float32(self._memory.metres_per_frame[frame - 1])
        before = before / np.maximum(1.0 - before * metres, 0.5)
        return np.asarray(inverse + self._memory_share * kept * (before - inverse), np.float32)


def enlarged(
    mask: Bool[npt.NDArray[np.bool_], "h w"] | Float32[npt.NDArray[np.float32], "h w"],
    width: int,
    height: int,
) -> Bool[npt.NDArray[np.bool_], "H W"]:
    """Bring a small mask to full size with smooth outlines."""
    large = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large > 0.5)

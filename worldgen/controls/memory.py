"""Evidence of all keyframes, carried through time, so that every frame can ask what is known there."""

from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.controls.evidence import Evidence, Plane, carried, evidence_of
from worldgen.controls.travel import Pair
from worldgen.controls.view import View
from worldgen.imaging.flow import DenseFlow

Carried: TypeAlias = tuple[Plane, Plane, Plane]
"""Trust, trust times inverse depth, ground."""

_KEEPS: Final = (0.8, 0.8, 0.5)
"""What is left of each from one keyframe to the next."""


class Memory:
    """What the travel of the camera tells, for every frame of a clip."""

    def __init__(self, view: View, pairs: list[Pair]) -> None:
        self._greys = view.small_greys
        self._flow = DenseFlow("ultrafast")
        small = view.small_camera
        fast = DenseFlow("fast")
        greys = view.small_greys
        own = [
            evidence_of(p, view.camera, small, greys[p.first], greys[p.second], fast, view.ego) for p in pairs
        ]
        at = np.array([p.first for p in pairs], np.float64)
        speed = np.array([p.step_over_height * view.camera.height_m / abs(p.second - p.first) for p in pairs])
        frames = np.arange(len(view))
        self.metres_per_frame = np.interp(frames, at, speed) if len(pairs) else np.zeros(len(view))
        forth = self._inherited(own, fast)
        back = self._inherited(own[::-1], fast)[::-1]
        self.keyframes = [_summed(a, b, c) for a, b, c in zip(own, forth, back, strict=True)]
        self._numbers = [k.frame for k in self.keyframes]

    def at(self, frame: int) -> Carried:
        """Blend the evidence of the keyframes before and after a frame, carried to it."""
        if not self.keyframes:
            zero = np.zeros(self._greys[0].shape, np.float32)
            return zero, zero, zero
        after = int(np.searchsorted(self._numbers, frame))
        around = [i for i in (after - 1, after) if 0 <= i < len(self._numbers)]
        if after < len(self._numbers) and self._numbers[after] == frame:
            around = [after]
        gaps = [abs(self._numbers[i] - frame) for i in around]
        parts: list[Carried] = []
        for i, gap in zip(around, gaps, strict=True):
            share = np.float32(1.0 if len(around) == 1 else 1.0 - gap / sum(gaps))
            a, b, c = self._from(self.keyframes[i], frame)
            parts.append((share * a, share * b, share * c))
        if len(parts) == 1:
            return parts[0]
        (a0, b0, c0), (a1, b1, c1) = parts
        return a0 + a1, b0 + b1, c0 + c1

    def _from(self, source: Evidence, frame: int) -> Carried:
        if source.frame == frame:
            return source.trust, source.trust * source.inverse, source.ground
        way = self._flow(self._greys[frame], self._greys[source.frame])
        return carried(source, way, self._advance(source.frame, frame))

    def _advance(self, start: int, end: int) -> float:
        """Metres travelled from one frame to another; negative backwards in time."""
        low, high = min(start, end), max(start, end)
        way = float(self.metres_per_frame[low:high].sum())
        return way if end >= start else -way

    def _inherited(self, own: list[Evidence], flow: DenseFlow) -> list[Carried]:
        """What each keyframe inherits from those before it in the list, fading."""
        result: list[Carried] = []
        for i, here in enumerate(own):
            if i == 0:
                zero = np.zeros_like(here.trust)
                result.append((zero, zero, zero))
                continue
            before = own[i - 1]
            trust, weighted, ground = result[i - 1]
            trust = before.trust + trust
            weighted = before.trust * before.inverse + weighted
            inverse = np.asarray(weighted / np.maximum(trust, 1e-6), np.float32)
            known = Evidence(before.frame, trust, inverse, before.ground + ground)
            way = flow(self._greys[here.frame], self._greys[before.frame])
            got = carried(known, way, self._advance(before.frame, here.frame))
            a, b, c = (np.float32(k) for k in _KEEPS)
            result.append((got[0] * a, got[1] * b, got[2] * c))
        return result


def _summed(own: Evidence, forth: Carried, back: Carried) -> Evidence:
    trust = own.trust + forth[0] + back[0]
    weighted = own.trust * own.inverse + forth[1] + back[1]
    ground = np.clip(own.ground + forth[2] + back[2], -4.0, 4.0)
    return Evidence(own.frame, np.minimum(trust, 6.0), weighted / np.maximum(trust, 1e-6), ground)


def poses(pairs: list[Pair], metres_per_frame: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Chain the motion of pairs to world_from_camera per frame [t, 4, 4]; the first frame is the world."""
    count = len(metres_per_frame)
    result = np.repeat(np.eye(4)[None], count, axis=0)
    if not pairs:
        return result
    at = np.array([p.first for p in pairs], np.float64)
    turn = np.array(
        [cv2.Rodrigues(p.motion.rotation)[0][:, 0] / (p.second - p.first) for p in pairs], np.float64
    )
    heading = np.array([p.motion.direction * np.sign(p.second - p.first) for p in pairs])
    frames = np.arange(count)
    turns = np.stack([np.interp(frames, at, turn[:, k]) for k in range(3)], axis=1)
    headings = np.stack([np.interp(frames, at, heading[:, k]) for k in range(3)], axis=1)
    for i in range(count - 1):
        step = np.eye(4)
        step[:3, :3] = cv2.Rodrigues(turns[i])[0].T
        step[:3, 3] = headings[i] * metres_per_frame[i]
        result[i + 1] = result[i] @ step
    return result


def small_flow(
    greys: list[UInt8[npt.NDArray[np.uint8], "h w"]], frame: int, flow: DenseFlow
) -> npt.NDArray[np.float32]:
    """Motion from a frame to the next; zero for the last."""
    if frame + 1 >= len(greys):
        return np.zeros((*greys[frame].shape, 2), np.float32)
    return np.asarray(flow(greys[frame], greys[frame + 1]), np.float32)

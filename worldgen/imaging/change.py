"""Change: what a candidate has that its source does not explain, as a few numbers per clip.

Both are compared frame for frame as log2 of linear luminance, at most nine frames (three runs of three
neighbours) at 480 pixels width. Where the local structure of the candidate follows the source's, it is
explained, whatever happened to contrast and brightness; what is left is particles, drops, mirror images.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.datatypes import Box2d, Clip, Geometry
from worldgen.datatypes.digest import Value
from worldgen.imaging.appearance import LINEAR, WEIGHTS, Areas, Mask, Plane, shrunk, triples_of

WIDTH = 480
_STAYING_STOPS = 0.1
"""Least new structure that counts as staying, stops."""

Stack = Float32[npt.NDArray[np.float32], "t h w"]


class Change(Value):
    """Scalars of one candidate against its source. Energies are in stops, without white noise."""

    streaks: float
    """Root of the energy of new vertical lines that last one frame, above the ground."""
    flakes: float
    """Root of the energy of new round spots that last one frame, above the ground."""
    drops: float
    """Share of the picture above the ground where new structure stays at one place of the picture."""
    mirror: float
    """Correlation -1..1 of new structure on the ground with the scene above it, mirrored."""
    ground_stops: float
    """How much brighter the ground became than what stands on it, stops."""
    ground_cover: float
    """Share of the ground that became at least 0.7 stops brighter than what stands on it."""
    unexplained_ground: float
    """Root of the energy of new structure on the ground that stays from frame to frame."""
    noise: float
    """Root of the energy of new white noise."""


def measure_change(candidate: Clip, source: Clip, geometry: Geometry | None = None) -> Change:
    """Measure a candidate against its source.

    Args:
        candidate: Frame for frame with the source.
        source: The clip that was changed.
        geometry: Of the source.

    Raises:
        ValueError: The clips differ in count or size.
    """
    if candidate.frames.shape != source.frames.shape:
        msg = f"candidate {candidate.frames.shape} and source {source.frames.shape} are not frame for frame"
        raise ValueError(msg)
    runs = [_run(candidate, source, geometry, triple) for triple in triples_of(len(source))]
    medians = {key: float(np.median([run[0][key] for run in runs])) for key in runs[0][0]}
    drops = _staying([run[1] for run in runs], runs[0][2])
    return Change(**{k: round(v, 6) for k, v in {**medians, "drops": drops}.items()})


def lens_regions(candidate: Clip, source: Clip, geometry: Geometry | None = None) -> tuple[Box2d, ...]:
    """Find drops on the lens: new structure that stays at one place while the scene moves.

    Above the ground only; boxes in the source's pixels. Ask only where drops were asked for: patches of lying
    snow can look like them. Empty where the camera does not move: nothing then tells a drop from a thing.

    Args:
        candidate: Frame for frame with the source.
        source: The clip that was changed.
        geometry: Of the source.
    """
    triples = triples_of(len(source))
    if len(triples) < 3 or not _moves(source, [t[1] for t in triples]):
        return ()
    runs = [_run(candidate, source, geometry, triple) for triple in triples]
    rims = (_stays([run[1] for run in runs]) & runs[0][2]).astype(np.uint8)
    closed = cv2.morphologyEx(rims, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed)
    scale = source.size[0] / rims.shape[1]
    found: list[Box2d] = []
    for left, top, width, height, area in stats[1:]:
        compact = area > 0.3 * width * height and max(width, height) < 3 * min(width, height)
        if area >= 12 and compact and max(width, height) < 0.15 * rims.shape[1]:
            edges = (left - 1, top - 1, left + width + 1, top + height + 1)
            found.append(
                Box2d(
                    **dict(
                        zip(
                            ("left", "top", "right", "bottom"), (float(e * scale) for e in edges), strict=True
                        )
                    )
                )
            )
    return tuple(found)


def _moves(source: Clip, at: list[int]) -> bool:
    """Whether the scene moves: small pictures of three distant frames differ by more than coding noise."""
    small = [cv2.GaussianBlur(shrunk(source.frames[i], 160).astype(np.float32), (0, 0), 1) for i in at]
    return bool(min(np.abs(small[0] - small[1]).mean(), np.abs(small[1] - small[2]).mean()) > 2.0)


def _run(
    candidate: Clip, source: Clip, geometry: Geometry | None, triple: tuple[int, int, int]
) -> tuple[dict[str, float], Plane, Mask]:
    now = [_log(candidate.frames[i]) for i in triple]
    before = [_log(source.frames[i]) for i in triple]
    areas = Areas.of(shrunk(source.frames[triple[1]], WIDTH), geometry, triple[1])
    new = np.stack([_unexplained(c, s) for c, s in zip(now, before, strict=True)])
    # What lasts one frame: the middle one against the mean of its neighbours.
    passing = new[1] - 0.5 * (new[0] + new[2])
    staying = new.mean(axis=0)
    open_air = areas.scene & ~areas.ground | areas.sky
    values = {**_particles(passing, open_air), **_on_ground(now[1], before[1], staying, areas)}
    return values, cv2.GaussianBlur(staying, (0, 0), 1.5), open_air


def _log(frame: npt.NDArray[np.uint8]) -> Plane:
    return np.asarray(np.log2(LINEAR[shrunk(frame, WIDTH)] @ WEIGHTS + 0.004), np.float32)


def _unexplained(now: Plane, before: Plane) -> Plane:
    """Fine structure of `now` that is not `before`'s times a local gain (0 to 1.5)."""
    fine_now, fine_before = now - cv2.blur(now, (15, 15)), before - cv2.blur(before, (15, 15))
    shared = cv2.blur(fine_now * fine_before, (15, 15))
    energy = cv2.blur(fine_before * fine_before, (15, 15))
    gain = np.clip(shared / (energy + 1e-3), 0, 1.5)
    return np.asarray(fine_now - gain * fine_before, np.float32)


def _particles(passing: Plane, where: Mask) -> dict[str, float]:
    """Separate lines, spots and white noise by how averaging over each shape keeps their energy.

    The mean over n pixels of white noise has 1/n of its energy; a mean along a line keeps the line's.
    """
    if where.sum() < 200:
        return {"streaks": 0.0, "flakes": 0.0, "noise": 0.0}
    passing = np.clip(passing, -1.0, 1.0)
    raw = _energy(passing, where)
    upright = _energy(cv2.blur(passing, (1, 9)), where)
    level = _energy(cv2.blur(passing, (9, 1)), where)
    spot = _energy(cv2.blur(passing, (3, 3)), where)
    line = max(0.0, upright - level)
    blob = max(0.0, spot - raw / 9 - line)
    return {
        "streaks": float(np.sqrt(line)),
        "flakes": float(np.sqrt(blob)),
        "noise": float(np.sqrt(max(0.0, raw - spot) * 9 / 8)),
    }


def _energy(plane: npt.NDArray[Any], where: Mask) -> float:
    return float((plane[where] ** 2).mean())


def _stays(stays: list[Plane]) -> Mask:
    """Mark where every run of frames shows the same new structure: the lens, or what stands still."""
    stack = np.stack(stays)
    same = (np.sign(stack) == np.sign(stack[0])).all(axis=0)
    return np.asarray((np.abs(stack).min(axis=0) > _STAYING_STOPS) & same)


def _staying(stays: list[Plane], where: Mask) -> float:
    """Share of the picture where new structure stays at one place."""
    if len(stays) < 2 or not where.any():
        return 0.0
    return float(_stays(stays)[where].mean())


def _on_ground(now: Plane, before: Plane, staying: Plane, areas: Areas) -> dict[str, float]:
    gain = now - before
    if areas.ground.sum() < 200 or areas.upright.sum() < 200:
        return {"mirror": 0.0, "ground_stops": 0.0, "ground_cover": 0.0, "unexplained_ground": 0.0}
    level = float(np.median(gain[areas.upright]))
    return {
        "mirror": _mirror(now, gain, areas),
        "ground_stops": float(np.median(gain[areas.ground])) - level,
        "ground_cover": float((gain[areas.ground] > level + 0.7).mean()),
        "unexplained_ground": float(np.sqrt(_energy(np.clip(staying, -2, 2), areas.ground))),
    }


def _mirror(now: Plane, gain: Plane, areas: Areas) -> float:
    """Correlate what was added to the ground with the scene above it, mirrored about the line of contact."""
    h = len(now)
    has = areas.ground.any(axis=0)
    contact = np.where(has, areas.ground.argmax(axis=0), h)
    reach = h // 5
    steps = np.arange(2, reach)
    columns = np.flatnonzero(has & (contact > reach) & (contact + reach < h))
    if columns.size < 30:
        return 0.0
    scene = cv2.GaussianBlur(now, (0, 0), sigmaX=1.5, sigmaY=6.0)
    added = cv2.GaussianBlur(gain, (0, 0), sigmaX=1.5, sigmaY=6.0)
    above = scene[contact[columns][:, None] - steps, columns[:, None]]
    below = added[contact[columns][:, None] + steps, columns[:, None]]
    seen = areas.ground[contact[columns][:, None] + steps, columns[:, None]]
    if seen.sum() < 200:
        return 0.0
    # Row by row means are perspective and haze, not mirror images.
    above = above - above.mean(axis=0)
    below = below - below.mean(axis=0)
    a, b = above[seen], below[seen]
    return float((a * b).sum() / (np.sqrt((a * a).sum() * (b * b).sum()) + 1e-6))

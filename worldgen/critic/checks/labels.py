"""Label truth: do the labels fit the geometry, and can what they name still be seen?"""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Box2d, Finding, IgnoreRegion, ObjectLabel, Observation, Place, Visibility
from worldgen.imaging.change import lens_regions
from worldgen.imaging.visibility import contrast_to_noise, visibility_state

_SMALL = 40
"""Pixels (working) below which neither a box nor a contrast can be measured."""

_FRAMES = 3
"""Frames in which a box must be measurable to be judged."""


def boxes_fit(evidence: Evidence) -> tuple[Finding, ...]:
    """Boxes lie where the geometry has the instances of the same id."""
    labels, stack = evidence.labels, evidence.instances
    if labels is None or stack is None:
        return ()
    limit = evidence.thresholds.labels.overlap
    scale_x, scale_y = stack.shape[2] / labels.width, stack.shape[1] / labels.height
    tracks: dict[int, list[tuple[float, int]]] = {}
    for frame in labels.frames:
        if frame.frame >= len(stack):
            continue
        for thing in frame.objects:
            # What is hidden below or beside leaves a box larger than what is seen.
            if (thing.truncation or 0) > 0.2 or (thing.occlusion or 0) > 0.15:
                continue
            seen = stack[frame.frame] == thing.id
            if seen.sum() < _SMALL:
                continue
            rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
            truth = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            box = thing.box2d
            named = (box.left * scale_x, box.top * scale_y, box.right * scale_x, box.bottom * scale_y)
            tracks.setdefault(thing.id, []).append((_overlap(named, truth), frame.frame))
    # One frame is chance: something passes before it, or it is at its smallest.
    enough = min(_FRAMES, len(stack))
    tracks = {thing: overlaps for thing, overlaps in tracks.items() if len(overlaps) >= enough}
    if not tracks:
        return ()
    worst = min(tracks, key=lambda i: float(np.median([o for o, _ in tracks[i]])))
    value = float(np.median([o for o, _ in tracks[worst]]))
    passed = value >= limit
    reason = (
        f"every box covers its object (least overlap {value:.2f})"
        if passed
        else f"the boxes of object {worst} miss what the geometry shows (overlap {value:.2f})"
    )
    frames = [f for _, f in tracks[worst]]
    places = () if passed else (Place(first_frame=min(frames), last_frame=max(frames), object_id=worst),)
    return (
        Finding(
            check="labels.boxes",
            passed=passed,
            value=value,
            threshold=limit,
            unit="intersection over union",
            reason=reason,
            places=places,
        ),
    )


def visibility_agrees(evidence: Evidence) -> tuple[Finding, ...]:
    """What is predicted to be clear is also measured to be there."""
    if not evidence.comparable or evidence.labels is None:
        return ()
    seen = observe(evidence)
    clear = [o for o in seen if o.visibility.predicted == "clear"]
    if len(clear) < 5:
        return ()
    limit = evidence.thresholds.labels.vanished_share
    gone = [o for o in clear if o.visibility.measured == "not_visible"]
    value = len(gone) / len(clear)
    passed = value <= limit
    reason = f"{len(gone)} of {len(clear)} labels predicted to be clear cannot be measured on the candidate"
    places = tuple(Place(first_frame=o.frame, last_frame=o.frame, object_id=o.object_id) for o in gone[:20])
    return (
        Finding(
            check="labels.visibility",
            passed=passed,
            value=value,
            threshold=limit,
            unit="share",
            severity="review",
            reason=reason,
            places=() if passed else places,
        ),
    )


def observe(evidence: Evidence, only: frozenset[int] | None = None) -> tuple[Observation, ...]:
    """Predict and measure the visibility of every labelled object (or of some ids) in every frame."""
    labels, source = evidence.labels, evidence.source
    if labels is None or source is None or not evidence.comparable:
        return ()
    found: list[Observation] = []
    width, height = evidence.candidate.size
    for frame in labels.frames:
        if frame.frame >= len(evidence.candidate):
            continue
        for thing in frame.objects:
            if only is not None and thing.id not in only:
                continue
            box = thing.box2d
            left, right = (v * width / labels.width for v in (box.left, box.right))
            top, bottom = (v * height / labels.height for v in (box.top, box.bottom))
            area = (
                int(max(left, 0)),
                int(max(top, 0)),
                int(min(right, width)) + 1,
                int(min(bottom, height)) + 1,
            )
            visibility = _visibility(evidence, frame.frame, area, thing)
            found.append(
                Observation(
                    object_id=thing.id,
                    frame=frame.frame,
                    visibility=visibility,
                    range_m=thing.range_m,
                    range_interval_m=thing.range_interval_m,
                )
            )
    return tuple(found)


def ignore_regions(evidence: Evidence) -> tuple[tuple[int, IgnoreRegion], ...]:
    """Boxes around what is burnt out in the candidate and was not in the source, glare, and lens drops."""
    source, view = evidence.source, evidence.candidate
    if source is None or not evidence.comparable:
        return ()
    found: list[tuple[int, IgnoreRegion]] = []
    if evidence.spec is not None and (evidence.spec.lens_drops or 0) >= 0.05:
        drops = lens_regions(view.clip, source.clip, evidence.geometry)
        found += [(i, IgnoreRegion(reason="lens_drop", box2d=box)) for i in range(len(view)) for box in drops]
    found += _glare(evidence)
    least = evidence.thresholds.labels.saturated_share * view.size[0] * view.size[1]
    for i in range(len(view)):
        burnt = ((view.luma[i] >= 250) & (source.luma[i] < 245)).astype(np.uint8)
        burnt = cv2.morphologyEx(burnt, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(burnt)
        for left, top, width, height, area in stats[1:]:
            if area < least:
                continue
            box = Box2d(
                left=left / view.scale,
                top=top / view.scale,
                right=(left + width) / view.scale,
                bottom=(top + height) / view.scale,
            )
            found.append((i, IgnoreRegion(reason="saturated", box2d=box)))
    return tuple(found)


def _glare(evidence: Evidence) -> list[tuple[int, IgnoreRegion]]:
    """Boxes around places that a light veils: bright, brighter than the rest became, and without contrast."""
    source, view = evidence.source, evidence.candidate
    if source is None or not evidence.asked.has_low_light:
        return []
    limits, survey = evidence.thresholds.labels, evidence.survey
    tile, step = survey.tile, survey.tile / view.scale
    width, height = view.clip.size
    after, before = view.tile_luma(tile), source.tile_luma(tile)
    found: list[tuple[int, IgnoreRegion]] = []
    for i, ratio in enumerate(survey.ratio):
        gain = after[i] - before[i]
        veiled = (survey.energy[i] > 64 * tile) & (ratio < limits.glare_contrast)
        veiled &= (after[i] > limits.glare_level) & (gain > np.median(gain) + limits.glare_gain)
        closed = cv2.morphologyEx(veiled.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(closed)
        for left, top, columns, rows, area in stats[1:]:
            if area < limits.glare_tiles:
                continue
            box = Box2d(
                left=left * step,
                top=top * step,
                right=min((left + columns) * step, width),
                bottom=min((top + rows) * step, height),
            )
            found.append((i, IgnoreRegion(reason="glare", box2d=box)))
    return found


def _visibility(
    evidence: Evidence, frame: int, area: tuple[int, int, int, int], thing: ObjectLabel
) -> Visibility:
    source, view = evidence.source, evidence.candidate
    left, top, right, bottom = area
    if source is None or right - left < 3 or bottom - top < 3:
        return Visibility()
    pad = max(3, (right - left) // 3)
    window = np.s_[frame, max(0, top - pad) : bottom + pad, max(0, left - pad) : right + pad]
    inside = np.zeros(view.luma[window].shape, np.bool_)
    y, x = top - max(0, top - pad), left - max(0, left - pad)
    inside[y : y + bottom - top, x : x + right - left] = True
    if evidence.instances is not None:
        own = evidence.instances[window] == thing.id
        if own.sum() >= 9:
            inside = own
    before, after = source.luma[window], view.luma[window]
    level = int(np.clip(after[inside].mean(), 0, 255))
    noise = float(view.noise_levels[level])
    tile = evidence.survey.tile
    row = min((top + bottom) // (2 * tile), evidence.survey.expected.shape[1] - 1)
    column = min((left + right) // (2 * tile), evidence.survey.expected.shape[2] - 1)
    left_over = min(1.5, float(evidence.survey.expected[frame, row, column]))
    through: float | None = None
    if evidence.predicted_transmission is not None:
        through = float(np.median(evidence.predicted_transmission[window][inside]))
        left_over = min(left_over, 1.2 * through)
    # Texture of neighbouring pixels is correlated: a quarter of them count as independent.
    pixels = inside.sum() / 4
    predicted = contrast_to_noise(_contrast(before, inside) * left_over, noise, pixels)
    measured = contrast_to_noise(_contrast(after, inside), noise, pixels)
    return Visibility(
        predicted=visibility_state(predicted),
        measured=visibility_state(measured),
        transmission=through,
        contrast_to_noise=round(measured, 2),
    )


def _contrast(plane: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_]) -> float:
    """Mean step between object and surround, plus its own texture, levels."""
    around = plane[~inside]
    step = abs(float(plane[inside].mean()) - float(around.mean())) if around.size else 0.0
    return step + 0.5 * float(plane[inside].std())


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = float(width * height)
    return shared / float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)

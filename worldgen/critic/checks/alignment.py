"""Alignment: is everything where it was, in pixels?"""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.survey import emitters
from worldgen.datatypes import Finding, Place
from worldgen.imaging.flow import pixel_grid
from worldgen.imaging.residual import alike
from worldgen.imaging.structure import spread, tile_sum


def displacement(evidence: Evidence) -> tuple[Finding, ...]:
    """Displacement of the whole picture and of its regions, from contrast-normalised matching."""
    if not evidence.comparable:
        return ()
    limits, survey = evidence.thresholds.alignment, evidence.survey
    judged = survey.shift_weight > limits.enough_structure
    per_frame = judged.sum(axis=(1, 2))
    if per_frame.max() < 4:
        reason = "too little visible structure to measure where things are"
        return (_finding("alignment.whole", None, 0.0, limits.whole_px, reason),)
    x, y = _medians(survey.shift_x, judged), _medians(survey.shift_y, judged)
    whole = np.hypot(x, y)
    worst = int(whole.argmax())
    typical = float(np.median(whole[per_frame >= 4]))
    scale = evidence.candidate.scale
    place = (evidence.place(worst, worst),)
    size = np.where(judged, np.hypot(survey.shift_x, survey.shift_y), 0)
    if max(typical, float(np.median(_fourth(size))), whole[worst]) > limits.whole_px:
        # Matches in rain, flakes or darkness, and along rows of windows, may agree by chance; a true
        # displacement can be undone, in the picture and in each region.
        won, inside = _won(evidence, judged)
        if float(np.median(won)) <= limits.fit_gain:
            typical = min(typical, limits.whole_px)
        if float(won[worst]) <= 2 * limits.fit_gain:
            whole[worst] = min(whole[worst], limits.frame_px)
        size = np.where(inside > limits.region_gain, size, np.minimum(size, limits.region_px))
    fourth = _fourth(size)
    region = float(np.median(fourth))
    peak = int(fourth.argmax())
    ok = (typical <= limits.whole_px, whole[worst] <= limits.frame_px, region <= limits.region_px)
    return (
        _finding(
            "alignment.whole",
            ok[0],
            typical,
            limits.whole_px,
            f"the picture sits {typical / scale:.1f} px beside the source's in the median frame",
            () if ok[0] else (evidence.place(0, len(judged) - 1),),
        ),
        _finding(
            "alignment.frame",
            bool(ok[1]),
            float(whole[worst]),
            limits.frame_px,
            f"the worst frame, {worst}, sits {whole[worst] / scale:.1f} px beside the source's",
            () if ok[1] else place,
        ),
        _finding(
            "alignment.regions",
            ok[2],
            region,
            limits.region_px,
            f"parts of the picture are {region / scale:.1f} px out of place in the median frame",
            () if ok[2] else (evidence.place(peak, peak),),
        ),
    )


def _fourth(size: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Displacement of the fourth-worst region of every frame."""
    flat = np.sort(size.reshape(len(size), -1), axis=1)
    return np.asarray(flat[:, -min(4, flat.shape[1])])


def _won(
    evidence: Evidence, judged: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Correlation with the source that undoing the measured displacement wins, per frame and per region."""
    source, view, survey = evidence.source, evidence.candidate, evidence.survey
    assert source is not None  # noqa: S101 -- the caller asked `comparable`
    width, height = view.size
    columns, rows = pixel_grid(height, width)
    side = survey.tile * 5
    won = np.zeros(len(judged))
    inside = np.zeros(judged.shape, np.float32)
    for i, on in enumerate(judged):
        if on.sum() < 4:
            continue
        dx, dy = (
            np.where(on, s[i], np.median(s[i][on])).astype(np.float32)
            for s in (survey.shift_x, survey.shift_y)
        )
        now, own = view.normalised(i), source.normalised(i)
        moved = cv2.remap(
            now,
            columns + spread(dx, (width, height), side),
            rows + spread(dy, (width, height), side),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        after = np.asarray(moved, np.uint8)
        if evidence.asked.is_dark:
            # Windows that are lit make rows of their own, beside those of the day.
            lit = emitters(source.luma[i], view.luma[i]) > 0
            now, own, after = (np.where(lit, 128, p).astype(np.uint8) for p in (now, own, after))
        good = alike(after, own)
        # In the dark noise can be matched with anything; a picture put right looks like the source.
        won[i] = good - alike(now, own) if good > 0.25 else 0.0
        inside[i] = _alike_within(after, own, side, on.shape) - _alike_within(now, own, side, on.shape)
    return won, inside


def _alike_within(
    a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8], side: int, shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Correlation of two contrast-normalised pictures in each region."""
    left, right = (p.astype(np.float32) - 128 for p in (a, b))
    shared, one, two = (tile_sum(p, side)[: shape[0], : shape[1]] for p in (left * right, left**2, right**2))
    return np.asarray(shared / (np.sqrt(one * two) + 1), np.float32)


def _medians(values: npt.NDArray[np.float32], judged: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    return np.array([np.median(v[j]) if j.sum() >= 4 else 0.0 for v, j in zip(values, judged, strict=True)])


def _finding(
    check: str,
    passed: bool | None,
    value: float,
    threshold: float,
    reason: str,
    places: tuple[Place, ...] = (),
) -> Finding:
    return Finding(
        check=check,
        passed=passed,
        value=value,
        threshold=threshold,
        unit="working px",
        reason=reason,
        places=places,
    )

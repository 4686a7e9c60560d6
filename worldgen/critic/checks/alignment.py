"""Alignment: is everything where it was, in pixels?"""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Finding, Place
from worldgen.imaging.flow import pixel_grid
from worldgen.imaging.residual import alike
from worldgen.imaging.structure import spread


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
    size = np.where(judged, np.hypot(survey.shift_x, survey.shift_y), 0).reshape(len(judged), -1)
    fourth = np.sort(size, axis=1)[:, -min(4, size.shape[1])]
    region = float(np.median(fourth))
    peak = int(fourth.argmax())
    scale = evidence.candidate.scale
    place = (evidence.place(worst, worst),)
    won = _won(evidence, judged) if max(typical, region, whole[worst]) > limits.whole_px else np.zeros(1)
    real = float(np.median(won)) > limits.fit_gain
    worst_real = float(won[min(worst, len(won) - 1)]) > 2 * limits.fit_gain
    if not real:
        # Matches in rain, flakes or darkness may agree by chance; a true displacement can be undone.
        typical, region = min(typical, limits.whole_px), min(region, limits.region_px)
    if not worst_real:
        whole[worst] = min(whole[worst], limits.frame_px)
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


def _won(evidence: Evidence, judged: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Correlation with the source that undoing the measured displacement wins, per frame."""
    source, view, survey = evidence.source, evidence.candidate, evidence.survey
    assert source is not None  # noqa: S101 -- the caller asked `comparable`
    width, height = view.size
    columns, rows = pixel_grid(height, width)
    side = survey.tile * 5
    won = np.zeros(len(judged))
    for i, on in enumerate(judged):
        if on.sum() < 4:
            continue
        dx, dy = (
            np.where(on, s[i], np.median(s[i][on])).astype(np.float32)
            for s in (survey.shift_x, survey.shift_y)
        )
        moved = cv2.remap(
            view.normalised(i),
            columns + spread(dx, (width, height), side),
            rows + spread(dy, (width, height), side),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        after = alike(np.asarray(moved, np.uint8), source.normalised(i))
        # In the dark noise can be matched with anything; a picture put right looks like the source.
        won[i] = after - alike(view.normalised(i), source.normalised(i)) if after > 0.25 else 0.0
    return won


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

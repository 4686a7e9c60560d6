"""Detail: is what is fine still fine, and does nothing linger that the source showed before?"""

from functools import cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.view import View
from worldgen.datatypes import Finding, Place, Tag
from worldgen.datatypes.tags import EGO, FLAT
from worldgen.imaging.edges import Plane
from worldgen.imaging.flow import pull
from worldgen.imaging.structure import tile_sum

Stack = npt.NDArray[np.float32]

_LAGS: Final = (1, 2, 3, 4)
_FRAMES: Final = 8
"""So many frames of a clip are looked at, evenly spread."""


def fine_detail(evidence: Evidence) -> tuple[Finding, ...]:
    """Fine detail must survive where coarse structure does.

    Fog, darkness and grading scale both bands alike; a blur takes the fine one. Each band's gain is the
    regression of the candidate on the source, which noise and flakes do not move.
    """
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None:
        return ()
    limits, tile = evidence.thresholds.detail, evidence.survey.tile
    columns, rows = -(-view.size[0] // tile), -(-view.size[1] // tile)
    sums = np.zeros((4, rows, columns), np.float32)
    noise = 0.0
    for i in _spread_frames(len(view), _FRAMES):
        (fine, coarse), (fine_c, coarse_c) = _bands(source.luma[i]), _bands(view.luma[i])
        planes = (fine * fine_c, fine * fine, coarse * coarse_c, coarse * coarse)
        sums += np.stack([tile_sum(p, tile) for p in planes])
        noise = max(noise, float(view.noise[i]))
    fine_gain = sums[0] / np.maximum(sums[1], 1e-3)
    coarse_gain = sums[2] / np.maximum(sums[3], 1e-3)
    # Only where the source is rich in fine detail that, at the coarse band's contrast, stands over the noise.
    frames = len(_spread_frames(len(view), _FRAMES))
    expected = np.abs(coarse_gain) * np.sqrt(sums[1] / (frames * tile * tile))
    judged = (coarse_gain > 0.1) & (expected > max(limits.noise_times * noise, limits.floor_levels))
    if judged.mean() < limits.judged_share:
        reason = "too little fine detail stands over the noise to judge it"
        return (_finding("structure.detail", True, None, limits.kept, "", reason, severity="info"),)
    value = float(np.median(np.clip(fine_gain[judged] / coarse_gain[judged], 0, 2)))
    passed = value >= limits.kept
    return (
        _finding(
            "structure.detail",
            passed,
            value,
            limits.kept,
            "of the coarse contrast",
            f"fine detail keeps {value:.0%} of the contrast that coarse structure keeps",
            () if passed else (Place(first_frame=0, last_frame=len(view) - 1),),
        ),
    )


def nothing_lingers(evidence: Evidence) -> tuple[Finding, ...]:
    """A frame must not show what the source showed at another time.

    The candidate's structure is regressed on the source's frame of the same time and on one of another;
    the share of the other is compared with the own one's.
    """
    source, view = evidence.source, evidence.candidate
    lags = [k for k in _LAGS if k < len(view)]
    if not evidence.comparable or source is None or len(view) < 3 or evidence.asked.is_dark:
        return ()  # in the dark the own lamps light up what comes near: a moment of its own
    limits = evidence.thresholds.detail

    @cache
    def hazed(frame: int) -> Plane:
        # Fog leaves what is near and moves, and takes what is far and stands: as if time had passed.
        seen = evidence.haze_luma(frame)
        return source.luma[frame] if seen is None else seen

    worst, at = 0.0, 0
    told = False
    for lag in lags:
        for sign in (-1, 1):
            shares = []
            for i in _spread_frames(len(view), _FRAMES):
                if not 0 <= i + sign * lag < len(view):
                    continue
                own, other, now = _middle(hazed(i)), _middle(hazed(i + sign * lag)), _middle(view.luma[i])
                aa, bb, ab = (float((p * q).sum()) for p, q in ((own, own), (other, other), (own, other)))
                rest = aa * bb - ab * ab
                if rest < limits.moved_share * aa * bb:
                    continue  # nothing moved: both are the same picture
                ac, bc = float((own * now).sum()), float((other * now).sum())
                mine, its = (ac * bb - bc * ab) / rest, (bc * aa - ac * ab) / rest
                shares.append(its / max(mine + its, 1e-6) if mine + its > 0.02 else 0.0)
            if len(shares) >= 3:
                told = True
                share = float(np.median(shares))
                if share > worst:
                    worst, at = share, sign * lag
    if not told:
        return ()
    limit = evidence.at_most("temporal.lingering", limits.lingering)
    passed = worst <= limit
    when = f"{abs(at)} frames {'before' if at < 0 else 'after'}"
    return (
        _finding(
            "temporal.lingering",
            passed,
            worst,
            limit,
            "share",
            "no frame shows what the source showed at another time"
            if passed
            else f"{worst:.0%} of what a frame shows is what the source showed {when}",
            () if passed else (Place(first_frame=0, last_frame=len(view) - 1),),
        ),
    )


def nothing_shines_through(evidence: Evidence) -> tuple[Finding, ...]:
    """No second picture lies over the first: structure that lasts, weak but everywhere, without a cause.

    What is left of the candidate after the best local share of the source is taken away is correlated from
    frame to frame along the source's motion; noise, streaks and flakes do not last.
    """
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None or len(view) < 3:
        return ()
    if evidence.asked.is_dark or (evidence.predicted_transmission is not None and not evidence.is_haze_known):
        return ()  # lamps shade everything anew, unknown haze draws near before far: lasting structure
    limits, tile = evidence.thresholds.detail, evidence.survey.tile
    total = np.zeros((2, -(-view.size[1] // tile), -(-view.size[0] // tile)), np.float32)
    for i in _spread_frames(len(view) - 1, 5):
        here, there = (
            _rest(_behind_haze(evidence, source, i), view.soft[i], tile),
            _rest(_behind_haze(evidence, source, i + 1), view.soft[i + 1], tile),
        )
        flow = source.flow(i)
        lasts = here[0] * pull(there[0], flow)
        power = (here[1] * here[1] + there[1] * there[1]) / 2
        total += np.stack(
            [tile_sum(np.asarray(lasts, np.float32), tile), tile_sum(np.asarray(power, np.float32), tile)]
        )
    share = np.sqrt(np.maximum(total[0], 0) / (total[1] + limits.floor_levels * tile * tile))
    value = float(np.median(share[_upright(evidence, share.shape)]))
    limit = (limits.shining if evidence.is_plain else limits.shining_redrawn) * evidence.guessed
    limit = evidence.at_most("structure.second_picture", limit)
    told = evidence.is_plain or evidence.narrower("structure.second_picture") is not None
    passed = value <= limit
    return (
        _finding(
            "structure.second_picture",
            passed,
            value,
            limit,
            "share",
            f"{value:.0%} of the structure lasts without a cause in the source, everywhere",
            () if passed else (Place(first_frame=0, last_frame=len(view) - 1),),
            # Another light brings lasting structure of its own; there it asks for a look.
            severity="reject" if told else "review",
        ),
    )


def _behind_haze(evidence: Evidence, source: View, frame: int) -> Plane:
    """The source's soft luma, behind the haze that the candidate shows where that is known."""
    seen = evidence.haze_luma(frame)
    return source.soft[frame] if seen is None else np.asarray(cv2.GaussianBlur(seen, (0, 0), 1.5), np.float32)


def _rest(source: Plane, candidate: Plane, tile: int) -> tuple[Plane, Plane]:
    """What the best local share of the source does not explain, and all structure; of middle size."""
    s, c = (p - cv2.GaussianBlur(p, (0, 0), 6.0) for p in (source, candidate))
    shared, power = (cv2.GaussianBlur(p, (0, 0), tile) for p in (s * c, s * s))
    gain = shared / (power + np.float32(1.0))
    return np.asarray(c - gain * s, np.float32), np.asarray(c, np.float32)


def _upright(evidence: Evidence, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Tiles that mostly show what stands up; ground and sky may bring structure of their own."""
    if evidence.tags is None:
        return np.ones(shape, np.bool_)
    tile = evidence.survey.tile
    other = np.isin(evidence.tags[:: max(1, len(evidence.tags) // 4)], [*FLAT, Tag.SKY, EGO])
    share = tile_sum(np.asarray(other.mean(axis=0), np.float32), tile) / np.float32(tile * tile)
    upright = share < 0.4
    return np.asarray(upright) if upright.sum() >= 8 else np.ones(shape, np.bool_)


def _spread_frames(count: int, most: int) -> list[int]:
    return [int(i) for i in np.unique(np.linspace(0, count - 1, min(count, most)).round())]


def _bands(plane: Plane) -> tuple[Plane, Plane]:
    """What is finer than about two pixels, and what is between two and eight."""
    one, three = cv2.GaussianBlur(plane, (0, 0), 1.2), cv2.GaussianBlur(plane, (0, 0), 5.0)
    return np.asarray(plane - one, np.float32), np.asarray(one - three, np.float32)


def _middle(plane: Plane) -> Plane:
    """Structure of middle size at half size, clipped so that one strong edge does not speak for all."""
    half = cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(half - cv2.GaussianBlur(half, (0, 0), 3.0), -24, 24), dtype=np.float32)


def _finding(
    check: str,
    passed: bool,
    value: float | None,
    threshold: float,
    unit: str,
    reason: str,
    places: tuple[Place, ...] = (),
    severity: str = "reject",
) -> Finding:
    return Finding.model_validate(
        {
            "check": check,
            "passed": passed,
            "value": value,
            "threshold": threshold,
            "unit": unit,
            "reason": reason,
            "places": places,
            "severity": severity,
        }
    )

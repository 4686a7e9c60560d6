"""Structure kept: the edges that should survive are where they were, and no others; the worst one decides."""

import math

import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import over_frames, over_tiles, square
from worldgen.datatypes import Detectable, Finding, Place
from worldgen.imaging.visibility import inserted_side, outline_excess


def whole_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """The picture as a whole, in its worst frame."""
    if not evidence.comparable:
        return ()
    limits, survey = evidence.thresholds.structure, evidence.survey
    weight = survey.weight.sum(axis=(1, 2))
    visible = float(weight.sum() / max(survey.energy.sum(), 1e-6))
    if weight.max() < 1:
        reason = "nothing of the source's structure can be expected to be visible; it cannot be judged"
        return (
            Finding(
                check="structure.whole",
                passed=None,
                value=visible,
                threshold=limits.visible_share,
                unit="share",
                reason=reason,
            ),
        )
    lost = 1 - survey.kept.sum(axis=(1, 2)) / np.maximum(weight, 1e-6)
    worst = int(lost.argmax())
    value = float(lost[worst])
    limit = evidence.at_most("structure.whole", limits.whole_lost)
    passed = value <= limit
    told = min(max(value, 0), 1)  # other edges in their place count against what is kept, so it may pass 1
    return (
        Finding(
            check="structure.whole",
            passed=passed,
            value=value,
            threshold=limit,
            unit="share lost",
            reason=f"{told:.0%} of the edges that should survive are lost in the worst frame",
            places=() if passed else (evidence.place(worst, worst),),
        ),
    )


def tiles_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """Every place of two by two tiles, over a few frames."""
    if not evidence.comparable:
        return ()
    limits, survey = evidence.thresholds.structure, evidence.survey
    frames = min(limits.tile_frames, len(survey.due))
    due = over_tiles(over_frames(survey.due, frames), 2)
    kept = over_tiles(over_frames(survey.kept, frames), 2)
    lost = (due - kept) / (due + np.float32(limits.prior * 2))
    # The less contrast is left, the less certain is what to expect of it.
    left = over_tiles(over_frames(survey.expected, frames), 2) / (4 * frames)
    lost = lost * (np.float32(0.5) + np.float32(0.5) * np.minimum(left, 1))
    at, row, column = (int(v) for v in np.unravel_index(int(lost.argmax()), lost.shape))
    value = float(lost[at, row, column])
    limit = (limits.tile_lost_plain if evidence.is_plain else limits.tile_lost) * evidence.guessed
    limit = evidence.at_most("structure.tiles", limit)
    passed = value <= limit
    reason = (
        f"no place loses more than {max(value, 0):.0%} of the structure that should be visible"
        if passed
        else f"structure that should be visible is gone or replaced, from frame {at}"
    )
    places = () if passed else (evidence.place(at, at + frames - 1, square(row, column, 2)),)
    return (
        Finding(
            check="structure.tiles",
            passed=passed,
            value=value,
            threshold=limit,
            unit="share lost",
            reason=reason,
            places=places,
        ),
    )


def objects_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """Every thing that has an instance, along its track."""
    if not evidence.comparable or evidence.objects is None:
        return ()
    limits, survey = evidence.thresholds.structure, evidence.survey
    ids = evidence.objects[0]
    if len(ids) < 2:
        return ()
    frames = min(limits.object_frames, len(survey.object_due))
    due = over_frames(survey.object_due[:, None, :], frames)[:, 0, 1:]
    kept = over_frames(survey.object_kept[:, None, :], frames)[:, 0, 1:]
    lost = (due - kept) / (due + np.float32(limits.object_prior))
    pixels = over_frames(evidence.object_pixels[:, None, :], frames)[:, 0, 1:] / frames
    least = limits.object_pixels_plain if evidence.is_plain else limits.object_pixels
    lost = np.where(pixels >= least, lost, 0)
    at, index = (int(v) for v in np.unravel_index(int(lost.argmax()), lost.shape))
    value, thing = float(lost[at, index]), int(ids[index + 1])
    limit = (limits.object_lost_plain if evidence.is_plain else limits.object_lost) * evidence.guessed
    limit = evidence.at_most("structure.objects", limit)
    passed = value <= limit
    reason = (
        f"no object loses more than {max(value, 0):.0%} of the structure that should be visible"
        if passed
        else f"object {thing} is gone, moved or replaced from frame {at}"
    )
    places: tuple[Place, ...] = ()
    if not passed:
        places = (evidence.object_place(at, at + frames - 1, index + 1),)
    return (
        Finding(
            check="structure.objects",
            passed=passed,
            value=value,
            threshold=limit,
            unit="share lost",
            reason=reason,
            places=places,
        ),
    )


def nothing_new(evidence: Evidence) -> tuple[Finding, ...]:
    """Lasting edges without a cause in the source: inserted, doubled, moved things."""
    if not evidence.comparable:
        return ()
    survey = evidence.survey
    frames = min(3, len(survey.new))
    new = over_frames(over_tiles(survey.new, 3) / np.float32(9), frames) / np.float32(frames)
    usual = np.median(new, axis=(1, 2), keepdims=True)
    share = (new - usual) / (survey.edges.mean() + np.float32(0.3))
    at, row, column = (int(v) for v in np.unravel_index(int(share.argmax()), share.shape))
    value = float(share[at, row, column])
    limit = _new_limit(evidence)
    passed = value <= limit
    size = _smallest_new(evidence, usual, frames)
    reason = (
        f"no lasting edges without a cause in the source; {_covered(evidence, size)}"
        if passed
        else f"something is there that the source does not have, from frame {at}"
    )
    places: tuple[Place, ...] = ()
    if not passed:
        places = (evidence.place(at, at + frames - 1, square(row, column, 3)),)
    return (
        Finding(
            check="structure.new",
            passed=passed,
            value=value,
            threshold=limit,
            unit="of mean edge strength",
            reason=reason,
            places=places,
            detectable=size,
        ),
    )


def _smallest_new(evidence: Evidence, usual: npt.NDArray[np.float32], frames: int) -> Detectable | None:
    """Size the smallest square that `nothing_new` would have found in the plainest quarter of the places.

    It stands out as the picture itself does: root mean square contrast (Peli 1990), so that fog and night
    lower it; and it moves with the scene. None where it is not found though it fits what is judged.
    """
    survey, view = evidence.survey, evidence.candidate
    contrast = float(np.median(view.luma.std(axis=(1, 2))))
    # Scharr's weights take a difference over two pixels, whose variance is a third.
    blur = math.hypot(view.sigma, math.sqrt(1 / 3))
    explained = np.median(survey.explained, axis=0).astype(np.float32)
    outline = outline_excess(max(contrast, 1e-3), explained, blur)
    limit = _new_limit(evidence) * float(survey.edges.mean() + 0.3) + float(np.median(usual))
    side = float(np.quantile(inserted_side(limit, 9.0 * survey.tile**2, outline), 0.25, method="lower"))
    # Corners are rounded by the gradient's blur: two deviations at each end of an outline add nothing.
    side += 4 * blur
    # A wider one does not lie within three by three tiles wherever it stands.
    if side > 2 * survey.tile:
        return None
    return Detectable(side_px=side / view.scale, contrast_levels=contrast, frames=frames)


def _new_limit(evidence: Evidence) -> float:
    limits = evidence.thresholds.structure
    loosest = (limits.new_edges_redrawn if evidence.asked.is_redrawn else limits.new_edges) * evidence.guessed
    return evidence.at_most("structure.new", loosest)


def _covered(evidence: Evidence, size: Detectable | None) -> str:
    if size is None:
        widest = 2 * evidence.survey.tile / evidence.candidate.scale
        return (
            f"a thing of up to {widest:.0f} px at the picture's own contrast might have been missed anywhere"
        )
    side = math.ceil(size.side_px)
    about = f"a thing of {side} x {side} px at about {size.contrast_levels:.0f} levels"
    return f"{about} would have been seen in plain places"

"""Structure kept: the edges that should survive are where they were, and no others; the worst one decides."""

import numpy as np

from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import over_frames, over_tiles, square
from worldgen.datatypes import Finding, Place


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
    passed = value <= limits.whole_lost
    return (
        Finding(
            check="structure.whole",
            passed=passed,
            value=value,
            threshold=limits.whole_lost,
            unit="share lost",
            reason=f"{max(value, 0):.0%} of the edges that should survive are lost in the worst frame",
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
    limits, survey = evidence.thresholds.structure, evidence.survey
    frames = min(3, len(survey.new))
    new = over_frames(over_tiles(survey.new, 3) / np.float32(9), frames) / np.float32(frames)
    usual = np.median(new, axis=(1, 2), keepdims=True)
    share = (new - usual) / (survey.edges.mean() + np.float32(0.3))
    at, row, column = (int(v) for v in np.unravel_index(int(share.argmax()), share.shape))
    value = float(share[at, row, column])
    limit = limits.new_edges_redrawn if evidence.is_redrawn else limits.new_edges
    limit *= evidence.guessed
    passed = value <= limit
    reason = (
        "no lasting edges without a cause in the source"
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
        ),
    )

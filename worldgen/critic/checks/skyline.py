"""Skyline: the sky ends where the source's ends. Nothing new is in it, and no thing shows it."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import box_of, over_frames, over_tiles, square
from worldgen.critic.survey import Tiles
from worldgen.critic.transfer import Transfer, fit_transfer
from worldgen.datatypes import Box2d, Finding, Place, Tag
from worldgen.datatypes.tags import EGO, FLAT

_FRAMES: Final = 5
_SIDE: Final = 2
"""Frames and tiles (across and down) over which a place is judged."""
_LOOKS: Final = 9
"""So many frames of a clip are looked at for sky before things, evenly spread."""
_OPEN: Final = (*FLAT, Tag.SKY, EGO, Tag.UNLABELED, Tag.VEGETATION)
"""Where no thing hides the sky; leaves let it through."""
_COLUMNS: Final = 8
"""Columns of sky that a frame needs."""

Mask = npt.NDArray[np.bool_]


def sky_empty(evidence: Evidence) -> tuple[Finding, ...]:
    """Look for lasting edges without a cause in the source in the tiles of sky, over a few frames.

    Under most conditions a sky has hardly any, so that little is honest; it is judged only where it is known
    how much that is (`disturbance`): streaks and drops on the lens draw more in it than things do.
    """
    limit = evidence.narrower("sky.new")
    if limit is None or not evidence.comparable or evidence.tags is None:
        return ()
    survey = evidence.survey
    sky = evidence.tile_tags(survey.tile) == Tag.SKY
    usual = np.median(_mean(survey.new, 3, 3), axis=(1, 2)).mean()
    new = (_mean(survey.new * sky, _SIDE, _FRAMES) - usual) / (survey.edges.mean() + 0.3)
    at, row, column = (int(v) for v in np.unravel_index(int(new.argmax()), new.shape))
    value = float(new[at, row, column])
    passed = value <= limit
    last = min(at + _FRAMES, len(evidence.candidate)) - 1
    return (
        Finding(
            check="sky.new",
            passed=passed,
            value=value,
            threshold=limit,
            unit="of mean edge strength",
            reason=(
                "nothing is in the sky that the source does not have there"
                if passed
                else f"something is in the sky that the source does not have there, from frame {at}"
            ),
            places=() if passed else (evidence.place(at, last, square(row, column, _SIDE)),),
        ),
    )


def things_hide_sky(evidence: Evidence) -> tuple[Finding, ...]:
    """Look for the candidate's own sky where a thing stands: as much of the picture as in the median frame.

    A place counts where the source shows no sky's colour, the one change of colour that the condition makes
    to things (`transfer`) does not turn it into the sky's, and yet the candidate shows the colour that the
    sky has right above.
    """
    limit = evidence.narrower("sky.through")
    source, tags, depth = evidence.source, evidence.tags, evidence.depth_m
    if limit is None or not evidence.comparable or source is None or tags is None or depth is None:
        return ()
    view = evidence.candidate
    frames = np.unique(np.linspace(0, len(view) - 1, min(len(view), _LOOKS)).round().astype(int))
    things = ~np.isin(tags[frames], _OPEN)
    known = things | (tags[frames] == Tag.VEGETATION)
    transfer = fit_transfer(source.rgb[frames], view.rgb[frames], depth[frames], known)
    if transfer is None:
        return ()
    through = np.stack(
        [_through(evidence, int(i), transfer, here) for i, here in zip(frames, things, strict=True)]
    )
    share = through.mean(axis=(1, 2))
    at = int(np.argsort(share)[len(share) // 2])
    value = float(share[at])
    passed = value <= limit
    return (
        Finding(
            check="sky.through",
            passed=passed,
            value=value,
            threshold=limit,
            unit="share of the picture",
            reason=(
                "no thing shows the sky behind it"
                if passed
                else f"{value:.1%} of the picture shows sky where the source has things: they are gone"
            ),
            places=() if passed else (_around(evidence, int(frames[at]), through[at]),),
        ),
    )


def _through(evidence: Evidence, i: int, transfer: Transfer, things: Mask) -> Mask:
    source, tags, depth = evidence.source, evidence.tags, evidence.depth_m
    assert source is not None and tags is not None and depth is not None  # noqa: S101, PT018 -- asked for before
    limits = evidence.thresholds.sky
    before, after = source.rgb[i], evidence.candidate.rgb[i]
    # The measure was set on pictures of 256 columns.
    side = max(3, round(3 * before.shape[1] / 256) | 1)
    own, shown = (_sky_above(rgb, tags[i] == Tag.SKY, side + 1) for rgb in (before, after))
    if own is None or shown is None:
        return np.zeros_like(things)
    soft_before, soft_after = (cv2.blur(rgb, (side, side)).astype(np.float32) for rgb in (before, after))
    due = np.zeros(after.shape, np.float32)
    due[things] = transfer.predict(before[things], depth[i][things])
    due = np.asarray(cv2.blur(due, (side, side)), np.float32)
    like = things & (np.abs(soft_after - shown).max(axis=-1) < limits.alike_levels)
    like &= np.abs(due - shown).max(axis=-1) > limits.unlike_levels
    like &= np.abs(soft_before - own).max(axis=-1) > limits.alike_levels
    kernel = np.ones((side, side), np.uint8)
    return np.asarray(cv2.morphologyEx(like.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0)


def _sky_above(rgb: npt.NDArray[np.uint8], sky: Mask, rows: int) -> npt.NDArray[np.float32] | None:
    """Colour of the lowest `rows` rows of sky in each column, [1, w, 3]; None where too few have it."""
    height, width = sky.shape
    lowest = np.where(sky, np.arange(height)[:, None], -1).max(axis=0)
    columns = np.flatnonzero(lowest >= rows)
    if len(columns) < _COLUMNS:
        return None
    total = np.cumsum(np.pad(rgb.astype(np.float32), ((1, 0), (0, 0), (0, 0))), axis=0)
    end = lowest[columns] + 1
    mean = (total[end, columns] - total[end - rows, columns]) / rows
    filled = [np.interp(np.arange(width), columns, mean[:, k]) for k in range(3)]
    return np.stack(filled, axis=-1)[None].astype(np.float32)


def _around(evidence: Evidence, frame: int, through: Mask) -> Place:
    box = box_of(through)
    if box is None:
        return Place(first_frame=frame, last_frame=frame)
    left, top, right, bottom = (v / evidence.candidate.scale for v in box)
    where = Box2d(left=left, top=top, right=right, bottom=bottom)
    return Place(first_frame=frame, last_frame=frame, box2d=where)


def _mean(stack: Tiles, side: int, frames: int) -> Tiles:
    frames = min(frames, len(stack))
    return over_frames(over_tiles(stack, side) / np.float32(side * side), frames) / np.float32(frames)

"""Presence: is every thing there, and how large must one be for its absence to be noticed?

Noise hides things. Of a thing that is smaller than what could be noticed nothing is said, and that concerns
this thing alone: its label is left out (see `worldgen.labelling`). Only where no asked condition hides it and
no label leaves it out does the whole verdict want for evidence.
"""

from worldgen.critic.checks.labels import ignore_regions, observe
from worldgen.critic.evidence import Evidence
from worldgen.critic.presence import Presence, presence, side_of
from worldgen.datatypes import Detectable, Finding, IgnoreRegion, Place, Spec
from worldgen.imaging.visibility import ROSE
from worldgen.labelling.objects import why_ignored
from worldgen.labelling.signs import Signs, signs_of


def things_present(evidence: Evidence) -> tuple[Finding, ...]:
    """Every thing is found, or what of it could be missing is named with its size."""
    if not evidence.comparable or evidence.objects is None or len(evidence.objects[0]) < 2:
        return ()
    spec = evidence.spec
    sun = None if spec is None else spec.sun_elevation_deg
    if sun is not None and sun < evidence.thresholds.objects.night_deg:
        # Lamps give things another pattern; not finding the source's says nothing.
        return ()
    least = evidence.thresholds.objects.present_pixels
    things = [p for p in presence(evidence) if p.pixels >= least]
    told = [p for p in things if p.is_told]
    untold = [p for p in things if not p.is_told]
    found = [_present(evidence, told)] if told else []
    if untold:
        claimed = _claimed(evidence, untold)
        unproven = [p for p in untold if p.index in claimed]
        hidden = [p for p in untold if p.index not in claimed]
        found += [_untold(evidence, hidden, is_claimed=False)] if hidden else []
        found += [_untold(evidence, unproven, is_claimed=True)] if unproven else []
    return tuple(found)


def _present(evidence: Evidence, told: list[Presence]) -> Finding:
    missing = [p for p in told if p.is_missing]
    worst = min(missing or told, key=lambda p: p.found / p.asked)
    sized = [p for p in told if p.due >= ROSE]
    hardest = max(sized, key=lambda p: p.least_pixels, default=None)
    size = None if hardest is None else _detectable(evidence, hardest, hardest.least_pixels)
    many = f"{len(told)} things are" if len(told) > 1 else "the one thing that can be told is"
    reason = (
        f"object {_id(evidence, worst)} should stand {worst.due:.0f} times above the noise and is found "
        f"{max(worst.found, 0):.0f} times above it: it is gone or replaced"
        if missing
        else f"{many} there; {_noticed(size)} would have been missed if it were not"
    )
    # Under honest snow and overcast a few things pass its limit too (4 of 72 goods of development scenes), so
    # it asks for a look only where nothing was asked.
    asks = evidence.spec is not None and bool(evidence.spec.changes)
    return Finding(
        check="objects.present",
        passed=not missing,
        value=worst.found,
        threshold=worst.asked if worst.due >= ROSE else ROSE,
        unit="signal over noise",
        severity="info" if asks else "review",
        places=tuple(_place(evidence, p) for p in missing),
        reason=reason,
        detectable=size,
    )


def _untold(evidence: Evidence, things: list[Presence], *, is_claimed: bool) -> Finding:
    """Name what is below the size that could be noticed; it may be gone or not."""
    worst = max(things, key=lambda p: p.pixels)
    size = _detectable(evidence, worst, worst.least_pixels)
    own = side_of(evidence, worst.pixels)
    more = f" and {len(things) - 1} more" if len(things) > 1 else ""
    which = f"object {_id(evidence, worst)} ({own:.1f} px square){more}"
    least = f"only {_noticed(size)} would be missed" if size else "too little contrast is left for any size"
    follows = (
        "and no asked condition hides it"
        if is_claimed
        else "so nothing is said of it, and a label of it is left out"
    )
    return Finding(
        check="objects.unproven" if is_claimed else "objects.hidden",
        passed=None,
        value=own,
        threshold=size.side_px if size else None,
        unit="px",
        severity="reject" if is_claimed else "info",
        places=tuple(_place(evidence, p) for p in things),
        reason=f"{which}: at this contrast and noise {least}, {follows}",
        detectable=size,
    )


def _claimed(evidence: Evidence, untold: list[Presence]) -> frozenset[int]:
    """Which of them somebody counts on: no asked condition hides them, and no label leaves them out."""
    spec = evidence.spec or Spec(seed=0)
    signs = signs_of(spec, {}, painted=False)
    if signs.hides or not signs.is_mild or evidence.asked.is_dark or evidence.haze_light is not None:
        return frozenset()
    left_out = _left_out(evidence, frozenset(_id(evidence, p) for p in untold), signs)
    return frozenset(p.index for p in untold if _id(evidence, p) not in left_out)


def _left_out(evidence: Evidence, ids: frozenset[int], signs: Signs) -> frozenset[int]:
    """Of these ids, those whose labels will all be `ignore`, as labelling decides it."""
    if evidence.labels is None:
        return frozenset()
    seen = {(o.object_id, o.frame): o.visibility for o in observe(evidence, ids)}
    regions: dict[int, list[IgnoreRegion]] = {}
    for frame, region in ignore_regions(evidence):
        regions.setdefault(frame, []).append(region)
    kept: dict[int, bool] = {}
    for labelled in evidence.labels.frames:
        over = tuple(regions.get(labelled.frame, ()))
        for item in labelled.objects:
            if item.id in ids:
                reason = why_ignored(item, seen.get((item.id, labelled.frame)), over, signs)
                kept[item.id] = kept.get(item.id, False) or (item.use == "train" and reason is None)
    return frozenset(i for i, is_kept in kept.items() if not is_kept)


def _detectable(evidence: Evidence, thing: Presence, pixels: float) -> Detectable | None:
    # Nothing smaller is asked for, so nothing smaller is promised.
    side = side_of(evidence, max(pixels, evidence.thresholds.objects.present_pixels))
    # Wider than the picture is no size.
    if side > evidence.candidate.clip.size[0]:
        return None
    return Detectable(side_px=side, contrast_levels=thing.contrast, frames=len(thing.frames))


def _noticed(size: Detectable | None) -> str:
    if size is None:
        return "nothing smaller or fainter"
    times = f"{size.frames} frames" if size.frames > 1 else "one frame"
    side = f"{size.side_px:.1f}"
    return f"a thing of {side} x {side} px at {size.contrast_levels:.1f} levels in {times}"


def _id(evidence: Evidence, thing: Presence) -> int:
    assert evidence.objects is not None  # noqa: S101 -- the caller asked
    return int(evidence.objects[0][thing.index])


def _place(evidence: Evidence, thing: Presence) -> Place:
    return evidence.object_place(thing.frames[0], thing.frames[-1], thing.index)

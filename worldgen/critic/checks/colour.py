"""Colour: things keep their colour against their surroundings, whatever the light does to both."""

import numpy as np

from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import over_frames, square
from worldgen.datatypes import Finding, Tag
from worldgen.datatypes.tags import EGO, FLAT
from worldgen.imaging.structure import neighbourhood


def local_colour(evidence: Evidence) -> tuple[Finding, ...]:
    """Change of the channel ratios of every tile, beyond the change around it."""
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None:
        return ()
    limits = evidence.thresholds.colour
    if evidence.asked.is_dark:
        # Lamps and sky light differ in colour: one place turns warm and the next one blue, honestly.
        return (
            Finding(
                check="colour.local",
                passed=True,
                value=None,
                threshold=limits.tile_stops,
                unit="stops",
                severity="info",
                reason="in the dark things have the colour of the lamps; their own is not judged",
            ),
        )
    tile = evidence.survey.tile
    before, after = source.chroma(tile), view.chroma(tile)
    light = np.minimum(source.tile_luma(tile), view.tile_luma(tile))
    seen = light > limits.darkest_level
    if evidence.asked.has_low_light:
        # What is lit by a lamp, or by a glow, has that light's colour, not its own.
        gain = np.log2((view.tile_rgb(tile).max(axis=-1) + 4) / (source.tile_rgb(tile).max(axis=-1) + 4))
        seen &= gain < np.median(gain) + 0.5
    if evidence.tags is not None:
        none: list[int] = [Tag.SKY]
        if evidence.asked.is_ground_changed:
            # A wet road shows the colour of what stands on it, a snowed-up one that of snow.
            none += [*FLAT, EGO]
        seen &= ~np.isin(evidence.tile_tags(tile), none)
    worst, at, where = 0.0, 0, (0, 0)
    frames = min(3, len(before))
    for channel in range(2):
        a, b = before[..., channel], after[..., channel]
        slope = (
            float(np.clip((a[seen] * b[seen]).sum() / max(float((a[seen] ** 2).sum()), 1e-6), 0, 1.2))
            if seen.any()
            else 1.0
        )
        change = b - np.float32(slope) * a
        around = np.stack([neighbourhood(c, s, 4, 0.5) for c, s in zip(change, seen, strict=True)])
        off = np.where(seen & ~np.isnan(around), change - around, 0).astype(np.float32)
        mean = np.abs(over_frames(off, frames) / frames)
        peak = float(mean.max())
        if peak > worst:
            t, r, c = np.unravel_index(int(mean.argmax()), mean.shape)
            worst, at, where = peak, int(t), (int(r), int(c))
    limit = limits.tile_stops * (limits.low_light_times if evidence.asked.has_low_light else 1.0)
    limit = evidence.at_most("colour.local", limit)
    passed = worst <= limit
    return (
        Finding(
            check="colour.local",
            passed=passed,
            value=worst,
            threshold=limit,
            unit="stops",
            reason=(
                f"no place changes colour against its surroundings by more than {worst:.2f} stops"
                if passed
                else f"a place changes colour against its surroundings by {worst:.2f} stops, from frame {at}"
            ),
            places=() if passed else (evidence.place(at, at + frames - 1, square(where[0], where[1], 1)),),
        ),
    )

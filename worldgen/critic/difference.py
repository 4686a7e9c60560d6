"""The difference: how the candidate's weather and light differ from the source's, as a few numbers.

Everything is relative to the source, place by place, so that "fog" means more fog than the source has and a
grey road is not taken for a wet one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool

from worldgen.critic.survey import Survey
from worldgen.critic.view import View
from worldgen.datatypes import Tag
from worldgen.datatypes.tags import EGO, FLAT
from worldgen.imaging.channels import largest, smallest
from worldgen.imaging.edges import LUMA

Mask = Bool[npt.NDArray[np.bool_], "t rows columns"]


@dataclass(frozen=True, slots=True)
class Areas:
    """Tiles of sky, ground and all that stands up."""

    sky: Mask
    ground: Mask
    upright: Mask

    @classmethod
    def of(cls, tags: npt.NDArray[np.uint8] | None, shape: tuple[int, ...], tile: int) -> "Areas":
        """Read the tags at the middle of every tile; without tags the lower two fifths are ground."""
        rows = np.broadcast_to(np.arange(shape[1])[None, :, None], shape)
        if tags is None:
            sky, ground, ego = rows < 0.2 * shape[1], rows >= 0.62 * shape[1], np.zeros(shape, np.bool_)
        else:
            half = tile // 2
            middle = np.pad(tags, ((0, 0), (0, half), (0, half)), mode="edge")[:, half::tile, half::tile]
            middle = middle[:, : shape[1], : shape[2]]
            sky, ground, ego = middle == Tag.SKY, np.isin(middle, list(FLAT)), middle == EGO
        return cls(sky, ground, ~(sky | ground | ego))


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate against source; stops are log2 of linear light."""

    stops: float
    """Of what stands up, median."""
    sky_stops: float
    sky_warmth: float
    """Change of log2(R / B) of the sky."""
    warmth: float
    """The same of everything else."""
    tint: float
    """log2(R / B) that the ground has in the candidate, median: shadows lit by a blue sky turn grey under
    clouds, which is a change towards red and no red."""
    ground_stops: float
    """Of the ground, against what stands up."""
    white_ground: float
    """Share of the ground that turned bright and colourless."""
    changed_ground: float
    """Share of the ground that changed by 0.2 stops against the rest of the ground."""
    dark_ground: float
    """Share of the ground that darkened by half a stop against the rest."""
    saturation: float
    """log2 of the mean saturation, without the sky."""
    contrast_near: float
    contrast_far: float
    """log2 of the contrast left (median), in the nearest and the farthest third."""
    fading: float
    """Loss of contrast from near to far, log2."""
    particles: float
    """What is bright for one frame only, beyond the source's, percent of the picture's brightness."""
    sky_particles: float
    """The same in the sky and upper picture, above or below."""
    mirror: float
    """New structure on the ground, against the picture's mean edge strength."""


def differ(
    source: View,
    candidate: View,
    survey: Survey,
    tags: npt.NDArray[np.uint8] | None,
    depth_m: npt.NDArray[np.float32] | None,
) -> Difference:
    """Measure all of it from tiles."""
    tile = survey.tile
    before, after = _linear(source.tile_rgb(tile)), _linear(candidate.tile_rgb(tile))
    areas = Areas.of(tags, survey.energy.shape, tile)
    stops = np.log2(after @ LUMA) - np.log2(before @ LUMA)
    warm = _warmth(after) - _warmth(before)
    upright = _median(stops[areas.upright])
    on_ground = stops[areas.ground]
    colour = _saturation(after)
    light = after @ LUMA
    # Bright as snow is, not only brighter than a shadow was.
    bright = light[areas.ground] > 0.3 * float(np.quantile(light, 0.95))
    white = (on_ground > upright + 0.8) & (colour[areas.ground] < 0.25) & bright
    has = survey.energy > 64 * tile
    near, far = _thirds(areas, depth_m, tile)
    left = np.log2(np.clip(survey.ratio, 0.01, 4))
    contrast_near, contrast_far = _median(left[near & has]), _median(left[far & has])
    inner = slice(1, len(survey.above) + 1)
    flash = (
        survey.above.mean() - float(np.mean(source.transient_tiles(tile)[0])) if len(survey.above) else 0.0
    )
    high = areas.sky[inner] if areas.sky.any() else ~areas.ground[inner]
    restless = (survey.above + survey.below)[high] if len(survey.above) else np.zeros(0, np.float32)
    level = float((candidate.tile_rgb(tile) @ LUMA).mean()) + 1
    return Difference(
        stops=upright,
        sky_stops=_median(stops[areas.sky]),
        sky_warmth=_median(warm[areas.sky]),
        warmth=_median(warm[~areas.sky]),
        tint=_median(np.log2(after[areas.ground][:, 0]) - np.log2(after[areas.ground][:, 2])),
        ground_stops=_median(on_ground) - upright,
        white_ground=_share(white),
        changed_ground=_share(np.abs(on_ground - _median(on_ground)) > 0.2),
        dark_ground=_share(on_ground < upright - 0.5),
        saturation=float(
            np.log2((colour[~areas.sky].mean() + 0.02) / (_saturation(before)[~areas.sky].mean() + 0.02))
        ),
        contrast_near=contrast_near,
        contrast_far=contrast_far,
        fading=contrast_near - contrast_far,
        particles=100 * flash / level,
        sky_particles=100 * float(restless.mean()) / level if restless.size else 0.0,
        mirror=float(survey.new[areas.ground].mean() / (survey.edges.mean() + 0.3))
        if areas.ground.any()
        else 0.0,
    )


def _linear(tiles: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(((tiles + 2) / 257) ** 2.2, np.float32)


def _warmth(linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(np.log2(linear[..., 0]) - np.log2(linear[..., 2]), np.float32)


def _saturation(linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    top, low = largest(linear), smallest(linear)
    return np.asarray((top - low) / (top + 1e-3), np.float32)


def _share(holds: npt.NDArray[np.bool_]) -> float:
    return float(holds.mean()) if holds.size else 0.0


def _median(values: npt.NDArray[np.float32]) -> float:
    return float(np.median(values)) if values.size else 0.0


def _thirds(areas: Areas, depth_m: npt.NDArray[np.float32] | None, tile: int) -> tuple[Mask, Mask]:
    scene = areas.ground | areas.upright
    if depth_m is None:
        rows = np.broadcast_to(np.arange(scene.shape[1])[None, :, None] / scene.shape[1], scene.shape)
        return scene & (rows > 0.66), scene & (rows > 0.35) & (rows < 0.55)
    half = tile // 2
    deep = np.pad(depth_m, ((0, 0), (0, half), (0, half)), mode="edge")[:, half::tile, half::tile]
    deep = deep[:, : scene.shape[1], : scene.shape[2]]
    if not scene.any():
        return scene, scene
    low, high = np.quantile(deep[scene], [0.33, 0.75])
    return scene & (deep <= low), scene & (deep >= high)

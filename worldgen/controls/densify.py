"""Measured depth with holes (LiDAR, stereo) made dense along the picture's edges."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32

from worldgen.datatypes import Clip, Geometry
from worldgen.imaging.spread import spread, upsample_along

_WIDTH: Final = 320
_DENSE: Final = 0.5
"""From this share of measured pixels on, measurements are kept as they are and only holes are filled."""
_PRIOR: Final = 0.05
"""Trust in the estimate's own scale, against that in all measurements together."""
_STRENGTH: Final = 60.0
"""Measurements are many: each speaks for a small neighbourhood only."""
_BATCH: Final = 8


def has_holes(geometry: Geometry) -> bool:
    """Whether a geometry's depth is unmeasured anywhere (NaN)."""
    return any(bool(np.isnan(frame).any()) for frame in geometry.depth_m)


def densified(measured: Geometry, estimated: Geometry, clip: Clip) -> Geometry:
    """Fill what a sidecar did not measure.

    The estimate from the clip gives the shape; what spreads over the picture's surfaces is the factor by
    which the measurements differ from it, so a road stays a plane between two scan lines.

    Args:
        measured: Depth in metres with NaN where nothing was measured.
        estimated: From the clip itself, same frames: sky, bonnet, ground tags, and shape.
        clip: RGB frames.
    """
    full_w, full_h = clip.size
    width = min(_WIDTH, full_w)
    height = max(16, round(full_h * width / full_w))
    depth = np.empty_like(measured.depth_m)
    known_share = 0.0
    for start in range(0, len(clip), _BATCH):
        frames = range(start, min(start + _BATCH, len(clip)))
        ratio = _scale_ratio(measured, estimated, frames)
        values, trusts, guides = [], [], []
        for i in frames:
            factor, share = _thinned(measured.depth_m[i], estimated.depth_m[i], width, height)
            prior = max(1e-5, _PRIOR * float(share.mean()))
            total = share + np.float32(prior)
            values.append((factor * share + prior * ratio) / total)
            trusts.append(total)
            guides.append(cv2.resize(clip.frames[i], (width, height), interpolation=cv2.INTER_AREA))
        guide = np.stack(guides).astype(np.uint8, copy=False)
        solved = spread(
            np.stack(values).astype(np.float32),
            np.stack(trusts).astype(np.float32),
            guide,
            strength=_STRENGTH,
        )
        for i, small in zip(frames, solved, strict=True):
            known = ~np.isnan(measured.depth_m[i])
            known_share += float(known.mean()) / len(clip)
            depth[i] = _full(np.exp(small), clip.frames[i], known, measured.depth_m[i], estimated.depth_m[i])
            if estimated.ego_mask is not None:
                depth[i][estimated.ego_mask] = estimated.depth_m[i][estimated.ego_mask]
    note = (
        f"Depth was measured at {100 * known_share:.1f}% of the pixels and filled along the picture's edges."
    )
    tags = measured.tags if measured.tags is not None else estimated.tags
    tag_origin = measured.origins.tags if measured.tags is not None else estimated.origins.tags
    own_pose = measured.pose is not None
    return replace(
        measured,
        depth_m=depth,
        tags=tags,
        ego_mask=estimated.ego_mask,
        pose=measured.pose if own_pose else estimated.pose,
        origins=measured.origins.model_copy(
            update={
                "tags": tag_origin,
                "pose": measured.origins.pose if own_pose else estimated.origins.pose,
            }
        ),
        notes=(*measured.notes, note),
    )


def _log_factor(
    measured: Float32[npt.NDArray[np.float32], "h w"], estimated: Float32[npt.NDArray[np.float32], "h w"]
) -> npt.NDArray[np.float32]:
    """log(estimated / measured), NaN where either is unknown or endless."""
    both = np.isfinite(measured) & np.isfinite(estimated)
    ratio = np.where(both, estimated, 1.0) / np.maximum(np.where(both, measured, 1.0), 0.1)
    return np.where(both, np.log(ratio), np.nan).astype(np.float32)


def _scale_ratio(measured: Geometry, estimated: Geometry, frames: range) -> float:
    """Median of log(estimated / measured) over some frames: what to expect where nothing was measured."""
    found = [np.nanmedian(f) for f in map(_factor_of(measured, estimated), frames) if not np.isnan(f).all()]
    return float(np.median(found)) if found else 0.0


def _factor_of(measured: Geometry, estimated: Geometry) -> Callable[[int], npt.NDArray[np.float32]]:
    return lambda i: _log_factor(measured.depth_m[i], estimated.depth_m[i])


def _thinned(
    measured: Float32[npt.NDArray[np.float32], "h w"],
    estimated: Float32[npt.NDArray[np.float32], "h w"],
    width: int,
    height: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean log factor of the measured pixels in each small pixel, and whether there are any."""
    factor = _log_factor(measured, estimated)
    known = ~np.isnan(factor)
    size = (width, height)
    total = cv2.resize(np.where(known, factor, 0.0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mean = np.where(share > 0, total / np.maximum(share, 1e-9), 0.0)
    return mean.astype(np.float32), (share > 0).astype(np.float32)


def _full(
    factor: Float32[npt.NDArray[np.float32], "h w"],
    frame: npt.NDArray[np.uint8],
    known: Bool[npt.NDArray[np.bool_], "H W"],
    measured: Float32[npt.NDArray[np.float32], "H W"],
    estimated: Float32[npt.NDArray[np.float32], "H W"],
) -> npt.NDArray[np.float32]:
    luma = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)
    size = (factor.shape[1], factor.shape[0])
    small_luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)
    depth = estimated / np.maximum(upsample_along(factor, small_luma, luma, radius=2), 1e-3)
    endless = known & ~np.isfinite(estimated)
    depth = np.where(endless, np.where(endless, measured, 1.0), depth)
    if known.mean() >= _DENSE:
        depth = np.where(known, measured, depth)
    return np.asarray(depth, np.float32)

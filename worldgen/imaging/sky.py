"""Where the sky is, from colour, brightness, smoothness and place alone."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, UInt8

from worldgen.imaging.channels import largest, mean, smallest

_SEED_BUSY: Final = 10.0
_GROW_BUSY: Final = 26.0
_CLOUD_BUSY: Final = 20.0
_ISLAND: Final = 9.0
"""Mean distance in code values from the sky's colour up to which a lone patch is taken for sky."""
_ALIKE: Final = 12.0
_CREEPS: Final = 6


def sky_mask(
    frame: UInt8[npt.NDArray[np.uint8], "h w 3"], horizon: float
) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Find the sky of one frame.

    Seeds are smooth, bright for their frame and neither green nor warm; from them a smooth model of the
    sky's colour over the picture is fitted, and everything above the horizon that follows it is sky, be it
    joined to the rest or seen through branches.

    Args:
        frame: RGB, a few hundred pixels wide.
        horizon: Row below which there is no sky.
    """
    h, w = frame.shape[:2]
    top = max(2, min(h, round(horizon)))
    area = frame[:top]
    smooth = np.asarray(cv2.GaussianBlur(area, (3, 3), 0), np.uint8)
    grey = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY), np.uint8)
    busy = _busyness(grey)
    r, g, b = (smooth[..., i].astype(np.int16) for i in range(3))
    cool = (b + 14 >= g) & (b + 10 >= r) & (g - r < 60)
    high = np.percentile(grey, 92) if grey.size else 255.0
    seed = (busy < _SEED_BUSY) & cool & (grey > 0.7 * float(high)) & (grey > 60)
    seed = _grounded(seed, h * w)
    result = np.zeros((h, w), np.bool_)
    if seed.sum() < 0.002 * h * w:
        return result
    model, spread = _colour_model(smooth, seed)
    distance = largest(np.abs(smooth.astype(np.float32) - model))
    near = distance < np.clip(3.0 * spread, 14.0, 30.0)
    grown = near & (busy < _GROW_BUSY) & cool
    grown |= (distance < np.clip(1.5 * spread, 8.0, 14.0)) & cool
    grown |= _clouds(smooth, model, busy)
    joined = _touching(grown, seed, least=3e-5 * h * w)
    # Windows at the border hold both sky and its neighbour and look busy: there colour decides alone.
    border = cv2.dilate(joined.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    sharp = largest(np.abs(area.astype(np.float32) - model))
    joined |= border & (sharp < np.clip(3.0 * spread, 14.0, 30.0))
    joined |= _islands(near & cool & (busy < _GROW_BUSY), distance, h * w, bottom=0.85 * top)
    result[:top] = _creep(smooth, joined, cool)
    return result


def _islands(
    grown: Bool[npt.NDArray[np.bool_], "h w"],
    distance: Float32[npt.NDArray[np.float32], "h w"],
    area: int,
    *,
    bottom: float,
) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Sky cut off by poles and beams: larger than windows are, well above ground, just its colour."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(grown.astype(np.uint8), connectivity=4)
    size = stats[:, cv2.CC_STAT_AREA]
    mean = np.bincount(labels.ravel(), distance.ravel(), minlength=count) / np.maximum(size, 1)
    low = stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT] > bottom
    keep = (size > 1.2e-3 * area) & (mean < _ISLAND) & ~low
    keep[0] = False
    return np.asarray(keep[labels])


def _creep(
    picture: UInt8[npt.NDArray[np.uint8], "h w 3"],
    sky: Bool[npt.NDArray[np.bool_], "h w"],
    cool: Bool[npt.NDArray[np.bool_], "h w"],
) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Follow slow changes of colour that no plane fits, from the known sky into its likeness."""
    seen = picture.astype(np.float32)
    window = (11, 11)
    for _ in range(_CREEPS):
        weight = cv2.blur(sky.astype(np.float32), window)
        local = cv2.blur(seen * sky[..., None], window) / np.maximum(weight, 1e-4)[..., None]
        alike = largest(np.abs(seen - local)) < _ALIKE
        more = sky | ((weight > 0.06) & alike & cool)
        if more.sum() - sky.sum() < 4:
            break
        sky = np.asarray(more)
    return sky


def _clouds(
    picture: UInt8[npt.NDArray[np.uint8], "h w 3"],
    model: Float32[npt.NDArray[np.float32], "h w 3"],
    busy: Float32[npt.NDArray[np.float32], "h w"],
) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Brighter and greyer than the sky around, with soft outlines: what joins it without an edge is cloud."""
    seen = picture.astype(np.float32)
    brighter = mean(seen) > mean(model) - 6.0
    greyer = largest(seen) - smallest(seen) < largest(model) - smallest(model) + 8.0
    return np.asarray((busy < _CLOUD_BUSY) & brighter & greyer)


def _busyness(grey: UInt8[npt.NDArray[np.uint8], "h w"]) -> Float32[npt.NDArray[np.float32], "h w"]:
    dx = np.abs(cv2.Sobel(grey, cv2.CV_16S, 1, 0))
    dy = np.abs(cv2.Sobel(grey, cv2.CV_16S, 0, 1))
    return np.asarray(cv2.blur((dx + dy).astype(np.float32), (5, 5)), np.float32)


def _grounded(seed: Bool[npt.NDArray[np.bool_], "h w"], area: int) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Keep seeds that reach the top of the picture, or are so large that they can be nothing else."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(seed.astype(np.uint8), connectivity=4)
    top = stats[:, cv2.CC_STAT_TOP] <= 2
    size = stats[:, cv2.CC_STAT_AREA]
    keep = (top & (size > 4e-4 * area)) | (size > 0.012 * area)
    keep[0] = False
    del count
    return np.asarray(keep[labels])


def _colour_model(
    picture: UInt8[npt.NDArray[np.uint8], "h w 3"], seed: Bool[npt.NDArray[np.bool_], "h w"]
) -> tuple[Float32[npt.NDArray[np.float32], "h w 3"], float]:
    """Fit each channel of the seeds by a plane over the picture; return it and the spread around it."""
    h, w = seed.shape
    v, u = np.nonzero(seed)
    if v.size > 4000:
        pick = np.linspace(0, v.size - 1, 4000).astype(np.intp)
        v, u = v[pick], u[pick]
    basis = np.stack([np.ones(v.size), v / h - 0.5, u / w - 0.5], axis=1)
    colours = picture[v, u].astype(np.float64)
    fit = np.linalg.lstsq(basis, colours, rcond=None)[0]
    spread = float(np.percentile(np.abs(basis @ fit - colours).max(axis=1), 80))
    rows = (np.arange(h) / h - 0.5)[:, None, None]
    columns = (np.arange(w) / w - 0.5)[None, :, None]
    model = fit[0] + rows * fit[1] + columns * fit[2]
    return model.astype(np.float32), spread


def _touching(
    mask: Bool[npt.NDArray[np.bool_], "h w"], seed: Bool[npt.NDArray[np.bool_], "h w"], *, least: float
) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Keep what is joined to a seed, and holes in trees close to one."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = np.zeros(count, np.bool_)
    keep[np.unique(labels[seed & mask])] = True
    around = cv2.dilate(seed.astype(np.uint8), np.ones((23, 23), np.uint8)) > 0
    close = np.zeros(count, np.bool_)
    close[np.unique(labels[around & mask])] = True
    # Slits between poles and towers are too narrow to be smooth anywhere, but they reach the top.
    slit = (stats[:, cv2.CC_STAT_TOP] == 0) & (stats[:, cv2.CC_STAT_HEIGHT] > 12)
    keep |= (close | slit) & (stats[:, cv2.CC_STAT_AREA] >= least)
    keep[0] = False
    return np.asarray(keep[labels] | seed)

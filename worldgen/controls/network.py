"""Depth by a network: relative inverse depth of Depth Anything V2, laid on the road for metres."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.controls.relative import RoadFit, fit_to_road
from worldgen.controls.settings import GeometrySettings, NetworkSettings
from worldgen.datatypes import Clip, Geometry, Tag
from worldgen.errors import ConfigError, ExtractError, boundary
from worldgen.imaging.spread import upsample_along
from worldgen.weights.revision import revision_of

_SMOOTH_FRAMES = 9
_FIT_WIDTH = 320


def network_revision(settings: NetworkSettings) -> str:
    """Name the weights without loading them: as configured, or by config and file sizes; '' for none."""
    if not settings.folder:
        return ""
    return settings.revision or revision_of(Path(settings.folder))


class RelativeDepth(Protocol):
    """Anything that sees relative inverse depth."""

    def predict(self, clip: Clip, width: int, height: int) -> Float32[npt.NDArray[np.float32], "t h w"]:
        """Relative inverse depth of every frame at the asked size; near is large, scale and shift unknown."""
        ...


class DepthNetwork:
    """Depth Anything V2 (Yang et al. 2024) from a local folder; nothing is downloaded.

    Raises:
        ExtractError: `missing_weights` when the folder does not hold a model.
        ConfigError: `missing_extra` when torch or transformers are not installed.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        folder = Path(settings.folder)
        if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
            message = f"{folder} holds no depth network: config.json and *.safetensors are needed"
            raise ExtractError(
                message, reason="missing_weights", hint="leave network.folder empty to use none"
            )
        try:
            import torch
            from transformers import AutoImageProcessor, AutoModelForDepthEstimation
        except ImportError as exc:
            message = "a depth network needs torch and transformers"
            raise ConfigError(message, reason="missing_extra", hint="pip install 'worldgen[models]'") from exc
        self._torch: Any = torch
        self._settings = settings
        with boundary(ExtractError, f"load the depth network in {folder}"):
            processors: Any = AutoImageProcessor
            models: Any = AutoModelForDepthEstimation
            self._processor: Any = processors.from_pretrained(str(folder), local_files_only=True)
            model: Any = models.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            self._model: Any = model.to(settings.device).eval()

    def predict(self, clip: Clip, width: int, height: int) -> Float32[npt.NDArray[np.float32], "t h w"]:
        """Relative inverse depth of every frame at the asked size; near is large, scale and shift unknown."""
        result = np.empty((len(clip), height, width), np.float32)
        torch = self._torch
        for start in range(0, len(clip), self._settings.batch):
            batch = [
                clip.frames[i].copy() for i in range(start, min(start + self._settings.batch, len(clip)))
            ]
            inputs = self._processor(images=batch, return_tensors="pt").to(self._settings.device)
            with torch.inference_mode():
                predicted = self._model(**inputs).predicted_depth.float().cpu().numpy()
            for i, plane in enumerate(predicted):
                result[start + i] = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
        return result


def with_network(
    clip: Clip, geometry: Geometry, network: RelativeDepth, settings: GeometrySettings
) -> Geometry:
    """Replace the depth of a geometry estimated from the clip by that of a network.

    The network knows shapes but no metres and no fixed zero: each frame's relative inverse depth is fitted
    to the road plane by scale and shift, and the fits are steadied over time so that nothing breathes.

    Args:
        clip: RGB frames.
        geometry: From the clip itself: its camera, ground, sky and bonnet are kept.
        network: Loaded weights.
        settings: Limits of distance.

    Raises:
        ExtractError: The network's depth does not fit the road in any frame.
    """
    full_w, full_h = clip.size
    width = min(_FIT_WIDTH, full_w)
    height = max(16, round(full_h * width / full_w))
    relative = network.predict(clip, width, height)
    camera = geometry.camera.scaled(width, height)
    tags = _small_tags(geometry, width, height)
    fits = [fit_to_road(relative[i][None], (tags[i] == Tag.ROAD)[None], camera) for i in range(len(clip))]
    scales, shifts, misfit = _steadied(fits, relative)
    depth = np.empty_like(geometry.depth_m)
    for i, frame in enumerate(clip.frames):
        small = np.maximum(scales[i] * relative[i] + shifts[i], 1.0 / settings.far_m).astype(np.float32)
        luma = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)
        small_luma = np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        inverse = upsample_along(small, small_luma, luma, radius=2)
        np.clip(inverse, 1.0 / settings.far_m, 1.0 / settings.near_m, out=inverse)
        np.divide(1.0, inverse, out=depth[i])
        fixed = ~np.isfinite(geometry.depth_m[i])
        if geometry.ego_mask is not None:
            fixed |= geometry.ego_mask
        depth[i][fixed] = geometry.depth_m[i][fixed]
    note = f"Depth is a network's, laid on the road in each frame (median misfit {100 * misfit:.0f}%)."
    return replace(
        geometry,
        depth_m=depth,
        origins=geometry.origins.model_copy(update={"depth": "estimated"}),
        notes=(*geometry.notes, note),
    )


def _small_tags(geometry: Geometry, width: int, height: int) -> npt.NDArray[np.uint8]:
    if geometry.tags is None:
        return np.zeros((len(geometry), height, width), np.uint8)
    return np.stack(
        [np.asarray(cv2.resize(t, (width, height), interpolation=cv2.INTER_NEAREST)) for t in geometry.tags]
    )


def _steadied(
    fits: list[RoadFit | None], relative: Float32[npt.NDArray[np.float32], "t h w"]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Scale and shift per frame, medians over a window, with gaps filled from their neighbours."""
    found = [i for i, fit in enumerate(fits) if fit is not None]
    if not found:
        message = "the depth network's picture does not fit a road plane in any frame"
        raise ExtractError(message, reason="missing_geometry", hint="give a calibration, or use no network")
    good = [fit for fit in fits if fit is not None]
    frames = np.arange(len(relative))
    scales = np.interp(frames, found, [fit.scale for fit in good])
    shifts = np.interp(frames, found, [fit.shift for fit in good])
    half = _SMOOTH_FRAMES // 2
    windows = [slice(max(0, i - half), i + half + 1) for i in frames]
    return (
        np.array([np.median(scales[w]) for w in windows]),
        np.array([np.median(shifts[w]) for w in windows]),
        float(np.median([fit.residual for fit in good])),
    )

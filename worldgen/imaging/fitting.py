"""One recorded affine, applied to everything that is not a pixel: labels and cameras, there and back.

model_x = scale_x * source_x + offset_x in edge coordinates (the picture spans 0..width), as in `Fit`.
"""

import cv2
import numpy as np

from worldgen.datatypes import Box2d, Camera, Fit, FrameLabels, IgnoreRegion, Labels, ObjectLabel
from worldgen.imaging.rle import decode_mask, encode_mask


def fit_camera(camera: Camera, fit: Fit) -> Camera:
    """Move a camera's intrinsics from source frames to model frames."""
    width, height = fit.model_size
    return camera.model_copy(
        update={
            "width": width,
            "height": height,
            "fx": camera.fx * fit.scale_x,
            "fy": camera.fy * fit.scale_y,
            "cx": fit.scale_x * (camera.cx + 0.5) + fit.offset_x - 0.5,
            "cy": fit.scale_y * (camera.cy + 0.5) + fit.offset_y - 0.5,
        }
    )


def unfit_camera(camera: Camera, fit: Fit) -> Camera:
    """Move a camera's intrinsics from model frames back to source frames."""
    return fit_camera(camera, inverse_of(fit))


def fit_labels(labels: Labels, fit: Fit) -> Labels:
    """Move labels from source frames to model frames; frames that only pad get no labels.

    What is cropped away keeps its label: its box leaves the frame, and its truncation says so.
    """
    width, height = fit.model_size
    return labels.model_copy(
        update={
            "width": width,
            "height": height,
            "camera": None if labels.camera is None else fit_camera(labels.camera, fit),
            "frames": tuple(_fit_frame(f, fit) for f in labels.frames if f.frame < fit.source_frames),
        }
    )


def unfit_labels(labels: Labels, fit: Fit) -> Labels:
    """Move labels from model frames back to source frames; those of padding are cut off."""
    kept = tuple(f for f in labels.frames if f.frame < fit.source_frames)
    return fit_labels(labels.model_copy(update={"frames": kept}), inverse_of(fit))


def inverse_of(fit: Fit) -> Fit:
    """Swap source and model."""
    return Fit(
        source_frames=fit.model_frames,
        model_frames=fit.source_frames,
        source_size=fit.model_size,
        model_size=fit.source_size,
        scale_x=1 / fit.scale_x,
        scale_y=1 / fit.scale_y,
        offset_x=-fit.offset_x / fit.scale_x,
        offset_y=-fit.offset_y / fit.scale_y,
        source_fps=fit.model_fps,
        model_fps=fit.source_fps,
    )


def _fit_frame(frame: FrameLabels, fit: Fit) -> FrameLabels:
    return frame.model_copy(
        update={
            "objects": tuple(_fit_object(label, fit) for label in frame.objects),
            "ignore": tuple(_fit_region(region, fit) for region in frame.ignore),
        }
    )


def _fit_object(label: ObjectLabel, fit: Fit) -> ObjectLabel:
    box = _fit_box(label.box2d, fit)
    update: dict[str, object] = {"box2d": box, "mask_rle": _fit_mask(label.mask_rle, fit)}
    if label.pixels_high is not None:
        update["pixels_high"] = label.pixels_high * fit.scale_y
    lost = _share_outside(box, fit.model_size) - _share_outside(label.box2d, fit.source_size)
    if lost > 0:
        before = label.truncation or 0.0
        update["truncation"] = min(1.0, before + (1 - before) * lost)
    return label.model_copy(update=update)


def _fit_region(region: IgnoreRegion, fit: Fit) -> IgnoreRegion:
    update = {"box2d": _fit_box(region.box2d, fit), "mask_rle": _fit_mask(region.mask_rle, fit)}
    return region.model_copy(update=update)


def _fit_box(box: Box2d, fit: Fit) -> Box2d:
    return Box2d(
        left=fit.scale_x * box.left + fit.offset_x,
        top=fit.scale_y * box.top + fit.offset_y,
        right=fit.scale_x * box.right + fit.offset_x,
        bottom=fit.scale_y * box.bottom + fit.offset_y,
    )


def _fit_mask(runs: tuple[int, ...] | None, fit: Fit) -> tuple[int, ...] | None:
    if runs is None:
        return None
    mask = decode_mask(runs, width=fit.source_size[0], height=fit.source_size[1])
    # OpenCV maps pixel centres; the fit maps edges.
    matrix = np.array(
        [
            [fit.scale_x, 0, fit.offset_x + fit.scale_x / 2 - 0.5],
            [0, fit.scale_y, fit.offset_y + fit.scale_y / 2 - 0.5],
        ]
    )
    moved = cv2.warpAffine(mask.astype(np.uint8), matrix, fit.model_size, flags=cv2.INTER_NEAREST)
    return encode_mask(np.asarray(moved, np.bool_))


def _share_outside(box: Box2d, size: tuple[int, int]) -> float:
    whole = box.width * box.height
    if whole <= 0:
        return 0.0
    wide = max(0.0, min(box.right, size[0]) - max(box.left, 0.0))
    tall = max(0.0, min(box.bottom, size[1]) - max(box.top, 0.0))
    return 1.0 - wide * tall / whole

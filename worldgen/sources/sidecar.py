"""Depth measured beside a clip: LiDAR points, stereo depth, depth of another tool. Its origin is "sidecar".

=================================== ================================================================
folder of 16-bit PNG                metres = value / 256, 0 unknown (KITTI depth)
folder of .npy, height x width      metres; 0, NaN and infinity as below
folder of .bin or .npy, N x 3 or 4  LiDAR points x, y, z (KITTI velodyne: float32 with reflectance)
.npz, ``depth``                     frames x height x width, metres
.npz, ``points`` and ``frame``      N x 3 points and the frame of each; ``camera_from_lidar`` 4 x 4
=================================== ================================================================

LiDAR needs to know where it is: ``camera_from_lidar`` in the .npz, ``extrinsics.json`` in the folder
({"camera_from_lidar": 4 x 4}), or KITTI's ``calib.txt`` there (Tr_velo_to_cam and R0_rect).
"""

import json
import zipfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64

from worldgen.datatypes import Camera
from worldgen.errors import LabelError, SourceError
from worldgen.imaging.projection import project
from worldgen.sources.calibration import bad_calibration, parse_kitti
from worldgen.sources.labels.document import trailing_number
from worldgen.sources.labels.frames import place_frames

_KITTI_STEPS: Final = 256.0
_SUFFIXES: Final = (".png", ".npy", ".bin")
_MAX_VALUES: Final = 20_000 * 4096 * 2304
_ROOM_BYTES: Final = 256 << 20


def read_depth_sidecar(path: Path, camera: Camera, frames: int) -> Float32[npt.NDArray[np.float32], "t h w"]:
    """Read depth along the optical axis in metres, NaN where nothing was measured; sky is never measured.

    LiDAR points are projected, the nearest in each pixel counts; nothing is filled in between.

    Args:
        path: A folder with one file per frame, or one .npz or .npy file.
        camera: Of the clip, at the clip's size.
        frames: Of the clip.

    Raises:
        LabelError: `not_found`, `unknown_format`, `invalid`, `other_source` (size or frames differ),
            `bad_calibration` (LiDAR without extrinsics).
        SourceError: `not_metric` for 8-bit pictures.
    """
    path = Path(path)
    if not path.exists():
        raise LabelError(f"no such file or folder: {path}", reason="not_found")
    if path.is_dir():
        return _from_folder(path, camera, frames)
    arrays = {"depth": _load(path)} if path.suffix.lower() == ".npy" else _load_npz(path, camera, frames)
    if "depth" in arrays:
        return _checked(arrays["depth"], camera, frames, str(path))
    if {"points", "frame"} <= arrays.keys():
        if "camera_from_lidar" not in arrays:
            raise bad_calibration(f"{path} has points but no camera_from_lidar (4 x 4)")
        return _from_points(arrays, camera, frames, str(path))
    held = ", ".join(sorted(arrays))
    message = f"{path} holds {held}; a sidecar has depth, or points, frame and camera_from_lidar"
    raise LabelError(message, reason="unknown_format")


def project_points(
    points_m: Float64[npt.NDArray[np.floating], "n 3"],
    camera: Camera,
    camera_from_lidar: Float64[npt.NDArray[np.float64], "4 4"],
) -> Float32[npt.NDArray[np.float32], "h w"]:
    """Project LiDAR points into a frame: depth of the nearest point in each pixel, NaN elsewhere."""
    depth = np.full((camera.height, camera.width), np.inf, np.float32)
    inside = points_m[np.isfinite(points_m).all(axis=1)]
    seen = inside @ camera_from_lidar[:3, :3].T + camera_from_lidar[:3, 3]
    uv, in_front = project(seen, camera)
    with np.errstate(invalid="ignore"):
        pixels = np.rint(np.where(in_front[:, None], uv, -1)).astype(np.int64)
    u, v, z = pixels[:, 0], pixels[:, 1], seen[:, 2]
    kept = (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height) & in_front & (z > 0)
    np.minimum.at(depth, (v[kept], u[kept]), z[kept].astype(np.float32))
    depth[np.isinf(depth)] = np.nan
    return depth


def _from_folder(folder: Path, camera: Camera, frames: int) -> npt.NDArray[np.float32]:
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES)
    suffixes = {f.suffix.lower() for f in files}
    if len(suffixes) != 1:
        message = f"{folder} must hold files of one kind ({', '.join(_SUFFIXES)}), found: {sorted(suffixes)}"
        raise LabelError(message, reason="unknown_format")
    places = place_frames([trailing_number(f.name) for f in files], frames=frames, what=str(folder))
    out = np.full((frames, camera.height, camera.width), np.nan, np.float32)
    camera_from_lidar: npt.NDArray[np.float64] | None = None
    for file, place in zip(files, places, strict=True):
        if file.suffix.lower() == ".png":
            out[place] = _checked(_read_png(file)[None], camera, 1, str(file))[0]
            continue
        values = _load(file) if file.suffix.lower() == ".npy" else _load_velodyne(file)
        if values.ndim == 2 and values.shape[1] in (3, 4) and values.shape != (camera.height, camera.width):
            if camera_from_lidar is None:
                camera_from_lidar = _extrinsics(folder)
            out[place] = project_points(values[:, :3].astype(np.float64), camera, camera_from_lidar)
        else:
            out[place] = _checked(values[None], camera, 1, str(file))[0]
    return out


def _checked(
    values: npt.NDArray[np.generic], camera: Camera, frames: int, what: str
) -> npt.NDArray[np.float32]:
    if values.ndim != 3 or not np.issubdtype(values.dtype, np.number) or values.size > _MAX_VALUES:
        message = f"{what}: depth must be frames x height x width, got {values.dtype} {values.shape}"
        raise LabelError(message, reason="invalid")
    if values.dtype == np.uint8:
        message = f"{what}: 8-bit depth is not metric"
        raise SourceError(message, reason="not_metric", hint="give metres (float) or 16-bit PNG / 256")
    if values.shape != (frames, camera.height, camera.width):
        count, height, width = values.shape
        message = (
            f"{what}: {count} frames of {width}x{height}, "
            f"the clip has {frames} of {camera.width}x{camera.height}"
        )
        raise LabelError(message, reason="other_source")
    depth = values.astype(np.float32)
    with np.errstate(invalid="ignore"):
        depth[~(depth > 0) | np.isinf(depth)] = np.nan
    return depth


def _from_points(
    arrays: dict[str, npt.NDArray[np.generic]], camera: Camera, frames: int, what: str
) -> npt.NDArray[np.float32]:
    points, frame = np.asarray(arrays["points"], np.float64), np.asarray(arrays["frame"])
    if points.ndim != 2 or points.shape[1] < 3 or frame.shape != points.shape[:1]:
        message = f"{what}: points must be N x 3 and frame N, got {points.shape} and {frame.shape}"
        raise LabelError(message, reason="invalid")
    if frame.size and not 0 <= int(frame.min()) <= int(frame.max()) < frames:
        message = f"{what} has points in frames {frame.min()}..{frame.max()}, the clip has {frames} frames"
        raise LabelError(message, reason="other_source")
    turn = _matrix(arrays["camera_from_lidar"], what)
    return np.stack([project_points(points[frame == i, :3], camera, turn) for i in range(frames)])


def _read_png(file: Path) -> npt.NDArray[np.generic]:
    picture = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise LabelError(f"{file} is damaged: it cannot be decoded", reason="invalid")
    if picture.dtype != np.uint16 or picture.ndim != 2:
        message = f"{file} is {picture.dtype} {picture.shape}: depth needs 16 bits in one channel"
        raise SourceError(message, reason="not_metric", hint="metres = value / 256, 0 where unknown")
    return np.asarray(picture.astype(np.float32) / np.float32(_KITTI_STEPS))


def _load(file: Path) -> npt.NDArray[np.generic]:
    try:
        return np.asarray(np.load(file, allow_pickle=False))
    except (OSError, ValueError, EOFError) as exc:
        raise LabelError(f"{file} cannot be read: {exc}", reason="invalid") from exc


def _load_npz(file: Path, camera: Camera, frames: int) -> dict[str, npt.NDArray[np.generic]]:
    if not zipfile.is_zipfile(file):
        message = f"{file} is not .npz; a sidecar is a folder, .npz or .npy"
        raise LabelError(message, reason="unknown_format")
    allowed = _ROOM_BYTES + 16 * frames * camera.width * camera.height
    with zipfile.ZipFile(file) as archive:
        # A small archive can hold gigabytes of zeros.
        if sum(member.file_size for member in archive.infolist()) > allowed:
            message = f"{file} expands to more than {allowed >> 20} MiB, more than this clip's depth can be"
            raise LabelError(message, reason="other_source")
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as exc:
        raise LabelError(f"{file} cannot be read: {exc}", reason="invalid") from exc


def _load_velodyne(file: Path) -> npt.NDArray[np.generic]:
    values = np.fromfile(file, "<f4")
    if values.size % 4:
        raise LabelError(f"{file} is not rows of four float32 (x, y, z, reflectance)", reason="invalid")
    return values.reshape(-1, 4)


def _extrinsics(folder: Path) -> npt.NDArray[np.float64]:
    stated = folder / "extrinsics.json"
    if stated.is_file():
        try:
            raw = json.loads(stated.read_text(encoding="utf-8"))
            return _matrix(np.asarray(raw["camera_from_lidar"], np.float64), str(stated))
        except (ValueError, KeyError, TypeError) as exc:
            raise bad_calibration(f"{stated} has no camera_from_lidar (4 x 4): {exc}") from exc
    kitti = folder / "calib.txt"
    if kitti.is_file():
        found = parse_kitti(kitti.read_text(encoding="utf-8"))
        moved = found.get("Tr_velo_to_cam", found.get("Tr_velo_cam"))
        turned = found.get("R0_rect", found.get("R_rect"))
        if moved is not None and len(moved) == 12:
            out = np.eye(4)
            out[:3] = np.array(moved).reshape(3, 4)
            if turned is not None and len(turned) == 9:
                rectify = np.eye(4)
                rectify[:3, :3] = np.array(turned).reshape(3, 3)
                out = rectify @ out
            projection = found.get("P2", ())
            if len(projection) == 12:
                # P2 = K [I | t]: the colour camera stands beside the reference camera.
                k = np.array(projection).reshape(3, 4)
                out[:3, 3] += np.linalg.solve(k[:, :3], k[:, 3])
            return out
    message = f"{folder} has LiDAR points, but nothing says where the LiDAR is"
    raise bad_calibration(message, 'add extrinsics.json with {"camera_from_lidar": 4 x 4}')


def _matrix(values: npt.NDArray[np.generic], what: str) -> npt.NDArray[np.float64]:
    matrix = np.asarray(values, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise bad_calibration(f"{what}: camera_from_lidar must be 4 x 4, got {matrix.shape}")
    if not np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-3):
        raise bad_calibration(f"{what}: camera_from_lidar is not a rotation and a translation")
    return matrix

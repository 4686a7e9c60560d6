"""Calibration beside a clip: our JSON, KITTI, nuScenes-like, ROS/OpenCV camera_info, f-theta.

====================== =========================================================================
ours                   the fields of `Camera`, or {"camera": {...}}
KITTI                  calib.txt (P2 or P_rect_02; size from S_rect_02 or from the clip)
nuScenes-like          {"camera_intrinsic": 3x3, "translation": [x, y, z], "rotation": [w, x, y, z]}
ROS, OpenCV            JSON or YAML: image_width, image_height, camera_matrix, distortion_model, ...
f-theta                {"model": "ftheta", "polynomial": [...], "polynomial_type": "angle_to_pixel"}
====================== =========================================================================
"""

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from pydantic import ValidationError

from worldgen.datatypes import Camera
from worldgen.errors import LabelError
from worldgen.imaging.projection import unproject

_LARGEST: Final = 1e7
_MAX_BYTES: Final = 16 << 20
_KITTI_HEIGHT_M: Final = 1.65
"""Cameras above the ground; Geiger et al. 2013, figure 3."""


def read_calibration(path: Path, *, width: int | None = None, height: int | None = None) -> Camera:
    """Read a camera.

    Args:
        path: The file.
        width: Of the clip, for formats that do not say (KITTI's calib.txt, nuScenes).
        height: Likewise.

    Raises:
        LabelError: `not_found`; `bad_calibration` with what is wrong.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise bad_calibration(f"{path} is larger than {_MAX_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise LabelError(f"no such file: {path}", reason="not_found") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise bad_calibration(f"cannot read {path}: {exc}") from exc
    try:
        if path.suffix.lower() == ".txt":
            return check_camera(_from_kitti(parse_kitti(text), width, height), str(path))
        return check_camera(_from_document(_parse(text, path), width, height), str(path))
    except LabelError as exc:
        message = exc.message if str(path) in exc.message else f"{path}: {exc.message}"
        raise LabelError(message, reason=exc.reason, hint=exc.hint) from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise bad_calibration(f"{path}: {where}: {first['msg']}") from exc
    except (KeyError, TypeError, ValueError, IndexError) as exc:
        raise bad_calibration(f"{path}: cannot be read as a calibration: {exc}") from exc


def write_calibration(camera: Camera, path: Path) -> None:
    """Write a camera as our JSON."""
    text = json.dumps(camera.model_dump(mode="json"), indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def check_camera(camera: Camera, what: str) -> Camera:
    """Check that a camera can be one: finite, in front of its picture, its lens curve rising over it.

    Raises:
        LabelError: `bad_calibration`.
    """
    values = (
        camera.fx,
        camera.fy,
        camera.cx,
        camera.cy,
        camera.height_m,
        camera.pitch_rad,
        *camera.distortion,
    )
    if not all(abs(v) < _LARGEST for v in values) or camera.width < 1 or camera.height < 1:
        raise bad_calibration(f"{what}: numbers must be of a camera's size and the picture not empty")
    if camera.fx <= 0 or camera.fy <= 0 or not 0.2 < camera.fx / camera.fy < 5:
        raise bad_calibration(f"{what}: focal lengths {camera.fx:g} and {camera.fy:g} are not a camera's")
    if not (-camera.width < camera.cx < 2 * camera.width and -camera.height < camera.cy < 2 * camera.height):
        message = (
            f"{what}: the optical axis at {camera.cx:g}, {camera.cy:g} lies far outside "
            f"the picture of {camera.width}x{camera.height}"
        )
        raise bad_calibration(message)
    middle = np.array([[camera.width / 2, camera.height / 2], [0, camera.height / 2], [camera.width / 2, 0]])
    if not np.isfinite(unproject(middle, camera)).all():
        raise bad_calibration(f"{what}: the distortion folds back inside the picture")
    return camera


def ftheta_camera(
    *,
    width: int,
    height: int,
    cx: float,
    cy: float,
    polynomial: tuple[float, ...],
    is_angle_to_pixel: bool = True,
    height_m: float = 1.5,
    pitch_rad: float = 0.0,
    roll_rad: float = 0.0,
) -> Camera:
    """Build an f-theta camera from its polynomial, lowest coefficient first.

    Args:
        width: Of the picture.
        height: Of the picture.
        cx: Where the optical axis meets the picture.
        cy: Likewise.
        polynomial: Radius in pixels of the angle in radians, or the angle of the radius.
        is_angle_to_pixel: Which of the two; the second is inverted by least squares over the picture.
        height_m: See `Camera`.
        pitch_rad: See `Camera`.
        roll_rad: See `Camera`.
    """
    if len(polynomial) < 2 or not all(abs(c) < _LARGEST for c in polynomial) or not 0 < width < _LARGEST:
        raise bad_calibration("an f-theta polynomial must have finite coefficients and a picture")
    forward = polynomial if is_angle_to_pixel else _invert(polynomial, math.hypot(width, height) / 1.6)
    if not all(math.isfinite(c) for c in forward) or forward[1] <= 0:
        raise bad_calibration("an f-theta polynomial must rise from zero")
    return Camera(
        model="ftheta",
        width=width,
        height=height,
        fx=forward[1],
        fy=forward[1],
        cx=cx,
        cy=cy,
        distortion=forward,
        height_m=height_m,
        pitch_rad=pitch_rad,
        roll_rad=roll_rad,
    )


def parse_kitti(text: str) -> dict[str, tuple[float, ...]]:
    """Read a KITTI calibration file: ``name: numbers`` per line; lines without numbers are left out."""
    found: dict[str, tuple[float, ...]] = {}
    for line in text.splitlines():
        name, separator, rest = line.partition(":" if ":" in line else " ")
        try:
            values = tuple(float(v) for v in rest.split())
        except ValueError:
            continue
        if separator and values:
            found[name.strip()] = values
    return found


def bad_calibration(message: str, hint: str = "") -> LabelError:
    """Say what is wrong with a calibration."""
    return LabelError(message, reason="bad_calibration", hint=hint)


def _invert(polynomial: tuple[float, ...], reach: float) -> tuple[float, ...]:
    radius = np.linspace(0.0, reach, 512)
    angle = np.polynomial.polynomial.polyval(radius, polynomial)
    rising = np.concatenate(([True], np.diff(angle) > 0)).cumprod().astype(bool)
    radius, angle = radius[rising], angle[rising] - polynomial[0]
    powers = np.stack([angle**k for k in range(1, 7)], axis=1)
    coefficients = np.linalg.lstsq(powers, radius, rcond=None)[0]
    return (0.0, *(float(c) for c in coefficients))


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        # YAML as OpenCV writes it begins with a directive that YAML readers refuse.
        plain = text.removeprefix("%YAML:1.0").replace("!!opencv-matrix", "")
        raw = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(plain)
    except (ValueError, yaml.YAMLError, RecursionError) as exc:
        raise bad_calibration(f"{path} is neither JSON nor YAML: {exc}") from exc
    if not isinstance(raw, dict):
        raise bad_calibration(f"{path} must hold an object")
    return raw


def _from_document(raw: dict[str, Any], width: int | None, height: int | None) -> Camera:
    if isinstance(raw.get("camera"), dict):
        raw = raw["camera"]
    if "polynomial" in raw:
        kind = str(raw.get("polynomial_type", "angle_to_pixel"))
        if kind not in ("angle_to_pixel", "pixel_to_angle"):
            raise bad_calibration(f"polynomial_type must be angle_to_pixel or pixel_to_angle, got {kind!r}")
        return ftheta_camera(
            width=_size(raw.get("width"), width, "width"),
            height=_size(raw.get("height"), height, "height"),
            cx=float(raw["cx"]),
            cy=float(raw["cy"]),
            polynomial=tuple(float(c) for c in raw["polynomial"]),
            is_angle_to_pixel=kind == "angle_to_pixel",
            **{k: float(raw[k]) for k in ("height_m", "pitch_rad", "roll_rad") if k in raw},
        )
    if "camera_intrinsic" in raw:
        return _from_nuscenes(raw, width, height)
    if "camera_matrix" in raw or "K" in raw:
        return _from_ros(raw, width, height)
    missing = [name for name in ("fx", "fy", "cx", "cy") if name not in raw]
    if missing:
        hint = "our JSON has width, height, fx, fy, cx, cy; or give KITTI, nuScenes, ROS or f-theta"
        raise bad_calibration(f"has no {', '.join(missing)}", hint)
    stated = {"width": width, "height": height, **raw}
    return Camera.model_validate({k: v for k, v in stated.items() if v is not None})


def _from_kitti(found: dict[str, tuple[float, ...]], width: int | None, height: int | None) -> Camera:
    names = ("P2", "P_rect_02", "P_rect_2")
    matrix = next((found[name] for name in names if name in found), None)
    if matrix is None or len(matrix) != 12:
        raise bad_calibration("has no P2 of 12 numbers (the left colour camera)")
    size = found.get("S_rect_02", (None, None))
    return Camera(
        width=_size(size[0], width, "width"),
        height=_size(size[1], height, "height"),
        fx=matrix[0],
        fy=matrix[5],
        cx=matrix[2],
        cy=matrix[6],
        height_m=_KITTI_HEIGHT_M,
    )


def _from_nuscenes(raw: dict[str, Any], width: int | None, height: int | None) -> Camera:
    k = np.asarray(raw["camera_intrinsic"], np.float64)
    if k.shape != (3, 3):
        raise bad_calibration(f"camera_intrinsic must be 3 x 3, got {k.shape}")
    mounting: dict[str, float] = {}
    if raw.get("translation") is not None:
        # The ego frame's origin is on the ground, z up.
        mounting["height_m"] = float(raw["translation"][2])
    if raw.get("rotation") is not None:
        w, x, y, z = (float(v) for v in raw["rotation"])
        # Camera axes turned into x forward, y left, z up: the optical axis' and the right side's descent.
        forward_z, right_z = 1 - 2 * (x * x + y * y), 2 * (x * z - w * y)
        mounting["pitch_rad"] = math.asin(max(-1.0, min(1.0, -forward_z)))
        mounting["roll_rad"] = math.asin(
            max(-1.0, min(1.0, -right_z / max(math.cos(mounting["pitch_rad"]), 1e-9)))
        )
    return Camera(
        width=_size(raw.get("width"), width, "width"),
        height=_size(raw.get("height"), height, "height"),
        fx=float(k[0, 0]),
        fy=float(k[1, 1]),
        cx=float(k[0, 2]),
        cy=float(k[1, 2]),
        **mounting,
    )


def _from_ros(raw: dict[str, Any], width: int | None, height: int | None) -> Camera:
    matrix = np.asarray(_data(raw.get("camera_matrix", raw.get("K"))), np.float64).ravel()
    if matrix.size != 9:
        raise bad_calibration(f"camera_matrix must have 9 numbers, got {matrix.size}")
    stated = raw.get("distortion_coefficients", raw.get("D", ()))
    coefficients = tuple(float(v) for v in np.asarray(_data(stated), np.float64).ravel())
    kind = str(raw.get("distortion_model", "plumb_bob")).lower()
    is_fisheye = kind in ("equidistant", "fisheye", "kannala_brandt")
    if not is_fisheye and kind not in ("plumb_bob", "brown", "radtan", "rational_polynomial"):
        raise bad_calibration(f"distortion_model {kind!r} is not known: plumb_bob or equidistant")
    allowed = 4 if is_fisheye else 5
    if len(coefficients) > allowed and any(coefficients[allowed:]):
        raise bad_calibration(
            f"{kind} with {len(coefficients)} coefficients is not supported ({allowed} are)"
        )
    return Camera(
        model="fisheye" if is_fisheye else "pinhole",
        width=_size(raw.get("image_width", raw.get("width")), width, "width"),
        height=_size(raw.get("image_height", raw.get("height")), height, "height"),
        fx=float(matrix[0]),
        fy=float(matrix[4]),
        cx=float(matrix[2]),
        cy=float(matrix[5]),
        distortion=coefficients[:allowed],
    )


def _data(value: object) -> object:
    return value["data"] if isinstance(value, dict) and "data" in value else value


def _size(stated: object, of_clip: int | None, what: str) -> int:
    if isinstance(stated, int | float) and not isinstance(stated, bool):
        return round(stated)
    if of_clip is not None:
        return of_clip
    raise bad_calibration(f"does not say the picture's {what}", "add width and height, or give the clip's")

"""The pictures of a dump on disk: listed, checked for exactness, digested and read."""

import hashlib
import os
import re
from pathlib import Path
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera
from worldgen.errors import SourceError
from worldgen.sources.carla.manifest import (
    FRAMES_NAME,
    MANIFEST_NAME,
    SensorFiles,
    SensorKind,
)

Picture: TypeAlias = npt.NDArray[np.integer | np.floating]

_INDEX = re.compile(r"(\d+)$")
_MAX_PNG_BYTES: Final = 256 << 20
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def list_sensor(folder: Path, kind: SensorKind, files: SensorFiles, frames: int) -> tuple[Path, ...]:
    """List the pictures of a sensor: exactly one for each frame.

    Raises:
        SourceError: `missing_sensor`, `missing_frame`, `doubled_frame` or `unequal_sensors`, with the frame.
    """
    place = folder / files.folder
    if not place.is_dir():
        message = f"the manifest names sensor {kind}, but there is no folder {place}"
        raise SourceError(message, reason="missing_sensor")
    found: dict[int, Path] = {}
    with os.scandir(place) as entries:
        names = sorted(e.name for e in entries if e.name.endswith(f".{files.encoding}") and e.is_file())
    for name in names:
        number = _INDEX.search(name.rsplit(".", 1)[0])
        if number is None:
            message = f"{place / name}: pictures are named by their frame, such as 000000.{files.encoding}"
            raise SourceError(message, reason="bad_sensor")
        index = int(number[1])
        if index in found:
            message = f"sensor {kind} has frame {index} twice: {found[index].name} and {name}"
            raise SourceError(message, reason="doubled_frame")
        found[index] = place / name
    missing = next((i for i in range(frames) if i not in found), None)
    beyond = next((i for i in sorted(found) if i >= frames), None)
    if missing is not None and missing == len(found) and beyond is None:
        message = (
            f"sensor {kind} has {len(found)} frames, the recording has {frames}: "
            f"frame {missing} is the first that is missing"
        )
        raise SourceError(message, reason="unequal_sensors")
    if missing is not None:
        message = f"sensor {kind} has no frame {missing} ({place / f'{missing:06d}.{files.encoding}'})"
        raise SourceError(message, reason="missing_frame")
    if beyond is not None:
        message = (
            f"sensor {kind} has {len(found)} frames, the recording has {frames}: frame {beyond} is too many"
        )
        raise SourceError(message, reason="unequal_sensors")
    return tuple(found[i] for i in range(frames))


def digest_files(paths: tuple[Path, ...]) -> tuple[str, ...]:
    """Take the sha256 of every file, in order."""
    digests = []
    for path in paths:
        try:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as exc:
            message = f"cannot read {path}: {exc}"
            raise SourceError(message, reason="truncated") from exc
    return tuple(digests)


def digest_sensors(paths: dict[SensorKind, tuple[Path, ...]]) -> dict[SensorKind, tuple[str, ...]]:
    """Take the sha256 of every picture of every sensor."""
    return {kind: digest_files(of_kind) for kind, of_kind in paths.items()}


def digest_recording(folder: Path, camera: str, digests: dict[SensorKind, tuple[str, ...]]) -> str:
    """Name one camera of a recording by content: manifest, frame table and every picture."""
    state = hashlib.sha256(f"worldgen-dump 1 {camera}\n".encode())
    for digest in digest_files((folder / MANIFEST_NAME, folder / FRAMES_NAME)):
        state.update(digest.encode())
    for kind in sorted(digests):
        state.update(f"\n{kind}:{'.'.join(digests[kind])}".encode())
    return state.hexdigest()


def read_picture(path: Path, files: SensorFiles, camera: Camera, kind: SensorKind) -> Picture:
    """Read one picture as it was stored: BGR(A) of the camera's size, or float32 pairs for raw flow.

    Raises:
        SourceError: `truncated` or `bad_sensor`.
    """
    data = _bytes_of(path)
    if files.encoding == "bgra":
        return _read_raw(path, data, camera, kind)
    if data[:8] != _PNG_SIGNATURE or len(data) < 33:
        raise SourceError(f"{path} is not a PNG picture", reason="bad_sensor")
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if (width, height) != (camera.width, camera.height):
        message = f"{path} is {width}x{height}, its camera is {camera.width}x{camera.height}"
        raise SourceError(message, reason="bad_sensor")
    if b"IEND" not in data[-12:]:
        raise SourceError(f"{path} is cut off", reason="truncated")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SourceError(f"{path} is damaged: it cannot be decoded", reason="truncated")
    return picture


def _read_raw(path: Path, data: bytes, camera: Camera, kind: SensorKind) -> Picture:
    wide = kind == "flow"
    expected = camera.width * camera.height * (8 if wide else 4)
    if len(data) != expected:
        message = (
            f"{path} holds {len(data)} bytes, a raw buffer of {camera.width}x{camera.height} has {expected}"
        )
        raise SourceError(message, reason="truncated" if len(data) < expected else "bad_sensor")
    if wide:
        return np.frombuffer(data, "<f4").reshape(camera.height, camera.width, 2)
    return np.frombuffer(data, np.uint8).reshape(camera.height, camera.width, 4)


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_PNG_BYTES:
            raise SourceError(f"{path} is larger than {_MAX_PNG_BYTES >> 20} MiB", reason="too_large")
        return path.read_bytes()
    except OSError as exc:
        raise SourceError(f"cannot read {path}: {exc}", reason="truncated") from exc

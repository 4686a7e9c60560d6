"""Verification: what is published was decoded once, to its last frame, from the file that users get."""

from pathlib import Path
from typing import Final, NoReturn

import numpy as np
import numpy.typing as npt

from worldgen.catalog.files import sha256_of
from worldgen.datatypes import VideoRef
from worldgen.errors import PublishError

THUMBNAIL_WIDTH: Final = 480


def verify_video(path: Path, expected: VideoRef) -> npt.NDArray[np.uint8]:
    """Check digest, frame count and size of a video by decoding all of it.

    Returns:
        The middle frame, uint8 [h, w, 3] RGB, for the thumbnail.

    Raises:
        PublishError: `verification`, naming what differs.
    """
    import av  # the catalogue must be importable without it

    found = sha256_of(path)
    if found != expected.sha256:
        _refuse(path, f"its sha256 is {found[:12]}, expected {expected.sha256[:12]}")
    count, middle = 0, None
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                if (frame.width, frame.height) != (expected.width, expected.height):
                    _refuse(path, f"frame {count} is {frame.width}x{frame.height}")
                if count == expected.frames // 2:
                    middle = frame.to_ndarray(format="rgb24")
                count += 1
    except av.FFmpegError as exc:
        _refuse(path, f"it cannot be decoded after frame {count}: {exc}")
    if count != expected.frames:
        _refuse(path, f"it holds {count} frames, expected {expected.frames}")
    if middle is None:
        _refuse(path, "it holds no frame")
    return np.asarray(middle, dtype=np.uint8)


def write_thumbnail(path: Path, frame: npt.NDArray[np.uint8]) -> None:
    """Write a small JPEG of one frame."""
    import cv2

    height, width = frame.shape[:2]
    if width > THUMBNAIL_WIDTH:
        size = (THUMBNAIL_WIDTH, max(1, round(height * THUMBNAIL_WIDTH / width)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        message = f"could not encode the thumbnail {path.name}"
        raise PublishError(message)
    path.write_bytes(encoded.tobytes())


def _refuse(path: Path, why: str) -> NoReturn:
    message = f"{path.name} is not what was generated: {why}"
    raise PublishError(message, reason="verification")

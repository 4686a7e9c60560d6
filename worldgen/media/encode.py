"""Encode: RGB frames to a video file that is either whole and under its name, or not there at all."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Sequence
from errno import EDQUOT, EFBIG, ENOSPC
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

from worldgen.datatypes.video_ref import VideoRef
from worldgen.errors import OutputError
from worldgen.media.colour import BT709, FULL, LIMITED, FromRgb
from worldgen.media.packets import error_text

Quality: TypeAlias = Literal["viewing", "grey_exact", "rgb_exact"]
"""viewing: H.264 yuv420p, lossy. grey_exact: H.264 4:4:4 qp 0, full range: greys come back exactly, colours
within 2 of 255. rgb_exact: H.264 4:4:4 qp 0 over RGB planes: everything comes back exactly."""

_FORMATS: Final = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_BITEXACT: Final = 0x0400
_VARIABLE_TIME_BASE: Final = Fraction(1, 90000)
_KEY_FRAME_SECONDS: Final = 2


class VideoWriter:
    """Writes frames one by one; the file appears under its name when the block ends well.

    Viewing quality is yuv420p, BT.709 limited, faststart. Chroma there has half resolution, so an odd
    width or height cannot be coded: such clips are written as yuv444p, because a variant must have its
    source's size and labels to the pixel. FFmpeg and Chromium play that; Safari and Firefox may not.

    Args:
        path: .mp4, .mov or .mkv. Replaced if it exists.
        fps: Nominal rate.
        quality: See `Quality`.
        has_times: Every frame comes with its own time (variable rate), kept to 1/90000 s
            (1 ms in .mkv, whose clock is coarser).
        crf: x264's quality for viewing, 0..51, lower is better.
        preset: x264's speed.
        threads: Of the encoder; another number gives other bytes.

    Raises:
        OutputError: The place cannot be written, or is full. Nothing is left behind.
        ValueError: Frames of another shape, or times that do not increase.
    """

    def __init__(
        self,
        path: Path,
        *,
        fps: float,
        quality: Quality = "viewing",
        has_times: bool = False,
        crf: int = 18,
        preset: str = "veryfast",
        threads: int = 1,
    ) -> None:
        if path.suffix.lower() not in _FORMATS:
            msg = f"videos are written as {', '.join(_FORMATS)}, not {path.suffix!r}"
            raise ValueError(msg)
        self.path = path
        self._fps = fps
        self._rate = Fraction(fps).limit_denominator(1001)
        self._quality: Quality = quality
        self._has_times = has_times
        self._crf = crf
        self._preset = preset
        self._threads = threads
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.{id(self):x}.part")
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._convert: FromRgb | None = None
        self._last_tick = -1
        self._size = (0, 0)
        self._count = 0
        self._ref: VideoRef | None = None

    @property
    def ref(self) -> VideoRef:
        """The finished file; only after the block has ended."""
        if self._ref is None:
            msg = "the video is not finished yet"
            raise RuntimeError(msg)
        return self._ref

    def __enter__(self) -> Self:
        """Begin; the file is opened with the first frame, which gives the size."""
        return self

    def write(self, frame: npt.NDArray[np.uint8], *, seconds: float | None = None) -> None:
        """Append one frame, RGB uint8 [h, w, 3]; `seconds` is its time when `has_times`."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            msg = f"a frame must be uint8 [h, w, 3], got {frame.dtype} {frame.shape}"
            raise ValueError(msg)
        size = (int(frame.shape[1]), int(frame.shape[0]))
        try:
            if self._container is None:
                self._open(size)
            if size != self._size:
                msg = (
                    f"frame {self._count} is {size[0]}x{size[1]}, the others {self._size[0]}x{self._size[1]}"
                )
                raise ValueError(msg)
            self._encode(frame, seconds)
        except av.FFmpegError as error:
            raise output_error(error, self.path) from error
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file and give it its name; on any error leave nothing."""
        try:
            if kind is not None:
                self._abandon()
                return
            if self._container is None or self._stream is None:
                msg = "a video needs at least one frame"
                raise ValueError(msg)
            try:
                for packet in self._stream.encode(None):
                    self._container.mux(packet)
                self._container.close()
                self._partial.replace(self.path)
            except OSError as problem:
                raise output_error(problem, self.path) from problem
            width, height = self._size
            self._ref = VideoRef(
                uri=str(self.path),
                sha256=sha256_of(self.path),
                frames=self._count,
                width=width,
                height=height,
                fps=self._fps,
                size_bytes=self.path.stat().st_size,
            )
        finally:
            self._partial.unlink(missing_ok=True)

    def _abandon(self) -> None:
        if self._container is not None:
            # The file goes away anyway, and the first error is the one to tell.
            with contextlib.suppress(OSError, ValueError):
                self._container.close()

    def _open(self, size: tuple[int, int]) -> None:
        width, height = self._size = size
        is_odd = bool(width % 2 or height % 2)
        pixel_format = {
            "viewing": "yuv444p" if is_odd else "yuv420p",
            "grey_exact": "yuv444p",
            "rgb_exact": "rgb24",
        }[self._quality]
        full_range = self._quality != "viewing"
        suffix = self.path.suffix.lower()
        options = {"fflags": "+bitexact"}
        if suffix != ".mkv":
            options["movflags"] = "+faststart"
        try:
            self._container = av.open(str(self._partial), mode="w", format=_FORMATS[suffix], options=options)
        except OSError as error:
            raise output_error(error, self.path) from error
        codec = "libx264rgb" if pixel_format == "rgb24" else "libx264"
        stream = self._container.add_stream(codec, rate=self._rate)
        assert isinstance(stream, VideoStream)  # noqa: S101 -- by its codec
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        context = stream.codec_context
        context.time_base = _VARIABLE_TIME_BASE if self._has_times else 1 / self._rate
        context.flags |= int(av.codec.context.Flags.bitexact)
        context.thread_count = self._threads
        context.gop_size = max(1, round(self._fps * _KEY_FRAME_SECONDS))
        if pixel_format != "rgb24":
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = FULL if full_range else LIMITED
        quality = {"crf": str(self._crf)} if self._quality == "viewing" else {"qp": "0"}
        # Macroblock trees give other bytes from run to run (its AVX code; tried with x264 in FFmpeg 8.0):
        # the same plan must give the same file.
        context.options = {"preset": self._preset, "x264-params": "mbtree=0", **quality}
        self._stream = stream
        self._convert = FromRgb(pixel_format, full_range=full_range)

    def _encode(self, rgb: npt.NDArray[np.uint8], seconds: float | None) -> None:
        assert self._container is not None  # noqa: S101 -- _open ran
        assert self._stream is not None  # noqa: S101 -- _open ran
        assert self._convert is not None  # noqa: S101 -- _open ran
        picture = self._convert(rgb)
        base = self._stream.codec_context.time_base
        tick = self._count if not self._has_times else round(_known(seconds) / base)
        if tick <= self._last_tick:
            msg = f"times must increase: frame {self._count} comes at {seconds} s"
            raise ValueError(msg)
        self._last_tick = tick
        picture.pts, picture.time_base = tick, base
        for packet in self._stream.encode(picture):
            self._container.mux(packet)


def write_video(
    path: Path,
    frames: Iterable[npt.NDArray[np.uint8]],
    *,
    fps: float,
    timestamps_seconds: Sequence[float] | npt.NDArray[np.float64] | None = None,
    crf: int = 18,
    preset: str = "veryfast",
    threads: int = 1,
) -> VideoRef:
    """Write a video to look at: H.264 yuv420p, BT.709, faststart. See `VideoWriter` for odd sizes."""
    writer = VideoWriter(
        path, fps=fps, has_times=_is_uneven(timestamps_seconds, fps), crf=crf, preset=preset, threads=threads
    )
    return _write_all(writer, frames, timestamps_seconds)


def write_lossless(
    path: Path,
    frames: Iterable[npt.NDArray[np.uint8]],
    *,
    fps: float,
    timestamps_seconds: Sequence[float] | npt.NDArray[np.float64] | None = None,
    exact_rgb: bool | None = None,
    threads: int = 1,
) -> VideoRef:
    """Write a video without loss: H.264 4:4:4, qp 0.

    Args:
        path: Where to.
        frames: RGB uint8 [h, w, 3] each.
        fps: Nominal rate.
        timestamps_seconds: Time of each frame, if the rate is not constant.
        exact_rgb: Code RGB planes, exact for every colour. Without it YUV is coded, which more players
            can show: greys are exact, colours within 2 of 255. Default: exact when the suffix is .mkv.
        threads: Of the encoder.
    """
    is_exact = path.suffix.lower() == ".mkv" if exact_rgb is None else exact_rgb
    writer = VideoWriter(
        path,
        fps=fps,
        quality="rgb_exact" if is_exact else "grey_exact",
        has_times=_is_uneven(timestamps_seconds, fps),
        preset="ultrafast",
        threads=threads,
    )
    return _write_all(writer, frames, timestamps_seconds)


def sha256_of(path: Path) -> str:
    """Name a file by its content: 64 hexadecimal characters."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def output_error(error: OSError | av.FFmpegError, path: Path) -> OutputError:
    """Say in our words why a file could not be written."""
    number = getattr(error, "errno", None)
    if number in (ENOSPC, EDQUOT, EFBIG):
        return OutputError(
            f"no space left to write {path}", reason="disk_full", hint="free space, or write elsewhere"
        )
    return OutputError(f"cannot write {path}: {error_text(error)}", reason="not_writable")


def _write_all(
    writer: VideoWriter,
    frames: Iterable[npt.NDArray[np.uint8]],
    times: Sequence[float] | npt.NDArray[np.float64] | None,
) -> VideoRef:
    with writer:
        if times is None:
            for frame in frames:
                writer.write(frame)
        else:
            for frame, seconds in zip(frames, times, strict=True):
                writer.write(frame, seconds=float(seconds) - float(times[0]))
    return writer.ref


def _is_uneven(times: Sequence[float] | npt.NDArray[np.float64] | None, fps: float) -> bool:
    """Tell whether times differ from those of the nominal rate by more than half of 1/90000 s."""
    if times is None:
        return False
    seconds = np.asarray(times, dtype=np.float64)
    even = np.arange(len(seconds)) / float(Fraction(fps).limit_denominator(1001))
    return bool(len(seconds)) and bool(np.abs(seconds - seconds[0] - even).max() > 0.5 / 90000)


def _known(seconds: float | None) -> float:
    if seconds is None:
        msg = "this writer was told that every frame has its own time; give `seconds`"
        raise ValueError(msg)
    return seconds

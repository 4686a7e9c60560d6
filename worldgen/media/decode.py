"""Decode: all frames of a video file, in order, each counted against what the header promised."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

from worldgen.errors import SourceError
from worldgen.media.colour import ToRgb, Turn, orientation
from worldgen.media.limits import Limits, check_enough, check_length, check_size
from worldgen.media.packets import Packets, error_text, is_variable, nominal_fps
from worldgen.media.probe import check_file, opened, prepare

Sink = Callable[[npt.NDArray[np.uint8]], None]
"""Takes one upright RGB frame, uint8 [h, w, 3]; the array is only valid during the call."""


class Decoded(NamedTuple):
    """What was decoded, without the pixels."""

    frames: int
    width: int
    height: int
    fps: float
    times: list[float]
    """Seconds, strictly increasing, first 0."""


def decode(path: Path, sink: Sink, *, limits: Limits, threads: int = 1) -> Decoded:
    """Decode every frame of a file into `sink`.

    Raises:
        SourceError: The file cannot be opened, is damaged, or holds other counts than it promises.
    """
    kind, counted = check_file(path, limits)
    with opened(path) as (container, stream):
        check_size(stream.width, stream.height, limits)
        check_length(stream.frames, 0.0, limits)
        prepare(stream, limits, threads=threads)
        run = _Run(path, sink, limits, has_times=kind != "avi")
        try:
            for packet in container.demux(stream):
                run.take_packet(packet)
                for frame in packet.decode():
                    run.take_frame(frame)
        except SourceError:
            raise
        except Exception as error:
            message = f"{path.name} breaks at frame {run.frames}: {error_text(error)}"
            raise SourceError(message, reason="damaged", hint="copy or download the file again") from error
        run.packets.check_cut(path, stream)
        header = stream.frames or counted
        run.check_counts(run.packets.promised(header), trust_packets=kind != "avi" or not header)
        fps = float(nominal_fps(stream, run.times))
        tick = float(stream.time_base or 0)
        times = run.times or [i / fps for i in range(run.frames)]
        return Decoded(run.frames, *run.size, fps, even_times(times, fps, tick))


class _Run:
    """The state of one pass over a file."""

    def __init__(self, path: Path, sink: Sink, limits: Limits, *, has_times: bool) -> None:
        self._path = path
        self._sink = sink
        self._limits = limits
        self._has_times = has_times
        self._to_rgb = ToRgb()
        self._turn: Turn | None = None
        self.frames = 0
        self.packets = Packets()
        self.size = (0, 0)
        self.times: list[float] = []

    def take_packet(self, packet: "av.Packet[VideoStream]") -> None:
        """Count what will be decoded."""
        self.packets.take(packet)
        if packet.is_corrupt:
            self._refuse("holds a damaged packet")

    def take_frame(self, frame: av.VideoFrame) -> None:
        """Check one frame and pass it on."""
        if frame.is_corrupt:
            self._refuse("cannot be decoded whole")
        if self._turn is None:
            check_size(frame.width, frame.height, self._limits)
            self._turn = orientation(frame)
        rgb = self._to_rgb(frame, self._turn)
        size = (int(rgb.shape[1]), int(rgb.shape[0]))
        if self.frames == 0:
            self.size = size
        elif size != self.size:
            (width, height), name = self.size, self._path.name
            message = f"{name}: frame {self.frames} is {size[0]}x{size[1]}, the others {width}x{height}"
            raise SourceError(message, reason="mixed_sizes")
        self.frames += 1
        check_length(self.frames, 0.0, self._limits)
        if self.frames * rgb.nbytes > self._limits.max_bytes:
            message = f"{self._path.name} decodes to more than {self._limits.max_bytes} bytes"
            raise SourceError(message, reason="too_large", hint="cut the clip into pieces")
        # AVI holds no presentation times, only a rate; what FFmpeg makes up there is in coding order.
        if self._has_times and frame.pts is not None and frame.time_base is not None:
            self._take_time(float(frame.pts * frame.time_base))
        self._sink(rgb)

    def _take_time(self, seconds: float) -> None:
        if self.times and seconds <= self.times[-1]:
            self._refuse(f"comes at {seconds:.4f} s, not after the frame before it")
        self.times.append(seconds)
        if seconds - self.times[0] > self._limits.max_seconds:
            check_length(0, seconds - self.times[0], self._limits)

    def check_counts(self, promised: int, *, trust_packets: bool) -> None:
        """Compare what came out with what the header and the packets promised."""
        name = self._path.name
        if promised and self.frames != promised:
            message = f"{name}: the header promises {promised} frames, the file holds {self.frames}"
            raise SourceError(message, reason="count_mismatch", hint="copy or download the file again")
        if trust_packets and self.frames != self.packets.count:
            message = f"{name}: {self.packets.count} coded frames, of which {self.frames} can be decoded"
            raise SourceError(message, reason="count_mismatch", hint="copy or download the file again")
        check_enough(self.frames, name, self._limits)
        if self.times and len(self.times) != self.frames:
            self._refuse("has no time, but others have")

    def _refuse(self, what: str) -> None:
        message = f"{self._path.name}: frame {self.frames} {what}"
        raise SourceError(message, reason="damaged", hint="copy or download the file again")


def even_times(times: list[float], fps: float, tick: float) -> list[float]:
    """Shift times to begin at 0; a rate that is constant but for the container's rounding is made exact."""
    shifted = [t - times[0] for t in times]
    steady = [i / fps for i in range(len(shifted))]
    worst = max(abs(a - b) for a, b in zip(shifted, steady, strict=True))
    return steady if worst <= max(tick, 1e-6) * 1.01 and not is_variable(times) else shifted

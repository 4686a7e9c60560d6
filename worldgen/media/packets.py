"""Packets: what a stream holds before anything is decoded, counted and timed."""

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from worldgen.errors import SourceError
from worldgen.media.limits import Limits, check_length
from worldgen.media.movtables import check_edits

_DEFAULT_FPS: Final = Fraction(25)


class Packets:
    """Packets of a stream, counted: those that become frames, and those that an edit list cuts away."""

    def __init__(self) -> None:
        self.count = 0
        self.cut = 0
        self.times: list[float] = []
        """Presentation times in seconds, in coding order, of frames that are shown."""
        self._cut_times: list[float] = []

    def take(self, packet: "av.Packet[VideoStream]") -> None:
        """Count one packet."""
        if packet.size == 0:
            return
        times = self.times
        if packet.is_discard:
            self.cut += 1
            times = self._cut_times
        else:
            self.count += 1
        if packet.pts is not None and packet.time_base is not None:
            times.append(float(packet.pts * packet.time_base))

    def promised(self, header: int | None) -> int:
        """Return how many frames must come out: by the header, less what is cut; else by the packets."""
        return header - self.cut if header else self.count

    def check_cut(self, path: Path, stream: VideoStream) -> None:
        """Refuse frames cut away by an edit list that could be a damaged one.

        A cut is believed when the list fits the track, when what is left and what is cut have one even
        rhythm, and when the codec's own rate agrees with it.

        Raises:
            SourceError: damaged.
        """
        if not self.cut:
            return
        check_edits(path)
        times = sorted(self.times + self._cut_times)
        rate, own = nominal_fps(stream, times), stream.codec_context.framerate
        is_own = own is not None and any(abs(rate * k / own - 1) < 0.05 for k in (Fraction(1, 2), 1, 2))
        if is_variable(times) or not is_own:
            message = (
                f"{path.name}: an edit list cuts away {self.cut} of {self.cut + self.count} frames, "
                "which cannot be told from damage where the rate is uneven or not the codec's own"
            )
            raise SourceError(message, reason="damaged", hint="write the clip anew without an edit list")


def read_packets(container: InputContainer, stream: VideoStream, limits: Limits) -> Packets:
    """Read all packets without decoding."""
    packets = Packets()
    try:
        for packet in container.demux(stream):
            packets.take(packet)
            check_length(packets.count, 0.0, limits)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"packets cannot be read: {error_text(error)}", reason="damaged") from error
    return packets


def nominal_fps(stream: VideoStream, times: "list[float]") -> Fraction:
    """Return the rate that the header names, or the median of the packets' rate."""
    rate = stream.average_rate or stream.guessed_rate
    if rate is not None and 0 < rate <= 1000:
        return Fraction(rate)
    steps = np.diff(times)
    if len(steps) and np.median(steps) > 0:
        return Fraction(1 / float(np.median(steps))).limit_denominator(1001)
    return _DEFAULT_FPS


def is_variable(times: "list[float]") -> bool:
    """Tell whether frames come at uneven times; a millisecond's rounding (matroska) is even."""
    if len(times) < 3:
        return False
    even = np.linspace(times[0], times[-1], len(times))
    return bool(np.abs(np.asarray(times) - even).max() > 0.0021)


def error_text(error: Exception) -> str:
    """Put an FFmpeg error into one line, without the path."""
    strerror = getattr(error, "strerror", None)
    return str(strerror or error or type(error).__name__)

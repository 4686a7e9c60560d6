"""Probe: what a video file is, checked against limits before anything is decoded.

`describe` runs where it is called; `probe` for files of strangers runs it in the bounded process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from worldgen.datatypes.digest import Value
from worldgen.errors import SourceError
from worldgen.media.colour import matrix_name, orientation, transfer_name
from worldgen.media.containers import DEMUXERS, check_structure, container_of
from worldgen.media.limits import Limits, check_enough, check_length, check_size
from worldgen.media.packets import error_text, is_variable, nominal_fps, read_packets

_ATTACHED_PICTURE = 0x400


class VideoInfo(Value):
    """What the header and the packets of a video file say; one picture was decoded at most."""

    container: str
    """mov (also mp4), matroska (also webm) or avi."""
    codec: str
    """h264, hevc, vp9, av1, ..."""
    width: int
    """After rotation."""
    height: int
    """After rotation."""
    frames: int
    """As promised by the header, or counted in packets where the header promises nothing."""
    fps: float
    """Nominal rate."""
    duration_seconds: float
    bit_depth: int = 8
    pixel_format: str = ""
    colour_range: str = "limited"
    """limited or full."""
    colour_matrix: str = "bt709"
    """bt601, bt709, bt2020, rgb, ...; guessed from the size where the file does not say."""
    transfer: str = "sdr"
    """sdr, pq or hlg. High dynamic range is not tone-mapped."""
    rotation_degrees: int = 0
    """Counter-clockwise, already applied to width and height."""
    is_mirrored: bool = False
    is_variable_rate: bool = False
    has_audio: bool = False
    size_bytes: int = 0


def describe(path: Path, limits: Limits) -> VideoInfo:
    """Probe in this process. See `worldgen.media.video.probe`.

    Raises:
        SourceError: With the reason that applies.
    """
    kind, counted = check_file(path, limits)
    with opened(path) as (container, stream):
        size = path.stat().st_size
        check_size(stream.width, stream.height, limits)
        check_length(stream.frames or counted or 0, _header_seconds(container, stream), limits)
        packets = read_packets(container, stream, limits)
        packets.check_cut(path, stream)
        promised = packets.promised(stream.frames or counted)
        times = sorted(packets.times)
        check_length(promised, 0.0, limits)
        check_enough(promised, path.name, limits)
        picture = first_picture(path, limits)
        turn = orientation(picture)
        width, height = picture.width, picture.height
        if turn.swap:
            width, height = height, width
        fps = nominal_fps(stream, times)
        seconds = _header_seconds(container, stream) or promised / fps
        return VideoInfo(
            container=kind,
            codec=stream.codec_context.codec.canonical_name,
            width=width,
            height=height,
            frames=promised,
            fps=float(fps),
            duration_seconds=float(seconds),
            bit_depth=max(c.bits for c in picture.format.components),
            pixel_format=picture.format.name,
            colour_range="full"
            if picture.color_range == 2 or picture.format.name.startswith("yuvj")
            else "limited",
            colour_matrix=matrix_name(picture.colorspace, picture.width, picture.height),
            transfer=transfer_name(picture.color_trc),
            rotation_degrees=turn.degrees,
            is_mirrored=turn.is_mirrored,
            is_variable_rate=kind != "avi" and is_variable(times),
            has_audio=bool(container.streams.audio),
            size_bytes=size,
        )


def check_presence(path: Path, limits: Limits) -> str:
    """Check what costs nothing, whatever the file holds: presence, size, magic bytes. Returns the container.

    Raises:
        SourceError: not_found, empty, not_a_video, refused_format, too_large.
    """
    container = container_of(path)
    size = path.stat().st_size
    if size > limits.max_bytes:
        message = f"{path.name} has {size} bytes; {limits.max_bytes} are allowed"
        raise SourceError(message, reason="too_large", hint="cut the file, or raise the limit")
    return container


def check_file(path: Path, limits: Limits) -> tuple[str, int | None]:
    """Check all that needs no demuxer: also the container's structure, which takes a walk through the file.

    Returns:
        The container, and the frames its structure holds where FFmpeg does not count them.
    """
    container = check_presence(path, limits)
    return container, check_structure(path, container)


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file with the demuxer that its magic bytes name, and pick its video stream.

    Raises:
        SourceError: not_a_video or no_video_stream.
    """
    kind = container_of(path)
    demuxer = DEMUXERS[kind]
    options = {"format_whitelist": demuxer, "protocol_whitelist": "file"}
    if kind == "mov":
        options |= {"enable_drefs": "0", "use_absolute_path": "0"}
    try:
        # A name may hold a colon or start with a dash: say that it is a file.
        container = av.open(
            f"file:{path.absolute()}",
            mode="r",
            format=demuxer.split(",")[0],
            options=options,
            metadata_errors="replace",
        )
    except Exception as error:
        message = f"{path.name} cannot be opened as {kind}: {error_text(error)}"
        raise SourceError(message, reason="damaged", hint="copy or download the file again") from error
    with container:
        yield container, _video_stream(container, path)


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    streams = [s for s in container.streams.video if not int(s.disposition) & _ATTACHED_PICTURE]
    if not streams:
        kinds = sorted(str(s.type) for s in container.streams) or ["nothing"]
        message = f"{path.name} has no video stream (it holds: {', '.join(kinds)})"
        raise SourceError(message, reason="no_video_stream")
    stream = streams[0]
    if stream.codec_context is None:
        message = f"{path.name} is coded with something that cannot be decoded here"
        raise SourceError(message, reason="refused_format", hint="H.264, HEVC, VP9 and AV1 are read")
    return stream


def first_picture(path: Path, limits: Limits) -> av.VideoFrame:
    """Decode the first picture, which alone knows rotation and colour for certain."""
    with opened(path) as (container, stream):
        prepare(stream, limits, threads=1)
        try:
            return next(container.decode(stream))
        except StopIteration:
            raise SourceError(f"{path.name} holds no picture", reason="damaged") from None
        except Exception as error:
            message = f"the first picture of {path.name} cannot be decoded: {error_text(error)}"
            raise SourceError(message, reason="damaged") from error


def prepare(stream: VideoStream, limits: Limits, *, threads: int) -> None:
    """Set what must be set before the first picture: threads, and the largest picture to allow."""
    context = stream.codec_context
    context.thread_count = threads
    context.thread_type = "NONE" if threads == 1 else "AUTO"
    # Padding to whole blocks may exceed the visible size; 128 covers every codec's largest block.
    room = limits.max_pixels + 128 * (stream.width + stream.height + 128)
    context.options = {**context.options, "max_pixels": str(room)}


def _header_seconds(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else 0.0

"""Named situations of files: good ones of every format, and the corpus of bad input, each with its recipe.

`BAD_FILES` is what tests of the library, the command line and the service feed; every entry says which
stable error code it must get. Everything is made here, small, by PyAV alone: not by worldgen's writer.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

SIZE = (96, 64)
COUNT = 12
UNSAID = 2
"""FFmpeg's number of a matrix that is not told; for a range it is 0."""
COLOURS = np.array(
    [
        [235, 30, 30],
        [30, 200, 40],
        [40, 60, 220],
        [230, 220, 40],
        [255, 255, 255],
        [0, 0, 0],
        [128, 128, 128],
        [90, 40, 150],
    ],
    np.uint8,
)
_MATRIX_TO_SCALER = {1: 1, 5: 5, 6: 5, 9: 9}


def painted(count: int = COUNT, width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    """Frames that tell their own number and colours; uint8 [t, h, w, 3].

    The upper half holds the frame's number as 6 black or white bars, highest bit left; the lower half the
    eight `COLOURS` side by side.
    """
    frames = np.zeros((count, height, width, 3), np.uint8)
    for i in range(count):
        for bit in range(6):
            left, right = bit * width // 6, (bit + 1) * width // 6
            frames[i, : height // 2, left:right] = 255 * (i >> (5 - bit) & 1)
    for patch, colour in enumerate(COLOURS):
        left, right = patch * width // 8, (patch + 1) * width // 8
        frames[:, height // 2 :, left:right] = colour
    return frames


def number_of(frame: np.ndarray) -> int:
    """Read the number that `painted` put into a frame."""
    height, width = frame.shape[:2]
    centres = [int((bit + 0.5) * width / 6) for bit in range(6)]
    return sum(int(frame[height // 4, x].mean() > 127) << (5 - bit) for bit, x in enumerate(centres))


def colours_of(frame: np.ndarray) -> np.ndarray:
    """Read the eight patches that `painted` put into a frame: uint8 [8, 3]."""
    height, width = frame.shape[:2]
    return np.array([frame[height * 3 // 4, int((patch + 0.5) * width / 8)] for patch in range(8)])


def encode(
    path: Path,
    frames: np.ndarray,
    codec: str = "libx264",
    *,
    pixel_format: str = "yuv420p",
    fps: Fraction | int = 10,
    times_ms: Sequence[int] | None = None,
    matrix: int = 1,
    tagged: bool = True,
    full_range: bool = False,
    rotation: int | None = None,
    mirrored: bool = False,
    options: dict[str, str] | None = None,
    container: str | None = None,
    sound: bool = False,
) -> Path:
    """Encode frames with PyAV's own encoders; `matrix` is FFmpeg's number (1 BT.709, 6 BT.601)."""
    rate = Fraction(fps)
    height, width = frames[0].shape[:2]
    scaler = VideoReformatter()
    # Without bitexact a Matroska file gets a random name inside.
    with av.open(str(path), "w", format=container, options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        context = stream.codec_context
        context.thread_count = 1
        chosen = options if options is not None else {"crf": "8"} if "264" in codec else {}
        # x264's macroblock trees give other bytes in a few files of a thousand, and tests compare digests.
        context.options = {"x264-params": "mbtree=0", **chosen} if codec == "libx264" else chosen
        context.time_base = Fraction(1, 1000) if times_ms is not None else 1 / rate
        if tagged:
            context.colorspace, context.color_range = matrix, 2 if full_range else 1
        if rotation is not None or mirrored:
            stream.set_display_rotation(rotation or 0, hflip=mirrored)
        speaker = out.add_stream("aac", rate=48000) if sound else None
        for i, pixels in enumerate(frames):
            picture = scaler.reformat(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24"),
                format=pixel_format,
                dst_colorspace=_MATRIX_TO_SCALER[matrix],
                src_color_range=2,
                dst_color_range=2 if full_range else 1,
                interpolation=Interpolation.BICUBIC
                | Interpolation.ACCURATE_RND
                | Interpolation.FULL_CHR_H_INP,
            )
            picture.pts = times_ms[i] if times_ms is not None else i
            picture.time_base = context.time_base
            if not tagged:
                picture.colorspace, picture.color_range = UNSAID, 0
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
        if speaker is not None:
            out.mux(speaker.encode(_silence()))
            out.mux(speaker.encode(None))
    return path


def good_clip(folder: Path, name: str = "good.mp4") -> Path:
    """H.264 in mp4, 12 frames of 96x64 at 10 fps."""
    return encode(folder / name, painted())


def trimmed_clip(folder: Path, *, first: int = 3, codec: str = "libx264") -> Path:
    """An mp4 whose edit list begins at a later frame, as phones and `ffmpeg -ss -c copy` write it."""
    content = bytearray(encode(folder / "whole.mp4", painted(), codec, options={"bf": "0"}).read_bytes())
    ticks = {}
    for kind, at in ((b"mvhd", 12), (b"mdhd", 12)):
        ticks[kind] = struct.unpack_from(">I", content, content.index(kind) + 4 + at)[0]
    edit = content.index(b"elst") + 4
    gone = first * ticks[b"mvhd"] // 10
    for kind, at in ((b"mvhd", 16), (b"tkhd", 20), (b"elst", 8)):
        place = content.index(kind) + 4 + at
        struct.pack_into(">I", content, place, struct.unpack_from(">I", content, place)[0] - gone)
    start = struct.unpack_from(">i", content, edit + 12)[0]
    struct.pack_into(">i", content, edit + 12, start + first * ticks[b"mdhd"] // 10)
    return _text(folder, bytes(content), "trimmed.mp4")


@dataclass(frozen=True)
class BadFile:
    """One situation of bad input."""

    name: str
    code: str
    """The stable error code that opening or reading it must give."""
    recipe: str
    build: Callable[[Path], Path]
    """Makes it in a folder and returns the path to give to worldgen."""


def _missing(folder: Path) -> Path:
    return folder / "nowhere.mp4"


def _empty(folder: Path) -> Path:
    return _text(folder, b"")


def _text(folder: Path, content: bytes, name: str = "clip.mp4") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _renamed_text(folder: Path) -> Path:
    return _text(folder, b"Dear colleague,\nthe clip is attached.\n")


def _concat_script(folder: Path) -> Path:
    good_clip(folder, "sibling.mp4")
    return _text(folder, b"ffconcat version 1.0\nfile sibling.mp4\n")


def _concat_script_bare(folder: Path) -> Path:
    good_clip(folder, "sibling.mp4")
    return _text(folder, b"file 'sibling.mp4'\nfile 'sibling.mp4'\n")


def _playlist(folder: Path) -> Path:
    good_clip(folder, "sibling.mp4")
    return _text(folder, b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\nsibling.mp4\n#EXT-X-ENDLIST\n")


def _dash_manifest(folder: Path) -> Path:
    return _text(folder, b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>\n')


def _picture_renamed(folder: Path) -> Path:
    return write_png(folder / "clip.mp4", painted(1)[0])


def _truncated_early_index(folder: Path) -> Path:
    """Index first (faststart), so that FFmpeg opens it and finds the end missing only while decoding."""
    whole = good_clip(folder, "whole.mp4")
    path = folder / "clip.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        _remux(source, out)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    return path


def _truncated_late_index(folder: Path) -> Path:
    content = good_clip(folder, "whole.mp4").read_bytes()
    return _text(folder, content[: len(content) // 2])


def _truncated_matroska(folder: Path) -> Path:
    content = good_clip(folder, "whole.mkv").read_bytes()
    return _text(folder, content[: len(content) * 2 // 3], "clip.mkv")


def _truncated_avi(folder: Path) -> Path:
    content = good_clip(folder, "whole.avi").read_bytes()
    return _text(folder, content[: len(content) * 2 // 3], "clip.avi")


def _promises_more(folder: Path) -> Path:
    """Three more entries in the table of sizes; the moov box lies last, so no offset moves."""
    content = bytearray(good_clip(folder, "whole.mp4").read_bytes())
    at = content.index(b"stsz") - 4
    count = struct.unpack_from(">I", content, at + 16)[0]
    end = at + struct.unpack_from(">I", content, at)[0]
    content[end:end] = content[end - 4 : end] * 3
    struct.pack_into(">I", content, at + 16, count + 3)
    _grow_parents(content, at, 12)
    return _text(folder, bytes(content))


def _promises_fewer(folder: Path) -> Path:
    """The table of sizes says 9 of 12: FFmpeg would read 9 frames without a word."""
    content = bytearray(good_clip(folder, "whole.mp4").read_bytes())
    struct.pack_into(">I", content, content.index(b"stsz") + 12, COUNT - 3)
    return _text(folder, bytes(content))


def _avi_promises_more(folder: Path) -> Path:
    content = bytearray(good_clip(folder, "whole.avi").read_bytes())
    struct.pack_into("<I", content, content.index(b"strh") + 8 + 32, COUNT + 5)
    return _text(folder, bytes(content), "clip.avi")


def _sound_only(folder: Path) -> Path:
    path = folder / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        out.mux(stream.encode(_silence()))
        out.mux(stream.encode(None))
    return path


def _bomb(folder: Path) -> Path:
    """8192x8192 and 120 black frames: about 200 kB that would decode to 24 GB."""
    path = folder / "clip.mp4"
    black = av.VideoFrame(8192, 8192, "yuv420p")
    for plane, value in zip(black.planes, (16, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 8192, 8192, "yuv420p"
        stream.codec_context.options = {"preset": "ultrafast", "crf": "51"}
        packets = []
        for i in range(2):
            black.pts = i
            packets += stream.encode(black)
        packets += stream.encode(None)
        # Frames after the second repeat it: what predicts no change can be sent any number of times.
        for i in range(120):
            packet = av.Packet(bytes(packets[min(i, 1)]))
            packet.stream, packet.pts, packet.dts = stream, i, i
            packet.time_base, packet.is_keyframe = Fraction(1, 30), i == 0
            out.mux(packet)
    return path


def _too_many_frames(folder: Path) -> Path:
    return encode(
        folder / "clip.mp4", np.repeat(painted(1, 32, 32), 3100, axis=0), options={"preset": "ultrafast"}
    )


def _too_long(folder: Path) -> Path:
    return encode(folder / "clip.mp4", painted(4), times_ms=[0, 1000, 2000, 700_000])


def fragmented_clip(folder: Path) -> Path:
    """An mp4 of one fragment per frame, as cameras write that may lose power."""
    path = folder / "clip.mp4"
    flags = {"movflags": "+frag_every_frame+empty_moov+default_base_moof", "fflags": "+bitexact"}
    with (
        av.open(str(good_clip(folder, "whole.mp4"))) as source,
        av.open(str(path), "w", options=flags) as out,
    ):
        _remux(source, out)
    return path


def _fragment_gone(folder: Path) -> Path:
    path = fragmented_clip(folder)
    content = path.read_bytes()
    starts = [at - 4 for at in range(len(content)) if content[at : at + 4] == b"moof"]
    path.write_bytes(content[: starts[4]] + content[starts[5] :])
    return path


def _one_frame(folder: Path) -> Path:
    return encode(folder / "clip.mp4", painted(1))


def _broken_picture_data(folder: Path) -> Path:
    """Every byte of the coded pictures after the first is turned around; all tables stay true."""
    content = bytearray(good_clip(folder, "whole.mp4").read_bytes())
    start = content.index(b"mdat") + 4
    end = start - 8 + struct.unpack_from(">I", content, start - 8)[0]
    middle = start + (end - start) // 2
    content[middle:end] = bytes(255 - b for b in content[middle:end])
    return _text(folder, bytes(content))


def _empty_folder(folder: Path) -> Path:
    path = folder / "frames"
    path.mkdir()
    return path


def _folder_of_text(folder: Path) -> Path:
    path = _empty_folder(folder)
    (path / "readme.txt").write_text("nothing to see")
    return path


def _pictures_without_rate(folder: Path) -> Path:
    return picture_folder(folder)


def _controls_of_two_clips(folder: Path) -> Path:
    path = _empty_folder(folder)
    encode(path / "depth.mp4", painted(12))
    encode(path / "seg.mp4", painted(10))
    return path


def _controls_twice(folder: Path) -> Path:
    path = _empty_folder(folder)
    encode(path / "depth.mp4", painted(4))
    encode(path / "other_depth.mp4", painted(4))
    return path


def _controls_and_unknown(folder: Path) -> Path:
    path = _empty_folder(folder)
    encode(path / "depth.mp4", painted(4))
    encode(path / "holiday.mp4", painted(4))
    return path


BAD_FILES = (
    BadFile("missing", "source.not_found", "a path where nothing is", _missing),
    BadFile("empty", "source.empty", "a file of 0 bytes", _empty),
    BadFile("text", "source.not_a_video", "a letter renamed .mp4", _renamed_text),
    BadFile("concat_script", "source.refused_format", "an ffconcat script renamed .mp4", _concat_script),
    BadFile("concat_bare", "source.refused_format", "a list of files renamed .mp4", _concat_script_bare),
    BadFile("playlist", "source.refused_format", "an HLS playlist renamed .mp4", _playlist),
    BadFile("dash", "source.refused_format", "a DASH manifest renamed .mp4", _dash_manifest),
    BadFile("picture", "source.refused_format", "a PNG renamed .mp4", _picture_renamed),
    BadFile(
        "truncated_late_index",
        "source.truncated",
        "the first half of an mp4 (index last)",
        _truncated_late_index,
    ),
    BadFile(
        "truncated_early_index",
        "source.truncated",
        "three quarters of a faststart mp4",
        _truncated_early_index,
    ),
    BadFile("truncated_matroska", "source.truncated", "two thirds of an mkv", _truncated_matroska),
    BadFile("truncated_avi", "source.truncated", "two thirds of an avi", _truncated_avi),
    BadFile("promises_more", "source.count_mismatch", "15 sizes for 12 frames", _promises_more),
    BadFile("promises_fewer", "source.count_mismatch", "9 sizes for 12 frames", _promises_fewer),
    BadFile(
        "avi_promises_more", "source.count_mismatch", "17 frames in the header of 12", _avi_promises_more
    ),
    BadFile("fragment_gone", "source.damaged", "one of twelve fragments taken out", _fragment_gone),
    BadFile("sound_only", "source.no_video_stream", "an mp4 that holds AAC only", _sound_only),
    BadFile("bomb", "source.too_large", "8192x8192 x 120 frames in 200 kB", _bomb),
    BadFile("too_many_frames", "source.too_large", "3100 frames of 32x32", _too_many_frames),
    BadFile("too_long", "source.too_large", "4 frames over 700 s", _too_long),
    BadFile("one_frame", "source.too_short", "a clip of one frame", _one_frame),
    BadFile(
        "broken_pictures",
        "source.damaged",
        "the second half of the coded pictures inverted",
        _broken_picture_data,
    ),
    BadFile("empty_folder", "source.empty", "a folder without files", _empty_folder),
    BadFile("folder_of_text", "source.not_a_video", "a folder with a text file", _folder_of_text),
    BadFile(
        "no_rate", "source.missing_fps", "a folder of pictures, no rate declared", _pictures_without_rate
    ),
    BadFile(
        "controls_unequal",
        "source.unequal_sensors",
        "depth of 12 frames beside seg of 10",
        _controls_of_two_clips,
    ),
    BadFile("controls_twice", "source.bad_sensor", "two depth videos in one folder", _controls_twice),
    BadFile(
        "controls_unknown", "source.bad_sensor", "depth beside a video of no kind", _controls_and_unknown
    ),
)


def corrupted(content: bytes, seed: int) -> bytes:
    """Damage a file: bytes replaced, a piece removed, doubled or zeroed, or the end cut off; by seed."""
    random = np.random.default_rng(seed)
    damaged = bytearray(content)
    kind = seed % 5
    at = int(random.integers(0, len(damaged)))
    length = int(random.integers(1, max(2, len(damaged) // 8)))
    if kind == 0:
        for i in random.integers(0, len(damaged), size=int(random.integers(1, 30))):
            damaged[i] = int(random.integers(0, 256))
    elif kind == 1:
        del damaged[at : at + length]
    elif kind == 2:
        damaged[at:at] = damaged[at : at + length]
    elif kind == 3:
        damaged[at : at + length] = bytes(len(damaged[at : at + length]))
    else:
        del damaged[max(1, at) :]
    return bytes(damaged)


def picture_folder(
    folder: Path, frames: np.ndarray | None = None, *, suffix: str = ".png", name: str = "pictures"
) -> Path:
    """A folder of pictures, frame1 to frame12: names that sort wrongly as text."""
    path = folder / name
    path.mkdir()
    for i, pixels in enumerate(painted() if frames is None else frames):
        write_picture(path / f"frame{i + 1}{suffix}", pixels)
    return path


def write_png(path: Path, pixels: np.ndarray) -> Path:
    """Write one PNG under any name."""
    return _write_coded(path, pixels, "png", "rgb24")


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    """Write one picture by its suffix."""
    codec, pixel_format = {".png": ("png", "rgb24"), ".jpg": ("mjpeg", "yuvj444p"), ".bmp": ("bmp", "bgr24")}[
        path.suffix
    ]
    return _write_coded(path, pixels, codec, pixel_format)


def _write_coded(path: Path, pixels: np.ndarray, codec: str, pixel_format: str) -> Path:
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = pixels.shape[1], pixels.shape[0], pixel_format
    context.time_base = Fraction(1, 25)
    if codec == "mjpeg":
        context.options = {"qmin": "1", "qmax": "1"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(
        format=pixel_format, src_color_range=2, dst_color_range=2, dst_colorspace=5
    )
    frame.pts = 0
    path.write_bytes(b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)]))
    return path


def _grow_parents(content: bytearray, at: int, by: int) -> None:
    """Add to the length of a box of an mp4 file and of every box around it."""
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz"):
        start = content.index(kind) - 4
        assert start <= at
        struct.pack_into(">I", content, start, struct.unpack_from(">I", content, start)[0] + by)


def _remux(source: av.container.InputContainer, out: av.container.OutputContainer) -> None:
    stream = out.add_stream_from_template(source.streams.video[0])
    for packet in source.demux(source.streams.video[0]):
        if packet.size:
            packet.stream = stream
            out.mux(packet)


def _silence() -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((2, 48000), np.float32), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = 48000, 0
    return frame

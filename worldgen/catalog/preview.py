"""A source as a browser can play it: H.264, 8 bit, 4:2:0, first frame at zero."""

from fractions import Fraction
from pathlib import Path
from typing import Final

TIME_BASE: Final = Fraction(1, 90_000)
_MP4: Final = "mov,mp4,m4a,3gp,3g2,mj2"


def is_playable(path: Path) -> bool:
    """Whether every browser plays this file as it is and starts it at zero."""
    import av  # the catalogue must be importable without it

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        is_mp4 = container.format.name == _MP4 and path.suffix.lower() in (".mp4", ".m4v")
        is_plain = context.name == "h264" and context.pix_fmt in ("yuv420p", "yuvj420p")
        first = next((p for p in container.demux(stream) if p.pts is not None), None)
        is_upright = first is not None and not _rotation(path)
        return is_mp4 and is_plain and is_upright and (stream.start_time or 0) == 0


def write_preview(origin: Path, place: Path) -> None:
    """Encode a video again, frame for frame and with its own timestamps, shifted to start at zero.

    Odd sizes are scaled to the next even one, which 4:2:0 needs. It is for looking at: nothing is
    measured on it.
    """
    import av

    with (
        av.open(str(origin)) as source,
        av.open(str(place), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        encoder, start = None, None
        for frame in source.decode(stream):
            width, height = frame.width + frame.width % 2, frame.height + frame.height % 2
            if encoder is None:
                rate = stream.average_rate or stream.guessed_rate or Fraction(30)
                encoder = target.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "18"})
                encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
                encoder.codec_context.time_base = TIME_BASE
                encoder.codec_context.color_range = 1
                encoder.codec_context.colorspace = 1
            seconds = frame.time or 0.0
            start = seconds if start is None else start
            picture = frame.reformat(
                width, height, "yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            picture.pts, picture.time_base = round((seconds - start) / TIME_BASE), TIME_BASE
            target.mux(encoder.encode(picture))
        if encoder is not None:
            target.mux(encoder.encode(None))


def _rotation(path: Path) -> int:
    import av

    with av.open(str(path)) as container:
        frame = next(container.decode(video=0), None)
        return int(getattr(frame, "rotation", 0)) % 360 if frame is not None else 0

"""A source as a browser can play it: H.264, 8 bit, 4:2:0, upright, first frame at zero."""

from pathlib import Path


def is_playable(path: Path) -> bool:
    """Whether every browser plays this file as it is and starts it at zero."""
    import av  # the catalogue must be importable without it

    from worldgen.media.video import probe

    info = probe(path, trusted=True)
    is_plain = info.codec == "h264" and info.pixel_format in ("yuv420p", "yuvj420p")
    if not is_plain or info.container != "mov" or info.rotation_degrees:
        return False
    with av.open(str(path)) as container:
        return path.suffix.lower() in (".mp4", ".m4v") and not container.streams.video[0].start_time


def write_preview(origin: Path, place: Path) -> None:
    """Encode a video again, frame for frame and at its own times, upright and starting at zero.

    It is for looking at: nothing is measured on it. Frames go through one by one.
    """
    from worldgen.media.decode import decode
    from worldgen.media.limits import OWN_FILES
    from worldgen.media.video import VideoWriter, probe

    info = probe(origin, trusted=True)
    times = None
    if info.is_variable_rate:
        # Times are complete only after the last packet, so a variable rate costs a pass of its own.
        times = iter(decode(origin, lambda _: None, limits=OWN_FILES).times)
    with VideoWriter(place, fps=info.fps, has_times=times is not None) as writer:
        decode(origin, lambda f: writer.write(f, seconds=next(times) if times else None), limits=OWN_FILES)

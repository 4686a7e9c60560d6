"""Which frame of the clip an entry of a label file means."""

from collections.abc import Sequence

from worldgen.sources.labels.document import other_source


def place_frames(given: Sequence[int | None], *, frames: int, what: str) -> tuple[int, ...]:
    """Turn the frame numbers of a label file into indices of the clip.

    Numbers from 0 are taken as they are, numbers from 1 to `frames` are shifted by one. Without numbers the
    order decides, and then every frame must be there.

    Args:
        given: One number per entry (as sorted by the file), None where the file has none.
        frames: Of the clip.
        what: Name of the file, for messages.

    Raises:
        LabelError: `other_source` when they do not fit.
    """
    known = [number for number in given if number is not None]
    if len(known) == len(given) and len(set(known)) == len(known) and known:
        low, high = min(known), max(known)
        if low >= 0 and high < frames:
            return tuple(known)
        if low >= 1 and high == frames:
            return tuple(number - 1 for number in known)
        # Numbers of a longer recording from which the clip was cut still order the frames.
        if high - low + 1 != frames or len(known) != frames:
            message = f"{what} labels frames {low}..{high}, the clip has {frames} frames"
            raise other_source(message)
        return tuple(number - low for number in known)
    if len(given) != frames:
        message = f"{what} labels {len(given)} frames, the clip has {frames} frames"
        raise other_source(message)
    return tuple(range(frames))

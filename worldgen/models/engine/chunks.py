"""Chunks: how a long clip is cut into windows that a network can hold. Pure."""

from dataclasses import dataclass

from worldgen.errors import ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One window of a clip."""

    index: int
    start: int
    """First frame of the clip that the window covers."""
    end: int
    """One past the last frame of the clip that it covers; less than start + frames in a short last chunk."""
    frames: int
    """Pixel frames that the network makes: 1 or temporal * k + 1."""
    conditional: int
    """Frames at its start that the chunk before made already."""

    def sources(self) -> list[int]:
        """Name the clip's frame behind each of the chunk's frames; short windows are filled by reflection."""
        return reflected(list(range(self.start, self.end)), self.frames)

    @property
    def new_frames(self) -> int:
        """Count the frames that this chunk adds to the clip."""
        return self.end - self.start - self.conditional


def plan_chunks(
    total: int, per_chunk: int | None, conditional: int, *, temporal: int = 4, short_last: bool = False
) -> tuple[Chunk, ...]:
    """Cut `total` frames into chunks as diffusers' Cosmos 3 transfer does.

    Args:
        total: Frames of the clip.
        per_chunk: Frames of a chunk, rounded up to temporal * k + 1; None: the whole clip in one.
        conditional: Frames that each later chunk takes over from the one before.
        temporal: Pixel frames per latent frame.
        short_last: Make the last chunk only as long as needed. The stock pipeline always makes a full one, so
            this saves time and gives other frames there.

    Raises:
        ContractError: `frames`: nothing to make, or chunks that would not advance.
    """
    if total < 1:
        message = f"a clip has at least one frame, got {total}"
        raise ContractError(message, reason="frames")
    frames = legal_frames(1 if total == 1 else per_chunk or total, temporal)
    if total <= frames:
        return (Chunk(index=0, start=0, end=total, frames=frames, conditional=0),)
    stride = frames - conditional
    if conditional < 0 or stride <= 0:
        message = f"{conditional} frames taken over leave nothing new in chunks of {frames}"
        hint = f"take over at most {frames - 1}, or make longer chunks"
        raise ContractError(message, reason="frames", hint=hint)
    count = 1 + -(-(total - frames) // stride)
    chunks = []
    for index in range(count):
        start = index * stride
        end = min(start + frames, total)
        is_last = index == count - 1
        length = legal_frames(end - start, temporal) if short_last and is_last else frames
        taken = conditional if index else 0
        chunks.append(Chunk(index=index, start=start, end=end, frames=length, conditional=taken))
    return tuple(chunks)


def legal_frames(frames: int, temporal: int) -> int:
    """Round up to 1 or temporal * k + 1."""
    return -(-(frames - 1) // temporal) * temporal + 1


def latent_frames(frames: int, temporal: int) -> int:
    """Count the latent frames of `frames` pixel frames; 0 for none."""
    return (frames - 1) // temporal + 1 if frames > 0 else 0


def reflected(frames: list[int], length: int) -> list[int]:
    """Fill a list of frames up to `length` by reflection at its end, the last frame first.

    As diffusers' Cosmos 3 transfer pads controls; a single frame is repeated.
    """
    filled = frames[:length]
    while len(filled) < length:
        more = min(len(filled) - 1, length - len(filled))
        if more <= 0:
            return filled + filled[-1:] * (length - len(filled))
        filled = filled + filled[::-1][:more]
    return filled

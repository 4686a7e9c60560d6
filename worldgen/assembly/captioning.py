"""Captions from a vision model, prompts polished by a language model: optional, only with permission."""

from collections.abc import Sequence
from pathlib import Path

from worldgen.chat import Chat
from worldgen.datatypes import ModelProfile, Source, Spec
from worldgen.errors import SourceError
from worldgen.models.rewriting import rewrite_caption
from worldgen.planning import fit_to
from worldgen.prompts import Caption, Shot, is_structured, prompt_for, template_caption
from worldgen.sources.captioning import MOST_FRAMES, Captioned, caption_clip
from worldgen.sources.open import open_source, read_source_clip


def caption_source(
    path: str | Path,
    chat: Chat,
    *,
    camera: str | None = None,
    fps: float | None = None,
    frames: int = MOST_FRAMES,
) -> Captioned:
    """Caption a source's RGB frames.

    Args:
        path: A video file, a folder of images or a recording.
        chat: The endpoint, with its permission.
        camera: Of a recording.
        fps: Of a folder of images.
        frames: How many are shown, at most five.

    Raises:
        SourceError: The source cannot be read, or has no RGB.
        ServiceError: The endpoint failed, or gave no usable caption.
    """
    source = open_source(Path(path), camera=camera, fps=fps)
    if source.kind == "controls":
        message = f"{path} is a control video without RGB; there is nothing to be described"
        raise SourceError(message, reason="missing_sensor")
    return caption_clip(read_source_clip(source), chat, frames=frames)


def with_prompts(
    source: Source, specs: Sequence[Spec], profile: ModelProfile, chat: Chat
) -> tuple[tuple[Spec, ...], tuple[str, ...]]:
    """Give specs polished prompts of their own, and say where the template's were kept.

    The prompt becomes part of the spec, and so of the variant's identity and provenance; a model that reads
    no text gets its specs back as they are.

    Args:
        source: Its caption is edited; without one, the template is.
        specs: Those with a prompt of their own keep it.
        profile: Of the world model.
        chat: The endpoint, with its permission.

    Returns:
        The specs, and one note per spec whose polished caption broke a rule.

    Raises:
        ServiceError: The endpoint failed.
    """
    if profile.kind not in ("diffusion", "remote"):
        return tuple(specs), ()
    fit = fit_to(source, profile)
    width, height = fit.model_size
    shot = Shot(width=width, height=height, frames=fit.model_frames, fps=fit.model_fps)
    out, notes = [], []
    for spec in specs:
        if spec.prompt:
            out.append(spec)
            continue
        said = source.caption
        caption = (
            Caption.parse(said)
            if is_structured(said)
            else template_caption(spec, source.condition, source.labels, text=said)
        )
        polished = rewrite_caption(caption, spec, chat, source.condition)
        if not polished.taken:
            notes.append(f"{spec.name}: the template's prompt was kept ({polished.why})")
        words = polished.caption.to_json()
        prompt = prompt_for(
            spec, style=profile.prompt_style, caption=words, condition=source.condition, shot=shot
        )
        out.append(spec.model_copy(update={"prompt": prompt}))
    return tuple(out), tuple(notes)

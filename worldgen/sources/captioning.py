"""Captioning: a structured caption of a real clip, by any vision model behind an endpoint."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.chat import Chat, Picture, json_in
from worldgen.datatypes import Clip, canonical_json
from worldgen.errors import ServiceError, SourceError
from worldgen.prompts import Caption, Shot, blocked_words

MOST_FRAMES: Final = 5
"""Some servers refuse more pictures in one question."""
_LONG_SIDE: Final = 768

_SYSTEM: Final = """You describe driving footage for a video model. You are shown frames of one clip in order
of time, with their times. Answer with one JSON object and nothing else. Its fields:
"subjects": list of the vehicles, people and other salient things, each with "description",
"appearance_details", "relationship", "location", "relative_size", "orientation", "pose", "action",
"state_changes", "clothing", "number_of_subjects" (an integer);
"background_setting": the place, road, buildings, plants and road surface, in a few sentences;
"lighting": {"conditions", "direction", "shadows", "illumination_effect"};
"aesthetics": {"composition", "color_scheme", "mood_atmosphere", "patterns"};
"cinematography": {"camera_motion", "framing", "camera_angle", "depth_of_field", "focus",
"lens_focal_length"};
"style_medium", "artistic_style", "context": a few words each;
"actions": list of {"time": "0:00-0:02", "description"};
"text_and_signage_elements": list of {"text", "category", "appearance", "spatial_temporal", "context"};
"segments": list of {"segment_index", "time_range", "description", "key_changes", "camera"};
"temporal_caption": the clip from beginning to end in a few sentences.
Say only what can be seen. Leave out what you cannot see rather than guess. Weather, light and the state of
the road belong into lighting and background_setting, not into the subjects. Do not identify people; do not
write number plates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captioned:
    """A caption that a vision model wrote."""

    caption: Caption
    frames: tuple[int, ...]
    """Those that were shown."""
    notes: tuple[str, ...] = ()


def caption_clip(clip: Clip, chat: Chat, *, frames: int = MOST_FRAMES) -> Captioned:
    """Ask for a structured caption of a clip; a useless answer is asked for once more, with what was wrong.

    Args:
        clip: RGB frames; at most `frames` of them, evenly spaced and scaled to 768 pixels, are sent.
        chat: The endpoint, with its permission.
        frames: At most five; servers refuse more.

    Raises:
        ServiceError: The endpoint failed, or answered twice without a usable caption.
    """
    count = min(max(1, frames), MOST_FRAMES, len(clip))
    shown = tuple(int(i) for i in np.linspace(0, len(clip) - 1, count).round())
    pieces: list[str | Picture] = []
    for index in shown:
        pieces += [f"Frame at {index / clip.fps:.1f} s:", Picture(_jpeg(clip.frames[index]))]
    pieces.append(f"The clip lasts {len(clip) / clip.fps:.1f} s at {clip.fps:g} frames per second.")
    wrong = ""
    for _ in range(2):
        asked = [*pieces, f"Your last answer could not be used: {wrong}"] if wrong else pieces
        answer = chat.ask(_SYSTEM, asked)
        try:
            caption = _checked(answer)
        except (ServiceError, SourceError) as error:
            chat.forget(_SYSTEM, asked)
            wrong = error.message
            continue
        width, height = clip.size
        shot = Shot(width=width, height=height, frames=len(clip), fps=clip.fps)
        words = blocked_words(caption.to_json())
        notes = (f"a guardrail may block: {', '.join(words)}",) if words else ()
        return Captioned(caption=shot.on(caption), frames=shown, notes=notes)
    message = f"{chat.settings.model} gave no usable caption: {wrong}"
    raise ServiceError(message, reason="bad_answer", hint="try a larger model, or write the caption by hand")


def _checked(answer: str) -> Caption:
    caption = Caption.parse(canonical_json(json_in(answer)))
    if not caption.temporal_caption.strip() or not caption.background_setting.strip():
        message = "background_setting and temporal_caption are needed"
        raise ServiceError(message, reason="bad_answer")
    return caption


def _jpeg(frame: UInt8[npt.NDArray[np.uint8], "h w 3"]) -> bytes:
    height, width = frame.shape[:2]
    scale = min(1.0, _LONG_SIDE / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        message = f"a frame of {width}x{height} could not be written as JPEG"
        raise SourceError(message, reason="damaged")
    return bytes(data)

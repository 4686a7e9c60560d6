"""Words to token ids, as Cosmos 3 was trained: chat template, system prompt, two closing tokens."""

from typing import Any, Final

TRANSFER_SYSTEM_PROMPT: Final = (
    "You are a helpful assistant that generates images or videos following the user's instructions"
    " and control signals (edge maps, blur, depth, or segmentation)."
)
"""As in diffusers 0.42, modular_pipelines/cosmos/encoders.py: the network was trained with these words."""
VIDEO_SYSTEM_PROMPT: Final = "You are a helpful assistant who will generate videos from a give prompt."
"""As in diffusers 0.42, pipelines/cosmos/pipeline_cosmos3_omni.py, misspelling included."""


def token_ids(tokenizer: Any, text: str, system: str | None) -> tuple[int, ...]:  # noqa: ANN401 -- of transformers
    """Tokenise one prompt.

    Args:
        tokenizer: The checkpoint's own, with its chat template.
        text: The prompt, verbatim.
        system: The system prompt; None: none.
    """
    talk = [] if system is None else [{"role": "system", "content": system}]
    talk.append({"role": "user", "content": text})
    encoded = tokenizer.apply_chat_template(
        talk, tokenize=True, add_generation_prompt=True, add_vision_id=False, return_dict=True
    )
    start = tokenizer.convert_tokens_to_ids("<|vision_start|>")
    return (*encoded.input_ids, tokenizer.eos_token_id, start)


def with_format(text: str, frames: int, fps: float, height: int, width: int, *, negated: bool = False) -> str:
    """Append length and size in the words of diffusers' `tokenize_prompt`."""
    no = "not " if negated else ""
    length = f"The video is {no}{frames / fps:.1f} seconds long and is {no}of {fps:.0f} FPS."
    size = f"This video is {no}of {height}x{width} resolution."
    for sentence in (length, size):
        text = text.rstrip(".")
        text = f"{text}. {sentence}" if text else sentence
    return text

"""Loading: a checkpoint folder in the published layout, whole or not at all.

    <folder>/transformer/      config.json, diffusion_pytorch_model*.safetensors (and their index)
    <folder>/vae/              the same
    <folder>/scheduler/        scheduler_config.json
    <folder>/text_tokenizer/   a Qwen-style tokenizer with its chat template

Every tensor's name and shape is compared with what the configuration promises before any weight is read;
nothing is unpickled, and no code of a checkpoint is run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKLWan, Cosmos3OmniTransformer
from diffusers.utils import logging
from safetensors import SafetensorError, safe_open

from worldgen.datatypes import digest
from worldgen.errors import WeightsError

PARTS: Final = ("transformer", "vae", "scheduler", "text_tokenizer")
PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_NAMED: Final = 8
"""Tensors that a message names; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """A loaded checkpoint."""

    network: Cosmos3OmniTransformer
    vae: AutoencoderKLWan
    tokenizer: Any
    scheduler_config: dict[str, Any]
    identity: str
    """Of configuration and weights files: name, size; part of every shared key."""


def load(
    folder: Path,
    *,
    dtype: torch.dtype = torch.bfloat16,
    vae_dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> Parts:
    """Load a checkpoint.

    Args:
        folder: See the module.
        dtype: Of the network.
        vae_dtype: Of the VAE; None: `dtype`.
        device: Where both go.

    Raises:
        WeightsError: `not_found`, `incomplete`, `refused_format` (a pickle), `damaged`, or `mismatch`, naming
            missing, extra and wrong-shaped tensors.
    """
    check(folder)
    network = _network(Cosmos3OmniTransformer, folder / "transformer", dtype).to(device)
    vae = _network(AutoencoderKLWan, folder / "vae", vae_dtype or dtype).to(device)
    return Parts(
        network=network.eval().requires_grad_(requires_grad=False),
        vae=vae.eval().requires_grad_(requires_grad=False),
        tokenizer=_tokenizer(folder / "text_tokenizer"),
        scheduler_config=_config(folder / "scheduler" / "scheduler_config.json", "UniPCMultistepScheduler"),
        identity=identity_of(folder),
    )


def check(folder: Path) -> None:
    """Look at a checkpoint without reading any weight.

    Raises:
        WeightsError: As `load`.
    """
    if not folder.is_dir():
        message = f"there is no checkpoint folder {folder}"
        raise WeightsError(message, reason="not_found")
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        message = f"{folder} lacks {', '.join(missing)}; a Cosmos 3 checkpoint has {', '.join(PARTS)}"
        raise WeightsError(message, reason="incomplete")
    _config(folder / "scheduler" / "scheduler_config.json", "UniPCMultistepScheduler")
    for kind, part in ((Cosmos3OmniTransformer, "transformer"), (AutoencoderKLWan, "vae")):
        _compare(kind, folder / part)


def identity_of(folder: Path) -> str:
    """Name a checkpoint by its configurations and its weights files' headers, without reading the weights.

    Two checkpoints of one shape differ in the content of their files; size and time of change tell them apart
    within one process, which is all that sharing needs.
    """
    files = sorted(p for part in PARTS for p in (folder / part).iterdir() if p.is_file())
    facts = [(p.parent.name, p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return digest(str(folder.resolve()), facts)[:32]


def _compare(kind: type[Any], folder: Path) -> None:
    config = _config(folder / "config.json", kind.__name__)
    if "quantization_config" in config:
        return  # Its tensors are those of a quantiser; diffusers' loader checks them.
    with torch.device("meta"):
        promised = {k: tuple(v.shape) for k, v in kind.from_config(config).state_dict().items()}
    held = _shapes(folder)
    missing = sorted(set(promised) - set(held))
    extra = sorted(set(held) - set(promised))
    shaped = sorted(k for k in set(promised) & set(held) if promised[k] != held[k])
    told = [_told("missing", missing), _told("extra", extra)]
    told.append(_told("wrong shape", [f"{k} {list(held[k])}, not {list(promised[k])}" for k in shaped]))
    if any(told):
        message = f"the weights in {folder} do not fit their configuration: " + "; ".join(filter(None, told))
        raise WeightsError(message, reason="mismatch", hint="nothing was loaded; pull the checkpoint again")


def _told(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{what}: {', '.join(names[:_NAMED])}{more}"


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Read names and shapes of all tensors from the headers alone."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in _weights(folder):
        try:
            with safe_open(path, framework="pt") as stream:
                shapes |= {name: tuple(stream.get_slice(name).get_shape()) for name in stream.keys()}  # noqa: SIM118 -- not a dict
        except SafetensorError as exc:
            message = f"{path} is not a whole safetensors file: {exc}"
            raise WeightsError(message, reason="damaged", hint="pull the checkpoint again") from exc
    return shapes


def _weights(folder: Path) -> list[Path]:
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES)
    files = sorted(folder.glob("*.safetensors"))
    if pickles:
        message = f"{folder} holds {', '.join(pickles)}: pickled weights can run code and are never opened"
        hint = "use a safetensors checkpoint and remove those files"
        raise WeightsError(message, reason="refused_format", hint=hint)
    if not files:
        message = f"there are no safetensors weights in {folder}"
        raise WeightsError(message, reason="incomplete")
    index = folder / "diffusion_pytorch_model.safetensors.index.json"
    if index.is_file():
        named = set(_json(index).get("weight_map", {}).values())
        lacking = sorted(named - {p.name for p in files})
        if lacking:
            message = f"{folder} lacks {', '.join(lacking)} of {len(named)} weights files"
            raise WeightsError(message, reason="incomplete", hint="pull the checkpoint again; it resumes")
        files = [p for p in files if p.name in named]
    return files


def _network(kind: type[Any], folder: Path, dtype: torch.dtype) -> Any:  # noqa: ANN401 -- of `kind`
    with _quiet():
        return kind.from_pretrained(
            str(folder), dtype=dtype, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=True
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep diffusers' own bar over a checkpoint's files off the terminal, where ours tell the progress."""
    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_shown:
            logging.enable_progress_bar()


def _tokenizer(folder: Path) -> Any:  # noqa: ANN401 -- of transformers
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as exc:
        message = f"the tokenizer in {folder} cannot be read: {exc}"
        raise WeightsError(message, reason="damaged") from exc
    if tokenizer.chat_template is None or tokenizer.eos_token_id is None:
        message = f"the tokenizer in {folder} has no chat template or no end token"
        raise WeightsError(message, reason="incomplete")
    return tokenizer


def _config(path: Path, expected: str) -> dict[str, Any]:
    if not path.is_file():
        message = f"{path} is missing"
        raise WeightsError(message, reason="incomplete")
    config = _json(path)
    if config.get("_class_name") != expected:
        message = f"{path} describes {config.get('_class_name')!r}, not {expected!r}"
        raise WeightsError(message, reason="mismatch")
    return config


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        message = f"{path} cannot be read: {exc}"
        raise WeightsError(message, reason="damaged") from exc
    if not isinstance(value, dict):
        message = f"{path} is no JSON object"
        raise WeightsError(message, reason="damaged")
    return value

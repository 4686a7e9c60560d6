"""Shape: the sizes of a checkpoint that decide its memory, from its configuration alone. Loads no torch."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from worldgen.datatypes.digest import Value
from worldgen.errors import WeightsError

Count = Annotated[int, Field(ge=1)]


class Shape(Value):
    """Sizes of a network and its VAE; the defaults are Nano's, which are those of diffusers' classes."""

    layers: Count = 36
    width: Count = 4096
    heads: Count = 32
    key_heads: Count = 8
    head_dim: Count = 128
    mlp: Count = 12288
    is_gated: bool = True
    """Three matrices in a layer's MLP (Qwen); else two (Nemotron, of Edge)."""
    vocabulary: Count = 151936
    patch: Count = 2
    """Latent pixels per token along each side."""
    channels: Count = 48
    """Of the latents."""
    action_dim: Annotated[int, Field(ge=0)] = 64
    domains: Count = 32
    vae_parameters: Count = 704_688_668
    """Wan2.2's, counted with diffusers on the meta device."""
    vae_widths: tuple[Count, ...] = (1024, 1024, 1024, 512, 256)
    """Channels of the decoder: behind its first layer, then behind each stage."""
    vae_blocks: Count = 2
    """Residual blocks of a stage, but one."""
    vae_doubles_time: tuple[bool, ...] = (True, True, False)
    """Of each stage but the last: whether it doubles the frames, too."""
    vae_patch: Count = 2
    """Pixels along each side that the VAE folds into channels."""
    spatial: Count = 16
    temporal: Count = 4

    @property
    def layer_parameters(self) -> int:
        """Count the weights of one layer of one tower; both towers have the same."""
        attention = 2 * self.width * (self.heads + self.key_heads) * self.head_dim
        mlp = (3 if self.is_gated else 2) * self.width * self.mlp
        return attention + mlp + 2 * self.width + 2 * self.head_dim

    @property
    def embedding_parameters(self) -> int:
        """Count the weights that turn words into vectors; the head that turns them back has as many."""
        return self.vocabulary * self.width

    @property
    def small_parameters(self) -> int:
        """Count what is neither layer nor words: projections of latents, time and actions, norms."""
        patches = self.channels * self.patch**2
        ends = 2 * patches * self.width + patches + self.width
        time = (256 + self.width + 2) * self.width
        actions = (2 * self.action_dim + 1) * self.width + self.action_dim
        return ends + time + 2 * self.width + (actions * self.domains + self.width if self.action_dim else 0)

    @property
    def network_parameters(self) -> int:
        """Count all weights beside the VAE's."""
        return 2 * self.layers * self.layer_parameters + 2 * self.embedding_parameters + self.small_parameters


def shape_of(folder: Path) -> Shape:
    """Read a checkpoint's configurations, and the headers of its VAE's files.

    Raises:
        WeightsError: `damaged` or `incomplete`, naming the file.
    """
    network = _read(folder / "transformer" / "config.json")
    vae = _read(folder / "vae" / "config.json")
    try:
        base = int(vae.get("decoder_base_dim") or vae["base_dim"])
        multiples = [int(m) for m in vae["dim_mult"]]
        return Shape(
            layers=network["num_hidden_layers"],
            width=network["hidden_size"],
            heads=network["num_attention_heads"],
            key_heads=network["num_key_value_heads"],
            head_dim=network["head_dim"],
            mlp=network["intermediate_size"],
            is_gated=network.get("hidden_act", "silu") == "silu",
            vocabulary=network["vocab_size"],
            patch=network["latent_patch_size"],
            channels=network["latent_channel"],
            action_dim=(network.get("action_dim") or 0) if network.get("action_gen") else 0,
            domains=network.get("num_embodiment_domains", 32),
            vae_parameters=_parameters_in(folder / "vae"),
            vae_widths=tuple(base * m for m in [multiples[-1], *reversed(multiples)]),
            vae_blocks=vae["num_res_blocks"],
            vae_doubles_time=tuple(reversed(vae["temperal_downsample"])),
            vae_patch=vae.get("patch_size") or 1,
            spatial=vae["scale_factor_spatial"],
            temporal=vae["scale_factor_temporal"],
        )
    except (KeyError, TypeError, ValueError) as exc:
        message = f"the configurations in {folder} do not say the sizes of a Cosmos 3: {exc}"
        raise WeightsError(message, reason="damaged") from exc


def _parameters_in(folder: Path) -> int:
    """Count the elements that the headers of safetensors files name: 8 bytes of length, then JSON."""
    count = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with path.open("rb") as stream:
                header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        except (OSError, ValueError) as exc:
            message = f"{path} is not a whole safetensors file: {exc}"
            raise WeightsError(message, reason="damaged", hint="pull the checkpoint again") from exc
        count += sum(math.prod(t["shape"]) for name, t in header.items() if name != "__metadata__")
    return count


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        message = f"{path} cannot be read: {exc}"
        raise WeightsError(message, reason="incomplete") from exc
    except ValueError as exc:
        message = f"{path} is no JSON: {exc}"
        raise WeightsError(message, reason="damaged") from exc
    if not isinstance(value, dict):
        message = f"{path} is no JSON object"
        raise WeightsError(message, reason="damaged")
    return value

"""The codec: frames to normalised latents and back, through the checkpoint's own VAE."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor


class Codec:
    """A Wan VAE with Cosmos 3's normalisation (`Cosmos3OmniPipeline._encode_video`).

    Args:
        vae: Loaded.
        dtype: Of the network: control frames are rounded to it before encoding, as the stock pipeline does.
    """

    def __init__(self, vae: AutoencoderKLWan, dtype: torch.dtype) -> None:
        self.vae = vae
        self.dtype = dtype
        self.spatial = int(vae.config.scale_factor_spatial)
        self.temporal = int(vae.config.scale_factor_temporal)
        self.channels = int(vae.config.z_dim)

    @property
    def device(self) -> torch.device:
        """Where the VAE computes."""
        where: torch.device = next(self.vae.parameters()).device
        return where

    @torch.inference_mode()
    def encode(self, frames: npt.NDArray[np.uint8], sources: Sequence[int]) -> Tensor:
        """Encode frames of a clip.

        Args:
            frames: uint8 [t, h, w, 3].
            sources: Which of them, in order; 1 or temporal * k + 1.

        Returns:
            float32 [1, c, latent frames, h / spatial, w / spatial].
        """
        return self.encode_pixels(pixels_of(frames[np.asarray(sources)], self.dtype, self.device))

    @torch.inference_mode()
    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """Encode pixels [1, 3, t, h, w] in -1..1 to float32 latents."""
        kind = self.vae.dtype
        mean, inverse = self._statistics(kind)
        raw = self.vae.encode(pixels.to(self.device, kind)).latent_dist.mode()
        latents: Tensor = ((raw - mean) * inverse).to(pixels.dtype).contiguous().float()
        return latents

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """Decode latents to float32 pixels [1, 3, t, h, w], clamped to -1..1."""
        kind = self.vae.dtype
        mean, inverse = self._statistics(kind)
        raw = latents.to(self.device, kind) / inverse + mean
        pixels: Tensor = self.vae.decode(raw).sample.to(torch.float32).clamp(-1, 1)
        return pixels

    def _statistics(self, kind: torch.dtype) -> tuple[Tensor, Tensor]:
        shape = (1, -1, 1, 1, 1)
        mean = torch.tensor(self.vae.config.latents_mean, dtype=kind)
        inverse = 1.0 / torch.tensor(self.vae.config.latents_std, dtype=kind)
        return mean.to(self.device).view(shape), inverse.to(self.device).view(shape)


@torch.inference_mode()
def frames_of(pixels: Tensor) -> npt.NDArray[np.uint8]:
    """Turn pixels [1, 3, t, h, w] in -1..1 into uint8 frames [t, h, w, 3], rounded on the device."""
    shown = (pixels[0] * 0.5 + 0.5).clamp(0, 1).permute(1, 2, 3, 0)
    return (shown * 255).round().to(torch.uint8).cpu().numpy()


@torch.inference_mode()
def pixels_of(
    frames: npt.NDArray[np.uint8], dtype: torch.dtype, device: torch.device | str = "cpu"
) -> Tensor:
    """Turn uint8 frames [t, h, w, 3] into pixels [1, 3, t, h, w] in -1..1, as VideoProcessor does."""
    shown = torch.from_numpy(np.ascontiguousarray(frames)).to(device).permute(3, 0, 1, 2).unsqueeze(0)
    return (2.0 * (shown.to(torch.float32) / 255.0) - 1.0).to(dtype)

"""The VAE: building it, running it, and what its mistakes cost."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify
from torch import Tensor

from checkpoints.recipe import CoderRecipe


def make_coder(recipe: CoderRecipe) -> AutoencoderKLWan:
    """Make an untrained VAE with torch's random state: `recipe.spatial` pixels and 4 frames to one."""
    colours = 3 * recipe.patch**2
    return AutoencoderKLWan(
        base_dim=recipe.width,
        decoder_base_dim=recipe.decoder_width,
        z_dim=recipe.channels,
        dim_mult=list(recipe.multipliers),
        num_res_blocks=recipe.blocks,
        attn_scales=[],
        temperal_downsample=[True, True],
        is_residual=True,
        in_channels=colours,
        out_channels=colours,
        patch_size=recipe.patch,
        scale_factor_spatial=recipe.spatial,
        scale_factor_temporal=4,
        latents_mean=[0.0] * recipe.channels,
        latents_std=[1.0] * recipe.channels,
    )


def pixels_of(frames: Sequence[npt.NDArray[np.uint8]], device: torch.device) -> Tensor:
    """Stack clips uint8 [t, h, w, 3] of one shape to pixels [n, 3, t, h, w] in -1..1."""
    stacked = torch.from_numpy(np.stack(frames)).to(device)
    return stacked.permute(0, 4, 1, 2, 3).float().div_(127.5).sub_(1.0)


def frames_of(pixels: Tensor) -> npt.NDArray[np.uint8]:
    """Turn pixels [n, 3, t, h, w] in -1..1 into uint8 [n, t, h, w, 3]."""
    shown = (pixels.float() * 127.5 + 127.5).round().clamp(0, 255)
    return shown.permute(0, 2, 3, 4, 1).to(torch.uint8).cpu().numpy()


def encode(vae: AutoencoderKLWan, pixels: Tensor) -> Tensor:
    """Encode pixels [n, 3, t, h, w] to the mean of raw latents [n, c, t', h', w']."""
    return vae.encode(pixels).latent_dist.mode()  # type: ignore[no-any-return]  # a tensor


def decode(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """Decode raw latents without the clamp at the end: clamped pixels would learn nothing.

    Otherwise `AutoencoderKLWan._decode`, read from diffusers 0.42.
    """
    vae.clear_cache()
    hidden = vae.post_quant_conv(latents)
    parts = []
    for index in range(hidden.shape[2]):
        vae._conv_idx = [0]
        parts.append(
            vae.decoder(
                hidden[:, :, index : index + 1],
                feat_cache=vae._feat_map,
                feat_idx=vae._conv_idx,
                first_chunk=index == 0,
            )
        )
    vae.clear_cache()
    return unpatchify(torch.cat(parts, dim=2), patch_size=vae.config.patch_size)  # type: ignore[no-any-return]  # a tensor


def cost(made: Tensor, true: Tensor, *, gradient: float, spectrum: float) -> tuple[Tensor, dict[str, float]]:
    """Cost of pixels [n, 3, t, h, w]: errors of values, gradients (three scales, time) and the spectrum.

    Values and gradients by their root mean square. Their absolute errors were tried first: most slopes are
    zero and most colours grey, so the medians that they teach are grey and flat, and after 400 steps clear
    clips came back at 17.8 dB; root mean squares pass 19 dB after 150 steps of a quarter of the pixels.
    """
    made, true = made.float(), true.float()
    pixel = _rms(made - true)
    slope = pixel.new_zeros(())
    a, b = made.transpose(1, 2).flatten(0, 1), true.transpose(1, 2).flatten(0, 1)
    for scale in range(3):
        if scale:
            a, b = (torch.nn.functional.avg_pool2d(x, 2) for x in (a, b))
        slope = slope + _slopes(a, b) / 3
    if made.shape[2] > 1:
        slope = slope + _rms((made[:, :, 1:] - made[:, :, :-1]) - (true[:, :, 1:] - true[:, :, :-1]))
    waves = pixel.new_zeros(())
    if spectrum > 0:
        waves = (torch.fft.rfft2(made, norm="ortho") - torch.fft.rfft2(true, norm="ortho")).abs().mean()
    total = pixel + gradient * slope + spectrum * waves
    parts = {"pixel": pixel, "slope": slope, "spectrum": waves}
    return total, {name: float(part.detach()) for name, part in parts.items()}


def _rms(wrong: Tensor) -> Tensor:
    """Root mean square; the constant keeps its gradient finite at zero."""
    return (wrong.square().mean() + 1e-8).sqrt()


def _slopes(a: Tensor, b: Tensor) -> Tensor:
    """Root mean square error of both first differences of pictures [n, c, h, w]."""
    wrong = a - b
    return _rms(wrong[..., 1:] - wrong[..., :-1]) + _rms(wrong[..., 1:, :] - wrong[..., :-1, :])

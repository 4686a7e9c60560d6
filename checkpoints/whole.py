"""The VAE over whole clips at once, for teaching: what diffusers computes chunk by chunk with a cache.

`AutoencoderKLWan` reads a clip as its first frame and chunks of four, so that a long one fits into memory,
and carries two frames of every layer's input over. A clip that fits needs none of that: each causal
convolution runs once over all frames. The arithmetic is the same (read from diffusers 0.42; a test compares
both); on a processor a step of teaching on crops takes 0.4 of the time.

A network is cut in four: shrink (pixels to features), compress (to latents), expand (to features), widen (to
pixels), so that its levels can be taught apart.
"""

from typing import TYPE_CHECKING, Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify, unpatchify
from torch import Tensor, nn
from torch.nn.functional import conv3d, interpolate, pad, scaled_dot_product_attention, silu

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan


def shrink(vae: "AutoencoderKLWan", pixels: Tensor) -> Tensor:
    """Run the encoder's outer level: pixels [n, 3, 1 + 4 k, h, w] to features [n, c, 1 + 2 k, h', w']."""
    colours = patchify(pixels, patch_size=vae.config.patch_size)
    # Channels last: oneDNN's convolutions take half the time.
    colours = colours.contiguous(memory_format=torch.channels_last_3d)
    return _down(vae.encoder.down_blocks[0], _causal(vae.encoder.conv_in, colours))


def compress(vae: "AutoencoderKLWan", features: Tensor) -> Tensor:
    """Run the encoder's other levels: features to the mean of raw latents [n, z, 1 + k, h", w"]."""
    encoder = vae.encoder
    x = features
    for block in encoder.down_blocks[1:]:
        x = _down(block, x)
    x = _middle(encoder.mid_block, x)
    x = _causal(encoder.conv_out, silu(_norm(encoder.norm_out, x)))
    mean, _ = _causal(vae.quant_conv, x).chunk(2, dim=1)
    return mean


def expand(vae: "AutoencoderKLWan", latents: Tensor) -> Tensor:
    """Run the decoder's inner level: raw latents to features."""
    decoder = vae.decoder
    x = _causal(decoder.conv_in, _causal(vae.post_quant_conv, latents))
    return _up(decoder.up_blocks[0], _middle(decoder.mid_block, x))


def widen(vae: "AutoencoderKLWan", features: Tensor) -> Tensor:
    """Run the decoder's other levels: features to pixels, unclamped: clamped ones would learn nothing."""
    decoder = vae.decoder
    x = features
    for block in decoder.up_blocks[1:]:
        x = _up(block, x)
    x = _causal(decoder.conv_out, silu(_norm(decoder.norm_out, x)))
    return unpatchify(x, patch_size=vae.config.patch_size)  # type: ignore[no-any-return]  # a tensor


def encode(vae: "AutoencoderKLWan", pixels: Tensor) -> Tensor:
    """Encode pixels [n, 3, 1 + 4 k, h, w] to the mean of raw latents [n, z, 1 + k, h", w"]."""
    return compress(vae, shrink(vae, pixels))


def decode(vae: "AutoencoderKLWan", latents: Tensor) -> Tensor:
    """Decode raw latents to pixels, unclamped."""
    return widen(vae, expand(vae, latents))


def _causal(layer: Any, x: Tensor) -> Tensor:  # noqa: ANN401 -- a causal convolution of diffusers
    """Convolve with zeros before the first frame and around every frame."""
    _, across, _, down, before, _ = layer._padding
    if before:
        x = pad(x, (0, 0, 0, 0, before, 0))
    return conv3d(x, layer.weight, layer.bias, layer.stride, (0, down, across))


def _flat(layer: nn.Conv2d, x: Tensor, *, stride: int = 1, around: int = 0) -> Tensor:
    """Convolve every frame by itself."""
    return conv3d(x, layer.weight.unsqueeze(2), layer.bias, (1, stride, stride), (0, around, around))


def _norm(layer: Any, x: Tensor) -> Tensor:  # noqa: ANN401 -- a norm of diffusers
    """Divide by the root mean square over channels, in float32."""
    wide = x.float()
    length = wide.square().sum(dim=1, keepdim=True).clamp_min(1e-24)
    scaled: Tensor = wide * (length.rsqrt() * layer.scale) * layer.gamma.view(-1, 1, 1, 1)
    return scaled.to(x.dtype)


def _residual(block: Any, x: Tensor) -> Tensor:  # noqa: ANN401 -- a block of diffusers
    is_same = isinstance(block.conv_shortcut, nn.Identity)
    kept = x if is_same else _causal(block.conv_shortcut, x)
    x = _causal(block.conv1, silu(_norm(block.norm1, x)))
    return kept + _causal(block.conv2, silu(_norm(block.norm2, x)))


def _attention(block: Any, x: Tensor) -> Tensor:  # noqa: ANN401 -- a block of diffusers
    """Let the pixels of each frame read one another."""
    n, c, t, h, w = x.shape
    asked = _flat(block.to_qkv, _norm(block.norm, x)).permute(0, 2, 3, 4, 1).reshape(n * t, 1, h * w, 3 * c)
    query, key, value = asked.chunk(3, dim=-1)
    read = scaled_dot_product_attention(query, key, value)
    return x + _flat(block.proj, read.reshape(n, t, h, w, c).permute(0, 4, 1, 2, 3))


def _middle(block: Any, x: Tensor) -> Tensor:  # noqa: ANN401 -- a block of diffusers
    x = _residual(block.resnets[0], x)
    for attention, residual in zip(block.attentions, block.resnets[1:], strict=True):
        x = _residual(residual, x if attention is None else _attention(attention, x))
    return x


def _down(block: Any, x: Tensor) -> Tensor:  # noqa: ANN401 -- a block of diffusers
    kept = x
    for residual in block.resnets:
        x = _residual(residual, x)
    if block.downsampler is not None:
        x = _flat(block.downsampler.resample[1], pad(x, (0, 1, 0, 1)), stride=2)
        if block.downsampler.mode == "downsample3d":
            # The first frame stays by itself; from there on two become one.
            halved = conv3d(x, *_weights(block.downsampler.time_conv), stride=(2, 1, 1))
            x = torch.cat([x[:, :, :1], halved], dim=2)
    shortcut: Tensor = block.avg_shortcut(kept)
    return x + shortcut


def _up(block: Any, x: Tensor) -> Tensor:  # noqa: ANN401 -- a block of diffusers
    kept = x
    for residual in block.resnets:
        x = _residual(residual, x)
    if block.upsampler is not None:
        if block.upsampler.mode == "upsample3d":
            x = torch.cat([x[:, :, :1], _doubled(block.upsampler.time_conv, x[:, :, 1:])], dim=2)
        larger = interpolate(x, scale_factor=(1, 2, 2), mode="nearest")
        x = _flat(block.upsampler.resample[1], larger, around=1)
    return x if block.avg_shortcut is None else x + block.avg_shortcut(kept, first_chunk=True)


def _doubled(layer: Any, x: Tensor) -> Tensor:  # noqa: ANN401 -- a causal convolution of diffusers
    """Make two frames of each: the second half of the channels is the later one."""
    n, c, t, h, w = x.shape
    both = _causal(layer, x).reshape(n, 2, c, t, h, w)
    return both.permute(0, 2, 3, 1, 4, 5).reshape(n, c, 2 * t, h, w)


def _weights(layer: nn.Conv3d) -> tuple[Tensor, Tensor | None]:
    return layer.weight, layer.bias

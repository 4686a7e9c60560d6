"""Textures: tileable noise, made once from a seed and looked up at world coordinates."""

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.models.physics.light import Plane
from worldgen.models.physics.strips import strips

SIZE = 512
_PAD = 2


class Texture:
    """Fractal noise on a torus, equalised: the share of values below x is x.

    Args:
        seed: Of the field.
        falloff: Amplitude falls with frequency to this power; 1 is rough, 2 is smooth.
        stretch: Features are this much longer along v than along u.
        lowest: Frequencies below this many periods per tile are left out.
    """

    def __init__(self, seed: int, *, falloff: float = 1.4, stretch: float = 1.0, lowest: float = 1.0) -> None:
        rng = np.random.default_rng([seed, 0x7E47])
        f = np.fft.fftfreq(SIZE) * SIZE
        radius = np.hypot(f[:, None] * stretch, f[None, :])
        amplitude = np.where(radius >= lowest, np.maximum(radius, 1e-9) ** -falloff, 0.0)
        spectrum = amplitude * np.exp(2j * np.pi * rng.random((SIZE, SIZE)))
        field = np.fft.ifft2(spectrum).real.ravel()
        level = np.empty(field.size, np.float32)
        level[np.argsort(field)] = (np.arange(field.size, dtype=np.float32) + 0.5) / field.size
        self._tile = np.pad(level.reshape(SIZE, SIZE), ((0, _PAD), (0, _PAD)), mode="wrap")

    def at(self, u: Plane, v: Plane) -> Float32[npt.NDArray[np.float32], "h w"]:
        """Look up in texels; the field repeats every `SIZE`."""
        found = np.empty(u.shape, np.float32)
        for rows in strips(u.shape):
            cv2.remap(self._tile, _wrap(u[rows]), _wrap(v[rows]), cv2.INTER_LINEAR, dst=found[rows])
        return found

    def on_ground(
        self, right: Plane, ahead: Plane, footprint_m: Plane, texel_m: float
    ) -> Float32[npt.NDArray[np.float32], "h w"]:
        """Look up at ground coordinates in metres, faded to the mean where a pixel covers too much.

        Args:
            right: Metres.
            ahead: Metres.
            footprint_m: Ground covered by a pixel along the view.
            texel_m: Metres per texel; features are mostly 8 texels and longer.
        """
        found = np.empty(right.shape, np.float32)
        for rows in strips(right.shape):
            value = self.at(right[rows] * np.float32(1 / texel_m), ahead[rows] * np.float32(1 / texel_m))
            value -= np.float32(0.5)
            value *= np.clip(np.float32(1.5) - footprint_m[rows] * np.float32(1 / (12 * texel_m)), 0, 1)
            value += np.float32(0.5)
            found[rows] = value
        return found


def _wrap(texels: Plane) -> Plane:
    """Into 0..SIZE; floor is far faster than numpy's modulo."""
    turns = np.floor(texels * np.float32(1 / SIZE))
    turns *= np.float32(-SIZE)
    turns += texels
    return np.asarray(turns, np.float32)

"""The sensor: signal-dependent noise, drawn anew for every frame."""

import cv2
import numpy as np

from worldgen.models.physics.light import Linear
from worldgen.models.physics.strips import strips


class Sensor:
    """Poisson-Gaussian noise: var = gain * signal + read^2 (Foi et al. 2008), in linear light.

    A tile of standard normal noise, a little larger than the frame, is drawn once; every frame takes its own
    window, flip and sign from a counter-based generator, so frames are independent and order does not matter.

    Args:
        size: Width and height.
        gain: Variance per signal, relative to white; grows with ISO.
        read: Standard deviation in the dark.
        seed: Of the noise.
    """

    def __init__(self, size: tuple[int, int], *, gain: float, read: float, seed: int) -> None:
        width, height = size
        rng = np.random.default_rng([seed, 0x5E45])
        tile = rng.standard_normal((height + 192, width + 192, 3), np.float32)
        # Demosaicing and the camera's own denoising leave grain a little wider than a pixel.
        tile = np.asarray(cv2.GaussianBlur(tile, (0, 0), 0.55), np.float32)
        self._tile = tile / tile.std()
        self._gain, self._read, self._seed = gain, read, seed
        self._size = size

    def expose(self, light: Linear, frame: int) -> None:
        """Add noise in place."""
        width, height = self._size
        rng = np.random.default_rng([self._seed, 0x4015, frame])
        dy, dx, flip, sign = (int(v) for v in rng.integers(0, [192, 192, 4, 2]))
        noise = self._tile[dy : dy + height, dx : dx + width]
        noise = noise[::-1] if flip & 1 else noise
        for rows in strips(light.shape):
            part = light[rows]
            deviation = cv2.sqrt(np.maximum(part, 0) * np.float32(self._gain) + np.float32(self._read**2))
            # A copy turned over: numpy walks backwards over columns three values at a time.
            deviation *= cv2.flip(noise[rows], 1) if flip & 2 else noise[rows]
            if sign:
                cv2.subtract(part, deviation, dst=part)
            else:
                cv2.add(part, deviation, dst=part)

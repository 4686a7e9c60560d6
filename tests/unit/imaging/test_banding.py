"""Banding is told from smooth shading, from noise and from two surfaces that meet."""

import numpy as np

from worldgen.imaging.banding import levels_left_out


def _grey(plane: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def _shading() -> np.ndarray:
    y, x = np.mgrid[:64, :64]
    return 60 + 1.1 * x + 0.9 * y


def test_smooth_shading_uses_every_level() -> None:
    left_out, span = levels_left_out(_grey(_shading()))
    assert span.min() >= 8
    assert left_out.max() < 0.3


def test_steps_leave_most_levels_out() -> None:
    left_out, span = levels_left_out(_grey(_shading() // 10 * 10))
    assert np.median(left_out[span >= 5]) > 0.6


def test_noise_fills_the_levels() -> None:
    rng = np.random.default_rng(1)
    left_out, _ = levels_left_out(_grey(_shading() + rng.normal(0, 3, (64, 64))))
    assert np.median(left_out) < 0.35

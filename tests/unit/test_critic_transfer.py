"""Transfer: the fitted change of colour is the made one, whatever a few places show."""

import numpy as np
import pytest

from worldgen.critic.transfer import fit_transfer

SIZE = (3, 40, 60)


def scene() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    source = rng.integers(20, 220, (*SIZE, 3), np.uint8)
    depth = rng.uniform(4, 200, SIZE).astype(np.float32)
    return source, depth


def hazed(source: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Half as bright and warmer, behind haze whose airlight is 180."""
    through = np.exp(-depth / 60)[..., None]
    return 180 * (1 - through) + through * source * np.array([0.55, 0.5, 0.42])


def error_of(candidate: np.ndarray, where: np.ndarray) -> float:
    source, depth = scene()
    transfer = fit_transfer(source, candidate.astype(np.uint8), depth, where)
    assert transfer is not None
    due = transfer.predict(source.reshape(-1, 3), depth.ravel())
    return float(np.abs(due - hazed(source, depth).reshape(-1, 3)).max())


def test_light_and_haze_are_found():
    assert error_of(hazed(*scene()), np.ones(SIZE, bool)) < 3


def test_places_that_show_something_else_do_not_bend_it():
    candidate = hazed(*scene())
    candidate[:, :10] = (250, 20, 20)
    assert error_of(candidate, np.ones(SIZE, bool)) < 6


def test_only_the_named_pixels_count():
    candidate = hazed(*scene())
    where = np.ones(SIZE, bool)
    where[:, :30] = False
    candidate[:, :30] = 0
    assert error_of(candidate, where) < 4


@pytest.mark.parametrize("pixels", [0, 299])
def test_too_few_pixels_tell_nothing(pixels):
    source, depth = scene()
    where = np.zeros(SIZE, bool)
    where.ravel()[:pixels] = True
    assert fit_transfer(source, source, depth, where) is None

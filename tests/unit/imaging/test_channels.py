"""Channels: the same numbers as numpy's own reductions."""

import numpy as np
import pytest

from worldgen.imaging.channels import largest, mean, smallest, total


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_channels_are_reduced_as_numpy_does(kind: type) -> None:
    picture = (np.random.default_rng(3).random((7, 5, 3)) * 80).astype(kind)
    assert np.array_equal(largest(picture), picture.max(axis=-1))
    assert np.array_equal(smallest(picture), picture.min(axis=-1))
    assert np.array_equal(total(picture), picture.sum(axis=-1, dtype=kind))
    wide = picture.astype(np.float32)
    assert np.array_equal(mean(wide), wide.mean(axis=-1))

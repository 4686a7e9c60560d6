"""Arrivals: when requests are sent, decided before the first one is."""

import itertools
import math
from collections.abc import Iterator

import numpy as np


def poisson(rate: float, seed: int) -> Iterator[float]:
    """Yield the moments of a Poisson process, without end: the gaps are exponential with mean 1 / rate.

    Args:
        rate: Requests per second; infinite: all at once.
        seed: Same seed, same moments.

    Yields:
        Seconds after the start, rising.
    """
    if math.isinf(rate):
        yield from itertools.repeat(0.0)
    random, at = np.random.default_rng(seed), 0.0
    while True:
        at += float(random.exponential(1.0 / rate))
        yield at


def regular(rate: float) -> Iterator[float]:
    """Yield moments that are 1 / rate seconds apart, without end."""
    for number in itertools.count():
        yield number / rate

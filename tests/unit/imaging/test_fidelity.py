"""Fidelity: signal-to-noise ratio and agreement of edges."""

import numpy as np
import pytest

from worldgen.imaging.fidelity import edge_f1, edges_of, psnr


def _steps(at: int) -> np.ndarray:
    frames = np.zeros((2, 40, 60, 3), np.uint8)
    frames[:, :, at:] = 220
    return frames


def test_psnr_follows_its_definition() -> None:
    black = np.zeros((1, 8, 8, 3), np.uint8)
    assert psnr(black + 10, black) == pytest.approx(10 * np.log10(255**2 / 100), abs=1e-4)
    assert psnr(black, black) == 99.0


def test_edges_that_moved_count_within_the_tolerance_only() -> None:
    true = edges_of(_steps(30))
    assert true.any()
    assert edge_f1(true, true, tolerance_px=0) == 1.0
    assert edge_f1(edges_of(_steps(31)), true) == 1.0
    assert edge_f1(edges_of(_steps(31)), true, tolerance_px=0) == 0.0
    assert edge_f1(edges_of(_steps(34)), true) == 0.0
    assert edge_f1(edges_of(_steps(32)), true, tolerance_px=2) == 1.0


def test_missing_and_invented_edges_both_cost() -> None:
    true = edges_of(_steps(30))
    nothing = np.zeros_like(true)
    assert edge_f1(nothing, true) == 0.0
    assert edge_f1(true, nothing) == 0.0
    assert edge_f1(nothing, nothing) == 1.0
    more = true | edges_of(_steps(10))
    assert edge_f1(more, true) == pytest.approx(2 / 3)  # half the precision, all of the recall

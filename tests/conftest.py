"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real driving clips (`clips/*.mp4`, `controls/*.mp4`), or a skip with the reason."""
    named = os.environ.get("WORLDGEN_REAL_CLIPS")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "clips").is_dir():
        pytest.skip("no real clips here: set WORLDGEN_REAL_CLIPS to a folder with clips/*.mp4")
    return folder


@pytest.fixture(autouse=True)
def _one_opencv_thread() -> None:
    """Results and timings must not depend on how many cores the machine has."""
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(1)

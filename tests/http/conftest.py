"""One service per file of tests, and a small clip."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from tests.situations_http import Running, running
from tests.situations_jobs import small_clip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Without keys, on the loopback."""
    with running(tmp_path_factory.mktemp("service") / "runs") as found:
        yield found


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight small frames."""
    return small_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=8)

"""A local Ray, started once and stopped by whoever started it."""

import os
import shutil
from collections.abc import Iterator

import pytest

os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")


@pytest.fixture(scope="session")
def local_ray() -> Iterator[object]:
    """A Ray of this test run only."""
    ray = pytest.importorskip("ray", reason="the serve extra is not installed")
    # Ray refuses to fill a disk that is nearly full; a machine that runs these tests has a gigabyte.
    if shutil.disk_usage("/").free < 1 << 30:
        pytest.skip("less than 1 GiB of disk is free; Ray would not start")
    ray.init(include_dashboard=False, log_to_driver=False, num_cpus=8, object_store_memory=100 << 20)
    try:
        yield ray
    finally:
        ray.shutdown()

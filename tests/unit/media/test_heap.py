"""Freed memory is kept: large arrays must not be paged in anew for every frame."""

import platform
import resource
import subprocess
import sys

import pytest

_PROGRAM = """
import resource
import numpy as np
from worldgen.media.heap import keep_freed_memory
assert keep_freed_memory()

def work():
    arrays = [np.ones((720, 1280, 3), np.float32) for _ in range(6)]
    return sum(float(a[0, 0, 0]) for a in arrays)
for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library has mallopt")
def test_frames_are_worked_on_in_pages_that_are_there_already() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    pages = 5 * 6 * 720 * 1280 * 3 * 4 // resource.getpagesize()
    assert int(done.stdout) < pages / 100

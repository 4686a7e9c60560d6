"""Threads: how many of the host's cores torch computes with; said, recorded, and put back afterwards."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from worldgen.errors import ConfigError


def threads_for(asked: int) -> int:
    """Resolve a number of threads.

    Args:
        asked: By the user; 0 leaves it to the machine: as many as torch was given (``OMP_NUM_THREADS``, or
            what a server allots), but no more than there are physical cores. Two threads on the halves of one
            core share its arithmetic units and wait for each other.

    Raises:
        ConfigError: `invalid`: fewer than none, or more than this process may use.
    """
    allowed = len(_allowed())
    if not 0 <= asked <= allowed:
        message = f"threads={asked}: this process may use 1 to {allowed}; 0 leaves it to the machine"
        raise ConfigError(message, reason="invalid")
    return asked or max(1, min(torch.get_num_threads(), physical_cores()))


def physical_cores() -> int:
    """Count the physical cores that this process may use; all logical ones where the system does not say."""
    siblings = set()
    for cpu in _allowed():
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            siblings.add(path.read_text())
        except OSError:
            return len(_allowed())
    return len(siblings)


@contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """Have torch compute with so many threads in here, in the calling thread and those that it starts."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _allowed() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))

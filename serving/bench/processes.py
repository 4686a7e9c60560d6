"""The processes of a service: what each holds and has computed, as the kernel tells (`proc(5)`)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from worldgen.errors import ConfigError

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """A process at one moment."""

    pid: int
    name: str
    rss_bytes: int
    """Resident memory; pages that several processes share count in each."""
    processor_seconds: float
    """Of it and of those of its children that have ended."""


def processes_under(pid: int) -> tuple[Process, ...]:
    """List a process and all that descend from it.

    Raises:
        ConfigError: `not_found`: this system has no /proc.
    """
    if not _PROC.is_dir():
        message = "the processes of a service are counted in /proc, which this system has not"
        raise ConfigError(message, reason="not_found")
    found, children = {}, dict[int, list[int]]()
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (read := _read(folder)) is not None:
            parent, process = read
            found[process.pid] = process
            children.setdefault(parent, []).append(process.pid)
    listed, waiting = [], [pid]
    while waiting:
        at = waiting.pop()
        if at in found:
            listed.append(found[at])
        waiting += children.get(at, [])
    return tuple(listed)


def processor_seconds(pid: int) -> float:
    """Sum what a process and its descendants have computed."""
    return sum(process.processor_seconds for process in processes_under(pid))


def by_name(processes: tuple[Process, ...]) -> Mapping[str, int]:
    """Sum resident bytes by name: replicas that were started again are the same line."""
    summed: dict[str, int] = {}
    for process in processes:
        summed[process.name] = summed.get(process.name, 0) + process.rss_bytes
    return summed


def _read(folder: Path) -> tuple[int, Process] | None:
    try:
        stat = (folder / "stat").read_text()
        command = (folder / "cmdline").read_bytes()
    except OSError:
        return None  # it has ended meanwhile
    # The name in parentheses may hold anything; what follows the last one is numbers.
    fields = stat.rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    name = _name(command.decode(errors="replace").split("\0"))
    process = Process(int(folder.name), name, int(fields[21]) * _PAGE, ticks / _TICKS)
    return int(fields[1]), process


def _name(command: list[str]) -> str:
    first = command[0].rpartition("/")[2]
    if not first.startswith("python"):
        return first.removeprefix("ray::").strip() or "?"
    for before, word in pairwise(command):
        if before == "-m":
            return word
        if word.endswith(".py"):
            return word.rpartition("/")[2]
    return first

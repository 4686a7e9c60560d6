"""Benches: figures of this machine, each with its unit and goal."""

import os
import platform
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

Figures: TypeAlias = dict[str, dict[str, Any]]
"""Name -> value, unit, goal."""

BENCHES = {
    "critic": "worldgen.bench.critic",
    "embedded": "worldgen.bench.embedded",
    "engine": "worldgen.bench.engine",
    "kills": "serving.bench.kills",
    "physics": "worldgen.bench.physics",
}
"""Name -> module with ``measure(full: bool) -> tuple[Figures, str]`` (figures, what was sampled)."""


def run_bench(name: str, *, full: bool) -> dict[str, Any]:
    """Measure, and say on what and when."""
    measure: Callable[[bool], tuple[Figures, str]] = import_module(BENCHES[name]).measure
    started = datetime.now(UTC).isoformat(timespec="seconds")
    figures, samples = measure(full)
    return {
        "figures": figures,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "commit": _commit(),
        "started": started,
        "samples": samples,
    }


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return found.stdout.strip() or "unknown"

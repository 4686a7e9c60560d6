"""Benches: figures of this machine, each with its unit and goal."""

import os
import platform
import subprocess
from collections.abc import Callable, Mapping
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
    "serve": "serving.bench.serve",
    "true-size": "worldgen.bench.true_size",
}
"""Name -> module with ``measure(full: bool) -> tuple[Figures, str]`` (figures, what was sampled).

Some take `OPTIONS` beside; that of the service returns a third thing: series, by name.
"""

OPTIONS = {
    "critic": frozenset({"trials"}),
    "serve": frozenset({"dataset", "request_rate", "max_concurrency", "model", "parameters", "soak_minutes"}),
}
"""Name -> what its ``measure`` takes beside ``full``."""


def run_bench(name: str, *, full: bool, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Measure, and say on what and when.

    Args:
        name: Of `BENCHES`.
        full: The whole figure, not a sample of it.
        options: Of `OPTIONS`.
    """
    measure: Callable[..., tuple[Figures, str] | tuple[Figures, str, dict[str, Any]]]
    measure = import_module(BENCHES[name]).measure
    started = datetime.now(UTC).isoformat(timespec="seconds")
    figures, samples, *series = measure(full, **(options or {}))
    return {
        "figures": figures,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "commit": _commit(),
        "started": started,
        "samples": samples,
        **(series[0] if series else {}),
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

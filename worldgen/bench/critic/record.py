"""A record of trials that grows while they are made: a calibration that was interrupted goes on."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from worldgen.bench.critic.trial import Trial
from worldgen.errors import ConfigError

_NAMES = {field.name for field in fields(Trial)}


class TrialRecord:
    """One line of JSON for each unit (a scene, or a window of a clip) and all its trials.

    Args:
        path: Of the file; None keeps the trials in memory only.
        critic: Version of the critic that judges; trials of another are refused, not mixed.

    Raises:
        ConfigError: `invalid`: the file is no record, or one of another critic.
    """

    def __init__(self, path: Path | None, critic: str) -> None:
        self._path = path
        self._critic = critic
        self._units: dict[str, list[Trial]] = {}
        if path is not None and path.exists():
            self._load(path)

    def has(self, unit: str) -> bool:
        """Whether a unit is done."""
        return unit in self._units

    def add(self, unit: str, trials: Iterable[Trial]) -> None:
        """Note a unit that is done; it is on disk when this returns."""
        found = list(trials)
        self._units[unit] = found
        if self._path is None:
            return
        line = json.dumps({"unit": unit, "critic": self._critic, "trials": [asdict(t) for t in found]})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as out:
            out.write(line + "\n")
            out.flush()
            os.fsync(out.fileno())

    def trials(self, units: Iterable[str]) -> list[Trial]:
        """Return the trials of units, in their order; of those that are not done, none."""
        return [trial for unit in units for trial in self._units.get(unit, ())]

    def _load(self, path: Path) -> None:
        lines = path.read_text().split("\n")
        # Whoever was killed while writing left half a line, which nobody noted as done.
        whole, half = lines[:-1], lines[-1]
        for number, line in enumerate(whole, 1):
            self._take(line, f"{path}, line {number}")
        if half:
            path.write_text("".join(f"{line}\n" for line in whole))

    def _take(self, line: str, where: str) -> None:
        try:
            row: dict[str, Any] = json.loads(line)
            critic, unit = row["critic"], row["unit"]
            trials = [_trial(given) for given in row["trials"]]
        except (ValueError, KeyError, TypeError) as error:
            message = f"{where}: no trials ({type(error).__name__}: {error})"
            raise ConfigError(message, reason="invalid") from error
        if critic != self._critic:
            message = f"{where}: trials of critic {critic}; this one is {self._critic}"
            raise ConfigError(message, reason="invalid", hint="give another file, or delete this one")
        self._units[unit] = trials


def _trial(given: dict[str, Any]) -> Trial:
    if given.keys() != _NAMES:
        message = f"a trial has {sorted(_NAMES)}, not {sorted(given)}"
        raise ValueError(message)
    return Trial(**{**given, "failed": tuple(given["failed"])})

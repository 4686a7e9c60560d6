"""Counters that survive a process and are the same whichever replica is asked: what /metrics shows of work.

worldgen_variants_total{model, condition, verdict}       worldgen_stage_seconds_total{model, stage}
worldgen_stages_total{model, stage}                      worldgen_steps_total{model}
worldgen_retries_total{model}                            worldgen_duplicates_suppressed_total{by}
worldgen_refused_total{code}
"""

import json
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from serving.store.database import METADATA, Database
from worldgen.datatypes import Failure, Outcome

_COUNTERS: Final = sa.Table(
    "worldgen_counters",
    METADATA,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("labels", sa.String(300), primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
)

Additions = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
"""(name, sorted labels) -> what to add."""


class Counters:
    """Numbers that only grow.

    Args:
        database: Shared by all processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.prepare("counters", 1, (_COUNTERS,))

    def add(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Add to one counter."""
        self.add_all({(name, tuple(sorted(labels.items()))): value})

    def add_all(self, additions: Additions) -> None:
        """Add to several in one transaction."""
        with self._database.write(alone=True) as connection:
            for (name, labels), value in additions.items():
                text = json.dumps(dict(labels), sort_keys=True)
                where = (_COUNTERS.c.name == name) & (_COUNTERS.c.labels == text)
                found = connection.execute(
                    sa.update(_COUNTERS).where(where).values(value=_COUNTERS.c.value + value)
                )
                if not found.rowcount:
                    connection.execute(sa.insert(_COUNTERS).values(name=name, labels=text, value=value))

    def read(self) -> tuple[tuple[str, dict[str, str], float], ...]:
        """Read all: name, labels, value."""
        query = sa.select(_COUNTERS).order_by(_COUNTERS.c.name, _COUNTERS.c.labels)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple((row["name"], json.loads(row["labels"]), row["value"]) for row in rows)


def counted(outcome: Outcome, *, model: str) -> Additions:
    """Say what a finished variant adds to the counters; for `Counters.add_all`, once per new outcome.

    Args:
        outcome: Variant or failure.
        model: That was asked for.
    """
    condition = outcome.spec.asks_for or "other"
    if isinstance(outcome, Failure):
        verdict = outcome.code.partition(".")[2] if outcome.is_expected else "failed"
        return {_name("variants", model=model, condition=condition, verdict=verdict): 1.0}
    made = outcome.provenance
    additions: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {
        _name("variants", model=model, condition=condition, verdict=outcome.verdict.state): 1.0
    }
    for stage, seconds in made.seconds.items():
        additions[_name("stage_seconds", model=model, stage=stage)] = seconds
        additions[_name("stages", model=model, stage=stage)] = 1.0
    if made.attempts > 1:
        additions[_name("retries", model=model)] = float(made.attempts - 1)
    if steps := outcome.candidate.counters.get("steps"):
        additions[_name("steps", model=model)] = float(steps)
        seconds = sum(outcome.candidate.seconds.values())
        additions[_name("step_seconds", model=model)] = seconds
    return additions


def _name(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return f"worldgen_{name}_total", tuple(sorted(labels.items()))

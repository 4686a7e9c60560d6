"""The bare loop: what `worldgen.augment` does, on an assembly that stays, without any service around it.

    python -m serving.bench.loop --clip clip.mp4 --out folder --model physics

It is a process of its own, so that it has the same thread counts as the service. A line of JSON in, specs and
a seed, is a round; a line of JSON out says how long it took and what was made.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serving.bench.server import ONE_THREAD
from worldgen.assembly import Assembly, assembled, publish, specs_of
from worldgen.catalog import Catalog
from worldgen.datatypes import Failure
from worldgen.errors import ServiceError
from worldgen.models.parameters import read_parameters
from worldgen.sources.open import open_source


@dataclass(frozen=True, slots=True)
class Looped:
    """A round of the bare loop."""

    seconds: float
    """From the path of a clip to the last variant published."""
    processor_seconds: float
    """Of the process and what it started."""
    states: Mapping[str, str]
    """Id -> how each spec ended: a verdict, or a failure's code."""


class Loop:
    """The bare loop in its process, from outside.

    Args:
        process: That runs this module.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def round(self, specs: tuple[str, ...], seed: int) -> Looped:
        """Make the variants of one seed.

        Raises:
            ServiceError: `failed`: the process ended.
        """
        assert self._process.stdin is not None  # noqa: S101 -- it was started with pipes
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(json.dumps({"specs": specs, "seed": seed}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            message = "the bare loop ended in the middle of a round"
            raise ServiceError(message, reason="failed")
        return Looped(**json.loads(line))


@contextmanager
def looping(clip: Path, out: Path, model: str, parameters: tuple[str, ...]) -> Iterator[Loop]:
    """Start the bare loop in a process of its own, and end it.

    Args:
        clip: What variants are made of.
        out: Folder of its catalogue.
        model: Name of the world model.
        parameters: Of the model, as NAME=VALUE.
    """
    command = [sys.executable, "-m", "serving.bench.loop", "--clip", str(clip), "--out", str(out)]
    command += ["--model", model, *(part for p in parameters for part in ("--set", p))]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONE_THREAD},
    )
    try:
        yield Loop(process)
    finally:
        process.kill()
        process.wait()


async def make(assembly: Assembly, catalog: Catalog, clip: Path, specs: list[str], seed: int) -> Looped:
    """Make, judge and publish the variants of one source, as `worldgen.augment` does."""
    started, computed = time.perf_counter(), _computed()
    source = open_source(clip)
    wanted = specs_of(tuple(specs), seed=seed)
    identity = assembly.identity(source, wanted)
    names = {assembly.variant_id(source, spec, identity): spec for spec in wanted}
    missing = [spec for variant_id, spec in names.items() if catalog.find(variant_id) is None]
    states = {}
    async for outcome in assembly.make_variants(source, missing):
        if isinstance(outcome, Failure):
            catalog.record_failure(outcome, source)
            states[outcome.id] = outcome.code
        else:
            publish(catalog, outcome, source)
            states[outcome.id] = catalog.load(outcome.id).verdict.state
    return Looped(time.perf_counter() - started, _computed() - computed, states)


def _computed() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    """Make rounds until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m serving.bench.loop")
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="physics")
    parser.add_argument("--set", dest="parameters", action="append", default=[])
    asked = parser.parse_args()
    catalog = Catalog(asked.out)
    with assembled(model=asked.model, parameters=read_parameters(asked.parameters)) as assembly:
        for line in sys.stdin:
            order: dict[str, Any] = json.loads(line)
            made = asyncio.run(make(assembly, catalog, asked.clip, order["specs"], order["seed"]))
            sys.stdout.write(json.dumps(asdict(made)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

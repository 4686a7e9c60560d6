"""Actors of a bulk job: runners that run the spine against shared workers."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.manifest import ManifestLine
from cluster.remote import ActorSteps
from worldgen.assembly import Assembly, publish, specs_of
from worldgen.catalog import Catalog, FileDigests
from worldgen.datatypes import Failure
from worldgen.errors import WorldgenError
from worldgen.media.scratch import Scratch
from worldgen.pipeline import Limits, make_variants
from worldgen.sources.open import open_source


class Runner:
    """Runs the spine for one source after another against shared workers.

    Args:
        model: Name of the world model, for its contract.
        parameters: Of the model, in place of its own.
        scratch: Folder that all actors can read.
        out: Folder of results.
        generator: Actor handle.
        critic: Actor handle.
    """

    def __init__(
        self,
        model: str,
        parameters: Mapping[str, float | int | str | bool] | None,
        scratch: str,
        out: str,
        generator: Any,  # noqa: ANN401 -- Ray's handles are untyped
        critic: Any,  # noqa: ANN401
    ) -> None:
        self.assembly = Assembly(Scratch(Path(scratch), shared=True), model=model, parameters=parameters)
        self.catalog = Catalog(Path(out))
        self.steps = ActorSteps(generator, critic)

    async def run(self, line: ManifestLine) -> dict[str, int]:
        """Make what is missing of one source; returns counts per outcome, and how many were there."""
        counts: dict[str, int] = {}
        digests = FileDigests(self.catalog.sources)
        try:
            source = await asyncio.to_thread(
                open_source,
                Path(line.source),
                camera=line.camera,
                labels=Path(line.labels) if line.labels else None,
                calibration=Path(line.calibration) if line.calibration else None,
                digest=digests,
            )
            specs = specs_of(line.specs, seed=line.seed)
        except WorldgenError as error:
            # One bad source is a line of the result; the others go on.
            return {f"source_failed:{error.code}": 1}
        identity = self.assembly.identity(source, specs)
        missing = [
            spec
            for spec in specs
            if self.catalog.find(self.assembly.variant_id(source, spec, identity)) is None
        ]
        if len(specs) > len(missing):
            counts["made_before"] = len(specs) - len(missing)
        if not missing:
            return counts
        outcomes = make_variants(
            source,
            missing,
            profile=self.assembly.model.profile,
            identity=identity,
            extract=self.steps.extract,
            generate=self.steps.generate,
            judge=self.steps.judge,
            policy=self.assembly.policy,
            limits=Limits(),
        )
        async for outcome in outcomes:
            if isinstance(outcome, Failure):
                self.catalog.record_failure(outcome, source)
                key = outcome.code
            else:
                await asyncio.to_thread(publish, self.catalog, outcome, source)
                key = outcome.verdict.state
            counts[key] = counts.get(key, 0) + 1
        digests.keep()
        return counts

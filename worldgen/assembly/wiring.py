"""Wiring: configuration to extract, generate, judge. The only place that knows the adapters."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worldgen import __version__
from worldgen.config import load_settings
from worldgen.controls.build import build_extractor
from worldgen.controls.settings import ExtractorSettings
from worldgen.critic.build import build_critic
from worldgen.datatypes import (
    Candidate,
    Case,
    ControlKind,
    GenerationPlan,
    Material,
    Outcome,
    Progress,
    Source,
    Spec,
    Verdict,
)
from worldgen.imaging.condition import estimate_condition
from worldgen.media.heap import keep_freed_memory
from worldgen.media.limits import Limits as MediaLimits
from worldgen.media.near import stream_in_thread
from worldgen.media.scratch import Scratch
from worldgen.models.build import build_model, profile_of
from worldgen.models.protocol import WorldModel
from worldgen.pipeline import Identity, Limits, Report, ignore_progress, make_variants
from worldgen.planning import RetryPolicy, masks_of, needs_of, variant_id_of, words_of
from worldgen.sources.open import read_source_clip, read_source_geometry, read_source_scene


class Assembly:
    """Everything one process needs to make variants, wired together.

    Args:
        scratch: Where arrays live meanwhile.
        model: Name of a configured world model.
        parameters: Of the model, in place of its own.
        critic_config: Name of a threshold file in configs/critic.
        policy: What follows a rejection.
        media_limits: Of the videos that are read.
        names_only: Contract and names of variants; the world model is not built, its weights are not needed.
    """

    def __init__(
        self,
        scratch: Scratch,
        *,
        model: str = "physics",
        parameters: Mapping[str, float | int | str | bool] | None = None,
        critic_config: str = "measured",
        policy: RetryPolicy | None = None,
        media_limits: MediaLimits | None = None,
        names_only: bool = False,
    ) -> None:
        keep_freed_memory()
        self.scratch = scratch
        self.policy = policy or RetryPolicy()
        limits = media_limits or MediaLimits()
        self.extractor = build_extractor(
            load_settings("controls", "default", ExtractorSettings),
            scratch,
            read_clip=lambda source: read_source_clip(source, limits=limits),
            read_geometry=read_source_geometry,
            estimate_condition=estimate_condition,
            read_scene=read_source_scene,
        )
        self.profile = profile_of(model, parameters)
        self._model = None if names_only else build_model(model, scratch, parameters)
        self.critic = build_critic(scratch, critic_config)
        # One thread each: judging one variant overlaps generating the next, and two generations never
        # share the model.
        self._generating = ThreadPoolExecutor(1, thread_name_prefix="generate")
        self._judging = ThreadPoolExecutor(1, thread_name_prefix="judge")

    @property
    def model(self) -> WorldModel:
        """The world model.

        Raises:
            RuntimeError: This assembly has names only.
        """
        if self._model is None:
            message = f"this assembly has names only, and no {self.profile.name}"
            raise RuntimeError(message)
        return self._model

    def close(self) -> None:
        """Stop the worker threads."""
        self._generating.shutdown(wait=True, cancel_futures=True)
        self._judging.shutdown(wait=True, cancel_futures=True)

    def identity(self, source: Source, specs: Sequence[Spec]) -> Identity:
        """Return what decides the variants' ids beside source and spec; nothing is decoded."""
        kinds = needs_of(tuple(specs), self.profile)
        recipe = self.extractor.recipe(source, kinds)
        return Identity(recipe=recipe, critic=self.critic.version, code_version=__version__)

    def variant_id(self, source: Source, spec: Spec, identity: Identity) -> str:
        """Name the variant that `spec` of `source` will have."""
        return variant_id_of(
            source.sha256,
            identity.recipe,
            spec,
            self.profile,
            policy=self.policy,
            critic=identity.critic,
            caption=words_of(source),
            masks=masks_of(source),
        )

    async def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Extract near, in a worker thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._judging, self.extractor.extract, source, kinds)

    def generate(self, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        """Generate near, in a worker thread."""
        return stream_in_thread(self.model.generate, plan, self._generating)

    async def judge(self, case: Case) -> Verdict:
        """Judge near, in a worker thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._judging, self.critic.judge, case)

    def make_variants(
        self,
        source: Source,
        specs: Sequence[Spec],
        *,
        limits: Limits | None = None,
        report: Report = ignore_progress,
    ) -> AsyncIterator[Outcome]:
        """Run the spine with the near steps."""
        return make_variants(
            source,
            specs,
            profile=self.profile,
            identity=self.identity(source, specs),
            extract=self.extract,
            generate=self.generate,
            judge=self.judge,
            policy=self.policy,
            limits=limits or Limits(),
            report=report,
        )


@contextmanager
def assembled(**options: Any) -> Iterator[Assembly]:  # noqa: ANN401 -- those of Assembly
    """Assemble in a temporary scratch folder that is removed at the end."""
    root = Path(tempfile.mkdtemp(prefix="worldgen-"))
    assembly = Assembly(Scratch(root), **options)
    try:
        yield assembly
    finally:
        assembly.close()
        shutil.rmtree(root, ignore_errors=True)

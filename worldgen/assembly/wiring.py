"""Assembly: configuration to extract, generate, judge and publish. The only place that wires adapters."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worldgen import __version__
from worldgen.catalog import Catalog, Published
from worldgen.config.specs import load_specs, parse_specs, presets
from worldgen.controls.build import build_extractor
from worldgen.critic.build import build_critic
from worldgen.datatypes import (
    Candidate,
    Case,
    ControlKind,
    Failure,
    GenerationPlan,
    Material,
    Outcome,
    Progress,
    Source,
    Spec,
    Variant,
    Verdict,
)
from worldgen.errors import OutputError, SpecError
from worldgen.imaging.condition import estimate_condition
from worldgen.media.limits import Limits as MediaLimits
from worldgen.media.near import stream_in_thread
from worldgen.media.scratch import Scratch
from worldgen.media.video import ref_of
from worldgen.models.build import build_model
from worldgen.pipeline import Identity, Limits, Report, ignore_progress, make_variants
from worldgen.planning import RetryPolicy, needs_of, variant_id_of
from worldgen.report import write_report
from worldgen.sources.labels import write_coco, write_openlabel
from worldgen.sources.open import open_source, read_source_clip, read_source_geometry

Specs = str | Sequence[str | Spec]


class Assembly:
    """Everything one process needs to make variants, wired together.

    Args:
        scratch: Where arrays live meanwhile.
        model: Name of a configured world model.
        critic_config: Name of a threshold file in configs/critic.
        policy: What follows a rejection.
    """

    def __init__(
        self,
        scratch: Scratch,
        *,
        model: str = "physics",
        critic_config: str = "measured",
        policy: RetryPolicy | None = None,
        media_limits: MediaLimits | None = None,
    ) -> None:
        self.scratch = scratch
        self.policy = policy or RetryPolicy()
        limits = media_limits or MediaLimits()
        self.extractor = build_extractor(
            scratch,
            read_clip=lambda source: read_source_clip(source, limits=limits),
            read_geometry=read_source_geometry,
            estimate_condition=estimate_condition,
        )
        self.model = build_model(model, scratch)
        self.critic = build_critic(scratch, critic_config)
        # One thread each: judging one variant overlaps generating the next, and two generations never
        # share the model.
        self._generating = ThreadPoolExecutor(1, thread_name_prefix="generate")
        self._judging = ThreadPoolExecutor(1, thread_name_prefix="judge")

    def close(self) -> None:
        """Stop the worker threads."""
        self._generating.shutdown(wait=True, cancel_futures=True)
        self._judging.shutdown(wait=True, cancel_futures=True)

    def identity(self, source: Source, specs: Sequence[Spec]) -> Identity:
        """Return what decides the variants' ids beside source and spec; nothing is decoded."""
        kinds = needs_of(tuple(specs), self.model.profile)
        recipe = self.extractor.recipe(source, kinds)
        return Identity(recipe=recipe, critic=self.critic.version, code_version=__version__)

    def variant_id(self, source: Source, spec: Spec, identity: Identity) -> str:
        """Name the variant that `spec` of `source` will have."""
        return variant_id_of(
            source.sha256,
            identity.recipe,
            spec,
            self.model.profile,
            policy=self.policy,
            critic=identity.critic,
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
            profile=self.model.profile,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """What `augment` returns: every variant, also those made by earlier runs."""

    variants: tuple[Variant, ...]
    failures: tuple[Failure, ...]
    folders: dict[str, Path]
    """Variant id -> its folder."""
    report: Path | None
    seconds: float
    reused: int = 0
    """How many had been made before."""

    def __iter__(self) -> Iterator[Variant]:
        """Iterate over the variants."""
        return iter(self.variants)

    def __len__(self) -> int:
        """Count the variants."""
        return len(self.variants)

    @property
    def accepted(self) -> tuple[Variant, ...]:
        """Those that may be trained on without a look."""
        return tuple(v for v in self.variants if v.verdict.accepted)

    def to_json(self) -> dict[str, Any]:
        """Return the stable fields of ``worldgen augment --json``."""
        return {
            "variants": [variant_json(v, self.folders.get(v.id)) for v in self.variants],
            "failures": [f.model_dump(mode="json") for f in self.failures],
            "report": str(self.report) if self.report else None,
            "seconds": round(self.seconds, 3),
        }


def variant_json(variant: Variant, folder: Path | None) -> dict[str, Any]:
    """Return a variant in the command line's stable fields."""
    video = folder / "variant.mp4" if folder else Path(variant.candidate.video.uri)
    return {
        "id": variant.id,
        "spec": variant.spec.model_dump(mode="json", exclude_none=True),
        "model": variant.provenance.model,
        "verdict": variant.verdict.state,
        "recognised": variant.verdict.recognised,
        "findings": findings_json(variant.verdict),
        "video": str(video),
        "labels": str(folder / "labels.coco.json") if folder and variant.labels else None,
        "provenance": str(folder / "provenance.json") if folder else None,
    }


def findings_json(verdict: Verdict) -> list[dict[str, Any]]:
    """Return findings in the command line's stable fields."""
    return [f.model_dump(mode="json") for f in verdict.findings]


@dataclass(slots=True)
class Options:
    """What `augment` may be told beside source, specs and out."""

    model: str = "physics"
    camera: str | None = None
    labels: str | Path | None = None
    calibration: str | Path | None = None
    fps: float | None = None
    condition: str | None = None
    seed: int = 0
    strict: bool = False
    report_page: bool = True
    variants_in_flight: int = 2
    extra: dict[str, Any] = field(default_factory=dict)


def specs_of(specs: Specs, *, seed: int = 0) -> tuple[Spec, ...]:
    """Turn words, preset names, spec files and specs into specs with distinct names.

    Raises:
        SpecError: An unknown word (with what is known), a value out of range, or nothing at all.
    """
    parts: list[Spec] = []
    for item in [specs] if isinstance(specs, str) else specs:
        if isinstance(item, Spec):
            parts.append(item)
        elif item in presets():
            parts.extend(s.model_copy(update={"seed": seed}) for s in presets()[item].specs)
        elif Path(item).suffix in (".yaml", ".yml", ".json") and Path(item).is_file():
            parts.extend(load_specs(Path(item)))
        else:
            parts.extend(parse_specs(item, seed=seed))
    if not parts:
        message = "no spec was given; `worldgen specs` lists the words and presets"
        raise SpecError(message, reason="not_found")
    return tuple({spec.identity: spec for spec in parts}.values())


Observe = Callable[[str, str, Progress | Outcome | None], None]
"""Called as (variant id, spec name, progress | outcome | None when reused)."""


def _ignore(variant_id: str, name: str, event: Progress | Outcome | None) -> None:
    del variant_id, name, event


async def augment_async(
    path: str | Path,
    specs: Specs,
    *,
    out: str | Path,
    options: Options | None = None,
    observe: Observe = _ignore,
) -> Augmented:
    """Make, judge and publish the variants of one source; what exists already is not made again.

    Raises:
        BadInput: Source, specs or output folder cannot be used; nothing was written.
    """
    started = time.perf_counter()
    options = options or Options()
    wanted = specs_of(specs, seed=options.seed)
    source = open_source(
        Path(path),
        camera=options.camera,
        labels=Path(options.labels) if options.labels else None,
        calibration=Path(options.calibration) if options.calibration else None,
        fps=options.fps,
        condition=options.condition,
    )
    out = Path(out)
    if out.exists() and not out.is_dir():
        message = f"{out} is a file; results need a folder"
        raise OutputError(message, reason="not_a_folder")
    catalog = Catalog(out)
    variants: list[Variant] = []
    failures: list[Failure] = []
    folders: dict[str, Path] = {}
    with assembled(model=options.model) as assembly:
        identity = assembly.identity(source, wanted)
        names = {assembly.variant_id(source, spec, identity): spec for spec in wanted}
        done = {vid: catalog.find(vid) for vid in names}
        for variant_id, found in done.items():
            if found is not None:
                variants.append(catalog.load(variant_id))
                folders[variant_id] = found.folder
                observe(variant_id, names[variant_id].name, None)
        reused = len(variants)
        missing = [names[vid] for vid, found in done.items() if found is None]

        def report(variant_id: str, progress: Progress) -> None:
            observe(variant_id, names[variant_id].name, progress)

        if missing:
            limits = Limits(variants_in_flight=options.variants_in_flight)
            async for outcome in assembly.make_variants(source, missing, limits=limits, report=report):
                if isinstance(outcome, Failure):
                    catalog.record_failure(outcome)
                    failures.append(outcome)
                else:
                    published = publish(catalog, outcome, source, assembly.scratch)
                    folders[outcome.id] = published.folder
                    variants.append(catalog.load(outcome.id))
                observe(outcome.id, outcome.spec.name, outcome)
    order = {spec.identity: index for index, spec in enumerate(wanted)}
    variants.sort(key=lambda v: order.get(v.spec.identity, 0))
    failures.sort(key=lambda f: order.get(f.spec.identity, 0))
    page = write_report(catalog, catalog.root / "report.html") if options.report_page else None
    return Augmented(
        variants=tuple(variants),
        failures=tuple(failures),
        folders=folders,
        report=page,
        seconds=time.perf_counter() - started,
        reused=reused,
    )


def publish(catalog: Catalog, variant: Variant, source: Source, scratch: Scratch) -> Published:
    """Publish a variant with its labels in the formats people read."""
    del scratch
    writers = {}
    if variant.labels is not None:
        labels = variant.labels
        writers = {
            "labels.coco.json": lambda path: write_coco(labels, path),
            "labels.openlabel.json": lambda path: write_openlabel(labels, path),
        }
    return catalog.publish(variant, source, writers=writers)


def augment(path: str | Path, specs: Specs, *, out: str | Path, **options: Any) -> Augmented:  # noqa: ANN401 -- those of Options
    """Make variants of a clip or recording, judged, with labels, into a folder.

    Args:
        path: A video file, a folder of images or a recording.
        specs: Words ("fog, heavy rain at night"), a preset's name, a spec file, or `Spec` values.
        out: Folder of results; running again makes only what is missing.
        options: Fields of `Options`: model, camera, labels, calibration, fps, condition, seed.

    Raises:
        BadInput: Source, specs or output folder cannot be used; nothing was written.
    """
    return asyncio.run(augment_async(path, specs, out=out, options=Options(**options)))


def judge(
    source_path: str | Path,
    candidate_path: str | Path,
    *,
    spec: str | Spec | None = None,
    labels: str | Path | None = None,
    calibration: str | Path | None = None,
    camera: str | None = None,
    seed: int = 0,
) -> Verdict:
    """Judge a candidate that anybody made. Nothing is generated.

    Raises:
        BadInput: One of the files cannot be used.
        JudgeError: The critic itself failed.
    """
    source = open_source(
        Path(source_path),
        camera=camera,
        labels=Path(labels) if labels else None,
        calibration=Path(calibration) if calibration else None,
    )
    open_source(Path(candidate_path))  # hostile input is normal: probe what others made
    asked = spec if isinstance(spec, Spec) or spec is None else parse_specs(spec, seed=seed)[0]
    with assembled() as assembly:
        material = assembly.extractor.extract(source, frozenset())
        case = Case(
            source=material.video,
            geometry=material.geometry,
            controls=material.controls,
            candidate=ref_of(Path(candidate_path)),
            spec=asked,
            condition=material.condition,
            labels=material.labels,
        )
        return assembly.critic.judge(case)

"""Augment: one source and specs to published, judged variants. What the command line and Python call."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from worldgen.assembly.captioning import with_prompts
from worldgen.assembly.specs import Specs, specs_of
from worldgen.assembly.wiring import assembled
from worldgen.catalog import Catalog, FileDigests, Published
from worldgen.catalog.augmented import Augmented, findings_json, variant_json
from worldgen.chat import Chat, ChatSettings
from worldgen.config import validated
from worldgen.datatypes import ControlKind, Failure, Outcome, Progress, Source, Spec, Variant
from worldgen.errors import OutputError
from worldgen.media.video import sha256_of
from worldgen.models.choice import default_model
from worldgen.pipeline import Limits
from worldgen.planning import check_needs
from worldgen.report import write_report
from worldgen.sources.labels import write_coco, write_openlabel
from worldgen.sources.masks import with_masks
from worldgen.sources.open import open_source


@dataclass(slots=True)
class Options:
    """What `augment` may be told beside source, specs and out."""

    model: str = ""
    """World model; empty: the best that this machine can run."""
    parameters: dict[str, float | int | str | bool] = field(default_factory=dict)
    """Of the model, in place of its own."""
    camera: str | None = None
    labels: str | Path | None = None
    calibration: str | Path | None = None
    depth: str | Path | None = None
    """Depth measured beside the clip: LiDAR or stereo, a file or a folder."""
    caption: str | Path | None = None
    """File with the clip's caption, for models that read text; else the one beside the clip, if any."""
    rewriter: ChatSettings | None = None
    """A language model that polishes the prompts of models that read text; None: templates alone."""
    may_leave: bool = False
    """Permission to send captions to a rewriter on another machine."""
    control_weights: dict[ControlKind, float] = field(default_factory=dict)
    """How much each control map counts, 0 to 2, in every spec; empty: as the specs say."""
    masks: dict[ControlKind, str | Path] = field(default_factory=dict)
    """Where it counts: a grey PNG of the clip's size, white 1, black 0."""
    control: ControlKind | None = None
    """What kind of control video the source is, when it is one."""
    fps: float | None = None
    condition: str | None = None
    seed: int = 0
    report_page: bool = True
    variants_in_flight: int = 2


__all__ = [
    "Augmented",
    "Observe",
    "Options",
    "augment",
    "augment_async",
    "findings_json",
    "publish",
    "source_of",
    "variant_json",
    "write_results_page",
]

Observe = Callable[[str, str, Progress | Outcome | None], None]
"""Called as (variant id, spec name, progress | outcome | None when reused)."""


def _ignore(variant_id: str, name: str, event: Progress | Outcome | None) -> None:
    del variant_id, name, event


def source_of(path: str | Path, options: Options, digest: Callable[[Path], str] = sha256_of) -> Source:
    """Open the source that the options describe.

    Raises:
        BadInput: It cannot be used.
    """
    source = open_source(
        Path(path),
        camera=options.camera,
        labels=Path(options.labels) if options.labels else None,
        calibration=Path(options.calibration) if options.calibration else None,
        depth=Path(options.depth) if options.depth else None,
        caption=Path(options.caption) if options.caption else None,
        control=options.control,
        fps=options.fps,
        condition=options.condition,
        digest=digest,
    )
    return with_masks(source, {kind: Path(mask) for kind, mask in options.masks.items()})


def weighed(specs: tuple[Spec, ...], weights: dict[ControlKind, float]) -> tuple[Spec, ...]:
    """Set the weights of the control maps in every spec."""
    if not weights:
        return specs
    return tuple(validated(Spec, **spec.model_dump() | {"control_weights": weights}) for spec in specs)


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
    wanted = weighed(specs_of(specs, seed=options.seed), options.control_weights)
    out = Path(out)
    if out.exists() and not out.is_dir():
        message = f"{out} is a file; results need a folder"
        raise OutputError(message, reason="not_a_folder")
    catalog = Catalog(out)
    digests = FileDigests(catalog.sources)
    source = source_of(path, options, digests)
    variants: list[Variant] = []
    failures: list[Failure] = []
    folders: dict[str, Path] = {}
    with assembled(model=options.model or default_model(), parameters=options.parameters) as assembly:
        check_needs(source, assembly.model.profile)
        notes: tuple[str, ...] = ()
        if options.rewriter is not None:
            chat = Chat(options.rewriter, may_leave=options.may_leave)
            polish = partial(with_prompts, source, wanted, assembly.model.profile, chat)
            wanted, notes = await asyncio.to_thread(polish)
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
                    catalog.record_failure(outcome, source)
                    failures.append(outcome)
                else:
                    published = publish(catalog, outcome, source)
                    folders[outcome.id] = published.folder
                    variants.append(catalog.load(outcome.id))
                observe(outcome.id, outcome.spec.name, outcome)
    digests.keep()
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
        notes=notes,
    )


def publish(catalog: Catalog, variant: Variant, source: Source) -> Published:
    """Publish a variant with its labels in the formats people read."""
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


def write_results_page(out: str | Path) -> Path:
    """Write the report page of a folder of results."""
    catalog = Catalog(Path(out))
    return write_report(catalog, catalog.root / "report.html")

"""`worldgen augment --server URL`: the same command, run elsewhere; the same folder and JSON at its end."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgen.catalog import Catalog
from worldgen.catalog.augmented import Augmented
from worldgen.cli.output import errors
from worldgen.client import Client, Job, Variant
from worldgen.client.progress import JobBars
from worldgen.config import validated
from worldgen.config.specs import load_specs, parse_specs
from worldgen.datatypes import ControlKind, Failure, Spec
from worldgen.errors import ConfigError, SourceError
from worldgen.wire import FINAL, VariantLine

_FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What goes to the server."""

    server: str
    clip: str
    """A local file, or an https or s3 address."""
    specs: tuple[Spec, ...]
    model: str = ""
    seed: int = 0
    camera: str | None = None
    labels: Path | None = None
    calibration: Path | None = None

    @property
    def is_address(self) -> bool:
        """Whether the server fetches the clip itself."""
        return self.clip.startswith(("https://", "s3://"))


def specs_here(wanted: list[str], weights: dict[ControlKind, float], *, seed: int) -> tuple[Spec, ...]:
    """Read words, presets and files as the command does without a server, so that both mean the same.

    Raises:
        SpecError: An unknown word, a value out of range.
    """
    parts: list[Spec] = []
    for item in wanted:
        read = load_specs(Path(item), seed=seed) if item.endswith(_FILES) else parse_specs(item, seed=seed)
        parts.extend(read)
    if weights:
        parts = [validated(Spec, **spec.model_dump() | {"control_weights": weights}) for spec in parts]
    return tuple({spec.identity: spec for spec in parts}.values())


def refuse_local(options: Mapping[str, object]) -> None:
    """Refuse options that a server does not take.

    Args:
        options: Name on the command line -> value.

    Raises:
        ConfigError: `invalid`, naming those that were set.
    """
    given = [name for name, value in options.items() if value]
    if given:
        message = f"a server does not take {', '.join(given)}"
        hint = "without --server they work; the server's own settings are its configuration's"
        raise ConfigError(message, reason="invalid", hint=hint)


def augment_on_server(order: Order, out: Path, *, quiet: bool) -> Augmented:
    """Upload, submit, follow, and fetch each variant as it is finished.

    Interrupted, it leaves the job to the server; the same command finds what is finished there.

    Args:
        order: What goes to the server.
        out: Folder of results.
        quiet: Draw no bars.

    Raises:
        BadInput: Clip, labels or specs cannot be used.
        ServiceError: The server refused or did not answer.
    """
    started = time.perf_counter()
    _check_clip(order)
    catalog = Catalog(out)
    made: list[Variant] = []
    with Client(order.server) as client, JobBars(len(order.specs), console=errors, quiet=quiet) as bars:
        job = client.submit(
            order.clip,
            order.specs,
            model=order.model,
            seed=order.seed,
            camera=order.camera,
            labels=order.labels,
            calibration=order.calibration,
            on_upload=bars.uploading,
        )
        made.extend(_followed(job, out, bars))
    by_name = {spec.name: spec for spec in order.specs}
    failures = tuple(failure_of(one.line, by_name.get(one.spec)) for one in made if not one.files)
    for failure in failures:
        catalog.record_failure(failure)
    rank = {spec.identity: index for index, spec in enumerate(order.specs)}
    saved = [catalog.load(one.id) for one in made if one.files]
    folders = {one.id: found.folder for one in saved if (found := catalog.find(one.id)) is not None}
    return Augmented(
        variants=tuple(sorted(saved, key=lambda v: rank.get(v.spec.identity, len(rank)))),
        failures=tuple(sorted(failures, key=lambda f: rank.get(f.spec.identity, len(rank)))),
        folders=folders,
        report=_report(order, catalog),
        seconds=time.perf_counter() - started,
    )


def _followed(job: Job, out: Path, bars: JobBars) -> list[Variant]:
    """Follow a job, saving each variant when it is finished.

    Raises:
        ServiceError: The job failed, or was cancelled by somebody else.
    """
    made: dict[str, Variant] = {}

    def see(variant: Variant) -> None:
        if variant.id not in made:
            made[variant.id] = variant
            if variant.files:
                variant.save(out)

    for event in job.events():
        bars(event)
        if event.variant is not None:
            see(job.variant(event.variant))
    status = job.wait(progress=False)
    for line in status.variants:
        see(job.variant(line))
    if status.state in FINAL and status.state != "completed":
        from worldgen.errors import ServiceError

        message = f"the job was {status.state} on the server; {len(made)} of {status.variants_total} finished"
        raise ServiceError(message, reason="failed", hint=f"what is finished was saved to {out}")
    return list(made.values())


def _check_clip(order: Order) -> None:
    if not order.is_address and not Path(order.clip).is_file():
        what = "is a folder" if Path(order.clip).is_dir() else "is not there"
        message = f"{order.clip} {what}; a server takes single video files"
        raise SourceError(message, reason="not_found")


def failure_of(line: VariantLine, spec: Spec | None) -> Failure:
    """Read why a spec became no variant."""
    code, _, message = line.message.partition(": ")
    return Failure(
        id=line.id,
        spec=spec or Spec(name=line.spec, seed=0),
        code=code if "." in code else "service.failed",
        message=message or line.message,
    )


def _report(order: Order, catalog: Catalog) -> Path | None:
    """Write the report page, with the source beside, where the media extra is installed."""
    try:
        from worldgen.report import write_report
        from worldgen.sources.open import open_source
    except ModuleNotFoundError:
        return None
    if not order.is_address:
        source = open_source(Path(order.clip), camera=order.camera)
        catalog.sources.keep(source, source.video)
    return write_report(catalog, catalog.root / "report.html")


def estimate_on_server(order: Order) -> dict[str, Any]:
    """Say what the server would be asked to do. Nothing is sent but questions.

    Raises:
        BadInput: The clip is not there, or the server has no such model.
        ServiceError: The server refused or did not answer.
    """
    from worldgen.planning import fit_to

    _check_clip(order)
    with Client(order.server) as client:
        profile = client.model(order.model)
        missing = 0 if order.is_address else client.missing_bytes(Path(order.clip))
    source = None
    if not order.is_address:
        try:
            from worldgen.sources.open import open_source
        except ModuleNotFoundError:
            pass
        else:
            source = open_source(Path(order.clip), camera=order.camera)
            fit_to(source, profile)
    rows = [{"spec": s.name, "code": "ok", "outcome": f"made by {profile.name}"} for s in order.specs]
    return {
        "source": order.clip,
        "condition": source.condition.label if source and source.condition else None,
        "model": profile.name,
        "variants": rows,
        "seconds": None,
        "megabytes": None,
        "server": order.server,
        "upload_megabytes": round(missing / 1e6, 1),
    }

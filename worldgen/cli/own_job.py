"""A job of a service that works in a folder of this machine: its results are there when it ends."""

import time
from pathlib import Path

from worldgen.catalog import Catalog
from worldgen.catalog.augmented import Augmented
from worldgen.cli.output import errors
from worldgen.cli.remote import failure_of
from worldgen.client import Job
from worldgen.client.progress import JobBars
from worldgen.config.specs import parse_specs
from worldgen.errors import ServiceError
from worldgen.report import write_report


def result_of(job: Job, specs: str, out: Path, *, seed: int, quiet: bool) -> Augmented:
    """Follow a job to its end, read its variants where they were published, and write the report.

    Args:
        job: Submitted to the service that works in `out`.
        specs: As they were submitted, in words.
        out: Folder of results.
        seed: As it was submitted.
        quiet: Draw no bars.

    Raises:
        Refused: With the job's own code when it failed.
        ServiceError: It was stopped by somebody else; or the service did not answer.
    """
    started = time.perf_counter()
    catalog = Catalog(out)
    before = catalog.finished_ids()
    wanted = parse_specs(specs, seed=seed)
    with JobBars(len(wanted), console=errors, quiet=quiet) as bars:
        status = job.wait(progress=bars)
    if status.state != "completed":
        message = f"the job was {status.state}; {status.variants_done} of {status.variants_total} finished"
        raise ServiceError(message, reason="failed", hint="run the same command again to go on")
    by_name = {spec.name: spec for spec in wanted}
    rank = {spec.identity: index for index, spec in enumerate(wanted)}
    made = [line for line in status.variants if line.files]
    variants = [catalog.load(line.id) for line in made]
    failures = [failure_of(line, by_name.get(line.spec)) for line in status.variants if not line.files]
    folders = {line.id: found.folder for line in made if (found := catalog.find(line.id)) is not None}
    return Augmented(
        variants=tuple(sorted(variants, key=lambda v: rank.get(v.spec.identity, len(rank)))),
        failures=tuple(sorted(failures, key=lambda f: rank.get(f.spec.identity, len(rank)))),
        folders=folders,
        report=write_report(catalog, catalog.root / "report.html"),
        seconds=time.perf_counter() - started,
        reused=sum(line.id in before for line in made),
    )

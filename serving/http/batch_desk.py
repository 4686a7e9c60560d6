"""The desk of batches: what is asked for is checked and written down, then handed to Ray."""

import uuid
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from serving.addresses import Addresses
from serving.batch_progress import BatchProgress
from serving.config import ServiceConfig
from serving.http.admission import specs_of_request
from serving.http.backend import Backend, BatchRun
from serving.http.contract import check_specs, chosen_profile
from serving.http.logs import LOGGER
from serving.http.problems import Refused
from serving.store.batches import Batch
from serving.store.keys import Key
from serving.store.rows import iso_of
from worldgen.errors import ServiceError
from worldgen.wire import BatchLine, BatchPage, BatchRequest, BatchStatus, JobRequest

_FINAL: Final = frozenset({"completed", "failed", "cancelled"})
_MOST_LINES: Final = 100_000
_MOST_BYTES: Final = 64 << 20


class BatchDesk:
    """Accepts batches and says what they are doing. Its methods block.

    Args:
        config: Of the service.
        backend: Stores, contracts, and what runs batches.
    """

    def __init__(self, config: ServiceConfig, backend: Backend) -> None:
        self._config = config
        self._backend = backend
        self._addresses = Addresses(config)
        self._progress = BatchProgress(backend.catalog)

    def submit(self, asked: BatchRequest, key: Key) -> BatchStatus:
        """Check a batch, write it down, and hand it to Ray; it is durable when this returns.

        Raises:
            BadInput: Specs or the model cannot be used.
            ServiceError: `forbidden` for a path outside the allowed folders, `busy`, `unsupported`.
        """
        lines = self._lines(asked)
        profile = chosen_profile(self._backend.profiles(), asked.model)
        most = self._config.http.max_specs
        counts: dict[tuple[str, ...], int] = {}
        for texts in {line.specs for line in lines}:
            specs = specs_of_request(JobRequest(source="-", specs=texts), most)
            check_specs(specs, profile)
            counts[texts] = len(specs)
        total = sum(counts[line.specs] for line in lines)
        runner = self._backend.batch_runner()
        limit = key.variants_per_day or self._config.http.variants_per_day
        allowance = self._backend.keys.charge(key.owner, total, limit=limit)
        if not allowance.granted:
            message = f"{allowance.left} variants are left of {limit} for today; {total} were asked for"
            raise Refused(message, reason="busy", headers={"Retry-After": str(allowance.resets_seconds)})
        name = f"batch-{uuid.uuid4().hex}"
        manifest = self._config.out.resolve() / "batches" / f"{name}.jsonl"
        try:
            _write(manifest, lines)
            batch = self._backend.batches.add(
                Batch(
                    id=name,
                    owner=key.owner,
                    submission=name,
                    manifest=str(manifest),
                    model=profile.name,
                    runners=asked.runners,
                    sources=len(lines),
                    variants_total=total,
                ),
                limit=self._config.http.batches_in_flight,
            )
        except BaseException:
            manifest.unlink(missing_ok=True)
            self._backend.keys.charge(key.owner, -total, limit=limit)
            raise
        try:
            runner.start(batch)
        except ServiceError:
            # Accepted is accepted: whoever looks at it next starts it.
            LOGGER.warning("batch not submitted to Ray yet", extra={"batch": batch.id}, exc_info=True)
        return self._told(batch)

    def page(self, *, owner: str | None, after: str | None, limit: int) -> BatchPage:
        """List batches, newest first."""
        found, more = self._backend.batches.page(owner=owner, after=after, limit=limit)
        return BatchPage(data=tuple(self._told(self._seen(batch)) for batch in found), next=more)

    def status(self, batch_id: str, *, owner: str | None) -> BatchStatus:
        """Say what a batch is doing.

        Raises:
            ServiceError: `not_found`.
        """
        return self._told(self._seen(self._backend.batches.get(batch_id, owner=owner)))

    def cancel(self, batch_id: str, *, owner: str | None) -> BatchStatus:
        """Stop a batch; one that has ended stays as it is.

        Raises:
            ServiceError: `not_found`; `timeout` when it does not stop.
        """
        batch = self._seen(self._backend.batches.get(batch_id, owner=owner))
        if batch.state not in _FINAL:
            self._backend.batch_runner().stop(batch)
            self._backend.batches.end(batch.id, "cancelled")
            batch = self._backend.batches.get(batch_id, owner=owner)
        return self._told(batch)

    def _seen(self, batch: Batch) -> Batch:
        """Ask Ray about a batch that has not ended; one that Ray does not know is handed to it again."""
        if batch.state in _FINAL:
            return batch
        try:
            runner = self._backend.batch_runner()
        except ServiceError:
            return batch  # Batches are off now; it goes on when they are on again.
        run = runner.look(batch)
        if run is None:
            runner.start(batch)
            run = BatchRun(state="queued")
        if run.state not in _FINAL:
            return batch.model_copy(update={"state": run.state})
        self._backend.batches.end(batch.id, run.state, failed_sources=run.failed_sources, error=run.error)
        return self._backend.batches.get(batch.id, owner=None)

    def _told(self, batch: Batch) -> BatchStatus:
        found = self._progress.found(_read(Path(batch.manifest)), batch.model)
        self._backend.batches.own(batch.owner, found.variant_ids)
        done = sum(count for state, count in found.counts.items() if state != "failed")
        failed = {f"source_failed:{code}": count for code, count in batch.failed_sources.items()}
        return BatchStatus(
            id=batch.id,
            state=batch.state,
            created=iso_of(batch.created) or "",
            finished=iso_of(batch.finished),
            model=batch.model,
            sources=batch.sources,
            variants_total=batch.variants_total,
            variants_done=done,
            counts=found.counts | failed,
            error=batch.error,
        )

    def _lines(self, asked: BatchRequest) -> tuple[BatchLine, ...]:
        """Return the lines with whole paths, each inside an allowed folder."""
        if bool(asked.lines) == bool(asked.manifest):
            message = "a batch has either lines or a manifest"
            raise ServiceError(message, reason="invalid")
        if asked.lines:
            return tuple(self._allowed(line, Path("/")) for line in asked.lines)
        manifest = self._allowed_path(asked.manifest, Path("/"))
        lines = _read_given(manifest)
        return tuple(self._allowed(line, manifest.parent) for line in lines)

    def _allowed(self, line: BatchLine, base: Path) -> BatchLine:
        given = {name: getattr(line, name) for name in ("source", "labels", "calibration")}
        whole = {name: str(self._allowed_path(text, base)) for name, text in given.items() if text}
        return line.model_copy(update=whole)

    def _allowed_path(self, text: str, base: Path) -> Path:
        if self._addresses.kind(text) != "path":
            message = "a batch names paths; uploads and addresses are for jobs"
            raise ServiceError(message, reason="invalid")
        return self._addresses.path_of(str(base / text))


def _read_given(path: Path) -> list[BatchLine]:
    """Read a manifest that a user wrote.

    Raises:
        ServiceError: `not_found`, `too_large`, or `invalid` with the line's number.
    """
    if not path.is_file():
        message = "there is no such manifest"
        raise ServiceError(message, reason="not_found")
    if path.stat().st_size > _MOST_BYTES:
        message = f"a manifest may have at most {_MOST_BYTES} bytes"
        raise ServiceError(message, reason="too_large")
    lines = []
    for number, text in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            lines.append(BatchLine.model_validate_json(text))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            message = f"line {number} of the manifest: {where}: {first['msg']}"
            raise ServiceError(message, reason="invalid") from error
    if not 0 < len(lines) <= _MOST_LINES:
        message = f"a manifest has 1 to {_MOST_LINES} lines, this one has {len(lines)}"
        raise ServiceError(message, reason="invalid")
    return lines


def _write(path: Path, lines: tuple[BatchLine, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text("".join(line.model_dump_json(exclude_none=True) + "\n" for line in lines))
    partial.replace(path)


def _read(path: Path) -> tuple[BatchLine, ...]:
    """Read a manifest of our own; nothing when somebody removed it."""
    try:
        return tuple(BatchLine.model_validate_json(text) for text in path.read_text().splitlines())
    except OSError:
        return ()

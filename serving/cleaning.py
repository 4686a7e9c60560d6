"""Cleaning: what is old is forgotten, and nothing that a kept job names."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from serving.config import ServiceConfig
from serving.queue import JobQueue
from serving.store.audit_log import AuditLog
from serving.store.batches import BatchStore
from serving.store.blobs import BlobStore
from serving.store.idempotency import IdempotencyStore
from serving.store.jobs import JobStore
from serving.store.keys import KeyStore

_DAY_SECONDS: Final = 86400.0
_MOST_ROUNDS: Final = 100
"""Of a thousand workflows each; what is left waits for the next hour."""

_log = logging.getLogger("worldgen.serving")


class Cleaner:
    """Forgets what is old: jobs, their journal, batches, uploads, scratch files, and lines about them.

    Args:
        config: How long each is kept, and where.
        jobs: The store of jobs; the others are in the same database.
        queue: Has the journal.
    """

    def __init__(self, config: ServiceConfig, jobs: JobStore, queue: JobQueue) -> None:
        self._config = config
        self._jobs = jobs
        self._queue = queue
        self._blobs = BlobStore(jobs.database)
        self._audit_log = AuditLog(jobs.database)
        self._idempotency = IdempotencyStore(jobs.database)
        self._keys = KeyStore(jobs.database)
        self._batches = BatchStore(jobs.database)

    def clean(self) -> None:
        """Forget everything that is old. What cannot be forgotten now keeps the rest from nothing."""
        steps: tuple[Callable[[], object], ...] = (
            self._forget_jobs,
            self._forget_batches,
            self._forget_uploads,
            self._forget_broken_uploads,
            self._forget_scratch,
            self._idempotency.forget,
            self._forget_lines,
        )
        for step in steps:
            try:
                step()
            except Exception:  # noqa: BLE001 -- the next hour is another try
                _log.warning("%s failed", step.__name__, exc_info=True)

    def _forget_jobs(self) -> None:
        old = datetime.now(UTC) - timedelta(days=self._config.keep_jobs_days)
        self._jobs.expire(before=old)
        for _ in range(_MOST_ROUNDS):
            if not self._queue.forget(old):
                return

    def _forget_batches(self) -> None:
        old = datetime.now(UTC) - timedelta(days=self._config.keep_jobs_days)
        for manifest in self._batches.forget(before=old):
            Path(manifest).unlink(missing_ok=True)

    def _forget_uploads(self) -> None:
        """Remove the uploads that no kept job names and nobody has shown for long: first the file."""
        folder, days = self._config.blobs, self._config.keep_uploads_days
        before = datetime.now(UTC) - timedelta(days=days)
        shown = self._blobs.shown(since=before)
        named = {name.removeprefix("blob:") for name in self._jobs.sources()}
        kept = shown | named
        for path in _old_files(folder, days * _DAY_SECONDS):
            # What has a dot before its name is no upload yet.
            if path.name not in kept and not path.name.startswith("."):
                path.unlink(missing_ok=True)
        for name in set(self._blobs.unused(before=before)) - named:
            if not (folder / name).exists():
                self._blobs.forget(name)

    def _forget_broken_uploads(self) -> None:
        """Remove what came of uploads, forms and downloads that broke off and were not taken up for a day."""
        blobs = self._config.blobs
        for path in (*_old_files(blobs / ".partial", _DAY_SECONDS), *_old_files(blobs, _DAY_SECONDS)):
            if path.parent != blobs or path.name.startswith("."):
                path.unlink(missing_ok=True)

    def _forget_scratch(self) -> None:
        for path in _old_files(self._config.scratch, self._config.keep_scratch_hours * 3600, "**/*"):
            path.unlink(missing_ok=True)

    def _forget_lines(self) -> None:
        self._audit_log.forget(self._config.keep_audit_log_days)
        self._keys.forget_usage(self._config.keep_audit_log_days)


def _old_files(folder: Path, seconds: float, pattern: str = "*") -> list[Path]:
    before = time.time() - seconds
    found: list[Path] = []
    for path in folder.glob(pattern):
        try:
            if path.is_file() and path.stat().st_mtime < before:
                found.append(path)
        except FileNotFoundError:
            continue  # Another runner cleans too.
    return found

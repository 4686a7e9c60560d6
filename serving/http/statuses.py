"""Statuses as they are sent: made once per change of a job, however often they are asked for."""

import gzip
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response

from serving.store.job_queries import JobVersion
from serving.store.jobs import JobStore

_MOST_BYTES: Final = 32 << 20
"""Kept by default; a job of 200 specs has a status of a megabyte, most of it findings."""
_SMALL_BYTES: Final = 2048
"""What is not worth compressing."""


@dataclass(frozen=True, slots=True)
class _Made:
    version: JobVersion
    plain: bytes
    zipped: bytes


class Statuses:
    """The latest status of each job that is asked for, ready to be sent.

    A job that runs changes a few times a second, and its status names every finding of every variant: who
    polls pays for a look at one row, and for little to carry.

    Args:
        jobs: The store.
        most_bytes: Of all that is kept.
    """

    def __init__(self, jobs: JobStore, *, most_bytes: int = _MOST_BYTES) -> None:
        self._jobs = jobs
        self._most_bytes = most_bytes
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def answer(self, job_id: str, owner: str | None, headers: Headers) -> Response:
        """Answer with a job's status.

        Raises:
            ServiceError: `not_found`, also for a job of another owner. None sees all.
        """
        made = self._latest(job_id, owner)
        told = {"Vary": "Accept-Encoding"}
        if made.zipped and "gzip" in headers.get("accept-encoding", ""):
            zipped = told | {"Content-Encoding": "gzip"}
            return Response(made.zipped, media_type="application/json", headers=zipped)
        return Response(made.plain, media_type="application/json", headers=told)

    def _latest(self, job_id: str, owner: str | None) -> _Made:
        # First the version, then what it names: a change in between makes the next one ask again.
        version = self._jobs.version(job_id, owner=owner)
        with self._lock:
            made = self._made.get(job_id)
        if made is not None and made.version == version and version.state != "queued":
            return made
        plain = self._jobs.get(job_id, owner=owner).model_dump_json().encode()
        zipped = gzip.compress(plain, 1, mtime=0) if len(plain) > _SMALL_BYTES else b""
        made = _Made(version, plain, zipped)
        self._keep(job_id, made)
        return made

    def _keep(self, job_id: str, made: _Made) -> None:
        with self._lock:
            before = self._made.pop(job_id, None)
            self._made[job_id] = made
            self._bytes += _size(made) - (_size(before) if before else 0)
            while self._bytes > self._most_bytes:
                self._bytes -= _size(self._made.popitem(last=False)[1])


def _size(made: _Made) -> int:
    return len(made.plain) + len(made.zipped)

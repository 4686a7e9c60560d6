"""The Python client: knows the wire and nothing else; needs neither torch nor ray nor OpenCV."""

import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from worldgen.datatypes.spec import Spec
from worldgen.errors import ServiceError
from worldgen.wire import FINAL, JobEvent, JobRequest, JobStatus, VariantLine

_REASONS = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    422: "invalid",
    429: "busy",
}
_RETRY_STATUS = frozenset({429, 502, 503, 504})


class Client:
    """A connection to a worldgen server.

    Args:
        url: Its address; default the environment variable WORLDGEN_URL, else http://127.0.0.1:8000.
        timeout_seconds: Of one request; streams have no limit between events.
        retries: How often a request that could not be answered is sent again, with growing, jittered waits.
    """

    def __init__(self, url: str | None = None, *, timeout_seconds: float = 30.0, retries: int = 4) -> None:
        self.url = (url or os.environ.get("WORLDGEN_URL") or "http://127.0.0.1:8000").rstrip("/")
        self._http = httpx2.Client(base_url=self.url, timeout=timeout_seconds)
        self._retries = retries

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def upload(self, path: str | Path) -> str:
        """Upload a file by content and return its ``blob:`` name; known content is not sent again."""
        path = Path(path)
        state = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                state.update(piece)
        name = state.hexdigest()

        def pieces() -> Iterator[bytes]:
            with path.open("rb") as file:
                while piece := file.read(1 << 20):
                    yield piece

        self._ask("PUT", f"/v1/blobs/{name}", content=pieces)
        return f"blob:{name}"

    def submit(
        self,
        source: str | Path,
        specs: str | Spec | Sequence[str | Spec],
        *,
        model: str = "",
        seed: int = 0,
        upload: bool = True,
    ) -> "Job":
        """Submit one source with its specs.

        Args:
            source: A local file, uploaded first; with ``upload=False`` a path on the server or a blob name.
            specs: Words, preset names or typed specs.
            model: A world model that the server has; empty: its default.
            seed: Same seed, same frames.
            upload: Whether `source` is a local file.

        Raises:
            ServiceError: The server refused, or did not answer.
        """
        name = self.upload(source) if upload else str(source)
        wanted = (specs,) if isinstance(specs, str | Spec) else tuple(specs)
        request = JobRequest(source=name, specs=wanted, model=model, seed=seed)
        answer = self._ask("POST", "/v1/jobs", body=request.model_dump(mode="json"))
        return Job(self, JobStatus.model_validate(answer.json()))

    def job(self, job_id: str) -> "Job":
        """Find a job again."""
        return Job(self, self._status(job_id))

    def models(self) -> list[dict[str, Any]]:
        """List the contracts of the server's world models."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/models").json()
        return found

    def _status(self, job_id: str) -> JobStatus:
        return JobStatus.model_validate(self._ask("GET", f"/v1/jobs/{job_id}").json())

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,  # noqa: ANN401 -- JSON
        content: Callable[[], Iterator[bytes]] | None = None,
    ) -> httpx2.Response:
        for attempt in range(self._retries + 1):
            try:
                answer = self._http.request(method, path, json=body, content=content() if content else None)
            except httpx2.TransportError as error:
                # A POST that may have arrived is not sent twice: the server has no idempotency keys yet.
                unsent = isinstance(error, httpx2.ConnectError)
                if attempt == self._retries or (method == "POST" and not unsent):
                    message = f"{self.url} did not answer: {error}"
                    hint = "is `worldgen serve` running there?"
                    raise ServiceError(message, reason="unreachable", hint=hint) from error
            else:
                if answer.status_code not in _RETRY_STATUS or attempt == self._retries:
                    return _checked(answer)
            time.sleep(min(8.0, 0.25 * 2**attempt) * (0.5 + random.random()))
        raise AssertionError


def _checked(answer: httpx2.Response) -> httpx2.Response:
    if answer.is_success:
        return answer
    answer.read()
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    detail = problem.get("detail", f"the server answered {answer.status_code}")
    text = detail if isinstance(detail, str) else json.dumps(detail)
    if code := problem.get("code"):
        text = f"{text} ({code})"
    reason = _REASONS.get(answer.status_code, "failed")
    raise ServiceError(text, reason=reason, hint=problem.get("hint", ""))


class Job:
    """A job on the server."""

    def __init__(self, client: Client, status: JobStatus) -> None:
        self._client = client
        self.id = status.id
        self._last = status

    def __repr__(self) -> str:
        """Show id and state."""
        return (
            f"Job({self.id[:8]}, {self._last.state}, {self._last.variants_done}/{self._last.variants_total})"
        )

    def status(self) -> JobStatus:
        """Ask how it is going."""
        self._last = self._client._status(self.id)
        return self._last

    def events(self, after: int = 0) -> Iterator[JobEvent]:
        """Follow the job as it goes; a lost connection is taken up where it broke."""
        seen, broken = after, 0
        while True:
            try:
                for event in self._stream(seen):
                    seen, broken = event.id, 0
                    yield event
                    if event.kind == "state" and event.state in FINAL:
                        return
            except httpx2.TransportError as error:
                broken += 1
                if broken > self._client._retries:
                    message = f"the event stream broke {broken} times: {error}"
                    raise ServiceError(message, reason="unreachable") from error
                time.sleep(min(8.0, 0.25 * 2**broken) * (0.5 + random.random()))
            else:
                if self.status().state in FINAL:
                    return

    def _stream(self, after: int) -> Iterator[JobEvent]:
        headers = {"Last-Event-ID": str(after)}
        timeout = httpx2.Timeout(30.0, read=None)
        path = f"/v1/jobs/{self.id}/events"
        with self._client._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
            _checked(answer)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield JobEvent.model_validate_json(line.removeprefix("data: "))

    def wait(self, *, progress: Callable[[JobEvent], None] | None = None) -> JobStatus:
        """Wait for the end, telling `progress` of every event.

        Raises:
            ServiceError: `failed` with the job's own code when it failed.
        """
        for event in self.events():
            if progress is not None:
                progress(event)
        status = self.status()
        if status.state == "failed" and status.error is not None:
            message = f"{status.error['message']} ({status.error['code']})"
            raise ServiceError(message, reason="failed", hint=status.error.get("hint", ""))
        return status

    def variants(self) -> Iterator[VariantLine]:
        """Yield variants as they are finished."""
        for event in self.events():
            if event.variant is not None:
                yield event.variant

    def cancel(self) -> JobStatus:
        """Stop it; returns when its generation has stopped."""
        answer = self._client._ask("POST", f"/v1/jobs/{self.id}/cancel")
        self._last = JobStatus.model_validate(answer.json())
        return self._last

    def save(self, folder: str | Path) -> list[Path]:
        """Download the files of every variant into a folder each; returns the folders."""
        folder = Path(folder)
        saved = []
        for line in self.status().variants:
            if not line.files:
                continue
            target = folder / f"{line.spec or 'variant'}-{line.id[:12]}"
            target.mkdir(parents=True, exist_ok=True)
            for name in line.files:
                self._download(f"/v1/variants/{line.id}/files/{name}", target / name)
            saved.append(target)
        return saved

    def _download(self, path: str, target: Path) -> None:
        partial = target.with_name(target.name + ".part")
        with self._client._http.stream("GET", path) as answer:
            _checked(answer)
            with partial.open("wb") as file:
                for piece in answer.iter_bytes():
                    file.write(piece)
        partial.replace(target)

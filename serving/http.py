"""HTTP: the ingress. Checks, streams and forwards; never touches pixels."""

import hashlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from serving.config import ServiceConfig
from worldgen import __version__
from worldgen.datatypes import ModelProfile
from worldgen.errors import BadInput, ServiceError, WorldgenError
from worldgen.models.build import profiles
from worldgen.wire import JobRequest, JobStatus, Problem

_STATUS = {
    "not_found": 404,
    "forbidden": 403,
    "unauthorized": 401,
    "busy": 429,
    "invalid": 400,
    "timeout": 504,
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


def problem_of(error: WorldgenError) -> JSONResponse:
    """Answer with a problem after RFC 9457."""
    status = 400 if isinstance(error, BadInput) else 500
    if isinstance(error, ServiceError):
        status = _STATUS.get(error.reason, 500)
    body = Problem(
        title=type(error).__name__, status=status, detail=error.message, code=error.code, hint=error.hint
    )
    headers = {"Retry-After": "5"} if status == 429 else None
    return JSONResponse(
        body.model_dump(), status_code=status, media_type="application/problem+json", headers=headers
    )


async def typed(call: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 -- what the call returns
    """Await a remote call; Ray's wrapper of a typed error becomes the typed error again."""
    try:
        return await call()
    except WorldgenError as error:
        raise _unwrap(error) from None


def _unwrap(error: WorldgenError) -> WorldgenError:
    # Ray raises a class of its own that is also ours, with a coloured traceback as its text; the error
    # that was raised in the replica is its cause.
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, WorldgenError) else error


def build_http(config: ServiceConfig, runner: Any) -> FastAPI:  # noqa: ANN401 -- Ray's handles are untyped
    """Make the HTTP application over a runner's handle."""
    app = FastAPI(title="worldgen", version=__version__)
    streaming = runner.options(stream=True)

    @app.exception_handler(WorldgenError)
    async def _problem(request: Request, error: WorldgenError) -> JSONResponse:
        del request
        return problem_of(_unwrap(error))

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.get("/v1/models")
    async def models() -> list[ModelProfile]:
        return profiles()

    @app.put("/v1/blobs/{sha256}")
    async def put_blob(sha256: str, request: Request) -> JSONResponse:
        return await store_blob(config, sha256, request)

    @app.post("/v1/jobs", status_code=202)
    async def submit(body: JobRequest, response: Response) -> JobStatus:
        status: JobStatus = await typed(lambda: runner.submit.remote(body))
        response.headers["Location"] = f"/v1/jobs/{status.id}"
        return status

    @app.get("/v1/jobs/{job_id}")
    async def status(job_id: str) -> JobStatus:
        found: JobStatus = await typed(lambda: runner.status.remote(job_id))
        return found

    @app.post("/v1/jobs/{job_id}/cancel")
    async def cancel(job_id: str) -> JobStatus:
        ended: JobStatus = await typed(lambda: runner.cancel.remote(job_id))
        return ended

    @app.get("/v1/jobs/{job_id}/events")
    async def events(job_id: str, last_event_id: int = Header(default=0)) -> StreamingResponse:
        await typed(lambda: runner.status.remote(job_id))

        async def lines() -> AsyncIterator[str]:
            response = streaming.events.remote(job_id, last_event_id)
            try:
                async for event in response:
                    yield f"id: {event.id}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"
            finally:
                response.cancel()

        return StreamingResponse(
            lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    @app.get("/v1/variants/{variant_id}/files/{name}")
    async def file(variant_id: str, name: str) -> FileResponse:
        path: str = await typed(lambda: runner.file.remote(variant_id, name))
        return FileResponse(path)

    return app


async def store_blob(config: ServiceConfig, sha256: str, request: Request) -> JSONResponse:
    """Stream an upload to disk, check its hash, and keep it under that name.

    Raises:
        ServiceError: Not a sha256, too large, or the content has another hash.
    """
    if not _SHA256.fullmatch(sha256):
        message = "a blob is named by the 64 hexadecimal characters of its sha256"
        raise ServiceError(message, reason="invalid")
    config.blobs.mkdir(parents=True, exist_ok=True)
    target = config.blobs / sha256
    if target.exists():
        return JSONResponse({"sha256": sha256, "known": True})
    partial = config.blobs / f".{sha256}.{os.getpid()}.{id(request)}"
    try:
        size, found = await _receive(request, partial, config.max_upload_bytes)
        if found != sha256:
            message = f"the body has sha256 {found}, not {sha256}"
            raise ServiceError(message, reason="invalid")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return JSONResponse({"sha256": sha256, "known": False, "size": size}, status_code=201)


async def _receive(request: Request, partial: Path, most: int) -> tuple[int, str]:
    state, size = hashlib.sha256(), 0
    with partial.open("wb") as file:
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                message = f"an upload may have at most {most} bytes"
                raise ServiceError(message, reason="invalid")
            state.update(piece)
            file.write(piece)
    return size, state.hexdigest()

"""HTTP: the ingress. Checks, streams and forwards; never touches pixels."""

import asyncio
import hashlib
import os
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from serving.backend import ServiceBackend
from serving.config import ServiceConfig
from serving.sources import resolve
from serving.store import JobStore
from worldgen import __version__
from worldgen.assembly import specs_of
from worldgen.datatypes import ModelProfile, digest
from worldgen.errors import BadInput, ServiceError, WorldgenError
from worldgen.sources.open import open_source
from worldgen.wire import FINAL, JobPage, JobRequest, JobStatus, Problem

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


def build_http(config: ServiceConfig, backend: ServiceBackend) -> FastAPI:
    """Make the HTTP application over the stores and the queue."""
    app = FastAPI(title="worldgen", version=__version__)

    @app.exception_handler(WorldgenError)
    async def _problem(request: Request, error: WorldgenError) -> JSONResponse:
        del request
        return problem_of(error)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.get("/v1/models")
    async def models() -> tuple[ModelProfile, ...]:
        return backend.profiles()

    @app.put("/v1/blobs/{sha256}")
    async def put_blob(sha256: str, request: Request) -> JSONResponse:
        return await store_blob(config, sha256, request)

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        found = await asyncio.to_thread(backend.readiness)
        return JSONResponse(found.model_dump(), status_code=200 if found.state == "ready" else 503)

    _add_jobs(app, config, backend)

    @app.get("/v1/variants/{variant_id}/files/{name}")
    async def file(variant_id: str, name: str) -> FileResponse:
        found = await asyncio.to_thread(backend.catalog.find, variant_id)
        if found is None or "/" in name or name.startswith(".") or not (found.folder / name).is_file():
            message = f"no file {name!r} of variant {variant_id!r}"
            raise ServiceError(message, reason="not_found")
        return FileResponse(found.folder / name)

    return app


async def _cancelled(jobs: JobStore, job_id: str) -> JobStatus:
    """Ask for a job's end, and wait for it a while: a step is short."""
    found = await asyncio.to_thread(jobs.request_cancel, job_id, owner=None)
    for _ in range(100):
        if found.state in FINAL:
            break
        await asyncio.sleep(0.1)
        found = await asyncio.to_thread(jobs.get, job_id)
    return found


def _add_jobs(app: FastAPI, config: ServiceConfig, backend: ServiceBackend) -> None:
    jobs = backend.jobs

    @app.post("/v1/jobs", status_code=202)
    async def submit(body: JobRequest, response: Response) -> JobStatus:
        specs = specs_of(body.specs, seed=body.seed)
        config.model_named(body.model)
        path = resolve(config, body.source)
        await asyncio.to_thread(open_source, path, camera=body.camera)
        accepted, _ = await asyncio.to_thread(
            jobs.submit,
            body,
            job_id=uuid.uuid4().hex,
            owner="local",
            variants_total=len(specs),
            fingerprint=digest(body),
            limit=config.max_queued_jobs,
        )
        await asyncio.to_thread(backend.enqueue, accepted.id, body.priority)
        response.headers["Location"] = f"/v1/jobs/{accepted.id}"
        return accepted

    @app.get("/v1/jobs")
    async def page(after: str | None = None, limit: int = 20) -> JobPage:
        return await asyncio.to_thread(jobs.page, owner=None, after=after, limit=limit)

    @app.get("/v1/jobs/{job_id}")
    async def status(job_id: str) -> JobStatus:
        return await asyncio.to_thread(jobs.get, job_id)

    @app.post("/v1/jobs/{job_id}/cancel")
    async def cancel(job_id: str) -> JobStatus:
        return await _cancelled(jobs, job_id)

    @app.get("/v1/jobs/{job_id}/events")
    async def events(job_id: str, last_event_id: int = Header(default=0)) -> StreamingResponse:
        await asyncio.to_thread(jobs.get, job_id)

        async def lines() -> AsyncIterator[str]:
            last, is_over = last_event_id, False
            while not is_over:
                fresh = await asyncio.to_thread(jobs.events, job_id, last)
                for event in fresh:
                    last, is_over = event.id, event.state in FINAL
                    yield f"id: {event.id}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"
                if not fresh:
                    if (await asyncio.to_thread(jobs.get, job_id)).state in FINAL:
                        return
                    await asyncio.sleep(0.2)

        return StreamingResponse(
            lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )


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

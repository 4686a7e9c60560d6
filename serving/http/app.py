"""The HTTP application: routes, and around them what every request goes through."""

import asyncio
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response

from serving.config import ServiceConfig
from serving.http.auth import Gate, Sessions
from serving.http.backend import Backend
from serving.http.batches import batches_router
from serving.http.blobs import blobs_router
from serving.http.contract import chosen_profile
from serving.http.files import files_router
from serving.http.jobs import jobs_router
from serving.http.limits import BodyLimit
from serving.http.logs import LOGGER, RequestLog
from serving.http.metrics import RequestFigures, exposition
from serving.http.problems import add_problems
from serving.http.service import PROBLEMS, Service
from serving.http.variants import variants_router
from serving.http.videos import videos_router
from serving.http_config import LOOPBACK
from worldgen import __version__
from worldgen.datatypes import ModelProfile
from worldgen.errors import ServiceError

_ABOUT: Final = (
    "Give a driving clip and conditions; get judged variants whose labels are still true. "
    "Upload with PUT /v1/blobs, submit with POST /v1/jobs, follow /v1/jobs/{id}/events, fetch "
    "/v1/variants/{id}/files. Errors are problems after RFC 9457 with a stable code; on /v1/videos they have "
    "the OpenAI client's shape."
)


def build_http(config: ServiceConfig, backend: Backend, *, sessions: Sessions | None = None) -> FastAPI:
    """Make the HTTP application.

    Args:
        config: Of the service.
        backend: Stores, queue and contracts.
        sessions: Reads the cookie of the page, where there is one.
    """
    if not config.http.asks_for_keys(config.host) and config.host not in LOOPBACK:
        LOGGER.warning(
            "KEYS ARE OFF: everybody who reaches %s can use, read and stop everything", config.host
        )
    # No pages of documentation: they would load scripts from elsewhere. /openapi.json is all there is.
    app = FastAPI(
        title="worldgen",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    service = Service(config, backend)
    app.state.service = service
    figures = RequestFigures()
    # The last that is added is the first that a request meets.
    app.add_middleware(Gate, config=config, backend=backend, sessions=sessions)
    app.add_middleware(BodyLimit, config=config)
    app.add_middleware(RequestLog, figures=figures)
    add_problems(app)
    app.include_router(jobs_router(service))
    app.include_router(batches_router(service))
    app.include_router(files_router(service))
    app.include_router(variants_router(service))
    app.include_router(blobs_router(service))
    app.include_router(videos_router(service))
    app.include_router(_models_router(service))
    app.include_router(_health_router(service, figures))
    return app


def _models_router(service: Service) -> APIRouter:
    router = APIRouter(prefix="/v1/models", tags=["models"], responses=PROBLEMS)

    @router.get("", summary="List the contracts of the world models")
    async def models() -> list[ModelProfile]:
        return list(service.backend.profiles())

    @router.get("/{name}", summary="Read the contract of a world model")
    async def model(name: str) -> ModelProfile:
        profiles = service.backend.profiles()
        if name not in {profile.name for profile in profiles}:
            message = "no world model of that name is served"
            raise ServiceError(message, reason="not_found")
        return chosen_profile(profiles, name)

    return router


def _health_router(service: Service, figures: RequestFigures) -> APIRouter:
    router = APIRouter(tags=["operation"])

    @router.get("/healthz", summary="Say that this process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @router.get(
        "/readyz",
        responses={503: {"description": "Loading, or broken, and why."}},
        summary="Say whether jobs can be worked on",
    )
    async def readyz() -> JSONResponse:
        try:
            await asyncio.to_thread(service.backend.jobs.counts)
            found = await asyncio.to_thread(service.backend.readiness)
        except ServiceError as error:
            return JSONResponse({"state": "broken", "why": error.message}, status_code=503)
        return JSONResponse(found.model_dump(), status_code=200 if found.state == "ready" else 503)

    @router.get(
        "/metrics",
        responses={**PROBLEMS, 200: {"content": {"text/plain": {}}, "description": "Prometheus' text."}},
        summary="Figures for Prometheus",
    )
    async def metrics(request: Request) -> Response:
        del request
        text = await asyncio.to_thread(exposition, figures, service.backend)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return router

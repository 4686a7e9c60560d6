"""The page's routes, put together."""

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from serving.web.audits_page import add_audits
from serving.web.backend import Backend
from serving.web.gallery import add_gallery
from serving.web.jobs_page import add_jobs
from serving.web.render import HEADERS
from serving.web.sets import add_sets
from serving.web.signin import add_sign_in
from serving.web.site import PageRoute, Site
from serving.web.sources_page import add_sources
from serving.web.static_files import static_files
from serving.web.submit_page import add_submit


def add_page(app: FastAPI, backend: Backend) -> None:
    """Add the page at `/` to an application that serves the HTTP interface.

    Args:
        app: With the routes of ``/v1``; the page takes `/`, `/jobs`, `/queue`, `/specs`, `/gallery`,
            `/variants`, `/sources`, `/audit`, `/set`, `/signin`, `/signout` and `/static`.
        backend: The service.
    """
    router = APIRouter(route_class=PageRoute, include_in_schema=False)
    site = Site(backend)
    add_sign_in(router, site)
    add_jobs(router, site)
    add_submit(router, site)
    add_gallery(router, site)
    add_audits(router, site)
    add_sources(router, site)
    add_sets(router, site)

    @router.get("/static/{stamp}/{name}")
    async def static(request: Request, stamp: str, name: str) -> Response:
        found = static_files().get(name)
        if found is None:
            return PlainTextResponse("no such file", status_code=404)
        # The address names the content, so it may be kept for ever; another content has another address.
        age = "public, max-age=31536000, immutable" if stamp == found.version else "no-cache"
        headers = {"Cache-Control": age, "ETag": f'"{found.version}"'}
        headers |= {"X-Content-Type-Options": HEADERS["X-Content-Type-Options"]}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.media_type, headers=headers)

    app.include_router(router)

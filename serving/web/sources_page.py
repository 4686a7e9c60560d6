"""A source: its playable copy, and the wall of all its variants on one clock."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from serving.web.gallery import current, visible_cards
from serving.web.render import HEADERS
from serving.web.shelf import notes_of
from serving.web.site import Site
from worldgen.errors import ServiceError


def add_sources(router: APIRouter, site: Site) -> None:
    """Add `/sources`."""

    @router.get("/sources/{key}/source.mp4")
    async def source(request: Request, key: str) -> Response:
        who = await site.who(request)
        path = None
        if any(card["sourceKey"] == key for card in await visible_cards(site, who)):
            path = await asyncio.to_thread(site.backend.catalog.source_video, key)
        if path is None:
            message = f"no source {key[:16]!r}"
            raise ServiceError(message, reason="not_found")
        kept = {"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, media_type="video/mp4", headers=kept)

    @router.get("/sources/{key}")
    async def wall(request: Request, key: str) -> Response:
        who = await site.who(request)
        cards = [c for c in current(await visible_cards(site, who)) if c["sourceKey"] == key and c["video"]]
        if not cards:
            return RedirectResponse("/gallery", status_code=303, headers=HEADERS)
        return site.page(request, "wall.html.j2", who, cards=cards, source=cards[0], notes=notes_of(cards))

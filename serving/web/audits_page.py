"""Audits: blind ones, and keeping what a person says."""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from serving.web.gallery import REASONS, card_of, current, described, is_audited, person_of, visible_cards
from serving.web.render import HEADERS
from serving.web.shelf import blinded
from serving.web.site import Site
from worldgen.errors import ServiceError
from worldgen.report.page import embedded
from worldgen.wire import AuditRequest

_MOST_BYTES: Final = 64 << 10


def add_audits(router: APIRouter, site: Site) -> None:
    """Add `/audit`, and `/variants/{id}/audit`."""

    @router.get("/audit")
    async def blind(request: Request, after: str = "") -> Response:
        who = await site.who(request, "audit")
        cards = [c for c in current(await visible_cards(site, who)) if c["video"]]
        # In the order of ids, which are digests: it says nothing about verdict, model or condition.
        cards.sort(key=lambda c: c["id"])
        open_ = [c for c in cards if not is_audited(c, person_of(site, who))]
        if not open_:
            return site.page(request, "audited.html.j2", who, total=len(cards))
        card = next((c for c in open_ if c["id"] > after), open_[0])
        data = await described(site, card)
        data["variants"] = [blinded(data["variants"][0])]
        return site.page(
            request,
            "variant.html.j2",
            who,
            variant={"id": card["id"], "title": card["title"]},
            siblings=[],
            data=embedded(data),
            at=len(cards) - len(open_),
            of=len(cards),
            previous="",
            following=f"/audit?after={card['id']}",
            back="/gallery",
            query="",
            blind=True,
            posted=True,
            reasons=REASONS,
        )

    @router.post("/variants/{variant_id}/audit")
    async def audit(request: Request, variant_id: str) -> Response:
        who = await site.who(request, "audit")
        card = card_of(await visible_cards(site, who), variant_id)
        body = await _small_body(request)
        try:
            asked = AuditRequest.model_validate_json(body)
        except ValidationError as exc:
            message = f"not an audit: {exc.errors()[0]['msg']}"
            raise ServiceError(message, reason="invalid") from exc
        if site.backend.keys_on:
            asked = asked.model_copy(update={"by": who.name})
        await site.backend.audit(request, who, variant_id, asked)
        # Decided: now the verdict may be seen, and with it whatever was hidden.
        return JSONResponse(await described(site, card), headers=HEADERS)


async def _small_body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            message = f"an audit has at most {_MOST_BYTES} bytes"
            raise ServiceError(message, reason="invalid")
    return bytes(body)

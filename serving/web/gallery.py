"""The gallery, and one variant with its player."""

import asyncio
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from serving.web.backend import Principal
from serving.web.shelf import chosen_filters, facets, narrowed, notes_of
from serving.web.site import Site
from worldgen.errors import ServiceError
from worldgen.report.data import Json
from worldgen.report.page import embedded

_PAGE: Final = 24
REASONS: Final = (
    "condition not visible",
    "object lost or invented",
    "geometry changed",
    "flicker",
    "artefacts",
    "labels wrong",
)
"""What auditors say most; anything else can be typed."""


def add_gallery(router: APIRouter, site: Site) -> None:
    """Add `/gallery` and `/variants`."""

    @router.get("/gallery")
    async def gallery(request: Request, after: str = "") -> Response:
        who = await site.who(request)
        cards = await visible_cards(site, who)
        filters = chosen_filters(request.query_params)
        found = narrowed(cards, filters)
        start = next((i + 1 for i, card in enumerate(found) if card["id"] == after), 0) if after else 0
        shown = found[start : start + _PAGE]
        query = urlencode(filters, doseq=True)
        context: dict[str, Any] = {
            "cards": shown,
            "total": len(found),
            "notes": notes_of(found),
            "of": len([c for c in cards if not c["superseded"] or "earlier" in filters]),
            "query": query,
            "filters": filters,
            "last_source": found[start - 1]["sourceKey"] if start else "",
            "next": shown[-1]["id"] if start + _PAGE < len(found) else "",
        }
        if after:
            return site.page(request, "cards.html.j2", who, **context)
        if request.headers.get("hx-target") == "results":
            return site.page(request, "results.html.j2", who, **context)
        left = sum(bool(c["video"]) and not is_audited(c, person_of(site, who)) for c in current(cards))
        return site.page(request, "gallery.html.j2", who, **context, **facets(cards), left=left, all=cards)

    @router.get("/variants/{variant_id}")
    async def variant(request: Request, variant_id: str) -> Response:
        who = await site.who(request)
        cards = await visible_cards(site, who)
        filters = chosen_filters(request.query_params)
        found = narrowed(cards, filters)
        card = card_of(cards, variant_id)
        order = found if any(c["id"] == variant_id for c in found) else current(cards)
        at = next((i for i, c in enumerate(order) if c["id"] == variant_id), 0)
        data = await described(site, card)
        siblings = [c for c in current(cards) if c["sourceKey"] == card["sourceKey"]]
        query = urlencode(filters, doseq=True)
        return site.page(
            request,
            "variant.html.j2",
            who,
            variant=card,
            siblings=siblings,
            data=embedded(data),
            at=at,
            of=len(order),
            previous=_link(order[at - 1]["id"], query) if order else "",
            following=_link(order[(at + 1) % len(order)]["id"], query) if order else "",
            back="/gallery" + (f"?{query}" if query else ""),
            query=query,
            blind=False,
            posted=True,
            reasons=REASONS,
        )


async def visible_cards(site: Site, who: Principal) -> list[Json]:
    """List the cards that somebody may see."""
    cards = await asyncio.to_thread(site.shelf.cards)
    seen = await site.backend.visible(who, [card["id"] for card in cards])
    cards = [card for card in cards if card["id"] in seen]
    # An upload is a file named after its content; whoever sent it knows it by another name.
    uploads = {card["sourceSha"] for card in cards if card["sourceName"] == card["sourceSha"]}
    names = await site.backend.source_names(who, sorted(uploads))
    for card in cards:
        if card["sourceSha"] in uploads:
            card["sourceName"] = names.get(card["sourceSha"], card["sourceSha"][:12])
    return cards


async def described(site: Site, card: Json) -> Json:
    """Describe a card's variant in full, as the player reads it.

    Raises:
        PublishError: `not_found`, `damaged`.
    """
    data = await asyncio.to_thread(site.shelf.variant, card["id"])
    for variant in data["variants"]:
        variant.update(superseded=card["superseded"], sourceName=card["sourceName"])
    return data


def current(cards: list[Json]) -> list[Json]:
    """Leave out what was made again by a newer version."""
    return [card for card in cards if not card["superseded"]]


def card_of(cards: list[Json], variant_id: str) -> Json:
    """Find a card.

    Raises:
        ServiceError: `not_found`.
    """
    card = next((c for c in cards if c["id"] == variant_id), None)
    if card is None:
        message = f"no variant {variant_id[:32]!r}"
        raise ServiceError(message, reason="not_found")
    return card


def person_of(site: Site, who: Principal) -> str | None:
    """Name who audits; None without keys."""
    return who.name if site.backend.keys_on else None


def is_audited(card: Json, person: str | None) -> bool:
    """Whether this person has decided; without keys nobody can be told apart, and one decision is enough."""
    return any(person is None or audit.by == person for audit in card["audits"])


def _link(variant_id: str, query: str) -> str:
    return f"/variants/{variant_id}" + (f"?{query}" if query else "")

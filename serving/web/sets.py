"""The set as a whole: plots, and what can be downloaded."""

import asyncio
import csv
import io
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from serving.web.gallery import visible_cards
from serving.web.plots import histograms, model_bars
from serving.web.render import HEADERS
from serving.web.site import Site
from worldgen.datatypes import AuditFile
from worldgen.errors import ServiceError
from worldgen.report.data import Json
from worldgen.report.page import agreement_data, condition_bars, failing_checks, failures_data

_COLUMNS: Final = (
    *("id", "created", "title", "label", "state", "recognised", "model", "source", "details"),
    *("failed", "people"),
)


def add_sets(router: APIRouter, site: Site) -> None:
    """Add `/set` and the downloads."""

    @router.get("/set")
    async def plots(request: Request) -> Response:
        who = await site.who(request)
        cards = [c for c in await visible_cards(site, who) if not c["superseded"]]
        failures: list[Json] = []
        if not site.backend.keys_on:  # A failure carries no owner.
            failures = await asyncio.to_thread(failures_data, site.backend.catalog, cards)
        return site.page(
            request,
            "set_page.html.j2",
            who,
            posted=True,
            cards=cards,
            counts=Counter(card["state"] for card in cards),
            bars=condition_bars(cards),
            failing=failing_checks(cards),
            agreement=agreement_data((card["state"], card["audits"]) for card in cards),
            by_model=model_bars(cards),
            plots=histograms(cards),
            sources=sorted({(card["sourceKey"], card["sourceName"]) for card in cards}),
            answers=[f for f in failures if f["expected"]],
            faults=[f for f in failures if not f["expected"]],
        )

    @router.get("/set/variants.csv")
    async def table(request: Request) -> Response:
        who = await site.who(request)
        cards = await visible_cards(site, who)
        return _attached(_csv(cards), "text/csv; charset=utf-8", "variants.csv")

    @router.get("/set/audits.json")
    async def audits(request: Request) -> Response:
        who = await site.who(request)
        cards = await visible_cards(site, who)
        file = AuditFile(audits=tuple(audit for card in cards for audit in card["audits"]))
        return _attached(file.model_dump_json(indent=2), "application/json", "audits.json")

    @router.get("/variants/{variant_id}/all.zip")
    async def everything(request: Request, variant_id: str) -> Response:
        who = await site.who(request)
        seen = await site.backend.visible(who, [variant_id])
        found = await asyncio.to_thread(site.backend.catalog.find, variant_id) if variant_id in seen else None
        if found is None:
            message = f"no variant {variant_id[:32]!r}"
            raise ServiceError(message, reason="not_found")
        packed = await asyncio.to_thread(_packed, found.folder)
        return FileResponse(
            packed,
            media_type="application/zip",
            filename=f"{found.folder.name}.zip",
            background=BackgroundTask(packed.unlink, missing_ok=True),
        )


def _csv(cards: list[Json]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for card in cards:
        failed = " ".join(f["check"] for f in card["findings"] if f["passed"] is False)
        details = ", ".join(card["details"])
        row = (*(card[name] for name in _COLUMNS[:7]), card["sourceName"], details, failed, card["said"])
        writer.writerow([_plain(str(value)) for value in row])
    return text.getvalue()


def _plain(cell: str) -> str:
    """Keep a spreadsheet from reading a name that somebody chose as a formula."""
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _attached(content: str, media_type: str, name: str) -> Response:
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _packed(folder: Path) -> Path:
    """Put a variant's files into one archive, as they are: video does not become smaller."""
    with tempfile.NamedTemporaryFile(suffix=".zip", prefix="worldgen-", delete=False) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, f"{folder.name}/{path.name}")
        return Path(file.name)

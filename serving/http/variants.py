"""Routes of variants: list with filters, look, and say what a person thinks."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from serving.http.auth import key_of
from serving.http.files import visible_variant
from serving.http.service import PROBLEMS, Service
from serving.store.keys import LOCAL
from worldgen.catalog import Catalog, Published
from worldgen.datatypes import Audit, ConditionClass, Verdict, VerdictState
from worldgen.wire import AuditRequest, VariantPage, VariantView

_MOST_READ: Final = 2000
"""Records read for one page; what is left of a narrow filter comes with the next."""


def variants_router(service: Service) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/v1/variants", tags=["variants"], responses=PROBLEMS)
    catalog = service.backend.catalog

    @router.get("", summary="List variants, in the order of their ids")
    async def page(
        request: Request,
        after: Annotated[
            str, Query(pattern=r"^([0-9a-f]{32})?$", description="`next` of the page before.")
        ] = "",
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        condition: Annotated[
            list[ConditionClass] | None, Query(description="That the spec asks for; may be repeated.")
        ] = None,
        verdict: Annotated[list[VerdictState] | None, Query(description="May be repeated.")] = None,
        model: Annotated[str | None, Query(max_length=100)] = None,
        source: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$", description="sha256.")] = None,
    ) -> VariantPage:
        """A page may be short, or empty, and still name a next one."""

        def is_wanted(entry: Published) -> bool:
            record = entry.record
            return (
                (not condition or record.spec.asks_for in condition)
                and (not verdict or record.state in verdict)
                and (model is None or record.model == model)
                and (source is None or record.source_sha256 == source)
            )

        def read() -> VariantPage:
            data: list[VariantView] = []
            last = ""
            for count, entry in enumerate(_entries(service, key_of(request).sees, after)):
                if len(data) == limit or count == _MOST_READ:
                    return VariantPage(data=tuple(data), next=last)
                last = entry.record.id
                if is_wanted(entry):
                    data.append(view_of(catalog, entry))
            return VariantPage(data=tuple(data))

        return await asyncio.to_thread(read)

    @router.get("/{variant_id}", summary="Look at a variant")
    async def variant(request: Request, variant_id: str) -> VariantView:
        found = await visible_variant(service, request, variant_id)
        return await asyncio.to_thread(view_of, catalog, found)

    @router.post("/{variant_id}/audit", status_code=201, summary="Say what you think of a variant")
    async def audit(request: Request, variant_id: str, body: AuditRequest) -> Audit:
        """Kept beside what others said, and never changed; who and when are the server's to say."""
        found, key = await visible_variant(service, request, variant_id), key_of(request)
        said = Audit(
            variant_id=found.record.id,
            decision=body.decision,
            reason=body.reason,
            by=body.by if key is LOCAL else key.name,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            frame=body.frame,
            verdict=found.record.state,
        )
        await asyncio.to_thread(catalog.add_audits, (said,))
        await service.log(request, "variant.audit", said.variant_id)
        return said

    return router


def view_of(catalog: Catalog, entry: Published) -> VariantView:
    """Describe a variant with its findings and what people said."""
    record = entry.record
    verdict = Verdict.model_validate_json((entry.folder / "verdict.json").read_bytes())
    return VariantView(
        id=record.id,
        spec=record.spec.name or entry.folder.name.rpartition("-")[0],
        state=record.state,
        model=record.model,
        source_sha256=record.source_sha256,
        created=record.created,
        recognised=verdict.recognised,
        findings=tuple(finding.model_dump(mode="json") for finding in verdict.findings),
        files=(*sorted(record.files), "variant.json"),
        audits=catalog.audits(record.id),
    )


def _entries(service: Service, owner: str | None, after: str) -> Iterator[Published]:
    catalog = service.backend.catalog
    if owner is None:
        yield from catalog.entries_by_id(after)
        return
    last = after
    while ids := service.backend.jobs.variant_ids(owner, last, 100):
        found = (catalog.find(variant_id) for variant_id in ids)
        yield from (entry for entry in found if entry is not None)
        last = ids[-1]

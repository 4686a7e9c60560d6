"""The shelf: what the gallery shows of every variant; kept in memory, as published variants never change."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import QueryParams

from worldgen.catalog import Catalog, Published
from worldgen.catalog.folder import read_value
from worldgen.datatypes import Verdict
from worldgen.report.audits import majority_of
from worldgen.report.data import Json, finding_data, variant_data
from worldgen.report.page import LABEL_ORDER, mark_superseded
from worldgen.report.words import details_of, label_of, title_of

FILTERS: Final = ("state", "label", "model", "sourceKey", "audit")
"""What a gallery can be narrowed by; each may be given several times."""

_TOLD: Final = (
    *("id", "spec", "title", "label", "details", "sourceKey", "sourceName", "sourceTag", "video", "source"),
    *("thumbnail", "frames", "fps", "width", "height", "times", "sourceTimes", "labels"),
)
"""What a blind auditor is told of a variant."""
_TICK_NS: Final = 2_000_000_000
_SAID: Final = {"accept": "accepted by people", "reject": "rejected by people", "unsure": "people unsure"}


class Shelf:
    """Cards of all variants of a catalogue. Safe for threads.

    Args:
        catalog: The results.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._lock = threading.Lock()
        self._cards: dict[str, Json] = {}
        self._stamp = -1

    def cards(self) -> list[Json]:
        """List every variant's card: newest source first, then by condition; audits are of now."""
        with self._lock:
            self._refresh()
            cards = [dict(card) for card in self._cards.values()]
        audited = self.catalog.audited_ids()
        for card in cards:
            audits = self.catalog.audits(card["id"]) if card["id"] in audited else ()
            card["audits"] = audits
            card["audit"] = "some" if audits else "none"
            card["said"] = _SAID[majority_of(audits)] if audits else ""
        latest: dict[str, str] = {}
        for card in cards:
            latest[card["sourceKey"]] = max(latest.get(card["sourceKey"], ""), card["created"])
        cards.sort(key=lambda c: (_rank(c["label"]), c["title"], c["superseded"], c["id"]))
        # Stable: the groups are ordered last, and keep what is inside them.
        cards.sort(key=lambda c: (latest[c["sourceKey"]], c["sourceKey"]), reverse=True)
        return cards

    def variant(self, variant_id: str) -> Json:
        """Describe one variant in full, with the boxes it draws.

        Raises:
            PublishError: `not_found`, `damaged`.
        """
        variant = self.catalog.load(variant_id)
        entry = self.catalog.find(variant_id)
        tracks: dict[str, Json] = {}
        if entry is None:  # It was there when it was loaded.
            return {"variants": [], "tracks": {}}

        def address(path: Path) -> str:
            if path.parent == entry.folder:
                return file_address(variant_id, path.name)
            return source_address(variant.provenance.source_sha256)

        data = variant_data(variant, entry, self.catalog, address, tracks)
        data["files"].append(["all files (.zip)", f"/variants/{variant_id}/all.zip"])
        return {"variants": [{**data, "superseded": False}], "tracks": tracks}

    def _refresh(self) -> None:
        folder = self.catalog.root / "variants"
        stamp = folder.stat().st_mtime_ns if folder.is_dir() else 0
        if stamp == self._stamp:
            return
        for entry in self.catalog.entries(known=self._cards):
            self._cards[entry.folder.name] = _card(entry, self.catalog)
        mark_superseded(list(self._cards.values()))
        # A disk's clock ticks coarsely: what was published in the same tick must not be missed.
        self._stamp = stamp if time.time_ns() - stamp > _TICK_NS else -1


def file_address(variant_id: str, name: str) -> str:
    """Address a variant's file, as the HTTP interface serves it."""
    return f"/v1/variants/{variant_id}/files/{name}"


def source_address(sha256: str) -> str:
    """Address the copy of a source that a browser plays."""
    return f"/sources/{sha256[:16]}/source.mp4"


def chosen_filters(query: QueryParams) -> dict[str, list[str]]:
    """Read filters from an address; what is not known is left out."""
    found = {name: query.getlist(name) for name in FILTERS if query.getlist(name)}
    return {**found, **({"earlier": ["1"]} if query.get("earlier") else {})}


def narrowed(cards: Iterable[Json], filters: Mapping[str, list[str]]) -> list[Json]:
    """Keep the cards that fit every filter."""
    wanted = {name: set(values) for name, values in filters.items() if name != "earlier"}
    return [
        card
        for card in cards
        if (not card["superseded"] or "earlier" in filters)
        and all(card[name] in values for name, values in wanted.items())
    ]


def facets(cards: list[Json]) -> dict[str, Any]:
    """Count what the filters can narrow to."""
    newest = [card for card in cards if not card["superseded"]]
    labels = Counter(card["label"] for card in newest)
    return {
        "state_counts": Counter(card["state"] for card in newest),
        "labels": [name for name in LABEL_ORDER if labels[name]],
        "models": sorted({card["model"] for card in newest}),
        "sources": sorted({(card["sourceKey"], card["sourceName"]) for card in newest}, key=lambda s: s[1]),
        "earlier_count": len(cards) - len(newest),
    }


def notes_of(cards: Iterable[Json]) -> list[str]:
    """Collect what world models say has to be said wherever their results are shown."""
    return sorted({card["note"] for card in cards} - {""})


def blinded(data: Json) -> Json:
    """Leave out of a variant's data what would tell the verdict, the model, or what others said."""
    shown = {name: data[name] for name in _TOLD}
    empty: Json = {"state": "", "model": "", "recognised": "", "blocked": "", "madeBy": "", "scale": ""}
    lists: Json = {name: [] for name in ("findings", "unusable", "provenance", "files", "audits")}
    return {**shown, **empty, **lists, "created": "", "superseded": False, "blind": True}


def _card(entry: Published, catalog: Catalog) -> Json:
    record = entry.record
    verdict = read_value(entry.folder / "verdict.json", Verdict)
    provenance = json.loads((entry.folder / "provenance.json").read_bytes())
    source = catalog.source(record.source_sha256)
    uri = source.uri if source is not None else ""
    return {
        "id": record.id,
        "spec": record.spec.identity[:16],
        "created": record.created,
        "title": title_of(record.spec),
        "label": label_of(record.spec),
        "details": list(details_of(record.spec)),
        "state": record.state,
        "model": record.model,
        "note": str(provenance.get("model_note", "")),
        "recognised": verdict.recognised.replace("_", " "),
        "sourceKey": record.source_sha256[:16],
        "sourceSha": record.source_sha256,
        "sourceName": Path(uri).name or uri or record.source_sha256[:12],
        "hasSource": catalog.source_video(record.source_sha256) is not None,
        "thumbnail": file_address(record.id, "thumbnail.jpg") if entry.thumbnail else "",
        "video": file_address(record.id, "variant.mp4") if entry.video else "",
        "frames": record.candidate.video.frames,
        "fps": record.candidate.video.fps,
        "findings": [finding_data(f) for f in sorted(verdict.findings, key=lambda f: f.passed is not False)],
        "superseded": False,
    }


def _rank(label: str) -> int:
    return LABEL_ORDER.index(label) if label in LABEL_ORDER else len(LABEL_ORDER)

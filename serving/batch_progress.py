"""Progress of batches, read from the catalogue: what bulk has published is there, whoever asks."""

import threading
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from worldgen.catalog import Catalog
from worldgen.config.specs import parse_specs
from worldgen.wire import BatchLine


@dataclass(frozen=True, slots=True)
class _Made:
    """What is known of a published variant."""

    id: str
    source: str
    """sha256 of its content."""
    spec: str
    model: str
    state: str


@dataclass(frozen=True, slots=True)
class BatchFound:
    """What the catalogue holds of a batch."""

    counts: dict[str, int]
    """State -> variants, or specs without one."""
    variant_ids: frozenset[str]


class BatchProgress:
    """Counts what the catalogue holds of a batch; safe for several threads.

    A published variant never changes, so each record is read once per process.

    Args:
        catalog: Where bulk publishes.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._made: dict[str, _Made] = {}
        self._uris: dict[str, str] = {}
        self._lock = threading.Lock()

    def found(self, lines: tuple[BatchLine, ...], model: str) -> BatchFound:
        """Name and count the variants of a batch by verdict, and its specs without a variant by reason.

        Args:
            lines: Of the batch, with whole paths.
            model: That makes it.
        """
        with self._lock:
            self._read()
            by_source = self._by_source(model)
        counts: Counter[str] = Counter()
        names: set[str] = set()
        for line in lines:
            ends = by_source.get(self._content_of(Path(line.source)), {})
            ended = [ends[spec] for spec in _specs(line.specs, line.seed) if spec in ends]
            counts.update(state for state, _ in ended)
            names.update(name for _, name in ended if name)
        return BatchFound(dict(counts), frozenset(names))

    def _read(self) -> None:
        for entry in self._catalog.entries(known=self._made):
            record = entry.record
            self._made[entry.folder.name] = _Made(
                record.id, record.source_sha256, record.spec.identity, record.model, record.state
            )
            source = self._catalog.source(record.source_sha256)
            if source is not None:
                self._uris[source.uri] = record.source_sha256

    def _by_source(self, model: str) -> dict[str, dict[str, tuple[str, str]]]:
        """Source -> spec -> how it ended, and the variant's id, empty for a failure."""
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for failure in self._catalog.failures():
            state = failure.code.partition(".")[2] if failure.is_expected else "failed"
            source = str(failure.details.get("source_sha256", ""))
            found.setdefault(source, {})[failure.spec.identity] = state, ""
        for made in self._made.values():
            if made.model == model:
                found.setdefault(made.source, {})[made.spec] = made.state, made.id
        return found

    def _content_of(self, path: Path) -> str:
        """Say what a file holds as far as anybody has read it; while it is being worked on, by its name."""
        try:
            about = path.stat()
        except OSError:
            return "-"
        known = self._catalog.sources.digest_of(str(path), about.st_size, str(about.st_mtime_ns))
        return known or self._uris.get(str(path), "-")


@lru_cache(4096)
def _specs(texts: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Name the specs of a line, each once; they were read before the batch was accepted."""
    return tuple({spec.identity: None for text in texts for spec in parse_specs(text, seed=seed)})

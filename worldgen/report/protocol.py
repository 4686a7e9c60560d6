"""What a set of results is to the page; `worldgen.catalog.Catalog` is one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from worldgen.datatypes import Audit, Failure, Source, Variant


class Shown(Protocol):
    """A variant's files."""

    @property
    def id(self) -> str:
        """The variant's id."""
        ...

    @property
    def folder(self) -> Path:
        """Where its files are."""
        ...

    @property
    def video(self) -> Path | None:
        """The file that users get."""
        ...

    @property
    def thumbnail(self) -> Path | None:
        """A small picture of it."""
        ...

    @property
    def labels(self) -> Mapping[str, Path]:
        """File name -> path of every labels file."""
        ...


class Results(Protocol):
    """Variants, failures, sources and audits in one folder."""

    root: Path

    def entries(self) -> Iterator[Shown]:
        """Yield every variant's files."""
        ...

    def find(self, variant_id: str) -> Shown | None:
        """Look a variant up."""
        ...

    def load(self, variant_id: str) -> Variant:
        """Read a variant."""
        ...

    def failures(self) -> tuple[Failure, ...]:
        """Read every spec that has no variant."""
        ...

    def source(self, sha256: str) -> Source | None:
        """Read the description of a source."""
        ...

    def source_video(self, sha256: str) -> Path | None:
        """Find a source's playable copy."""
        ...

    def audits(self, variant_id: str) -> tuple[Audit, ...]:
        """Read what people said about a variant."""
        ...

    def add_audits(self, audits: tuple[Audit, ...]) -> tuple[Audit, ...]:
        """Store what people said; return what is new."""
        ...

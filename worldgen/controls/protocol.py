"""What an extractor is: it turns a source into material, once for all specs."""

from typing import Protocol

from worldgen.datatypes import ControlKind, Material, Source


class Extractor(Protocol):
    """Makes geometry and control maps of a source, and estimates its condition."""

    def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Make what a world model needs.

        Raises:
            ExtractError: Something needed could not be made.
            SourceError: The source does not hold what it promised.
        """
        ...

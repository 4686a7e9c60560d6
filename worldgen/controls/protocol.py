"""What an extractor is: it turns a source into material, once for all specs."""

from typing import Protocol

from worldgen.datatypes import ControlKind, Material, Source


class Extractor(Protocol):
    """Makes geometry and control maps of a source, and estimates its condition.

    Every implementation passes tests/contract/test_extractor.py unchanged.
    """

    def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Make what a world model needs.

        The same source and kinds give the same material; its `recipe` is what `recipe` returns.

        Raises:
            ExtractError: Something needed could not be made.
            SourceError: The source does not hold what it promised.
        """
        ...

    def recipe(self, source: Source, kinds: frozenset[ControlKind]) -> str:
        """Name how the material of a source is made, without decoding anything.

        Part of every variant's identity: it covers the kinds, their parameters, the revision of the
        extractor and of its networks, and what the user laid beside the source.
        """
        ...

"""The shared cache: what depends on the source or the text alone is computed once, by content, and kept.

Sharing is by content address, not by call order: a key names what went in (digests) and what made it (the
checkpoint), so that variants of one source find each other's work whoever comes first.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class SharedCache:
    """A bounded cache with counters; the least recently used leaves first.

    Args:
        max_bytes: Bound of what is kept. Zero keeps nothing: every call computes.
    """

    def __init__(self, max_bytes: int = 2 << 30) -> None:
        self.max_bytes = max_bytes
        self.counts: Counter[str] = Counter()
        """`<kind>_made`, `<kind>_shared`, and `<kind>_repeated`: made again although made before."""
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._seen: set[Hashable] = set()

    @property
    def bytes_held(self) -> int:
        """How much is kept now."""
        return self._bytes

    def get(self, kind: str, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` gives for `key`, computed at most once while it is kept.

        Args:
            kind: Of what; part of the key and the counters' name.
            key: Names all that the value depends on.
            make: Computes the value: tensors, or (nested) tuples, lists and named tuples of tensors.
        """
        name = (kind, key)
        found = self._held.get(name)
        if found is not None:
            self._held.move_to_end(name)
            self.counts[f"{kind}_shared"] += 1
            return found[0]  # type: ignore[no-any-return]  # keys carry the type
        value = make()
        self.counts[f"{kind}_made"] += 1
        if name in self._seen:
            self.counts[f"{kind}_repeated"] += 1
        self._seen.add(name)
        self._keep(name, value)
        return value

    def clear(self) -> None:
        """Let go of everything; counters and the memory of what was made stay."""
        self._held.clear()
        self._bytes = 0

    def since(self, before: Counter[str]) -> dict[str, int]:
        """Count what happened since `before`, a copy of `counts`."""
        return {name: count - before[name] for name, count in sorted(self.counts.items())}

    def _keep(self, name: Hashable, value: object) -> None:
        size = bytes_of(value)
        if size > self.max_bytes:
            return
        self._held[name] = (value, size)
        self._bytes += size
        while self._bytes > self.max_bytes:
            _, (_, gone) = self._held.popitem(last=False)
            self._bytes -= gone


def bytes_of(value: object) -> int:
    """Weigh tensors and arrays, in containers too."""
    if isinstance(value, tuple | list):
        return sum(bytes_of(item) for item in value)
    return int(getattr(value, "nbytes", 0))

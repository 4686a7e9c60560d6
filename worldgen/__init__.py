"""worldgen: variants of driving clips whose labels are still true, each with measured proof.

Light on purpose: importing it loads neither torch nor ray nor OpenCV.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from worldgen.assembly import augment, judge
    from worldgen.client import AsyncClient, Client
    from worldgen.datatypes import Spec

_HOMES = {
    "augment": "worldgen.assembly",
    "judge": "worldgen.assembly",
    "AsyncClient": "worldgen.client",
    "Client": "worldgen.client",
    "Spec": "worldgen.datatypes",
}

__all__ = ["AsyncClient", "Client", "Spec", "__version__", "augment", "judge"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- whatever the name stands for
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        message = f"module 'worldgen' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)

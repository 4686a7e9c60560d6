"""Weights: from a pinned reference to a verified folder on this machine.

``find(name)`` gives the folder or says which command fetches it. Nothing is fetched unless `pull` is called,
nothing but safetensors and plain text is ever fetched, and nothing counts before its sha256 is right.
"""

from worldgen.weights.manifest import (
    FilePin,
    Manifest,
    WeightsEntry,
    find_checkpoints,
    load_manifest,
)
from worldgen.weights.pull import pin_of, pin_of_folder, pull
from worldgen.weights.store import Receipt, Store, default_root
from worldgen.weights.verify import Standing, checkpoint_of, find, refuse_pickles, standing_of, verify

__all__ = [
    "FilePin",
    "Manifest",
    "Receipt",
    "Standing",
    "Store",
    "WeightsEntry",
    "checkpoint_of",
    "default_root",
    "find",
    "find_checkpoints",
    "load_manifest",
    "pin_of",
    "pin_of_folder",
    "pull",
    "refuse_pickles",
    "standing_of",
    "verify",
]

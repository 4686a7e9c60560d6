"""What a world model is: a profile, and a generator of progress that ends in a candidate."""

import threading
from collections.abc import Iterator
from typing import Protocol

from worldgen.datatypes import Candidate, GenerationPlan, ModelProfile, Progress


class WorldModel(Protocol):
    """Repaints a source as a plan says.

    Every implementation passes tests/contract/test_world_model.py unchanged.
    """

    profile: ModelProfile

    def generate(self, plan: GenerationPlan, stop: threading.Event) -> Iterator[Progress | Candidate]:
        """Yield `Progress` after every step, then exactly one `Candidate`.

        The same plan gives the same file on the same machine. `stop` is looked at after every step; once
        set, `Cancelled` is raised within one step, memory is freed and no file is left.

        Raises:
            GenerationError: The model failed; nothing half-written is left.
            Cancelled: `stop` was set.
        """
        ...

"""Named places where a test may kill this process, so that crash safety is tried and not argued."""

import os
import signal
from typing import Final

VARIABLE: Final = "WORLDGEN_FAILPOINT"
"""Environment variable that names the one place to die at; unset in every normal run."""


def failpoint(name: str) -> None:
    """Kill this process at once, without any clean-up, when it was asked to die here.

    SIGKILL cannot be caught, so nothing after this line runs: no `finally`, no buffer is flushed.
    """
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)

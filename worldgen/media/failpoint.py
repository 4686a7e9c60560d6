"""Named places where a test may kill this process, so that crash safety is tried and not argued."""

import os
import signal
from pathlib import Path
from typing import Final

VARIABLE: Final = "WORLDGEN_FAILPOINT"
"""Environment variable that names the one place to die at; unset in every normal run."""

FILE_VARIABLE: Final = "WORLDGEN_FAILPOINT_FILE"
"""Environment variable that names a file with the place to die at, for kills while a service runs: the first
process that gets there takes the file away and dies, so a process that is started again lives."""


def failpoint(name: str) -> None:
    """Kill this process at once, without any clean-up, when it was asked to die here.

    SIGKILL cannot be caught, so nothing after this line runs: no `finally`, no buffer is flushed.
    """
    if os.environ.get(VARIABLE) == name or (FILE_VARIABLE in os.environ and _armed(name)):
        os.kill(os.getpid(), signal.SIGKILL)


def _armed(name: str) -> bool:
    path = Path(os.environ[FILE_VARIABLE])
    try:
        if path.read_text().strip() != name:
            return False
        path.rename(path.with_name(f"{path.name}.{os.getpid()}"))
    except OSError:
        return False
    return True

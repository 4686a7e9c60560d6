"""The memory of a replica's GPUs, measured in the replica and told to the store for /metrics."""

import logging
import os
import socket
import sys
import threading
from typing import Final

from serving.store.database import Database
from serving.store.readings import FRESH_SECONDS, Reading, Readings
from worldgen.errors import WorldgenError

NAME: Final = "worldgen_gpu_memory_bytes"

_log = logging.getLogger("worldgen.serving")


def gpu_memory() -> tuple[Reading, ...]:
    """Measure every GPU that this process sees: bytes in use, by whomever, and bytes there are.

    None without a GPU, and none before the world model has loaded torch, which is not loaded for this.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ()
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        # A number would be that of this process: Ray shows each replica its own GPUs as 0, 1, ...
        device = f"GPU-{torch.cuda.get_device_properties(index).uuid}"
        for kind, size in (("used", total - free), ("total", total)):
            found.append(Reading(name=NAME, labels={"device": device, "kind": kind}, value=float(size)))
    return tuple(found)


class GpuReporter:
    """Tells the store every few seconds, in a thread; of no GPU it tells nothing and opens no database.

    Args:
        database_url: Of the store.
        seconds: Between two readings.
    """

    def __init__(self, database_url: str, *, seconds: float = FRESH_SECONDS / 4) -> None:
        self._url = database_url
        self._seconds = seconds
        self._process = f"{socket.gethostname()[:60]}-{os.getpid()}"
        self._readings: Readings | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="worldgen-gpu-memory", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop telling."""
        self._stop.set()

    def tell(self) -> None:
        """Measure and tell once."""
        found = gpu_memory()
        if not found:
            return
        if self._readings is None:
            self._readings = Readings(Database(self._url))
        self._readings.tell(self._process, found)

    def _work(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self.tell()
            except (WorldgenError, RuntimeError):
                _log.warning("the memory of the GPU was not told", exc_info=True)

"""What a running service says of itself, for `worldgen status`."""

from typing import Any

import httpx2

from worldgen.errors import ServiceError
from worldgen.wire import FINAL


def status_of(url: str, *, seconds: float = 10.0) -> dict[str, Any]:
    """Ask a service whether it is ready and what its latest jobs are doing.

    Returns:
        ``state`` (ready, loading, broken), ``why``, ``notes`` on what is configured without effect, and
        ``jobs`` that have not ended, newest first; with keys on, the jobs are not told.

    Raises:
        ServiceError: `unreachable`.
    """
    try:
        ready = httpx2.get(f"{url}/readyz", timeout=seconds)
        page = httpx2.get(f"{url}/v1/jobs", timeout=seconds)
    except httpx2.TransportError as error:
        message = f"nothing answers at {url} yet: {type(error).__name__}"
        raise ServiceError(message, reason="unreachable", hint="it may still be starting") from error
    found = ready.json()
    jobs = page.json().get("data", []) if page.status_code == 200 else []
    return {
        "state": found.get("state", "broken"),
        "why": found.get("why", ""),
        "notes": found.get("notes", []),
        "jobs": [job for job in jobs if job["state"] not in FINAL],
    }

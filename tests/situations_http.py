"""A service of one process on a real port: uvicorn, the real stores, and a worker with the fake world model."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from serving.config import ModelConfig, ServiceConfig
from serving.http.app import build_http
from serving.near import NearBackend
from worldgen.wire import FINAL


@dataclass
class Running:
    """A running service and a client for it."""

    url: str
    config: ServiceConfig
    backend: NearBackend
    http: httpx2.Client

    def key(self, *scopes: str, **limits: Any) -> tuple[str, dict[str, str]]:
        """Make a key; returns its id and the headers that carry it."""
        key, token = self.backend.keys.create("test", frozenset(scopes), **limits)
        return key.id, {"Authorization": f"Bearer {token}"}

    def upload(self, path: Path, headers: dict[str, str] | None = None) -> str:
        """Upload a file; returns its address."""
        content = path.read_bytes()
        name = hashlib.sha256(content).hexdigest()
        answer = self.http.put(f"/v1/blobs/{name}", content=content, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        return f"blob:{name}"

    def submit(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx2.Response:
        """Submit a job."""
        return self.http.post("/v1/jobs", json=body, headers=headers)

    def wait(
        self, job_id: str, headers: dict[str, str] | None = None, seconds: float = 90.0
    ) -> dict[str, Any]:
        """Wait for a job to end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = self.http.get(f"/v1/jobs/{job_id}", headers=headers).json()
            if status["state"] in FINAL:
                return status
            time.sleep(0.1)
        raise AssertionError(f"still {status}")


@contextmanager
def running(out: Path, *, works: bool = True, **settings: Any) -> Iterator[Running]:
    """Start a service on a free port, and stop it.

    Args:
        out: Folder of results.
        works: Whether jobs are worked on; without, they wait.
        settings: Of the service.
    """
    model = ModelConfig(name=settings.pop("model", "fake"), parameters=settings.pop("parameters", {}))
    config = ServiceConfig(out=out, models=(model,), **settings)
    backend = NearBackend(config)
    server = uvicorn.Server(
        uvicorn.Config(
            build_http(config, backend),
            host="127.0.0.1",
            port=0,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
    )
    if works:
        backend.start()
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx2.Client(base_url=url, timeout=60.0) as http:
            yield Running(url, config, backend, http)
    finally:
        server.should_exit = True
        thread.join(20.0)
        backend.close()

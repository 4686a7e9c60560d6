"""A browser for the pages: Chromium of the system, driven by Playwright; and servers on real ports."""

import shutil
import socket
import threading
import time
from contextlib import contextmanager

import pytest


@pytest.fixture(scope="session")
def browser():
    """Start Chromium once; skip with the reason where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if found is None:
        pytest.skip("no Chromium here: install the package `chromium`")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def listening(app):
    """Serve an application with uvicorn on a port of the system's choice, and stop it."""
    uvicorn = pytest.importorskip("uvicorn", reason="the serve extra is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        ends = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < ends, "the server did not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@contextmanager
def looked_at(browser, address="", **options):
    """Open a fresh profile; what the page logs, and any request elsewhere, fails the test."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    own = (address, "blob:", "data:")
    page.on("request", lambda r: problems.append(r.url) if not r.url.startswith(own) else None)
    page.problems = problems
    yield page
    assert problems == []
    context.close()


@pytest.fixture(scope="session")
def serve():
    """How a test starts an application."""
    return listening


@pytest.fixture
def look(browser):
    """How a test opens a page of a server."""
    return lambda address, **options: looked_at(browser, address, **options)

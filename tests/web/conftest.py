"""A browser for the pages: Chromium of the system, driven by Playwright."""

import shutil

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

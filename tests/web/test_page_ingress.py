"""The page over the real ingress, in one process: keys, cookie, upload, job, variant, audit."""

import httpx2
import pytest

from tests.situations_jobs import small_clip
from tests.web.looking import wait_until


def test_a_person_with_a_key_gets_from_a_clip_to_an_audit(tmp_path, serve, look):
    near = pytest.importorskip("serving.near", reason="there is no ingress in one process")
    from serving.config import ServiceConfig
    from serving.http.app import build_http
    from serving.web import Sessions, add_ingress_page

    config = ServiceConfig(out=tmp_path / "runs", http={"keys": "on"})
    config.out.mkdir()
    backend = near.NearBackend(config)
    _, token = backend.keys.create("ada", frozenset({"submit", "read", "audit"}))
    _, other = backend.keys.create("bob", frozenset({"read"}))
    sessions = Sessions(backend.keys.session_secret())
    app = build_http(config, backend, sessions=sessions)
    add_ingress_page(app, sessions)
    clip = small_clip(tmp_path / "drive.mp4", frames=8)
    backend.start()
    try:
        with serve(app) as address, look(address) as page:
            page.goto(address)
            page.get_by_label("Key").fill(token)
            page.get_by_label("Key").press("Enter")
            page.wait_for_url(f"{address}/")
            page.locator("#file").set_input_files(clip)
            page.locator("#words").fill("fog 80 m")
            page.get_by_role("button", name="Submit").click()
            page.wait_for_url("**/jobs/*")
            wait_until(page, "document.getElementById('job').dataset.state === 'completed'", seconds=120)
            page.locator("#made .card a").click()
            wait_until(page, "document.getElementById('video-variant')?.readyState >= 2")
            wait_until(page, "document.getElementById('video-source').readyState >= 2")
            variant = page.url
            page.keyboard.press("a")
            wait_until(page, "document.getElementById('people').children.length === 1")
            assert "ada accepted" in page.locator("#people").inner_text()
            assert "drive.mp4" in page.locator("#player-details").inner_text(), "the upload's own name"
            page.goto(f"{address}/gallery")
            assert page.locator(".source-card h2").inner_text() == "drive.mp4"
            page.get_by_role("button", name="Sign out").click()
            page.get_by_label("Key").fill(other)
            page.get_by_label("Key").press("Enter")
            page.wait_for_url(f"{address}/")
            assert page.request.get(variant).status == 404
    finally:
        backend.close()


def test_wrong_keys_are_slowed_down_by_address(tmp_path, serve):
    near = pytest.importorskip("serving.near", reason="there is no ingress in one process")
    from serving.config import ServiceConfig
    from serving.ingress import build_ingress

    config = ServiceConfig(out=tmp_path / "runs", http={"keys": "on"})
    config.out.mkdir()
    backend = near.NearBackend(config)
    _, token = backend.keys.create("ada", frozenset({"read"}))
    with serve(build_ingress(config, backend)) as address, httpx2.Client(base_url=address) as client:
        for _ in range(12):
            assert client.post("/signin", data={"key": token}).status_code == 303
        wrong = [client.post("/signin", data={"key": f"wg_{n}"}) for n in range(11)]
        assert [answer.status_code for answer in wrong] == [401] * 10 + [429]
        assert 1 <= int(wrong[-1].headers["retry-after"]) <= 60
        assert "service.busy" in wrong[-1].text
        assert client.post("/signin", data={"key": token}).status_code == 429, "guessing goes on"
    backend.close()

"""The service's page: submitting a clip, watching it being made, and signing in."""

import hashlib
import re

import httpx2
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from tests.situations_jobs import small_clip
from tests.web.looking import wait_until
from tests.web.small_service import Key, SmallService
from worldgen.datatypes import Spec


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return small_clip(tmp_path_factory.mktemp("clip") / "drive 1.mp4", frames=8)


def test_a_clip_is_submitted_watched_and_looked_at(tmp_path, clip, serve, look):
    found = SmallService(tmp_path / "out")
    with serve(found.app) as address, look(address) as page:
        page.goto(address)
        page.locator("#file").set_input_files(clip)
        assert page.locator("#file-name").inner_text() == "drive 1.mp4"
        page.get_by_role("button", name="fog", exact=True).click()
        page.get_by_role("button", name="night", exact=True).click()
        wait_until(page, "document.querySelectorAll('#chosen .choice').length === 2")
        page.get_by_role("button", name="night", exact=True).click()
        wait_until(page, "document.querySelectorAll('#chosen .choice').length === 1")
        page.get_by_text("Exact values").click()
        page.get_by_label("Sun above the horizon").fill("-3")
        page.get_by_label("Name").fill("my dusk")
        page.get_by_role("button", name="Add this condition").click()
        wait_until(page, "document.querySelectorAll('#chosen .choice').length === 2")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**/jobs/*")
        assert page.locator("#job h1").inner_text() == "drive 1.mp4", "an upload keeps its name"
        wait_until(page, "document.getElementById('job').dataset.state === 'completed'", seconds=120)
        assert page.locator("#made .card").count() == 2
        assert page.locator("#made h2").all_inner_texts() == ["fog", "my dusk"]
        assert found.uploads == 1
        assert re.fullmatch("[0-9a-f]{32}", found.once[0])
        (job,) = found.all_jobs.values()
        assert job.request.specs == ("fog", Spec(name="my dusk", sun_elevation_deg=-3, seed=0))
        page.get_by_role("link", name="Watch them together").click()
        wait_until(page, "document.getElementById('wall')?.dataset.settled === '0'")
        assert page.locator("#wall video").count() == 3
        page.locator("#wall").get_by_role("link", name="fog").click()
        wait_until(page, "document.getElementById('video-variant')?.readyState >= 2")
        assert (
            page.evaluate("[$('video-variant'), $('video-source')].map(v => v.videoWidth).join()")
            == "160,160"
        )

        # Again: what is there is not uploaded twice.
        page.goto(address)
        page.locator("#file").set_input_files(clip)
        page.locator("#words").fill("dusk")
        page.get_by_text("sun -3", exact=False).wait_for()
        page.locator("#words").press("Enter")
        wait_until(page, "document.querySelectorAll('#chosen .choice').length === 1")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**/jobs/*")
        assert found.uploads == 1


def test_progress_is_live_on_the_job_and_in_the_queue_and_a_job_can_be_cancelled(tmp_path, clip, serve, look):
    found = SmallService(tmp_path / "out", parameters={"steps": 200, "chunks": 1, "step_seconds": 0.1})
    with serve(found.app) as address, look(address) as page:
        page.goto(address)
        page.locator("#file").set_input_files(clip)
        page.locator("#words").fill("rain 5 mm/h")
        page.get_by_role("radio", name=re.compile("fake")).check()
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**/jobs/*")
        wait_until(page, "document.querySelector('#live progress')?.value > 2", seconds=60)
        before = page.evaluate("document.querySelector('#live progress').value")
        wait_until(page, f"document.querySelector('#live progress').value > {before}")
        assert re.search(r"step \d+ of 200", page.locator("#live").inner_text())
        page.get_by_role("link", name="All jobs").click()
        row = page.locator(".job")
        assert row.count() == 1
        words = row.inner_text()
        assert "running" in words
        wait_until(
            page,
            f"!document.querySelector('.job').innerText.includes({re.search('step [0-9]+', words)[0]!r} + ' ')",
        )
        page.get_by_role("button", name="Cancel this job").click()
        wait_until(page, "document.querySelector('.job').dataset.state === 'cancelled'")
        assert page.locator(".job progress").count() == 0


def test_what_is_wrong_is_said_where_it_was_asked(tmp_path, clip, serve, look):
    found = SmallService(tmp_path / "out")
    with serve(found.app) as address, look(address) as page:
        page.goto(address)
        page.get_by_role("button", name="Submit").click()
        assert "Choose a clip" in page.locator("#problem").inner_text()
        page.locator("#source").fill("/etc/passwd")
        page.get_by_role("button", name="Submit").click()
        assert "at least one condition" in page.locator("#problem").inner_text()
        page.locator("#words").fill("frog")
        page.locator("#meaning .problem").wait_for()
        assert "did you mean" in page.locator("#meaning").inner_text()
        page.locator("#words").fill("fog")
        page.get_by_role("button", name="Submit").click()
        page.get_by_text("outside the folders").wait_for()
        assert page.locator("#go").is_enabled()
        assert not found.all_jobs
        page.get_by_text("Exact values").click()
        page.get_by_label("Rain", exact=False).first.fill("1000")
        page.get_by_role("button", name="Add this condition").click()
        page.locator("#exact-problem .problem").wait_for()
        assert "rain_mm_h" in page.locator("#exact-problem").inner_text()
        # The browser reports refusals (4xx) in its console; nothing else may be there.
        assert all(re.search("40[03]", problem) for problem in page.problems), page.problems
        page.problems.clear()


def test_with_keys_on_a_key_is_exchanged_for_a_cookie_that_scripts_cannot_read(tmp_path, clip, serve, look):
    keys = {"wg_one": Key("ada"), "wg_two": Key("bob", frozenset({"read"}))}
    found = SmallService(tmp_path / "out", keys=keys)
    with serve(found.app) as address, look(address) as page:
        page.goto(f"{address}/gallery?label=fog")
        assert page.locator("nav.site-nav").count() == 0
        page.get_by_label("Key").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").wait_for()
        assert [p for p in page.problems if "401" not in p] == []
        page.problems.clear()
        page.get_by_label("Key").fill("wg_one")
        page.get_by_label("Key").press("Enter")
        page.wait_for_url("**/gallery?label=fog")
        (cookie,) = page.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
        assert "wg_one" not in cookie["value"]
        assert page.evaluate("document.cookie") == ""
        page.goto(address)
        page.locator("#file").set_input_files(clip)
        page.get_by_role("button", name="dusk", exact=True).click()
        wait_until(page, "document.querySelectorAll('#chosen .choice').length === 1")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**/jobs/*")
        wait_until(page, "document.getElementById('job').dataset.state === 'completed'", seconds=120)
        job_url = page.url
        page.locator("#made .card a").click()
        wait_until(page, "document.getElementById('video-variant')?.readyState >= 2")
        assert page.locator("#auditor").count() == 0, "who audits is known from the key"
        page.keyboard.press("a")
        wait_until(page, "document.getElementById('people').children.length === 1")
        assert "ada accepted" in page.locator("#people").inner_text()
        variant_url = page.url
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/signin")
        assert page.context.cookies() == []
        page.get_by_label("Key").fill("wg_two")
        page.get_by_label("Key").press("Enter")
        page.wait_for_url(f"{address}/")
        assert page.locator("#submit").count() == 0, "this key may only read"
        for other in (job_url, variant_url):
            assert page.request.get(other).status == 404, "a key sees only what its jobs made"
        page.goto(f"{address}/gallery")
        assert page.locator(".card").count() == 0


def test_another_site_cannot_make_the_browser_change_anything(tmp_path, serve):
    found = SmallService(tmp_path / "out", keys={"wg_one": Key("ada")})
    cookie = {"worldgen_session": found.sessions.issue("ada")}
    form = {"words": "fog"}
    with serve(found.app) as address, httpx2.Client(base_url=address, cookies=cookie) as client:
        assert client.get("/").status_code == 200
        assert client.post("/specs", data=form).status_code == 200
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
            assert client.post("/specs", data=form, headers=headers).status_code == 403
            assert client.post("/signout", headers=headers).status_code == 403
        sent = client.post("/signin", data={"key": "wg_one", "next": "//elsewhere.example/"})
        assert sent.status_code == 303
        assert sent.headers["location"] == "/"


def test_every_page_carries_a_strict_policy_and_nothing_inline(tmp_path, serve):
    found = SmallService(tmp_path / "out")
    with serve(found.app) as address, httpx2.Client(base_url=address) as client:
        for path in ("/", "/gallery", "/set", "/audit", "/variants/none"):
            answer = client.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            inline = re.findall(
                r"<script(?![^>]*(?:src=|application/json))|<style|\son\w+=|\sstyle=|javascript:", answer.text
            )
            assert inline == []
            for kind in ("src", "href"):
                assert all(a.startswith(("/", "#")) for a in re.findall(rf'{kind}="([^"]*)"', answer.text))
        assert client.get("/variants/none").status_code == 404
        assert client.get("/static/any/none.js").status_code == 404
        style = re.search(r'href="(/static/[^"]+css)"', client.get("/").text)[1]
        assert "immutable" in client.get(style).headers["cache-control"]


def test_the_browser_names_any_file_by_the_same_sha256(tmp_path, serve, look):
    sizes = (0, 1, 55, 56, 63, 64, 65, 119, 120, 128, (4 << 20) + 7)
    found = SmallService(tmp_path / "out")
    with serve(found.app) as address, look(address) as page:
        page.goto(address)
        for size in sizes:
            got = page.evaluate(
                """async (size) => Promise.all(["", "#pieces"].map(async (how) => {
                  const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 255);
                  const worker = new Worker(document.getElementById("submit").dataset.hash + how);
                  return new Promise((resolve, reject) => {
                    worker.onmessage = ({ data }) => { if (data.sha256) resolve(data.sha256); else if (data.wrong) reject(data.wrong); };
                    worker.postMessage(new Blob([bytes]));
                  });
                }))""",
                size,
            )
            i = np.arange(size, dtype=np.int64)
            named = hashlib.sha256(((i * 7 + (i >> 8)) & 255).astype(np.uint8).tobytes()).hexdigest()
            assert got == [named, named], f"{size} bytes, by the browser and in pieces"

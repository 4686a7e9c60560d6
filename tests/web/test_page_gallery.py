"""The service's page: gallery, player, wall and the set, used as a person uses them, on a real port."""

import csv
import io
import json
import re
import zipfile

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from tests.situations_results import a_set_of_results
from tests.web.looking import (
    CONTRAST,
    UNNAMED,
    counter_of,
    picture,
    shown_frames,
    wait_for_frames,
    wait_until,
)
from tests.web.small_service import SmallService


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    made = a_set_of_results(folder / "made")
    found = SmallService(folder / "out")
    for variant in made.variants:
        found.catalog.publish(variant, made.source)
    for failure in made.failures:
        found.catalog.record_failure(failure)
    return found, {v.spec.name: v for v in made.variants}


@pytest.fixture(scope="module")
def address(service, serve):
    with serve(service[0].app) as url:
        yield url


@pytest.fixture
def page(look, address):
    with look(address) as opened:
        opened.goto(f"{address}/gallery")
        yield opened


def open_variant(page, name: str, layout: str = "2") -> None:
    page.get_by_role("link", name=re.compile(f"^{name},")).click()
    wait_until(page, "document.getElementById('video-variant')?.readyState >= 2")
    page.keyboard.press(layout)
    wait_until(page, "!pair.seeking")


def test_the_gallery_shows_source_and_variants_with_their_verdicts(page):
    assert page.locator(".card[data-id]").count() == 6
    assert page.locator(".source-card").count() == 1
    assert page.locator(".card .badge.rejected").count() == 2
    assert "car 1 has no structure left in frames 12 to 20" in page.locator("#grid").inner_text()
    wait_until(
        page, "[...document.querySelectorAll('.card img')].every(i => i.complete && i.naturalWidth > 0)"
    )
    wait_until(page, "document.querySelector('.source-card video').readyState >= 1")


def test_filters_narrow_the_gallery_and_live_in_the_address(page, address):
    page.locator(".chip", has_text="rejected").click()
    wait_until(page, "document.querySelectorAll('.card[data-id]').length === 2")
    page.locator(".chip", has_text="rain").click()
    wait_until(page, "document.querySelectorAll('.card[data-id]').length === 1")
    assert page.locator("#shown").inner_text().startswith("1 of 6 shown")
    assert page.url == f"{address}/gallery?state=rejected&label=rain"
    page.reload()
    assert page.locator(".card[data-id] h2").all_inner_texts() == ["heavy rain"], "the address can be shared"
    page.get_by_role("link", name="heavy rain, rejected").click()
    assert "1 of 1" in page.locator("#position").inner_text(), "the player goes on within the filter"
    page.keyboard.press("Escape")
    page.wait_for_url("**/gallery?state=rejected&label=rain")
    page.get_by_role("link", name="Clear filters").click()
    page.wait_for_url("**/gallery")
    assert page.locator(".card[data-id]").count() == 6


def test_both_videos_show_the_same_frame_after_seek_and_step(page):
    open_variant(page, "fog at 120 m")
    wait_for_frames(page, 0)
    page.keyboard.press("ArrowRight")
    wait_for_frames(page, 1)
    page.keyboard.press("Shift+ArrowRight")
    wait_for_frames(page, 11)
    page.locator("#seek").fill("29")
    wait_for_frames(page, 29)
    page.keyboard.press("End")
    wait_for_frames(page, 35)


def test_playing_keeps_both_on_one_clock(page):
    open_variant(page, "fog at 120 m")
    page.keyboard.press(" ")
    wait_until(page, "pair.isPlaying && pair.frame > 3")
    seen = [shown_frames(page) for _ in range(8)]
    assert sum(source == variant for source, variant in seen) >= 6, seen
    assert len({variant for _, variant in seen}) > 2, "it really plays"
    page.keyboard.press(" ")
    wait_until(page, "!pair.isPlaying && !pair.seeking")
    wait_for_frames(page, page.evaluate("pair.frame"))


def test_the_wipe_shows_decoded_pixels_of_both_at_the_same_frame(page):
    open_variant(page, "night", layout="1")
    page.keyboard.press("b")
    page.locator("#seek").fill("21")
    wait_until(page, "!pair.seeking")
    stage = page.locator("#stage").bounding_box()
    line = stage["y"] + stage["height"] * 0.8
    page.mouse.move(stage["x"] + stage["width"] * 0.5, line)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] * 0.25, line, steps=4)
    page.mouse.up()
    seen = picture(page, "#stage")
    edge = int(seen.shape[1] * 0.25)
    columns = seen.mean(axis=(0, 2))
    left, right = columns[edge - 60 : edge - 20].mean(), columns[edge + 20 : edge + 60].mean()
    assert left > right * 2, "night lies to the right of the line, day to its left"
    page.locator("#wipe").focus()
    for key, mood in (("End", "source"), ("Home", "variant")):
        page.keyboard.press(key)
        page.wait_for_timeout(80)
        bits = picture(page, "#stage")
        # At night the counter's white is grey: what is brighter than its black.
        row = bits[int(12 * bits.shape[1] / 640 * 0.3), :, :].mean(-1)
        cell = 12 * bits.shape[1] / 640
        levels = np.array([row[int((k + 0.5) * cell)] for k in range(8)])
        number = sum((v > levels.max() / 2) << (7 - k) for k, v in enumerate(levels))
        assert number == 21, mood


def test_a_finding_leads_to_its_frame(page):
    open_variant(page, "heavy rain")
    page.get_by_role("button", name=re.compile("car 1 has no structure")).click()
    wait_for_frames(page, 12)
    assert page.locator(".marks span").count() == 2
    page.get_by_role("button", name=re.compile("frames 25 to 27 repeat")).click()
    # The whole picture is the place, and its rim covers the counter.
    wait_until(page, "!pair.seeking && pair.frame === 25")


def test_the_keyboard_reaches_every_variant_and_everything_on_it(page):
    names = page.locator(".card[data-id] h2").all_inner_texts()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.card[data-id]') !== null"):
            break
    page.keyboard.press("Enter")
    for name in [*names, names[0]]:
        wait_until(page, f"document.getElementById('player-title')?.textContent === {json.dumps(name)}")
        page.keyboard.press("j")
    wait_until(page, f"document.getElementById('player-title')?.textContent === {json.dumps(names[1])}")
    page.keyboard.press("k")
    wait_until(page, f"document.getElementById('player-title')?.textContent === {json.dumps(names[0])}")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_url("**/gallery")


def test_the_wall_shows_all_on_one_clock(page):
    page.locator(".source-card a").click()
    wait_until(page, "document.getElementById('wall')?.dataset.settled === '0'")
    assert page.locator("#wall video").count() == 6
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    wait_until(page, "document.getElementById('wall').dataset.settled === '11'")
    page.wait_for_timeout(150)
    first = picture(page, "#wall li:nth-child(1) video")
    clear = picture(page, "#wall li:nth-child(3) video")
    assert counter_of(first) == counter_of(clear) == 11
    page.keyboard.press(" ")
    wait_until(page, "Number(document.getElementById('wall').dataset.frame) > 14")
    page.keyboard.press(" ")
    wait_until(
        page,
        "document.getElementById('wall').dataset.settled === document.getElementById('wall').dataset.frame",
    )
    page.wait_for_timeout(150)
    stopped = int(page.locator("#wall").get_attribute("data-frame"))
    assert counter_of(picture(page, "#wall li:nth-child(1) video")) == stopped
    assert counter_of(picture(page, "#wall li:nth-child(3) video")) == stopped


def test_the_set_is_plotted_on_the_server(page, address):
    page.goto(f"{address}/set")
    bars = page.locator(".plot svg")
    assert bars.count() == 9
    edges = page.get_by_role("img", name=re.compile("^structure.edges: 4 values from 0.8 to 0.94"))
    assert edges.locator("rect.fill-accepted").count() == 3, "two of the four values are the same"
    assert edges.locator("line").get_attribute("x1") == "3.70"
    assert page.get_by_role("img", name="fog: 1 accepted, 1 review").count() == 1
    text = page.locator("main").inner_text()
    assert "physics cannot remove wet" in text
    assert "generate.out_of_memory" in text


def test_what_can_be_downloaded_is_whole(page, address, service):
    found, variants = service
    page.goto(f"{address}/set")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Table").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    assert {row["id"] for row in rows} == {v.id for v in variants.values()}
    page.goto(f"{address}/gallery")
    open_variant(page, "dense fog")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="all files (.zip)").click()
    folder = found.catalog.find(variants["dense fog"].id).folder
    with zipfile.ZipFile(waiting.value.path()) as archive:
        names = {name.rsplit("/", 1)[1]: name for name in archive.namelist()}
        assert set(names) == {path.name for path in folder.iterdir()}
        assert archive.read(names["variant.mp4"]) == (folder / "variant.mp4").read_bytes()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_it_fits_and_reads_at_every_width_in_both_schemes(look, address, width, scheme):
    with look(address, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        for path in ("/", "/gallery", "/set", "/audit"):
            page.goto(address + path)
            _check(page, f"{path} {width} {scheme}")
            assert page.evaluate("document.documentElement.dataset.theme") == scheme
        page.goto(f"{address}/gallery")
        open_variant(page, "heavy rain", layout="1")
        page.get_by_text("Provenance", exact=True).click()
        _check(page, f"variant {width} {scheme}")
        page.locator("#theme").click()
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") != scheme, "the choice is kept"


def _check(page, where: str) -> None:
    for details in page.locator("main details").all():
        details.evaluate("node => { node.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{where} scrolls sideways"
    assert page.evaluate(CONTRAST) == [], where
    assert page.evaluate(UNNAMED) == [], where

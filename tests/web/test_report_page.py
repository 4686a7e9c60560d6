"""The report page, used as a person uses it: opened from disk, watched, compared, audited."""

import json
import re

import numpy as np
import pytest

from tests.situations_results import a_set_of_results
from tests.web.looking import CONTRAST, UNNAMED, picture, shown_frames, wait_for_frames, wait_until
from worldgen.catalog import Catalog
from worldgen.report import write_report
from worldgen.report.audits import import_audits

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    made = a_set_of_results(folder / "made")
    catalog = Catalog(folder / "out")
    for variant in made.variants:
        catalog.publish(variant, made.source)
    for failure in made.failures:
        catalog.record_failure(failure)
    report = write_report(catalog, folder / "out" / "report.html", title="Drive 1")
    return catalog, report, {v.spec.name: v for v in made.variants}


@pytest.fixture
def page(browser, results):
    """The report in a fresh profile; anything the page logs or asks of a network fails the test."""
    context = browser.new_context(viewport=DESKTOP, accept_downloads=True)
    opened = context.new_page()
    problems: list[str] = []
    opened.on(
        "console",
        lambda message: problems.append(message.text) if message.type in ("error", "warning") else None,
    )
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            problems.append(request.url) if not request.url.startswith(("file:", "blob:", "data:")) else None
        ),
    )
    opened.goto(results[1].as_uri())
    yield opened
    assert problems == []
    context.close()


def open_variant(page, name: str, layout: str = "2") -> None:
    page.get_by_role("link", name=re.compile(f"^{name},")).click()
    wait_until(page, "document.getElementById('video-variant').readyState >= 2")
    page.keyboard.press(layout)
    wait_until(page, "!pair.seeking")


def test_everything_is_listed_with_its_verdict(page):
    assert page.locator(".card").count() == 6
    assert page.locator(".card .badge.rejected").count() == 2
    text = page.locator("main#grid-view").inner_text()
    assert "car 1 has no structure left in frames 12 to 20" in text
    assert "physics cannot remove wet" in text
    assert "spec.no_change" in text
    assert "generate.out_of_memory" in text
    assert page.locator(".card img").evaluate_all(
        "images => images.every(i => i.complete && i.naturalWidth > 0)"
    )


def test_filters_narrow_the_grid_and_can_be_cleared(page):
    page.locator(".chip", has_text="rejected").click()
    assert page.locator(".card:visible").count() == 2
    page.locator(".chip", has_text="rain").click()
    assert page.locator(".card:visible h2").all_inner_texts() == ["heavy rain"]
    assert page.locator("#shown").inner_text() == "1 of 6 shown"
    page.get_by_role("button", name="Clear filters").click()
    page.wait_for_timeout(50)
    assert page.locator(".card:visible").count() == 6
    page.locator(".chip", has_text="fake-diffusion").click()
    assert page.locator(".card:visible").count() == 2


def test_both_videos_show_the_same_frame_after_every_step(page):
    open_variant(page, "fog at 120 m")
    wait_for_frames(page, 0)
    for wanted in (1, 2, 3):
        page.keyboard.press("ArrowRight")
        wait_for_frames(page, wanted)
    page.keyboard.press("Shift+ArrowRight")
    wait_for_frames(page, 13)
    page.keyboard.press("ArrowLeft")
    wait_for_frames(page, 12)
    page.keyboard.press("End")
    wait_for_frames(page, 35)
    page.keyboard.press("Home")
    wait_for_frames(page, 0)


def test_every_frame_can_be_reached(page):
    open_variant(page, "heavy rain")
    for wanted in range(0, 36, 5):
        page.evaluate(f"pair.seek({wanted})")
        wait_for_frames(page, wanted)


def test_playing_keeps_both_on_one_clock(page):
    open_variant(page, "fog at 120 m")
    page.keyboard.press(" ")
    wait_until(page, "pair.isPlaying && pair.frame > 3")
    assert page.locator("#play").get_attribute("aria-label") == "Pause"
    seen = [shown_frames(page) for _ in range(12)]
    assert sum(source == variant for source, variant in seen) >= 10, seen
    assert len({variant for _, variant in seen}) > 3, "it really plays"
    page.keyboard.press(" ")
    wait_until(page, "!pair.isPlaying && !pair.seeking")
    wait_for_frames(page, page.evaluate("pair.frame"))
    assert page.locator("#play").get_attribute("aria-label") == "Play"


def test_playing_to_the_end_starts_again_or_stops(page):
    open_variant(page, "fog at 120 m")
    page.evaluate("pair.seek(33)")
    page.keyboard.press(" ")
    wait_until(page, "pair.isPlaying && pair.frame < 20 && pair.frame > 1", seconds=8)
    page.locator("#loop").uncheck()
    wait_until(page, "!pair.isPlaying && !pair.seeking", seconds=12)
    wait_for_frames(page, 35)


def test_the_wipe_shows_the_source_on_its_left(page):
    open_variant(page, "night", layout="1")
    page.keyboard.press("b")
    stage = page.locator("#stage").bounding_box()
    middle = stage["y"] + stage["height"] * 0.8
    page.mouse.move(stage["x"] + stage["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] * 0.25, middle, steps=4)
    page.mouse.up()
    seen = picture(page, "#stage").mean(axis=(0, 2))
    width = len(seen)
    edge = int(width * 0.25)
    left, right = seen[edge - 60 : edge - 20].mean(), seen[edge + 20 : edge + 60].mean()
    assert left > right * 2, "night lies to the right of the line, day to its left"
    page.locator("#wipe").focus()
    page.keyboard.press("End")
    assert picture(page, "#stage").mean() > 100, "all source"
    page.keyboard.press("Home")
    assert picture(page, "#stage").mean() < 60, "all variant"


def test_a_finding_leads_to_its_frame_and_its_place(page, results):
    open_variant(page, "heavy rain")
    before = picture(page, "#pane-variant")
    page.get_by_role("button", name=re.compile("car 1 has no structure")).click()
    wait_for_frames(page, 12)
    red = (np.abs(picture(page, "#pane-variant").astype(int) - [255, 107, 94]).sum(-1) < 60).nonzero()
    assert len(red[0]) > 60
    box = next(o.box2d for o in results[2]["heavy rain"].labels.frames[12].objects if o.id == 1)
    scale = before.shape[1] / 640
    assert abs(np.median(red[1]) - (box.left + box.right) / 2 * scale) < 30
    assert abs(red[0].min() - box.top * scale) < 8
    assert page.locator(".marks span").count() == 2


def test_zoom_enlarges_the_place_of_a_finding_in_both_pictures(page, results):
    open_variant(page, "heavy rain")
    page.get_by_role("button", name=re.compile("car 1 has no structure")).click()
    wait_for_frames(page, 12)
    page.locator("#boxes").uncheck()

    def red_paint(pane: str) -> int:
        """Pixels of the car's own red, brighter in the source than under rain."""
        seen = picture(page, pane).astype(int)
        return int(((seen[..., 0] > 110) & (seen[..., 1] < 80) & (seen[..., 2] < 80)).sum())

    before = [red_paint(pane) for pane in ("#pane-source", "#pane-variant")]
    page.keyboard.press("z")
    after = [red_paint(pane) for pane in ("#pane-source", "#pane-variant")]
    assert all(7 < b / a < 10 for a, b in zip(before, after, strict=True)), (before, after)
    page.keyboard.press("1")
    line = page.evaluate("parseFloat(getComputedStyle($('stage')).getPropertyValue('--wipe'))")
    assert line < 50, "the wipe makes way for the place"
    page.keyboard.press("z")
    assert not page.locator("#zoom").is_checked()


def test_checks_that_passed_are_folded(page):
    open_variant(page, "heavy rain")
    assert page.locator("#findings li").count() == 2
    assert not page.get_by_text("edges that should survive").is_visible()
    page.get_by_text("1 check passed").click()
    assert page.get_by_text("edges that should survive").is_visible()


def test_boxes_turn_grey_as_objects_stop_being_visible(page):
    open_variant(page, "dense fog")
    boxes = page.evaluate("[...Array(36).keys()].map(f => boxesAt(current, f).find(b => b.id === 1))")
    states = "".join(b["state"] for b in boxes)
    assert re.fullmatch("i+d+", states), states
    assert boxes[0]["reason"] == "beyond visibility"
    grey, amber = states.index("d") - 1, states.index("d")

    def colours(frame: int) -> tuple[int, int]:
        page.evaluate(f"pair.seek({frame})")
        wait_for_frames(page, frame)
        seen = picture(page, "#pane-variant").astype(int)
        box, scale = boxes[frame], seen.shape[1] / 640
        rows = slice(int(box["top"] * scale) - 2, int(box["bottom"] * scale) + 3)
        columns = slice(int(box["left"] * scale) - 2, int(box["right"] * scale) + 3)
        part = seen[rows, columns]
        return tuple(int((np.abs(part - c).sum(-1) < 70).sum()) for c in ([174, 183, 192], [244, 183, 64]))

    assert colours(grey)[1] == 0
    assert colours(amber)[1] > 40
    page.locator("#boxes").uncheck()
    assert colours(amber)[1] == 0
    assert page.locator(".strip").count() == 3
    assert page.locator(".strip", has_text="car 1").locator("rect").count() == 3, (
        "grey, amber, and the cursor"
    )


def test_a_blocked_variant_says_so(page):
    page.get_by_role("link", name=re.compile("^snow,")).click()
    page.locator("#stage-note").wait_for()
    assert "the guardrail refused this clip" in page.locator("#stage-note").inner_text()
    page.keyboard.press(" ")
    page.keyboard.press("Escape")
    assert page.locator("#grid-view").is_visible()


def test_what_it_is_and_where_it_came_from_is_said(page, results):
    open_variant(page, "fog at 120 m")
    text = page.locator(".side").inner_text()
    assert "simulated effect" in text
    assert "relative (camera height assumed)" in text
    page.get_by_text("Provenance", exact=True).click()
    assert results[2]["fog at 120 m"].id in page.locator("#provenance").inner_text()
    for link in page.locator("#files a").all():
        target = results[1].parent / link.get_attribute("href")
        assert target.is_file(), target


def test_audits_by_keyboard_are_kept_saved_and_taken_in(page, results, tmp_path):
    catalog, report, variants = results
    order = page.locator(".card h2").all_inner_texts()
    open_variant(page, order[0])
    page.locator("#auditor").fill("Ada")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.keyboard.type("boxes drift: r a u j")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    assert page.locator(".decision[aria-pressed=true]").inner_text().startswith("Reject")
    page.keyboard.press("j")
    assert page.locator("#player-title").inner_text() == order[1]
    page.keyboard.press("a")
    page.keyboard.press("j")
    page.keyboard.press("u")
    page.keyboard.press("k")
    page.keyboard.press("k")
    assert page.locator("#reason").input_value() == "boxes drift: r a u j"
    page.reload()
    assert page.locator(".decision[aria-pressed=true]").inner_text().startswith("Reject"), (
        "kept in this browser"
    )
    page.keyboard.press("Escape")
    assert page.locator("#audit-count").inner_text() == "3"
    page.locator(".chip", has_text="not audited").click()
    assert page.locator(".card:visible").count() == 3
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("Save audits")).click()
    saved = tmp_path / "audits.json"
    waiting.value.save_as(saved)
    assert {a["decision"] for a in json.loads(saved.read_text())["audits"]} == {"accept", "reject", "unsure"}

    assert len(import_audits(catalog, saved)) == 3
    assert import_audits(catalog, saved) == ()
    stored = catalog.audits(variants[order[0]].id)
    assert [(a.decision, a.by, a.reason) for a in stored] == [("reject", "Ada", "boxes drift: r a u j")]
    again = write_report(catalog, report.with_name("again.html"))
    page.goto(again.as_uri() + "#v=" + variants[order[0]].id)
    assert "Ada rejected" in page.locator("#people").inner_text()
    again.unlink()


def test_the_grid_can_be_used_without_a_mouse(page):
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.card') !== null"):
            break
    page.keyboard.press("Enter")
    assert page.locator("#player-view").is_visible()
    assert page.evaluate("document.activeElement.id") == "player-title"
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.closest('.card') !== null"), "focus returns to the card"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 900, 1440])
def test_it_fits_and_reads_at_every_width_in_both_schemes(browser, results, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(results[1].as_uri())
    for view in ("grid", "player"):
        if view == "player":
            open_variant(page, "heavy rain", layout="1")
            page.get_by_text("Provenance", exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing scrolls sideways"
        assert page.evaluate(CONTRAST) == [], "text against its background, WCAG AA"
        assert page.evaluate(UNNAMED) == []
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.close()


def test_moving_the_folder_keeps_it_working(browser, results, tmp_path):
    import shutil

    moved = shutil.copytree(results[0].root, tmp_path / "elsewhere")
    page = browser.new_page(viewport=DESKTOP)
    page.goto((moved / "report.html").as_uri())
    open_variant(page, "dusk")
    wait_for_frames(page, 0)
    page.close()

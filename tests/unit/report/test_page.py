"""The page as a file: complete, closed, relative, safe and small."""

import json
import re

import numpy as np
import pytest

from tests.situations_results import (
    a_set_of_results,
    drive,
    encode,
    good_verdict,
    labels_of,
    one_variant,
    source_of,
    variant_of,
)
from worldgen.catalog import Catalog
from worldgen.datatypes import Failure, Spec
from worldgen.errors import OutputError
from worldgen.media.video import read_clip, write_lossless
from worldgen.report import write_report
from worldgen.report.data import frame_times, labels_data
from worldgen.report.page import condition_bars, failing_checks
from worldgen.report.words import details_of, made_by, scale_of


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    made = a_set_of_results(folder / "made")
    catalog = Catalog(folder / "out")
    for variant in made.variants:
        catalog.publish(variant, made.source)
    for failure in made.failures:
        catalog.record_failure(failure)
    path = write_report(catalog, folder / "out" / "report.html")
    return catalog, path, made


def data_of(path) -> dict:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.DOTALL)[1]
    )


def test_every_link_is_relative_and_leads_to_a_file(report):
    catalog, path, _ = report
    text = path.read_text()
    assert not re.search(
        r"(https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    )
    variants = data_of(path)["variants"]
    assert len(variants) == 6
    for variant in variants:
        for address in (
            variant["video"],
            variant["thumbnail"],
            variant["source"],
            *(a for _, a in variant["files"]),
        ):
            assert address == "" or (path.parent / address).is_file(), address
            assert not address.startswith("/")
    assert str(catalog.root) not in json.dumps([v["video"] for v in variants])


def test_words_of_strangers_cannot_leave_their_place(tmp_path):
    source, variant = one_variant(tmp_path / "made")
    nasty = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    catalog = Catalog(tmp_path / "out")
    named = variant.model_copy(update={"spec": variant.spec.model_copy(update={"name": nasty})})
    catalog.publish(named, source)
    catalog.record_failure(Failure(id="1" * 32, spec=Spec(name=nasty, seed=1), code="x.y", message=nasty))
    text = write_report(catalog, tmp_path / "out" / "report.html", title=nasty).read_text()
    assert text.count("<script") == 2
    assert "<img src=x" not in text
    assert data_of(tmp_path / "out" / "report.html")["variants"][0]["title"] == nasty


def test_boxes_are_stored_once_for_all_variants_of_a_source():
    scene = drive(frames=4)
    tracks = {}
    first = labels_data(labels_of(scene, gone_after_m=20), tracks)
    second = labels_data(labels_of(scene), tracks)
    assert len(tracks) == 1
    assert first["tracks"] == second["tracks"]
    # truck at 70 m, car at 26 m, pedestrian at 15 m
    assert first["states"][0] == "iid"
    assert second["states"][0] == "ccc"
    assert first["reasons"] == [[0, 3, 1, "beyond_visibility"], [0, 3, 3, "beyond_visibility"]]
    assert first["claims"] == [[0, 3, "lanes", "degraded"]]


def test_times_are_listed_only_where_they_are_uneven(tmp_path):
    frames = drive(frames=5, width=64, height=48).frames
    even = encode(tmp_path / "even.mp4", frames)
    assert frame_times(tmp_path / "even.mp4", 5, even.fps) is None
    times = np.array([0.0, 0.1, 0.15, 0.4, 0.5])
    uneven = write_lossless(tmp_path / "uneven.mp4", frames, fps=10, timestamps_seconds=times)
    assert frame_times(tmp_path / "uneven.mp4", 5, uneven.fps) == pytest.approx(times, abs=1e-3)


def test_a_source_that_no_browser_plays_gets_a_copy_that_does(tmp_path):
    scene = drive(frames=6, width=64, height=48)
    times = np.array([0.0, 0.1, 0.15, 0.4, 0.5, 0.6])
    lossless = write_lossless(tmp_path / "source.mkv", scene.frames, fps=10, timestamps_seconds=times)
    source = source_of(lossless)
    variant = variant_of(
        source, Spec(fog_mor_m=80, seed=1), encode(tmp_path / "v.mp4", scene.frames), good_verdict("fog")
    )
    catalog = Catalog(tmp_path / "out")
    catalog.publish(variant, source)
    copy = read_clip(catalog.source_video(source.sha256), trusted=True)
    assert len(copy) == 6
    assert copy.timestamps_seconds == pytest.approx(times, abs=1e-3)
    assert np.abs(copy.frames.astype(int) - scene.frames).mean() < 6
    import av

    with av.open(str(catalog.source_video(source.sha256))) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_the_set_is_counted_per_condition():
    variants = [
        {"label": "fog", "state": "accepted", "findings": [{"check": "a", "passed": True}]},
        {
            "label": "fog",
            "state": "rejected",
            "findings": [{"check": "a", "passed": False}, {"check": "a", "passed": False}],
        },
        {"label": "night", "state": "inconclusive", "findings": [{"check": "b", "passed": None}]},
    ]
    bars = condition_bars(variants)
    assert [(b["label"], b["accepted"], b["total"]) for b in bars] == [("fog", 1, 2), ("night", 0, 1)]
    assert [(p["state"], p["x"], p["width"]) for p in bars[0]["parts"]] == [
        ("accepted", 0, 50),
        ("rejected", 50, 50),
    ]
    assert failing_checks(variants) == [("a", 1)]


def test_what_was_made_again_is_marked_and_not_counted(tmp_path):
    source, first = one_variant(tmp_path / "made")
    later = first.provenance.model_copy(update={"created": "2026-02-01T00:00:00Z", "critic": "measured-2"})
    again = first.model_copy(update={"id": "d" * 32, "provenance": later})
    catalog = Catalog(tmp_path / "out")
    catalog.publish(first, source)
    catalog.publish(again, source)
    path = write_report(catalog, tmp_path / "out" / "report.html")
    assert {v["id"]: v["superseded"] for v in data_of(path)["variants"]} == {first.id: True, again.id: False}
    assert "1 variant of 1 source" in path.read_text()
    assert "also earlier <b>1</b>" in path.read_text()


def test_a_failure_is_listed_once_and_not_after_it_was_made(tmp_path):
    source, variant = one_variant(tmp_path / "made")
    catalog = Catalog(tmp_path / "out")
    wet = Spec(name="dry noon", wetness=0.0, seed=1)
    for number, spec in enumerate((wet, wet, variant.spec)):
        fault = Failure(id=str(number) * 32, spec=spec, code="generate.out_of_memory", message="no memory")
        catalog.record_failure(fault, source)
    path = tmp_path / "out" / "report.html"
    assert write_report(catalog, path).read_text().count("no memory") == 2
    catalog.publish(variant, source)
    assert write_report(catalog, path).read_text().count("no memory") == 1


def test_claims_follow_the_origin_of_the_scale(report):
    variants = {v.spec.name: v.provenance for v in report[2].variants}
    assert "relative (camera height assumed)" in scale_of(variants["night"])
    assert "metric, from the simulator" in scale_of(variants["dusk"])
    assert "simulated effect" in made_by(variants["night"])
    assert "fake-diffusion" in made_by(variants["dusk"])
    bare = variants["night"].model_copy(update={"geometry_origins": {}})
    assert "no claim in metres" in scale_of(bare)


def test_specs_are_said_in_words():
    spec = Spec(rain_mm_h=20, wetness=0.8, sun_elevation_deg=-20, exposure_stops=-2, seed=1)
    assert details_of(spec) == ("rain 20 mm/h", "wetness 80%", "sun -20\N{DEGREE SIGN}", "exposure -2 stops")


def test_an_empty_catalogue_has_a_page_too(tmp_path):
    path = write_report(Catalog(tmp_path), tmp_path / "report.html")
    assert "No variant has been published here yet" in path.read_text()


def test_a_page_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_report(Catalog(tmp_path / "none"), tmp_path / "file" / "report.html")


def test_a_hundred_variants_make_a_small_page(report, tmp_path):
    """Boxes are shared and states are letters: the page grows by a few kB per variant."""
    made = report[2]
    grown = []
    for count in (1, 11):
        catalog = Catalog(tmp_path / str(count))
        template = made.variants[0]
        for seed in range(count):
            spec = template.spec.model_copy(update={"seed": seed})
            catalog.publish(
                variant_of(
                    made.source, spec, template.candidate.video, template.verdict, labels=template.labels
                ),
                made.source,
            )
        grown.append(write_report(catalog, tmp_path / str(count) / "report.html").stat().st_size)
    assert (grown[1] - grown[0]) / 10 < 6000

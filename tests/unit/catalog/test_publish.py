"""Publishing: once, whole, found by name; never overwritten."""

import json
from pathlib import Path

import pytest

from tests.situations_results import encode, one_variant
from worldgen.catalog import Catalog, FileDigests, folder_name
from worldgen.catalog.files import sha256_of
from worldgen.datatypes import Failure, Labels, Spec, VideoRef
from worldgen.errors import OutputError, PublishError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return one_variant(tmp_path_factory.mktemp("made"))


def write_coco_like(path: Path, labels: Labels) -> None:
    path.write_text(json.dumps({"images": len(labels.frames)}))


def test_a_published_variant_is_found_and_read_back_whole(tmp_path, made):
    source, variant = made
    catalog = Catalog(tmp_path / "out")
    published = catalog.publish(
        variant, source, writers={"labels.coco.json": lambda path: write_coco_like(path, variant.labels)}
    )
    assert published.is_new
    assert {p.name for p in published.folder.iterdir()} == {
        "variant.mp4", "labels.json", "labels.coco.json", "verdict.json", "provenance.json", "variant.json", "thumbnail.jpg",
    }  # fmt: skip
    again = Catalog(tmp_path / "out")
    found = again.find(variant.id)
    assert found is not None
    assert not found.is_new
    assert sha256_of(found.video) == variant.candidate.video.sha256
    loaded = again.load(variant.id)
    assert loaded.verdict == variant.verdict
    assert loaded.labels == variant.labels
    assert loaded.provenance == variant.provenance
    assert loaded.candidate.video.uri == str(found.video)
    assert again.finished_ids() == {variant.id}
    assert again.sources.video(source.sha256) is not None
    assert again.damaged() == ()
    assert not list((tmp_path / "out" / ".partial").iterdir())


def test_publishing_twice_gives_the_first_one(tmp_path, made):
    source, variant = made
    catalog = Catalog(tmp_path)
    first = catalog.publish(variant, source)
    before = {p.name: p.stat().st_mtime_ns for p in first.folder.iterdir()}
    second = catalog.publish(variant, source)
    assert not second.is_new
    assert second.folder == first.folder
    assert {p.name: p.stat().st_mtime_ns for p in first.folder.iterdir()} == before


def test_the_display_name_does_not_decide_where_a_variant_lies(tmp_path, made):
    source, variant = made
    catalog = Catalog(tmp_path)
    catalog.publish(variant, source)
    renamed = variant.model_copy(update={"spec": variant.spec.model_copy(update={"name": "Nebel"})})
    assert not catalog.publish(renamed, source).is_new
    assert len(list(catalog.entries())) == 1


def test_other_content_under_the_same_id_is_a_conflict_and_keeps_the_first(tmp_path, made):
    source, variant = made
    catalog = Catalog(tmp_path / "out")
    first = catalog.publish(variant, source)
    import numpy as np

    other = encode(tmp_path / "other.mp4", np.full((6, 90, 160, 3), 90, np.uint8))
    changed = variant.model_copy(update={"candidate": variant.candidate.model_copy(update={"video": other})})
    with pytest.raises(PublishError) as caught:
        catalog.publish(changed, source)
    assert caught.value.code == "publish.conflict"
    assert sha256_of(first.video) == variant.candidate.video.sha256
    unlabelled = variant.model_copy(update={"labels": None})
    with pytest.raises(PublishError, match="other labels"):
        catalog.publish(unlabelled, source)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"frames": 7}, "6 frames, expected 7"),
        ({"sha256": "0" * 64}, "sha256"),
        ({"width": 162}, "160x90"),
    ],
)
def test_a_file_that_is_not_what_was_promised_is_not_published(tmp_path, made, change, word):
    source, variant = made
    video = variant.candidate.video.model_copy(update=change)
    wrong = variant.model_copy(update={"candidate": variant.candidate.model_copy(update={"video": video})})
    catalog = Catalog(tmp_path)
    with pytest.raises(PublishError, match=word) as caught:
        catalog.publish(wrong, source)
    assert caught.value.code == "publish.verification"
    assert catalog.find(variant.id) is None
    assert not list((tmp_path / ".partial").iterdir())
    assert not list((tmp_path / "variants").iterdir())


def test_a_truncated_candidate_is_not_published(tmp_path, made):
    source, variant = made
    cut = tmp_path / "cut.mp4"
    whole = Path(variant.candidate.video.uri).read_bytes()
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    video = variant.candidate.video.model_copy(update={"uri": str(cut), "sha256": sha256_of(cut)})
    wrong = variant.model_copy(update={"candidate": variant.candidate.model_copy(update={"video": video})})
    with pytest.raises(PublishError) as caught:
        Catalog(tmp_path / "out").publish(wrong, source)
    assert caught.value.code == "publish.verification"


def test_a_blocked_candidate_is_kept_without_a_file(tmp_path, made):
    source, variant = made
    none = VideoRef(uri="", sha256="", frames=0, width=0, height=0, fps=0)
    candidate = variant.candidate.model_copy(update={"video": none, "blocked": "refused"})
    blocked = variant.model_copy(update={"candidate": candidate, "labels": None})
    catalog = Catalog(tmp_path)
    published = catalog.publish(blocked, source)
    assert published.video is None
    assert published.thumbnail is None
    assert catalog.load(variant.id).candidate.blocked == "refused"


def test_failures_are_kept_and_a_later_success_replaces_them(tmp_path, made):
    source, variant = made
    catalog = Catalog(tmp_path)
    fault = Failure(id=variant.id, spec=variant.spec, code="generate.out_of_memory", message="no memory")
    catalog.record_failure(fault, source)
    (kept,) = catalog.failures()
    assert kept.details == {"source_uri": source.uri, "source_sha256": source.sha256}
    assert kept.model_copy(update={"details": {}}) == fault
    assert catalog.finished_ids() == frozenset()
    answer = Failure(
        id="f" * 32, spec=Spec(name="dry", wetness=0, seed=1), code="spec.unsupported", message="wet"
    )
    catalog.record_failure(answer)
    assert catalog.finished_ids() == {answer.id}
    catalog.publish(variant, source)
    assert catalog.failures() == (answer,)
    assert catalog.finished_ids() == {answer.id, variant.id}
    catalog.record_failure(fault)
    assert catalog.failures() == (answer,), "a variant that is there is not turned into a failure"


def test_opening_a_catalogue_writes_nothing(tmp_path):
    catalog = Catalog(tmp_path / "out")
    assert catalog.finished_ids() == frozenset()
    assert catalog.find("0" * 32) is None
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_version_is_refused(tmp_path):
    (tmp_path / "catalog.json").write_text('{"format":"worldgen-catalog","version":2}')
    with pytest.raises(OutputError, match="layout 2") as caught:
        Catalog(tmp_path)
    assert caught.value.code == "output.other_version"
    assert caught.value.exit_code == 2


def test_a_catalog_file_of_someone_else_is_refused(tmp_path):
    (tmp_path / "catalog.json").write_text('{"stac_version": "1.0.0"}')
    with pytest.raises(OutputError) as caught:
        Catalog(tmp_path)
    assert caught.value.code == "output.other_version"


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError) as caught:
        Catalog(tmp_path / "out")
    assert caught.value.code == "output.not_a_folder"


def test_a_changed_file_is_named(tmp_path, made):
    source, variant = made
    catalog = Catalog(tmp_path)
    published = catalog.publish(variant, source)
    (published.folder / "verdict.json").write_text("{}")
    assert catalog.damaged() == (f"{published.folder.name}/verdict.json",)
    with pytest.raises(PublishError) as caught:
        catalog.load(variant.id)
    assert caught.value.code == "publish.damaged"


def test_a_source_is_not_read_twice(tmp_path):
    shelf = Catalog(tmp_path).sources
    assert shelf.digest_of("a.mp4", 10, "1") is None
    shelf.remember("a.mp4", 10, "1", "ab" * 32)
    assert shelf.digest_of("a.mp4", 10, "1") == "ab" * 32
    assert shelf.digest_of("a.mp4", 10, "2") is None, "a file that was written again must be read again"
    assert shelf.digest_of("a.mp4", 11, "1") is None


def test_a_file_is_read_once_until_it_changes(tmp_path):
    shelf = Catalog(tmp_path / "out").sources
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"one")
    digests = FileDigests(shelf)
    first = digests(clip)
    assert first == sha256_of(clip)
    assert not (tmp_path / "out").exists(), "written before it was known that the input is good"
    digests.keep()
    known = next((tmp_path / "out").rglob("digests/*.json"))
    known.write_text(known.read_text().replace(first, "ab" * 32))
    assert FileDigests(shelf)(clip) == "ab" * 32, "looked up, not read"
    clip.write_bytes(b"two!")
    assert FileDigests(shelf)(clip) == sha256_of(clip)


def test_a_source_that_is_not_here_any_more_does_not_hold_a_variant_up(tmp_path, made):
    source, variant = made
    gone = source.video.model_copy(update={"uri": str(tmp_path / "gone.mp4")})
    plan = variant.provenance.plan.model_copy(update={"source": gone})
    provenance = variant.provenance.model_copy(update={"plan": plan})
    catalog = Catalog(tmp_path / "out")
    published = catalog.publish(
        variant.model_copy(update={"provenance": provenance}), source.model_copy(update={"video": gone})
    )
    assert published.is_new
    assert catalog.source_video(source.sha256) is None
    assert catalog.source(source.sha256).frames == source.frames
    later = variant.model_copy(update={"id": "c" * 32})
    catalog.publish(later, source)
    assert catalog.source_video(source.sha256) is not None, "added when it can be read"


def test_a_source_that_is_not_a_video_is_kept_as_a_description(tmp_path, made):
    source, variant = made
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    video = source.video.model_copy(update={"uri": str(text)})
    plan = variant.provenance.plan.model_copy(update={"source": video})
    provenance = variant.provenance.model_copy(update={"plan": plan})
    catalog = Catalog(tmp_path / "out")
    assert catalog.publish(variant.model_copy(update={"provenance": provenance}), source).is_new
    assert catalog.source_video(source.sha256) is None


def test_folder_names_say_what_is_inside():
    night = Spec(name="x", sun_elevation_deg=-20.5, rain_mm_h=12, clouds_okta=8, seed=3)
    assert folder_name("ab" * 16, night) == "night_rain-12mmh_sun-20p5deg_clouds-8-abababababab"
    assert folder_name("ab" * 16, Spec(snow_cover=0.8, seed=1)) == "snow_cover-80pct-abababababab"
    assert folder_name("ab" * 16, Spec(sand_cover=0.6, seed=1)).startswith(("sand-60pct", "clear_sand-60pct"))
    assert folder_name("ab" * 16, Spec(fog_mor_m=50, seed=1)) == "fog-50m-abababababab"
    for elevation in (-90.0, 0.25, 89.9):
        name = folder_name("cd" * 16, Spec(sun_elevation_deg=elevation, wetness=0.5, seed=1))
        assert name.isascii()
        assert not set(name) & set(" %+./\\:")

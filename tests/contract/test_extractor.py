"""The contract of extractors, kept by every extractor: one source, one material, named before it is made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from worldgen.controls.build import build_extractor
from worldgen.controls.fake import FlatExtractor
from worldgen.controls.protocol import Extractor
from worldgen.controls.settings import (
    DEFAULT_EXTRACTOR,
    ControlSettings,
    EdgeSettings,
    ExtractorSettings,
    GeometrySettings,
)
from worldgen.datatypes import (
    Camera,
    Condition,
    ControlKind,
    Geometry,
    Origins,
    Progress,
    Source,
    Tag,
)
from worldgen.errors import ExtractError, SourceError
from worldgen.imaging.condition import estimate_condition
from worldgen.media.scratch import Scratch
from worldgen.media.video import write_lossless, write_video
from worldgen.sources.open import open_source, read_source_clip, read_source_geometry, read_source_scene
from worldgen.sources.proving_ground.drive import Drive, render_drive
from worldgen.sources.proving_ground.record import record

FROM_PIXELS: frozenset[ControlKind] = frozenset({"edge", "blur", "depth", "seg"})


def _material(scratch: Scratch, settings: ExtractorSettings = DEFAULT_EXTRACTOR) -> Extractor:
    return build_extractor(
        settings,
        scratch,
        read_clip=read_source_clip,
        read_geometry=read_source_geometry,
        estimate_condition=estimate_condition,
        read_scene=read_source_scene,
    )


def _flat(scratch: Scratch) -> Extractor:
    return FlatExtractor(scratch, read_clip=read_source_clip)


@dataclass(frozen=True)
class Made:
    extractor: Extractor
    scratch: Scratch


@pytest.fixture(scope="module")
def drive() -> Drive:
    return render_drive(2, frames=10, size=(192, 108))


@pytest.fixture(scope="module")
def video(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("video") / "drive.mp4"
    write_video(path, drive.clip.frames, fps=10.0)
    return open_source(path)


@pytest.fixture(params=[_material, _flat], ids=["material", "flat"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    scratch = Scratch(tmp_path / "scratch")
    build: Callable[[Scratch], Extractor] = request.param
    return Made(build(scratch), scratch)


def test_material_is_frame_exact_and_of_the_source_size(made: Made, video: Source) -> None:
    material = made.extractor.extract(video, FROM_PIXELS)
    assert [c.kind for c in material.controls] == ["edge", "blur", "depth", "seg"]
    for control in material.controls:
        frames = made.scratch.clip(control.video).frames
        assert frames.shape == (video.frames, video.height, video.width, 3)
    assert material.geometry is not None
    geometry = made.scratch.geometry(material.geometry)
    assert geometry.depth_m.shape == (video.frames, video.height, video.width)
    assert (geometry.depth_m > 0).all()
    assert geometry.depth_m.dtype == np.float32


def test_the_video_of_a_file_is_the_file_itself(made: Made, video: Source) -> None:
    material = made.extractor.extract(video, frozenset())
    assert material.video == video.video
    assert material.controls == ()
    assert material.video is not None
    assert len(made.scratch.clip(material.video)) == video.frames
    assert made.scratch.reads == 0


def test_the_recipe_is_known_without_decoding(made: Made, video: Source) -> None:
    absent = video.model_copy(update={"uri": "/nowhere/drive.mp4"})
    recipe = made.extractor.recipe(absent, FROM_PIXELS)
    assert recipe == made.extractor.recipe(absent, FROM_PIXELS)
    assert recipe != made.extractor.recipe(absent, frozenset({"edge"}))
    assert made.extractor.extract(video, FROM_PIXELS).recipe == made.extractor.recipe(video, FROM_PIXELS)


def test_the_same_source_gives_the_same_material(made: Made, video: Source, tmp_path: Path) -> None:
    first = made.extractor.extract(video, frozenset({"edge", "depth"}))
    second = made.extractor.extract(video, frozenset({"edge", "depth"}))
    assert [c.video.sha256 for c in first.controls] == [c.video.sha256 for c in second.controls]
    assert first.geometry is not None
    assert second.geometry is not None
    assert first.geometry.digest == second.geometry.digest


def test_a_given_condition_is_taken(made: Made, video: Source) -> None:
    given = Condition(label="dusk", origin="given", confidence=1.0)
    material = made.extractor.extract(video.model_copy(update={"condition": given}), frozenset())
    assert material.condition == given


def test_labels_travel_with_the_material(made: Made, video: Source, drive: Drive) -> None:
    labelled = video.model_copy(update={"labels": drive.labels})
    assert made.extractor.extract(labelled, frozenset()).labels == drive.labels


# What only the real extractor does.


def test_a_recording_keeps_the_simulators_geometry(tmp_path: Path) -> None:
    folder = record(2, tmp_path / "drive", frames=4, size=(128, 72))
    source = open_source(folder)
    scratch = Scratch(tmp_path / "scratch")
    material = _material(scratch).extract(source, frozenset({"edge", "depth", "seg", "wsm"}))
    assert material.geometry is not None
    geometry = scratch.geometry(material.geometry)
    assert geometry.origins.depth == geometry.origins.scale == geometry.origins.tags == "simulator"
    assert geometry.scale_interval == (1.0, 1.0)
    assert all(c.origin == "simulator" for c in material.controls)
    edges = scratch.clip(next(c for c in material.controls if c.kind == "edge").video).frames
    assert geometry.tags is not None
    assert edges[geometry.tags == Tag.SKY].max() < 40
    assert material.video is not None
    assert len(scratch.clip(material.video)) == 4


def test_control_videos_pass_through_with_relative_geometry(drive: Drive, tmp_path: Path) -> None:
    folder = tmp_path / "controls"
    folder.mkdir()
    inverse = 1.0 / drive.geometry.depth_m
    grey = np.rint(255 * inverse / inverse.max()).astype(np.uint8)
    write_lossless(folder / "street_depth.mp4", np.repeat(grey[..., None], 3, axis=-1), fps=10.0)
    source = open_source(folder)
    scratch = Scratch(tmp_path / "scratch")
    material = _material(scratch).extract(source, frozenset({"depth"}))
    assert material.video is None
    assert material.controls[0].video.uri == source.sensors["depth"]
    assert material.controls[0].parameters == (("made", "elsewhere, passed through"),)
    assert material.geometry is not None
    geometry = scratch.geometry(material.geometry)
    assert not geometry.is_metric
    assert any("relative" in note for note in geometry.notes)
    with pytest.raises(ExtractError) as caught:
        _material(scratch).extract(source, frozenset({"edge"}))
    assert caught.value.code == "extract.missing_geometry"
    assert "depth" in caught.value.message


def test_measured_depth_is_filled_and_stays_metric(drive: Drive, video: Source, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = drive.geometry
    sparse = np.where(rng.random(truth.depth_m.shape) < 0.05, truth.depth_m, np.nan).astype(np.float32)
    sparse[np.isinf(sparse)] = np.nan

    def beside(source: Source) -> Geometry:
        origins = Origins(depth="sidecar", scale="sidecar", camera="sidecar")
        return Geometry(depth_m=sparse, origins=origins, camera=truth.camera)

    scratch = Scratch(tmp_path / "scratch")
    extractor = build_extractor(
        ExtractorSettings(), scratch, read_clip=read_source_clip, read_geometry=beside, estimate_condition=estimate_condition
    )  # fmt: skip
    material = extractor.extract(video.model_copy(update={"calibration": truth.camera}), frozenset())
    assert material.geometry is not None
    geometry = scratch.geometry(material.geometry)
    assert geometry.origins.depth == geometry.origins.scale == "sidecar"
    assert not np.isnan(geometry.depth_m).any()
    near = np.isfinite(geometry.depth_m) & (truth.depth_m < 60)
    assert np.median(np.abs(geometry.depth_m[near] / truth.depth_m[near] - 1)) < 0.03


def test_settings_and_what_lies_beside_change_the_recipe(video: Source, tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch")
    kinds: frozenset[ControlKind] = frozenset({"edge"})
    plain = _material(scratch).recipe(video, kinds)
    strong = ExtractorSettings(controls=ControlSettings(edge=EdgeSettings(preset="high")))
    tall = ExtractorSettings(geometry=GeometrySettings(camera_height_m=2.2))
    camera = Camera(width=192, height=108, fx=150, fy=150, cx=96, cy=54)
    lit = video.model_copy(update={"condition": Condition(label="night", origin="given")})
    others = [
        _material(scratch, strong).recipe(video, kinds),
        _material(scratch, tall).recipe(video, kinds),
        _material(scratch).recipe(video.model_copy(update={"calibration": camera}), kinds),
        _material(scratch).recipe(lit, kinds),
    ]
    assert len({plain, *others}) == 5
    moved = video.model_copy(update={"uri": "/elsewhere/drive.mp4"})
    assert _material(scratch).recipe(moved, kinds) == plain


def test_progress_is_told_step_by_step(video: Source, tmp_path: Path) -> None:
    told: list[Progress] = []
    extractor = build_extractor(
        ExtractorSettings(),
        Scratch(tmp_path / "scratch"),
        read_clip=read_source_clip,
        read_geometry=read_source_geometry,
        estimate_condition=estimate_condition,
        report=told.append,
    )
    material = extractor.extract(video, frozenset({"edge"}))
    assert [p.stage for p in told] == ["decode", "geometry", "condition", "edge"]
    assert [p.step for p in told] == [1, 2, 3, 4]
    assert {p.steps for p in told} == {4}
    assert set(material.seconds) == {"decode", "geometry", "condition", "edge"}


def test_a_source_that_broke_its_promise_is_a_typed_error(video: Source, tmp_path: Path) -> None:
    longer = video.model_copy(update={"frames": video.frames + 5})
    with pytest.raises(SourceError):
        _material(Scratch(tmp_path / "scratch")).extract(longer, frozenset())

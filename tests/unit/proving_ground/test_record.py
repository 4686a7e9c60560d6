"""A recorded drive is a sensor dump that reads back as what was rendered."""

from pathlib import Path

import numpy as np
import pytest

from worldgen.datatypes import Spec
from worldgen.errors import OutputError
from worldgen.sources.open import open_source, read_source_clip, read_source_geometry, read_source_scene
from worldgen.sources.proving_ground import record, render_drive

SEED, FRAMES, SIZE = 12, 3, (192, 108)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    told: list[tuple[int, int]] = []
    spec = Spec(seed=1, fog_mor_m=150)
    written = record(
        SEED,
        tmp_path_factory.mktemp("drive") / "dump",
        frames=FRAMES,
        size=SIZE,
        spec=spec,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
    return written


@pytest.fixture(scope="module")
def drive():
    return render_drive(SEED, frames=FRAMES, size=SIZE, spec=Spec(seed=1, fog_mor_m=150))


def test_frames_and_geometry_come_back(folder: Path, drive) -> None:
    source = open_source(folder)
    assert source.kind == "carla_dump"
    assert (source.frames, source.width, source.height) == (FRAMES, *SIZE)
    clip, geometry = read_source_clip(source), read_source_geometry(source)
    assert np.array_equal(clip.frames, drive.clip.frames)
    near = drive.geometry.depth_m < 900
    assert np.abs(geometry.depth_m[near] - drive.geometry.depth_m[near]).max() < 1e-3
    assert np.array_equal(geometry.tags, drive.geometry.tags)
    assert np.array_equal(geometry.instances, drive.geometry.instances)
    assert np.allclose(geometry.pose, drive.geometry.pose, atol=1e-6)
    assert np.abs(geometry.flow - drive.geometry.flow)[np.abs(drive.geometry.flow).max(-1) < 60].max() < 0.05
    assert geometry.is_metric


def test_labels_and_condition_come_back(folder: Path, drive) -> None:
    source = open_source(folder)
    assert source.condition is not None
    assert source.condition.label == "fog"
    assert source.condition.fog_mor_m == 150
    assert source.labels is not None
    for given, told in zip(drive.labels.frames, source.labels.frames, strict=True):
        own = {o.id: o for o in given.objects if not o.category.startswith("traffic")}
        read = {o.id: o for o in told.objects if not o.category.startswith("traffic")}
        assert own.keys() == read.keys()
        for key, label in own.items():
            assert read[key].category == label.category
            assert np.allclose(read[key].box3d.center_m, label.box3d.center_m, atol=0.01)


def test_scene_comes_back(folder: Path, drive) -> None:
    scene = read_source_scene(open_source(folder))
    assert scene is not None
    assert len(scene.elements) == len(drive.world.elements)
    assert len(scene.boxes) == FRAMES


def test_a_recording_is_never_overwritten(folder: Path) -> None:
    with pytest.raises(OutputError):
        record(SEED, folder, frames=1, size=SIZE)

"""The clip folder of CARLA's Cosmos client: relative depth, the scene package, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.situations_recordings import a_car, a_cosmos_clip, cast
from worldgen.datatypes import Tag
from worldgen.errors import SourceError
from worldgen.media.video import read_clip, write_lossless, write_video
from worldgen.sources.carla import (
    is_recording,
    open_recording,
    read_recording_clip,
    read_recording_geometry,
    read_recording_scene,
    recording_cameras,
)
from worldgen.sources.carla.clip_manifest import camera_of, ego_from_camera, read_clip_manifest

CAMERA = "camera:front:wide:120fov"
FILE = "camera_front_wide_120fov"


def boxes():
    return [a_car(7, 14), a_car(9, 22, -3.5), a_car(11, 30, 3.5), a_car(12, 16, -4.5)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_cosmos_clip(tmp_path_factory.mktemp("clips") / "clip", boxes=boxes())


@pytest.fixture
def copy(clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clip, tmp_path / "clip"))


def change(folder: Path, **fields: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.update(fields)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def refused(folder: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        open_recording(folder)
    return caught.value


def true_depth(folder: Path, index: int = 0) -> np.ndarray:
    source = open_recording(folder)
    camera = camera_of(read_clip_manifest(folder), None, folder)
    ego = np.eye(4)
    ego[2, 3] = 0.8 * index
    return cast(source.calibration, ego @ ego_from_camera(camera), boxes()).depth_m


def test_a_clip_folder_is_a_source(clip: Path):
    assert is_recording(clip)
    assert recording_cameras(clip) == (CAMERA,)
    source = open_recording(clip)
    assert (source.kind, source.frames, source.fps) == ("carla_clip", 5, 10.0)
    assert set(source.sensors) == {"rgb", "depth", "seg", "edge", "scene"}
    assert source.calibration.fx == pytest.approx(160.0)
    assert source.calibration.height_m == pytest.approx(1.6)
    assert source.calibration.pitch_rad == pytest.approx(np.radians(2))
    assert open_recording(clip, FILE).sha256 == source.sha256
    assert len(read_recording_clip(source)) == 5


def test_depth_becomes_metres_by_the_camera_height_and_the_boxes(clip: Path):
    geometry = read_recording_geometry(open_recording(clip))
    truth = true_depth(clip, 2)
    near = np.isfinite(truth) & (truth < 15)
    ratio = geometry.depth_m[2][near] / truth[near]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
    assert np.quantile(np.abs(ratio - 1), 0.9) < 0.1
    low, high = geometry.scale_interval
    assert low < 1 / np.median(ratio) < high
    assert geometry.origins.scale == "simulator"
    assert "1.60 m" in geometry.notes[0]
    assert np.isinf(geometry.depth_m[2][~np.isfinite(truth)]).all()
    assert set(np.unique(geometry.tags)) == {Tag.SKY, Tag.ROAD, Tag.CAR}


def test_without_a_scene_the_camera_height_scales_it(tmp_path: Path):
    folder = a_cosmos_clip(tmp_path / "clip", boxes=boxes(), scene=False)
    geometry = read_recording_geometry(open_recording(folder))
    assert geometry.origins.scale == "sidecar"
    assert geometry.origins.pose == "absent"
    truth = true_depth(folder)
    near = np.isfinite(truth) & (truth < 15)
    assert np.median(geometry.depth_m[0][near] / truth[near]) == pytest.approx(1.0, abs=0.03)


def test_without_anything_known_the_scale_is_unknown_and_said_so(copy: Path):
    # Not a road: a picture whose lower half rises in steps that no flat ground makes.
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 255, (5, 11, 20, 1)).astype(np.uint8)
    frames = codes.repeat(16, axis=1).repeat(16, axis=2).repeat(3, axis=3)
    write_lossless(copy / f"depth_{FILE}.mp4", frames, fps=10)
    shutil.rmtree(copy / "scene")
    geometry = read_recording_geometry(open_recording(copy))
    assert geometry.origins.scale == "absent"
    assert not geometry.is_metric
    assert "scale is unknown" in geometry.notes[0]


def test_instance_colours_are_numbered_by_carlas_palette(tmp_path: Path):
    folder = a_cosmos_clip(tmp_path / "clip", boxes=boxes(), seg="instance", frames=2)
    geometry = read_recording_geometry(open_recording(folder))
    assert geometry.tags is None
    assert set(np.unique(geometry.instances)) == {0, 7, 9, 11, 12}


def test_the_scene_package_gives_poses_boxes_and_elements(clip: Path):
    source = open_recording(clip)
    geometry, scene = read_recording_geometry(source), read_recording_scene(source)
    assert geometry.pose[3, :3, 3] == pytest.approx([0, -1.6, 1.7 + 2.4], abs=1e-5)
    # Parked cars are written at both ends only, and stand in every frame.
    assert [len(frame) for frame in scene.boxes] == [4] * 5
    box = next(b for b in scene.boxes[2] if b.id == 7)
    assert np.array(box.world_from_box) == pytest.approx(np.array(boxes()[0].world_from_box), abs=1e-5)
    assert box.size_m == pytest.approx((4.5, 1.5, 1.8))
    lane = next(e for e in scene.elements if e.kind == "lane_line")
    assert lane.style == "white dashed"
    assert lane.points_m[1] == pytest.approx((-1.75, 0, 10))
    assert {e.kind for e in scene.elements} == {"lane_line", "pole", "traffic_light"}
    assert scene.light_states[0] == {"42": "red"}


def test_labels_come_from_the_obstacles(clip: Path):
    source = open_recording(clip)
    shot_ids = {label.id for label in source.labels.frames[0].objects}
    assert 7 in shot_ids
    label = next(o for o in source.labels.frames[0].objects if o.id == 7)
    camera = camera_of(read_clip_manifest(clip), None, clip)
    shot = cast(source.calibration, ego_from_camera(camera), boxes())
    rows, columns = np.nonzero(shot.instances == 7)
    assert label.box2d.left == pytest.approx(columns.min(), abs=2)
    assert label.box2d.right == pytest.approx(columns.max() + 1, abs=2)
    assert label.box2d.top == pytest.approx(rows.min(), abs=2)
    assert label.box2d.bottom == pytest.approx(rows.max() + 1, abs=3)


def test_times_are_the_simulators(clip: Path):
    times = read_recording_clip(open_recording(clip)).timestamps_seconds
    assert times.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_a_video_with_another_count_is_named(copy: Path):
    write_lossless(copy / f"depth_{FILE}.mp4", np.zeros((4, 176, 320, 3), np.uint8), fps=10)
    error = refused(copy)
    assert error.code == "source.count_mismatch"
    assert "depth_camera_front_wide_120fov.mp4 has 4 frames, the manifest says 5: frame 4" in error.message


@pytest.mark.parametrize("kind", ["rgb", "depth"])
def test_the_same_picture_twice_while_driving_is_named(copy: Path, kind: str):
    path = copy / f"{kind}_{FILE}.mp4"
    frames = read_clip(path).frames.copy()
    frames[3] = frames[2]
    write = write_video if kind == "rgb" else write_lossless
    write(path, frames, fps=10)
    source = open_recording(copy)
    with pytest.raises(SourceError) as caught:
        (read_recording_clip if kind == "rgb" else read_recording_geometry)(source)
    assert caught.value.code == "source.doubled_frame"
    assert "shows frame 2 again at frame 3" in caught.value.message


def test_a_video_of_another_size_is_refused(copy: Path):
    write_lossless(copy / f"edge_{FILE}.mp4", np.zeros((5, 88, 160, 3), np.uint8), fps=10)
    assert refused(copy).code == "source.unequal_sensors"


def test_coloured_depth_is_refused(copy: Path):
    frames = np.zeros((5, 176, 320, 3), np.uint8)
    frames[..., 0] = 200
    write_lossless(copy / f"depth_{FILE}.mp4", frames, fps=10)
    assert refused(copy).code == "source.not_metric"


def test_a_camera_without_mounting_is_refused(copy: Path):
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["rig"]["cameras"][0]["t_flu"]
    change(copy, rig=manifest["rig"])
    error = refused(copy)
    assert error.code == "source.missing_calibration"
    assert "t_flu" in error.message


def test_another_format_version_is_refused(copy: Path):
    change(copy, format_version=2)
    error = refused(copy)
    assert error.code == "source.bad_manifest"
    assert "format_version 2" in error.message


def test_poses_must_be_as_many_as_frames(copy: Path, tmp_path: Path):
    longer = a_cosmos_clip(tmp_path / "longer", frames=6, boxes=boxes())
    shutil.copy(longer / "scene" / "clip0.egomotion_estimate.parquet", copy / "scene")
    assert refused(copy).code == "source.count_mismatch"


def test_text_instead_of_parquet_is_refused(copy: Path):
    (copy / "scene" / "clip0.obstacle.parquet").write_text("PAR1PAR1")
    assert refused(copy).code == "source.bad_manifest"


def test_a_missing_video_is_refused(copy: Path):
    (copy / f"seg_{FILE}.mp4").unlink()
    assert refused(copy).code == "source.missing_sensor"


def test_a_manifest_may_not_lead_outside(copy: Path):
    change(copy, videos={f"rgb/{FILE}": "../other.mp4"})
    assert refused(copy).code == "source.bad_manifest"

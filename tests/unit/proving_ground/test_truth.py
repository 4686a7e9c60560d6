"""What the proving ground says about its own pictures is true."""

import numpy as np
import pytest

from worldgen.datatypes import Tag
from worldgen.sources.proving_ground import render_drive, scene_of
from worldgen.sources.proving_ground.drive import Take
from worldgen.sources.proving_ground.scene import Actor, Building, Ego, Lane, Road, Scene, Sky


def bare(actors=(), buildings=(), *, speed=0.0, sky=None, place="rural", road=None) -> Scene:
    """A straight road over bare ground, still air, a camera that looks level."""
    return Scene(
        seed=1,
        place=place,
        road=road or Road(left_m=3.5, right_m=-3.5, kerbs=False, pavement_m=(0.0, 0.0)),
        lanes=(
            Lane(centre_m=-1.75, width_m=3.5, direction=1, speed_m_s=10.0),
            Lane(centre_m=1.75, width_m=3.5, direction=-1, speed_m_s=10.0),
        ),
        markings=(),
        actors=tuple(actors),
        buildings=tuple(buildings),
        ego=Ego(lane=0, speed_m_s=speed, height_m=1.5, pitch_rad=0.0, hfov_deg=60.0, shake=0.0),
        sky=sky or Sky(),
    )


@pytest.fixture(scope="module")
def drives():
    return {seed: render_drive(seed, frames=2) for seed in (0, 1, 4, 12)}


def test_same_seed_same_drive_and_other_seed_another() -> None:
    one, two, other = render_drive(3, frames=2), render_drive(3, frames=2), render_drive(5, frames=2)
    assert np.array_equal(one.clip.frames, two.clip.frames)
    assert np.array_equal(one.geometry.depth_m, two.geometry.depth_m)
    assert one.labels == two.labels
    assert not np.array_equal(one.clip.frames, other.clip.frames)


def test_scene_survives_json() -> None:
    scene = scene_of(11)
    again = Scene.model_validate_json(scene.model_dump_json())
    assert again == scene
    assert np.array_equal(
        render_drive(11, frames=1).clip.frames, render_drive(11, frames=1, scene=again).clip.frames
    )


def test_ground_depth_is_that_of_a_plane() -> None:
    drive = render_drive(1, frames=1, scene=bare())
    camera, depth, tags = drive.geometry.camera, drive.geometry.depth_m[0], drive.geometry.tags[0]
    rows = np.arange(int(camera.cy) + 4, camera.height)
    expected = 1.5 * camera.fy / (rows - camera.cy)
    assert np.allclose(depth[rows], expected[:, None], rtol=1e-4)
    assert (tags[rows[-1]] == Tag.ROAD).any()
    assert np.isinf(depth[0]).all()
    assert (tags[0] == Tag.SKY).all()


def test_wall_stands_where_it_was_put() -> None:
    wall = Building(
        s_m=45.0,
        d_m=0.0,
        length_m=10.0,
        depth_m=60.0,
        height_m=30.0,
        style="brick",
        colour=(0.3, 0.1, 0.1),
        trim=(0.5, 0.5, 0.5),
    )
    take = Take(1, frames=1, size=(256, 144), fps=10.0, scene=bare(buildings=[wall]))
    frame = next(iter(take.shoot()))
    camera_x = float(take.poses[0, 0, 3])
    column = frame.depth[20:60, 128]
    assert np.allclose(column, 45.0 - 5.0 - camera_x, rtol=1e-4)
    assert (frame.tags[20:60, 128] == Tag.BUILDING).all()


def test_back_of_a_car_is_at_its_distance() -> None:
    car = Actor(id=7, kind="van", s_m=20.0, d_m=-1.75, seed=3)
    drive = render_drive(1, frames=1, scene=bare([car]))
    (label,) = drive.labels.frames[0].objects
    own = drive.geometry.instances[0] == 7
    nearest = float(drive.geometry.depth_m[0][own].min())
    assert label.box3d is not None
    rear = label.box3d.center_m[2] - label.box3d.size_m[0] / 2
    assert abs(nearest - rear) < 0.12
    assert label.range_m == pytest.approx(20.0 - 0.45, abs=1.0)


def test_instances_match_labels_and_boxes_enclose_them(drives) -> None:
    for drive in drives.values():
        for t, frame in enumerate(drive.labels.frames):
            instances = drive.geometry.instances[t]
            ids, counts = np.unique(instances[instances > 0], return_counts=True)
            assert {o.id for o in frame.objects} == set(ids[counts >= 2].tolist())
            for label in frame.objects:
                rows, columns = np.nonzero(instances == label.id)
                assert columns.min() >= label.box2d.left - 0.51
                assert columns.max() + 1 <= label.box2d.right + 0.51
                assert rows.min() >= label.box2d.top - 0.51
                assert rows.max() + 1 <= label.box2d.bottom + 0.51


def test_boxes_3d_hold_the_points_of_their_objects(drives) -> None:
    checked = 0
    for drive in drives.values():
        camera, geometry = drive.geometry.camera, drive.geometry
        for label in drive.labels.frames[0].objects:
            rows, columns = np.nonzero(geometry.instances[0] == label.id)
            z = geometry.depth_m[0][rows, columns].astype(float)
            points = np.stack(
                ((columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z, z), 1
            )
            length, height, width = label.box3d.size_m
            yaw = label.box3d.yaw_rad
            local = points - label.box3d.center_m
            along = local @ [np.cos(yaw), 0, -np.sin(yaw)]
            across = local @ [np.sin(yaw), 0, np.cos(yaw)]
            slack = 0.25 if not label.category.startswith("traffic") else 0.6
            assert (np.abs(along) <= length / 2 + slack).all(), (drive.scene.seed, label.category, label.id)
            assert (np.abs(across) <= width / 2 + slack).all(), (drive.scene.seed, label.category, label.id)
            assert (np.abs(local[:, 1]) <= height / 2 + slack).all(), (
                drive.scene.seed,
                label.category,
                label.id,
            )
            checked += 1
    assert checked > 20


def test_flow_leads_to_the_same_point_of_the_world(drives) -> None:
    drive = drives[1]
    geometry, camera = drive.geometry, drive.geometry.camera
    still = np.isin(geometry.tags[0], [Tag.BUILDING, Tag.ROAD, Tag.SIDEWALK, Tag.POLE])
    rows, columns = np.nonzero(still)
    z = geometry.depth_m[0][rows, columns].astype(float)
    eye = np.stack(((columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z, z), 1)
    world = eye @ geometry.pose[0, :3, :3].T + geometry.pose[0, :3, 3]
    after = (world - geometry.pose[1, :3, 3]) @ geometry.pose[1, :3, :3]
    u = after[:, 0] / after[:, 2] * camera.fx + camera.cx
    v = after[:, 1] / after[:, 2] * camera.fy + camera.cy
    flow = geometry.flow[0][rows, columns]
    ahead = after[:, 2] > 0.5
    assert np.abs(flow[ahead, 0] - (u - columns)[ahead]).max() < 0.02
    assert np.abs(flow[ahead, 1] - (v - rows)[ahead]).max() < 0.02
    assert (geometry.flow[-1] == 0).all()


def test_flow_of_a_moving_car_follows_its_instance() -> None:
    car = Actor(id=7, kind="car", s_m=18.0, d_m=1.75, direction=-1, speed_m_s=8.0, seed=1)
    drive = render_drive(1, frames=2, scene=bare([car]))
    first, second = (drive.geometry.instances[t] == 7 for t in (0, 1))
    rows, columns = np.nonzero(first)
    flow = drive.geometry.flow[0][rows, columns]
    landed = np.round(np.stack((columns, rows), 1) + flow).astype(int)
    inside = (landed[:, 0] >= 0) & (landed[:, 0] < 256) & (landed[:, 1] >= 0) & (landed[:, 1] < 144)
    assert np.linalg.norm(flow, axis=1).mean() > 1.0
    assert second[landed[inside, 1], landed[inside, 0]].mean() > 0.93


def test_what_is_hidden_is_said_to_be() -> None:
    near = Actor(id=7, kind="truck", s_m=14.0, d_m=-1.75, seed=1)
    far = Actor(id=8, kind="car", s_m=40.0, d_m=3.0, seed=2)
    both = render_drive(1, frames=1, scene=bare([near, far]))
    alone = render_drive(1, frames=1, scene=bare([far]))
    whole = int((alone.geometry.instances == 8).sum())
    shown = int((both.geometry.instances == 8).sum())
    labels = {o.id: o for o in both.labels.frames[0].objects}
    assert 0 < shown < whole
    assert labels[8].occlusion == pytest.approx(1 - shown / whole, abs=0.05)
    assert labels[7].occlusion == pytest.approx(0.0, abs=0.02)


def test_a_still_ego_sees_no_flicker() -> None:
    """Nothing moves, so frames differ by the sensor's noise only."""
    scene = scene_of(1)
    scene = scene.model_copy(
        update={
            "actors": tuple(
                a.model_copy(update={"lane": None, "speed_m_s": 0.0, "indicator": ""})
                for a in scene.actors
                if a.kind in ("car", "suv")
            ),
            "ego": scene.ego.model_copy(update={"speed_m_s": 0.0, "shake": 0.0}),
        }
    )
    drive = render_drive(1, frames=4, scene=scene)
    ground = np.isin(
        drive.geometry.tags[0], [Tag.ROAD, Tag.ROAD_LINE, Tag.BUILDING, Tag.SIDEWALK, Tag.CAR, Tag.VEGETATION]
    )
    frames = drive.clip.frames.astype(float)
    step = np.abs(np.diff(frames, axis=0)).mean(-1)[:, ground]
    assert step.mean() < 1.5
    assert np.percentile(step, 99.9) < 8.0


def test_lane_lines_do_not_break_up_in_motion() -> None:
    """Under a moving ego the far end of a solid line keeps its mean brightness from frame to frame."""
    seed = next(
        s
        for s in range(30)
        if sum(m.kind == "solid" and m.start_m < 0 < 60 < m.end_m for m in scene_of(s).markings) >= 2
    )
    drive = render_drive(seed, frames=6)
    line = drive.geometry.tags == Tag.ROAD_LINE
    frames = drive.clip.frames.astype(float).mean(-1)
    far = [
        frames[t][line[t] & (drive.geometry.depth_m[t] > 8) & (drive.geometry.depth_m[t] < 25)].mean()
        for t in range(6)
    ]
    assert np.abs(np.diff(far)).max() < 12.0


def test_any_size_shows_the_same_scene() -> None:
    small, large = render_drive(2, frames=1, size=(128, 72)), render_drive(2, frames=1, size=(512, 288))
    shrunk = large.clip.frames[0].reshape(72, 4, 128, 4, 3).mean((1, 3))
    difference = np.abs(shrunk - small.clip.frames[0]).mean()
    assert difference < 14.0

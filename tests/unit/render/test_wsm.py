"""World-scenario maps have the colours, layers and places that models were trained on."""

import numpy as np
import pytest

from worldgen.controls.wsm import wsm_control
from worldgen.datatypes import Camera
from worldgen.datatypes.scene import MapElement, Scene, SceneBox, matrix_of
from worldgen.errors import ExtractError
from worldgen.render.wsm import GRADIENTS, render_wsm
from worldgen.sources.proving_ground import AddActor, render_drive, scene_of

CAMERA = Camera(width=1280, height=720, fx=800.0, fy=800.0, cx=639.5, cy=359.5)
POSES = np.eye(4)[None]
GROUND = 1.5


def line(kind: str, x: float, style: str = "", z: tuple[float, float] = (-5.0, 60.0)) -> MapElement:
    return MapElement(kind=kind, points_m=((x, GROUND, z[0]), (x, GROUND, z[1])), style=style)


def box(category: str, z: float, x: float = 0.0) -> SceneBox:
    pose = np.eye(4)
    pose[:3, :3] = np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]])  # heads away from the camera
    pose[:3, 3] = [x, GROUND - 0.8, z]
    return SceneBox(id=1, category=category, size_m=(4.0, 1.6, 1.8), world_from_box=matrix_of(pose))


def has(picture: np.ndarray, rgb: tuple[int, int, int], slack: int = 3) -> int:
    return int((np.abs(picture.astype(int) - rgb).max(-1) <= slack).sum())


def test_flat_colours() -> None:
    elements = (
        line("road_boundary", -4.0),
        line("lane_line", -2.0, "white solid"),
        line("lane_line", 2.0, "yellow solid"),
        line("lane_line", 3.0, "unknown"),
        MapElement(
            kind="crosswalk",
            points_m=((-3, GROUND, 8), (3, GROUND, 8), (3, GROUND, 11), (-3, GROUND, 11)),
            is_area=True,
        ),
        MapElement(kind="wait_line", points_m=((-3, GROUND, 7), (3, GROUND, 7))),
        MapElement(kind="pole", points_m=((5, GROUND, 15), (5, -4, 15))),
        MapElement(
            kind="traffic_sign", points_m=((4, -1, 15), (5, -1, 15), (5, 0, 15), (4, 0, 15)), is_area=True
        ),
        MapElement(
            kind="traffic_light",
            points_m=((-5, -3, 15), (-4, -3, 15), (-4, -1, 15), (-5, -1, 15)),
            is_area=True,
            attributes={"id": "a"},
        ),
    )
    picture = render_wsm(Scene(elements=elements, light_states=({"a": "red"},)), CAMERA, POSES)[0]
    for rgb in (
        (253, 1, 232),
        (240, 240, 240),
        (98, 183, 249),
        (139, 93, 255),
        (108, 179, 59),
        (183, 69, 177),
        (8, 2, 255),
        (240, 50, 50),
    ):
        assert has(picture, rgb) > 10, rgb
    assert (picture[:80] == 0).mean() > 0.9


def test_dashed_lines_have_gaps_and_double_lines_two_strands() -> None:
    solid, dashed, double = (
        render_wsm(Scene(elements=(line("lane_line", 1.0, style),)), CAMERA, POSES)[0].any(-1)
        for style in ("white solid", "white dashed", "yellow double solid")
    )
    assert dashed.sum() < 0.75 * solid.sum()
    starts = np.diff(double[680].astype(int)) == 1
    assert starts.sum() == 2


@pytest.mark.parametrize("category", ["car", "truck", "pedestrian", "bicycle", "other"])
def test_boxes_run_from_dark_rear_to_bright_front(category: str) -> None:
    picture = render_wsm(Scene(boxes=((box(category, 12.0, x=3.0),),)), CAMERA, POSES)[0]
    name = {"bicycle": "cyclist"}.get(category, category)
    rear, front = GRADIENTS[name]
    assert has(picture, rear, 6) > 50
    assert has(picture, front, 12) > 0
    columns = np.nonzero(picture.any(-1).any(0))[0]
    # A box to the right heading away shows its rear and its left side, which leads towards the middle.
    assert picture[380, columns.max() - 12].sum() < picture[380, columns.min() + 12].sum()


def test_nearer_boxes_hide_farther_ones() -> None:
    both = render_wsm(Scene(boxes=((box("truck", 30.0), box("car", 10.0)),)), CAMERA, POSES)[0]
    alone = render_wsm(Scene(boxes=((box("car", 10.0),),)), CAMERA, POSES)[0]
    assert np.array_equal(both[360:440, 600:680], alone[360:440, 600:680])


def test_map_lies_on_the_rendered_road() -> None:
    """Where the picture's truth says road line or car, the map has a stroke or a box."""
    lined = (
        s
        for s in range(30)
        if any(m.kind == "solid" and m.start_m < 0 < 20 < m.end_m for m in scene_of(s).markings)
    )
    drive = render_drive(next(lined), frames=1, size=(640, 360))
    control = wsm_control(drive.world, drive.geometry)
    assert control.frames.shape == drive.clip.frames.shape
    drawn = control.frames[0].any(-1)
    cars = drive.geometry.tags[0] == 14
    assert drawn[cars].mean() > 0.95
    solid = (drive.geometry.tags[0] == 24) & (drive.geometry.depth_m[0] < 25)
    assert drawn[solid].mean() > 0.5


def test_added_actor_is_in_the_map() -> None:
    lane = next(i for i, x in enumerate(scene_of(1).lanes) if x.direction == 1)
    edit = AddActor(kind="truck", lane=lane, distance_m=9.0)
    plain, added = render_drive(1, frames=1), render_drive(1, frames=1, edits=(edit,))
    before, after = (wsm_control(d.world, d.geometry).frames[0] for d in (plain, added))
    assert has(after, (204, 55, 0), 12) > has(before, (204, 55, 0), 12) + 200


def test_refusals() -> None:
    drive = render_drive(1, frames=1)
    with pytest.raises(ExtractError, match="boxes and lanes"):
        wsm_control(None, drive.geometry)
    with pytest.raises(ValueError, match="plain pinhole"):
        render_wsm(Scene(), CAMERA.model_copy(update={"model": "ftheta"}), POSES)
    with pytest.raises(ValueError, match="frames"):
        render_wsm(Scene(boxes=((), ())), CAMERA, POSES)

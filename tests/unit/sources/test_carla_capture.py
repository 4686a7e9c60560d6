"""What the capture script computes; the loop that talks to a server has not been tried against one."""

from types import SimpleNamespace

import numpy as np
import pytest

from worldgen.datatypes.scene import array_of
from worldgen.errors import SourceError
from worldgen.sources.carla import capture
from worldgen.sources.carla.axes import from_unreal, yaw_of


def a_transform(x: float = 0, y: float = 0, z: float = 0, pitch: float = 0, yaw: float = 0, roll: float = 0):
    return SimpleNamespace(
        location=SimpleNamespace(x=x, y=y, z=z), rotation=SimpleNamespace(pitch=pitch, yaw=yaw, roll=roll)
    )


def test_the_camera_of_a_field_of_view_and_a_mounting():
    mounted = from_unreal(capture.matrix_of_transform(a_transform(x=0.8, z=1.6, pitch=-5)))
    camera = capture.camera_of(1280, 720, 90.0, mounted)
    assert (camera.fx, camera.cx, camera.cy) == (pytest.approx(640), 639.5, 359.5)
    assert camera.height_m == pytest.approx(1.6)
    # Unreal's pitch looks up, ours down.
    assert camera.pitch_rad == pytest.approx(np.radians(5))


def test_an_actors_box():
    box = SimpleNamespace(
        location=SimpleNamespace(x=0.1, y=0, z=0.7),
        rotation=SimpleNamespace(pitch=0, yaw=0, roll=0),
        extent=SimpleNamespace(x=2.25, y=0.9, z=0.75),
    )
    actor = SimpleNamespace(
        id=31, type_id="vehicle.audi.tt", attributes={"base_type": "car"}, bounding_box=box
    )
    found = capture.box_of_actor(actor, a_transform(x=20, y=3, yaw=90))
    pose = array_of(found.world_from_box)
    assert found.size_m == (4.5, 1.5, 1.8)
    # Heading along Unreal's y, our x: yaw 0; its middle is 0.1 m ahead of its origin and 0.7 m up.
    assert yaw_of(pose) == pytest.approx(0.0, abs=1e-9)
    assert pose[:3, 3] == pytest.approx([3.1, -0.7, 20])


@pytest.mark.parametrize(
    ("type_id", "attributes", "category"),
    [
        ("walker.pedestrian.0012", {}, "pedestrian"),
        ("vehicle.carlamotors.carlacola", {"base_type": "truck"}, "truck"),
        ("vehicle.mitsubishi.fusorosa", {"base_type": "bus"}, "bus"),
        ("vehicle.mercedes.sprinter", {"base_type": "van"}, "car"),
        ("vehicle.bh.crossbike", {"base_type": "bicycle", "number_of_wheels": "2"}, "bicycle"),
        ("vehicle.yamaha.yzf", {"number_of_wheels": "2"}, "motorcycle"),
        ("vehicle.tesla.model3", {}, "car"),
    ],
)
def test_classes_of_actors(type_id: str, attributes: dict[str, str], category: str):
    assert capture.category_of_actor(type_id, attributes) == category


def test_raw_buffers_are_bgra():
    buffer = bytes([1, 2, 3, 255, 4, 5, 6, 255])
    assert capture.picture_of(buffer, 2, 1).tolist() == [[[1, 2, 3], [4, 5, 6]]]


def test_without_the_carla_package_it_says_so(tmp_path):
    try:
        import carla  # noqa: F401
    except ImportError:
        options = capture.parser().parse_args([str(tmp_path / "d")])
        with pytest.raises(SourceError, match="carla package"):
            capture.capture(options)
        assert list(tmp_path.iterdir()) == []


def test_the_help_says_that_it_was_not_tried():
    assert "Not tried against a server" in capture.parser().format_help()
    assert "Not tried against a server" in capture.__doc__

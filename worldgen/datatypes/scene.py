"""A scene: what a simulator knows about the world around the camera, in world axes.

World axes are a fixed right-handed frame with the handedness of a camera's: x right, y down, z forward of
some first pose, metres. `Geometry.pose` (world_from_camera) leads into it.
"""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

from worldgen.datatypes.digest import Value

Row: TypeAlias = tuple[float, float, float, float]
Matrix4: TypeAlias = tuple[Row, Row, Row, Row]
"""A rigid transform, row-major; ``a_from_b`` turns points in b into points in a."""

Point3: TypeAlias = tuple[float, float, float]

ElementKind: TypeAlias = Literal[
    "lane_line",
    "road_boundary",
    "crosswalk",
    "pole",
    "traffic_light",
    "traffic_sign",
    "wait_line",
    "road_marking",
]


class SceneBox(Value):
    """One actor in one frame: a cuboid with its whole rotation."""

    id: int
    """Track id; the instance id of its pixels where instances are matched."""
    category: str
    """As `ObjectLabel.category`."""
    size_m: Point3
    """Length (along heading), height, width."""
    world_from_box: Matrix4
    """Box axes: x along the heading, y down, z to the left of the heading; origin in the middle."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """What is known beside: type_id, lamp_state, light_state, base_type..."""


class MapElement(Value):
    """One thing that does not move: a polyline, or the outline of an area."""

    kind: ElementKind
    points_m: tuple[Point3, ...]
    """In world axes."""
    style: str = ""
    """Of lane lines: colour and pattern, such as "white solid", "white dashed", "yellow double solid"."""
    is_area: bool = False
    """The points enclose an area (crosswalk, sign plate) rather than follow a line."""
    attributes: dict[str, str] = Field(default_factory=dict)


class Scene(Value):
    """Map and actors of one clip."""

    elements: tuple[MapElement, ...] = ()
    boxes: tuple[tuple[SceneBox, ...], ...] = ()
    """Per frame of the clip."""
    light_states: tuple[dict[str, str], ...] = ()
    """Per frame: traffic light id -> red, yellow, green or unknown; empty when not recorded."""


def matrix_of(array: npt.NDArray[np.floating]) -> Matrix4:
    """Turn a 4 x 4 array into the value that is written down."""
    if array.shape != (4, 4):
        msg = f"a rigid transform is 4 x 4, got {array.shape}"
        raise ValueError(msg)
    rows = [tuple(float(v) for v in row) for row in array]
    return (rows[0], rows[1], rows[2], rows[3])  # type: ignore[return-value]  # four each, just checked


def array_of(matrix: Matrix4) -> npt.NDArray[np.float64]:
    """Turn a written-down transform back into a 4 x 4 array."""
    return np.array(matrix, np.float64)

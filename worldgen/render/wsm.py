"""World-scenario maps: lanes, boundaries, signs and boxes of a scene, drawn as world models read them.

Colours and layers follow NVIDIA's renderer for Cosmos-Transfer2.5 (``generate_control_videos.py``, "v3"):
lane lines by their type, boundaries, crosswalks, poles, wait lines, road markings, signs and lights in flat
colours, then boxes whose faces run from a dark rear to a bright front.
"""

from itertools import pairwise
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, UInt8

from worldgen.datatypes import Camera
from worldgen.datatypes.scene import ElementKind, MapElement, Scene, SceneBox, array_of
from worldgen.render.raster import Lens, ZBuffer, view_polygons

Floats: TypeAlias = npt.NDArray[np.floating]
Picture: TypeAlias = npt.NDArray[np.uint8]
Rgb: TypeAlias = tuple[int, int, int]

COLOURS: Final[dict[ElementKind, Rgb]] = {
    "lane_line": (98, 183, 249),
    "road_boundary": (253, 1, 232),
    "crosswalk": (139, 93, 255),
    "pole": (183, 69, 177),
    "wait_line": (108, 179, 59),
    "road_marking": (20, 254, 185),
    "traffic_sign": (8, 2, 255),
    "traffic_light": (100, 100, 100),
}
PAINTS: Final[dict[str, Rgb]] = {"white": (240, 240, 240), "yellow": (255, 240, 0)}
LIGHTS: Final[dict[str, Rgb]] = {"red": (240, 50, 50), "yellow": (255, 200, 0), "green": (130, 240, 132)}
GRADIENTS: Final[dict[str, tuple[Rgb, Rgb]]] = {
    "car": ((0, 46, 136), (126, 206, 255)),
    "truck": ((204, 55, 0), (255, 192, 64)),
    "pedestrian": ((148, 0, 62), (255, 124, 171)),
    "cyclist": ((0, 80, 66), (102, 208, 198)),
    "other": ((53, 26, 20), (166, 136, 125)),
}
"""Rear and front."""
CLASSES: Final[dict[str, str]] = {
    "car": "car",
    "van": "car",
    "truck": "truck",
    "bus": "truck",
    "train": "truck",
    "pedestrian": "pedestrian",
    "bicycle": "cyclist",
    "motorcycle": "cyclist",
    "rider": "cyclist",
}
EDGE: Final[Rgb] = (200, 200, 200)
ORDER: Final[tuple[ElementKind, ...]] = (
    "crosswalk",
    "road_boundary",
    "lane_line",
    "wait_line",
    "road_marking",
    "pole",
    "traffic_sign",
    "traffic_light",
)
"""What is drawn first is drawn over."""
NEAR_M: Final = 0.2
FAR_M: Final = 250.0
DASH_M: Final = (3.0, 6.0)
LINE_SHARE: Final = 6 / 720
"""Stroke of a line as a share of the picture's height, measured on a published map."""

_FACES: Final = np.array([[1, 5, 6, 2], [4, 0, 3, 7], [0, 1, 2, 3], [5, 4, 7, 6], [4, 5, 1, 0], [3, 2, 6, 7]])
_CORNERS: Final = np.array(
    [[x, y, z] for z, y in ((-0.5, 0.5), (-0.5, -0.5), (0.5, 0.5), (0.5, -0.5)) for x in (-0.5, 0.5)]
)[[0, 1, 3, 2, 4, 5, 7, 6]]


def render_wsm(
    scene: Scene, camera: Camera, poses: Float64[npt.NDArray[np.float64], "t 4 4"]
) -> UInt8[npt.NDArray[np.uint8], "t h w 3"]:
    """Draw the map of every frame, RGB on black.

    Args:
        scene: Map elements and, per frame, boxes and light states, in world axes.
        camera: A pinhole without distortion; its size is the size of the map.
        poses: world_from_camera in the same world axes.

    Raises:
        ValueError: The camera is not a plain pinhole, or there are boxes for another number of frames.
    """
    if camera.model != "pinhole" or any(camera.distortion):
        msg = f"maps are drawn for a plain pinhole; this camera is {camera.model} {camera.distortion}"
        raise ValueError(msg)
    if scene.boxes and len(scene.boxes) != len(poses):
        msg = f"boxes for {len(scene.boxes)} frames, poses for {len(poses)}"
        raise ValueError(msg)
    return np.stack([_frame(scene, camera, np.asarray(pose), t) for t, pose in enumerate(poses)])


def _frame(scene: Scene, camera: Camera, pose: Floats, t: int) -> Picture:
    picture = np.zeros((camera.height, camera.width, 3), np.uint8)
    states = scene.light_states[t] if t < len(scene.light_states) else {}
    stroke = max(round(camera.height * LINE_SHARE), 1)
    for kind in ORDER:
        for element in (e for e in scene.elements if e.kind == kind):
            _element(picture, element, camera, pose, stroke, states)
    if scene.boxes:
        _boxes(picture, scene.boxes[t], camera, pose)
    return picture


def _element(
    picture: Picture, element: MapElement, camera: Camera, pose: Floats, stroke: int, states: dict[str, str]
) -> None:
    points = (np.array(element.points_m) - pose[:3, 3]) @ pose[:3, :3]
    if points[:, 2].max() < NEAR_M or points[:, 2].min() > FAR_M:
        return
    colour = COLOURS[element.kind]
    if element.kind == "lane_line":
        for offset, part in _strands(element, points):
            _stroke(picture, part + offset, camera, _paint(element.style), stroke)
        return
    if element.kind == "traffic_light":
        colour = LIGHTS.get(states.get(element.attributes.get("id", ""), "unknown"), colour)
    if element.is_area and len(points) >= 3:
        inside = _clip_area(points)
        if len(inside) >= 3:
            cv2.fillPoly(picture, [_pixels(inside, camera)], colour, cv2.LINE_AA, 4)
        return
    thin = max(stroke // 2, 1) if element.kind == "pole" else stroke
    _stroke(picture, points, camera, colour, thin)


def _paint(style: str) -> Rgb:
    return next((rgb for name, rgb in PAINTS.items() if name in style.lower()), COLOURS["lane_line"])


def _strands(element: MapElement, points: Floats) -> list[tuple[Floats, Floats]]:
    """A lane line as strokes: two for a double line, many for a dashed one. (Shift, points) each."""
    style = element.style.lower()
    parts = _dashes(points) if "dash" in style else [points]
    if "double" not in style:
        return [(np.zeros(3), part) for part in parts]
    along = points[-1] - points[0]
    across = np.array([along[2], 0.0, -along[0]])
    across = across / max(float(np.linalg.norm(across)), 1e-9) * 0.14
    return [(sign * across, part) for part in parts for sign in (-1, 1)]


def _dashes(points: Floats) -> list[Floats]:
    way = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))))
    on, off = DASH_M
    found = []
    for start in np.arange(0.0, way[-1], on + off):
        at = np.linspace(start, min(start + on, way[-1]), 3)
        found.append(np.stack([np.interp(at, way, points[:, i]) for i in range(3)], 1))
    return found


def _stroke(picture: Picture, points: Floats, camera: Camera, colour: Rgb, stroke: int) -> None:
    """Draw a polyline; pieces before the near plane are cut off."""
    for a, b in pairwise(points):
        if max(a[2], b[2]) < NEAR_M or min(a[2], b[2]) > FAR_M:
            continue
        if a[2] < NEAR_M:
            a = a + (b - a) * (NEAR_M - a[2]) / (b[2] - a[2])  # noqa: PLW2901 -- the cut end
        elif b[2] < NEAR_M:
            b = b + (a - b) * (NEAR_M - b[2]) / (a[2] - b[2])  # noqa: PLW2901 -- the cut end
        ends = _pixels(np.stack((a, b)), camera)
        cv2.line(picture, _pair(ends[0]), _pair(ends[1]), colour, stroke, cv2.LINE_AA, 4)


def _pair(point: npt.NDArray[np.int32]) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _pixels(points: Floats, camera: Camera) -> npt.NDArray[np.int32]:
    """Project to sixteenths of a pixel, as OpenCV draws them."""
    u = points[:, 0] / points[:, 2] * camera.fx + camera.cx
    v = points[:, 1] / points[:, 2] * camera.fy + camera.cy
    bound = 100_000.0
    return np.asarray(np.round(np.clip(np.stack((u, v), 1), -bound, bound) * 16), np.int32)


def _clip_area(points: Floats) -> Floats:
    """Cut a polygon at the near plane (Sutherland and Hodgman 1974)."""
    found = []
    for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
        if a[2] >= NEAR_M:
            found.append(a)
        if (a[2] >= NEAR_M) != (b[2] >= NEAR_M):
            found.append(a + (b - a) * (NEAR_M - a[2]) / (b[2] - a[2]))
    return np.array(found)


def _boxes(picture: Picture, boxes: tuple[SceneBox, ...], camera: Camera, pose: Floats) -> None:
    """Fill boxes, nearest in front, each face from rear to front colour; then their visible edges."""
    near = [b for b in boxes if _distance(b, pose) < FAR_M]
    if not near:
        return
    lens = Lens(camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)
    to_camera = [np.linalg.inv(pose) @ array_of(b.world_from_box) for b in near]
    corners = np.stack([_corners(b) @ m[:3, :3].T + m[:3, 3] for b, m in zip(near, to_camera, strict=True)])
    faces = corners[:, _FACES].reshape(-1, 4, 3)
    middle = np.repeat(np.array([m[:3, 3] for m in to_camera]), 6, axis=0)
    normal = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    inward = np.einsum("ni,ni->n", normal, faces.mean(1) - middle) < 0
    faces[inward] = faces[inward][:, ::-1]
    buffer = ZBuffer(np.zeros(camera.width * camera.height, np.float32))
    buffer.draw(
        view_polygons(faces, lens, np.zeros(len(faces), bool)), camera.width, np.arange(1, len(faces) + 1)
    )
    hit = np.flatnonzero(buffer.face)
    depth = 1.0 / buffer.value[hit]
    owner = (buffer.face[hit] - 1) // 6
    points = lens.rays().reshape(-1, 3)[hit] * depth[:, None]
    inverse = np.linalg.inv(np.stack(to_camera))
    local = np.einsum("ni,ni->n", inverse[owner, 0, :3], points) + inverse[owner, 0, 3]
    share = np.clip(local / np.array([b.size_m[0] for b in near])[owner] + 0.5, 0, 1)[:, None]
    shades = np.array([GRADIENTS[CLASSES.get(b.category, "other")] for b in near], float)
    colour = shades[owner, 0] * (1 - share) + shades[owner, 1] * share
    picture.reshape(-1, 3)[hit] = np.round(colour).astype(np.uint8)
    _edges(picture, corners, camera, buffer.value.reshape(camera.height, camera.width))


def _distance(box: SceneBox, pose: Floats) -> float:
    return float(np.linalg.norm(array_of(box.world_from_box)[:3, 3] - pose[:3, 3]))


def _corners(box: SceneBox) -> Floats:
    length, height, width = box.size_m
    return _CORNERS * [length, height, width]


def _edges(picture: Picture, corners: Floats, camera: Camera, inverse: npt.NDArray[np.float32]) -> None:
    """Draw the twelve edges of each box where nothing nearer hides them."""
    pairs = np.array(
        [(i, j) for i in range(8) for j in range(i + 1, 8) if np.sum(_CORNERS[i] != _CORNERS[j]) == 1]
    )
    steps = np.linspace(0, 1, 25)
    stroke = max(camera.height // 720, 1)
    for box in corners:
        for i, j in pairs:
            line = box[i] + steps[:, None] * (box[j] - box[i])
            ahead = line[:, 2] > NEAR_M
            if not ahead.any():
                continue
            pixels = np.zeros((len(line), 2), np.int32)
            pixels[ahead] = _pixels(line[ahead], camera)
            x = np.clip(pixels[:, 0] // 16, 0, camera.width - 1)
            y = np.clip(pixels[:, 1] // 16, 0, camera.height - 1)
            shown = ahead & (1.0 / np.maximum(line[:, 2], NEAR_M) >= _least(inverse, y, x) * 0.985)
            for k in np.flatnonzero(shown[:-1] & shown[1:]):
                cv2.line(picture, _pair(pixels[k]), _pair(pixels[k + 1]), EDGE, stroke, cv2.LINE_AA, 4)


def _least(
    inverse: npt.NDArray[np.float32], y: npt.NDArray[np.integer], x: npt.NDArray[np.integer]
) -> Floats:
    """The farthest surface within a pixel, so that an edge is not hidden by its own box."""
    h, w = inverse.shape
    around = [
        inverse[np.clip(y + dy, 0, h - 1), np.clip(x + dx, 0, w - 1)]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    return np.asarray(np.min(around, axis=0))

"""The renderer: one frame of a stage after another; what does not change is made once."""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera
from worldgen.render.raster import Lens
from worldgen.sources.proving_ground import lamps
from worldgen.sources.proving_ground.film import Film
from worldgen.sources.proving_ground.frame import Frame
from worldgen.sources.proving_ground.light import Weather
from worldgen.sources.proving_ground.scene import Scene
from worldgen.sources.proving_ground.shade import Setting, shade
from worldgen.sources.proving_ground.shadow import Grid, Shade
from worldgen.sources.proving_ground.stage import STATIC_REACH_M, Stage
from worldgen.sources.proving_ground.view import View, faces_in_view, see, skyline_of

Floats = npt.NDArray[np.floating]


class Renderer:
    """Renders the frames of one drive; what does not change is made once."""

    def __init__(self, scene: Scene, stage: Stage, weather: Weather, camera: Camera, poses: Floats, seed: int) -> None:
        """Prepare what all frames share."""
        self.scene, self.stage, self.weather, self.camera, self.poses = scene, stage, weather, camera, poses
        self.skyline = skyline_of(scene.backdrop, scene.place)
        # Two samples per pixel and one more, so that every second sample is a pixel's very centre.
        self.lens = Lens(
            2 * camera.width + 1, 2 * camera.height + 1, 2 * camera.fx, 2 * camera.fy, 2 * camera.cx + 1, 2 * camera.cy + 1
        )
        self.grid = _grid_for(poses, camera)
        self.sunlit = float(weather.sun_rgb.max()) > 1e-3
        self.shade = Shade(stage, weather.sun, self.grid) if self.sunlit else None
        self.film = Film(scene, weather, camera, poses, seed)

    def frame(self, t: int, seconds: float, lit: dict[int, frozenset[str]]) -> Frame:
        """Render one frame."""
        pose = self.poses[t]
        position, rotation = pose[:3, 3], pose[:3, :3]
        faces = faces_in_view(self.stage, t, position, rotation, self.lens, reach=STATIC_REACH_M)
        view = see(self.stage, faces, self.lens, position, rotation, self.skyline)
        blank = np.zeros((self.grid.rows, self.grid.columns), np.float32)
        height, cover = self.shade.at(t) if self.shade is not None else (blank, blank)
        setting = Setting(
            scene=self.scene,
            stage=self.stage,
            weather=self.weather,
            emission=lamps.emission(self.stage, lit, self.weather),
            lights=lamps.lights(self.scene, self.stage, lit, self.weather, t, position, rotation),
            grid=self.grid,
            shade_height=height,
            shade_cover=cover,
            contact=_contact(self.stage, t, self.grid),
            seconds=seconds,
        )
        picture = shade(view, setting)
        shape = (self.lens.height, self.lens.width)
        rgb = self.film.expose(picture, view, setting, t)
        centre = (slice(1, None, 2), slice(1, None, 2))
        instances = picture.instance.reshape(shape)[centre]
        return Frame(
            rgb=rgb,
            depth=np.ascontiguousarray(view.depth.reshape(shape)[centre]),
            tags=np.ascontiguousarray(picture.tag.reshape(shape)[centre]),
            instances=np.ascontiguousarray(instances),
            flow=self._flow(view, t),
            amodal={},
        )

    def _flow(self, view: View, t: int) -> npt.NDArray[np.float32]:
        """Exact motion of what is seen at each pixel's centre to the next frame, in pixels."""
        h, w = self.camera.height, self.camera.width
        if t + 1 >= len(self.poses):
            return np.zeros((h, w, 2), np.float32)
        shape = (self.lens.height, self.lens.width)
        depth = view.depth.reshape(shape)[1::2, 1::2].reshape(-1)
        face = view.face.reshape(shape)[1::2, 1::2].reshape(-1)
        rays = view.rays.reshape(*shape, 3)[1::2, 1::2].reshape(-1, 3)
        far = np.isinf(depth)
        points = np.where(far[:, None], rays * 1e6, rays * np.where(far, 1, depth)[:, None]) + view.position
        moved = points.copy()
        hit = np.flatnonzero(face >= 0)
        part = self.stage.part[view.faces.index[face[hit]]]
        moves = self.stage.moving[part]
        hit, part = hit[moves], part[moves]
        step = self.stage.poses[t + 1] @ np.linalg.inv(self.stage.poses[t])
        moved[hit] = np.einsum("nij,nj->ni", step[part, :3, :3], points[hit]) + step[part, :3, 3]
        after = self.poses[t + 1]
        seen = (moved - after[:3, 3]) @ after[:3, :3]
        z = np.maximum(seen[:, 2], 1e-3)
        u = seen[:, 0] / z * self.camera.fx + self.camera.cx
        v = seen[:, 1] / z * self.camera.fy + self.camera.cy
        columns, rows = np.meshgrid(np.arange(w), np.arange(h))
        return np.stack((u.reshape(h, w) - columns, v.reshape(h, w) - rows), -1).astype(np.float32)


def _grid_for(poses: Floats, camera: Camera) -> Grid:
    start, end = poses[:, :3, 3].min(0), poses[:, :3, 3].max(0)
    cell = 0.13 if camera.width <= 400 else 0.085
    x0, x1 = start[0] - 4.0, end[0] + 95.0
    y0, y1 = start[1] - 38.0, end[1] + 38.0
    return Grid(float(x0), float(y0), cell, int((x1 - x0) / cell), int((y1 - y0) / cell))


def _contact(stage: Stage, t: int, grid: Grid) -> npt.NDArray[np.float32]:
    """Soft darkness on the ground under and around what stands on it."""
    out = np.zeros((grid.rows, grid.columns), np.float32)
    coarse = 4
    small = np.zeros((grid.rows // coarse + 1, grid.columns // coarse + 1), np.float32)
    for thing in stage.things:
        if thing.kind in ("guard_rail", "fence", "gantry", "pole") or not thing.visible[t]:
            continue
        pose = thing.poses[t]
        if pose[2, 3] > 0.3:
            continue
        length, width, _ = thing.rig.size
        strength = 0.95
        if thing.kind in ("plant", "street_light", "traffic_light", "sign"):
            length, width, strength = 0.7, 0.7, 0.5
        elif thing.kind == "pedestrian":
            length, width, strength = 0.5, 0.45, 0.8
        elif thing.kind == "building":
            length, width, strength = length + 0.5, width + 0.5, 0.6
        corners = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * [length / 2, width / 2]
        world = corners @ pose[:2, :2].T + pose[:2, 3]
        column, row = grid(world[:, 0], world[:, 1])
        points = np.stack((column, row), 1) / coarse * 16
        cv2.fillConvexPoly(small, points.astype(np.int32), strength, cv2.LINE_8, 4)
    small = cv2.GaussianBlur(small, (0, 0), 0.30 / (grid.cell * coarse))
    return cv2.resize(small, (small.shape[1] * coarse, small.shape[0] * coarse))[: out.shape[0], : out.shape[1]]

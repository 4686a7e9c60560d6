"""The renderer: one frame of a stage after another; what does not change is made once."""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera
from worldgen.render.raster import Lens, fragments_of, view_polygons
from worldgen.sources.proving_ground import lamps
from worldgen.sources.proving_ground.film import Film
from worldgen.sources.proving_ground.frame import Frame
from worldgen.sources.proving_ground.light import Weather
from worldgen.sources.proving_ground.samples import centres, plan_samples, resolve, sample_lens, scatter
from worldgen.sources.proving_ground.scene import Scene
from worldgen.sources.proving_ground.setting import Setting
from worldgen.sources.proving_ground.shade import shade
from worldgen.sources.proving_ground.shadow import Grid, Shade
from worldgen.sources.proving_ground.stage import STATIC_REACH_M, Stage
from worldgen.sources.proving_ground.view import Faces, View, faces_in_view, see, skyline_of
from worldgen.sources.proving_ground.wet import mirror_on_ground

Floats = npt.NDArray[np.floating]
PIXELS = 1 << 24
"""More than a picture has."""


class Renderer:
    """Renders the frames of one drive; what does not change is made once."""

    def __init__(
        self,
        scene: Scene,
        stage: Stage,
        weather: Weather,
        camera: Camera,
        poses: Floats,
        times: Floats,
        seed: int,
    ) -> None:
        """Prepare what all frames share."""
        self.scene, self.stage, self.weather, self.camera, self.poses = scene, stage, weather, camera, poses
        self.skyline = skyline_of(scene.backdrop, scene.place)
        self.lens = sample_lens(camera)
        self.pixels = Lens(camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)
        self.grid = _grid_for(poses, camera)
        self.sunlit = float(weather.sun_rgb.max()) > 1e-3
        self.shade = Shade(stage, weather.sun, self.grid) if self.sunlit else None
        self.film = Film(weather, camera, poses, times, seed)

    def frame(self, t: int, seconds: float, lit: dict[int, frozenset[str]]) -> Frame:
        """Render one frame."""
        pose = self.poses[t]
        position, rotation = pose[:3, 3], pose[:3, :3]
        faces = faces_in_view(self.stage, t, position, rotation, self.lens, reach=STATIC_REACH_M)
        view = see(self.stage, faces, self.lens, position, rotation, self.skyline, spread=2.0)
        blank = np.zeros((self.grid.rows, self.grid.columns), np.float32)
        height, cover = self.shade.at(t) if self.shade is not None else (blank, blank)
        setting = Setting(
            scene=self.scene,
            stage=self.stage,
            weather=self.weather,
            emission=lamps.emission(self.stage, lit, self.weather),
            lights=lamps.lights(self.stage, lit, self.weather, t, position, rotation),
            grid=self.grid,
            shade_height=height,
            shade_cover=cover,
            contact=_contact(self.stage, t, self.grid),
            frame=t,
            seconds=seconds,
        )
        plan = plan_samples(view)
        picture = shade(view.pick(plan.where), setting)
        light, gloss = resolve(plan, picture)
        if self.weather.wetness > 0.1:
            light = mirror_on_ground(light, gloss, setting, self.skyline, pose, self.camera, t)
        depth = centres(view.depth, self.lens)
        rgb = self.film.expose(light, depth, setting, t)
        return Frame(
            rgb=rgb,
            depth=depth,
            tags=centres(scatter(plan, picture.tag), self.lens),
            instances=centres(scatter(plan, picture.instance), self.lens),
            flow=self._flow(view, t),
            amodal=self._amodal(faces, position, rotation),
        )

    def _amodal(self, faces: Faces, position: Floats, rotation: Floats) -> dict[int, int]:
        """Count the pixels of each labelled object as if nothing stood before it."""
        ids = self.stage.instance[faces.index]
        own = np.flatnonzero(ids > 0)
        if len(own) == 0:
            return {}
        eye = (faces.corners[own] - position) @ rotation
        polygons = view_polygons(eye, self.pixels, self.stage.two_sided[faces.index[own]])
        keys = [
            ids[own][polygons.source[bits.polygon]] * PIXELS + bits.pixel
            for bits in fragments_of(polygons, self.pixels.width)
        ]
        covered = np.unique(np.concatenate(keys)) // PIXELS if keys else np.zeros(0, np.int64)
        found, counts = np.unique(covered, return_counts=True)
        return {int(k): int(n) for k, n in zip(found, counts, strict=True)}

    def _flow(self, view: View, t: int) -> npt.NDArray[np.float32]:
        """Exact motion of what is seen at each pixel's centre to the next frame, in pixels."""
        h, w = self.camera.height, self.camera.width
        if t + 1 >= len(self.poses):
            return np.zeros((h, w, 2), np.float32)
        depth = centres(view.depth, self.lens).reshape(-1)
        face = centres(view.face, self.lens).reshape(-1)
        rays = centres(view.rays, self.lens).reshape(-1, 3)
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
    coarse = 4
    small = np.zeros((grid.rows // coarse + 1, grid.columns // coarse + 1), np.float32)
    for thing in stage.things:
        if thing.kind in ("guard_rail", "fence", "gantry", "pole", "ego") or not thing.visible[t]:
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
    soft = cv2.GaussianBlur(small, (0, 0), 0.30 / (grid.cell * coarse))
    large = cv2.resize(soft, (small.shape[1] * coarse, small.shape[0] * coarse))
    return np.asarray(large[: grid.rows, : grid.columns], np.float32)

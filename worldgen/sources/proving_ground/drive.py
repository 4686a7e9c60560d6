"""A drive: a scene rendered over time, with everything that a simulator knows about it."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera, Clip, Condition, Geometry, Labels, Origins, Spec
from worldgen.datatypes.tags import EGO
from worldgen.render.raster import Lens
from worldgen.sources.proving_ground import lamps
from worldgen.sources.proving_ground.changes import apply, edited_scene
from worldgen.sources.proving_ground.edits import Edit
from worldgen.sources.proving_ground.film import Film
from worldgen.sources.proving_ground.labelling import label_frame
from worldgen.sources.proving_ground.layout import scene_of
from worldgen.sources.proving_ground.light import Weather, condition_of, weather_of
from worldgen.sources.proving_ground.scene import Scene
from worldgen.sources.proving_ground.shade import Setting, shade
from worldgen.sources.proving_ground.shadow import Grid, Shade
from worldgen.sources.proving_ground.stage import STATIC_REACH_M, Stage, actor_thing, build_stage, static_things
from worldgen.sources.proving_ground.traffic import EGO as EGO_TRACK
from worldgen.sources.proving_ground.traffic import Track, simulate
from worldgen.sources.proving_ground.view import View, faces_in_view, see, skyline_of

Floats = npt.NDArray[np.floating]
Progress = Callable[[int, int], None]
CAM_FORWARD_M = 0.45
"""Of the camera before the middle of the ego."""
CAM_AXES = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""body_from_camera without tilt: camera x right, y down, z forward; body x forward, y left, z up."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drive:
    """A rendered drive and its truth."""

    clip: Clip
    geometry: Geometry
    labels: Labels
    condition: Condition
    scene: Scene
    tracks: dict[int, Track]
    lamp_states: tuple[dict[int, frozenset[str]], ...]
    """Per frame, the lamps that are lit by object id."""
    spec: Spec | None = None


def render_drive(
    seed: int,
    *,
    frames: int = 17,
    size: tuple[int, int] = (256, 144),
    fps: float = 10.0,
    spec: Spec | None = None,
    edits: tuple[Edit, ...] = (),
    scene: Scene | None = None,
    progress: Progress | None = None,
) -> Drive:
    """Render the drive of a seed.

    Args:
        seed: Decides the scene, unless `scene` is given, and all that is random in rendering it.
        frames: How many frames.
        size: Width and height in pixels.
        fps: Frames per second.
        spec: Weather and light; None renders the scene's own.
        edits: What shall be different, all else equal.
        scene: A scene to render instead of the seed's own.
        progress: Told (frames done, frames in all).
    """
    before = scene if scene is not None else scene_of(seed)
    times = np.arange(frames) / fps
    tracks = simulate(before, times)
    changed = edited_scene(before, edits)
    weather = weather_of(changed.sky, spec)
    things = static_things(changed, frames)
    things += [actor_thing(a, tracks[a.id], changed.road) for a in before.actors]
    stage = build_stage(apply(things, edits, changed, times))
    camera = camera_of(changed, size)
    poses = camera_poses(changed, tracks[EGO_TRACK], times)
    renderer = Renderer(changed, stage, weather, camera, poses, seed)
    shown = []
    lit = tuple(lamps.states(changed, stage, tracks, weather, edits, t, float(times[t])) for t in range(frames))
    for t in range(frames):
        shown.append(renderer.frame(t, float(times[t]), lit[t]))
        if progress is not None:
            progress(t + 1, frames)
    depth = np.stack([f.depth for f in shown])
    tags = np.stack([f.tags for f in shown])
    geometry = Geometry(
        depth_m=depth,
        origins=Origins(depth="simulator", scale="simulator", tags="simulator", instances="simulator", camera="simulator", pose="simulator", flow="simulator"),
        camera=camera,
        tags=tags,
        instances=np.stack([f.instances for f in shown]),
        pose=poses,
        flow=np.stack([f.flow for f in shown]),
        ego_mask=(tags == EGO).all(0) if (tags == EGO).any() else None,
    )
    labels = Labels(
        width=size[0],
        height=size[1],
        frames=tuple(
            label_frame(t, stage, shown[t].amodal, geometry, poses[t], camera, lit[t]) for t in range(frames)
        ),
        camera=camera,
        condition={k: float(v) for k, v in spec.changes.items()} if spec is not None else {},
        geometry_origin="simulator",
        scale_interval=(1.0, 1.0),
        source_format="proving_ground",
    )
    clip = Clip(frames=np.stack([f.rgb for f in shown]), timestamps_seconds=times, fps=fps, camera="front")
    return Drive(
        clip=clip, geometry=geometry, labels=labels, condition=condition_of(weather, spec), scene=changed, tracks=tracks, lamp_states=lit, spec=spec
    )


def camera_of(scene: Scene, size: tuple[int, int]) -> Camera:
    """Return the camera of a scene at a picture size."""
    width, height = size
    focal = width / 2 / np.tan(np.radians(scene.ego.hfov_deg) / 2)
    return Camera(
        width=width,
        height=height,
        fx=float(focal),
        fy=float(focal),
        cx=(width - 1) / 2,
        cy=(height - 1) / 2,
        height_m=scene.ego.height_m,
        pitch_rad=scene.ego.pitch_rad,
    )


def camera_poses(scene: Scene, track: Track, times: Floats) -> Floats:
    """Return world_from_camera over the frames, [t, 4, 4]; a moving car nods and sways a little."""
    x, y, heading = scene.road.world(track.s, track.d)
    rng = np.random.default_rng([scene.seed, 41])
    phase = rng.uniform(0, 6.28, 6)
    rolling = np.clip(track.speed / 8.0, 0, 1) * scene.ego.shake

    def sway(k: int, hertz: float) -> Floats:
        return np.asarray(np.sin(2 * np.pi * hertz * times + phase[k]) + 0.5 * np.sin(2 * np.pi * hertz * 2.3 * times + phase[k + 1]))

    pitch = scene.ego.pitch_rad + 0.0016 * rolling * sway(0, 1.3)
    roll = 0.0012 * rolling * sway(2, 0.9)
    lift = scene.ego.height_m + 0.008 * rolling * sway(4, 1.6)
    out = np.zeros((len(times), 4, 4))
    for t in range(len(times)):
        c, s = np.cos(pitch[t]), np.sin(pitch[t])
        tilt = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
        c, s = np.cos(roll[t]), np.sin(roll[t])
        lean = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        c, s = np.cos(heading[t]), np.sin(heading[t])
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        out[t, :3, :3] = turn @ CAM_AXES @ tilt @ lean
        out[t, :3, 3] = np.array([x[t], y[t], lift[t]]) + turn @ [CAM_FORWARD_M, 0, 0]
        out[t, 3, 3] = 1.0
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One rendered frame with its truth."""

    rgb: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    tags: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.int32]
    flow: npt.NDArray[np.float32]
    amodal: dict[int, int]
    """Pixels that each labelled object would cover if nothing were before it."""


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



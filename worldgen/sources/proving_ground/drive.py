"""A drive: a scene rendered over time, with everything that a simulator knows about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera, Clip, Condition, Geometry, Labels, Origins, Spec
from worldgen.datatypes import scene as packages
from worldgen.datatypes.tags import EGO
from worldgen.sources.proving_ground import lamps
from worldgen.sources.proving_ground.bonnet import bonnet_mesh
from worldgen.sources.proving_ground.changes import apply, edited_scene
from worldgen.sources.proving_ground.edits import Edit
from worldgen.sources.proving_ground.frame import Frame
from worldgen.sources.proving_ground.labelling import label_frame, lens_regions
from worldgen.sources.proving_ground.layout import scene_of
from worldgen.sources.proving_ground.light import condition_of, weather_of
from worldgen.sources.proving_ground.renderer import Renderer
from worldgen.sources.proving_ground.rig import Part, Rig
from worldgen.sources.proving_ground.scene import Scene
from worldgen.sources.proving_ground.stage import Thing, actor_thing, build_stage, static_things
from worldgen.sources.proving_ground.traffic import EGO as EGO_TRACK
from worldgen.sources.proving_ground.traffic import Track, simulate
from worldgen.sources.proving_ground.world import OUT_FROM_WORLD, package_of

Floats = npt.NDArray[np.floating]
Progress = Callable[[int, int], None]
SIMULATED = Origins(
    depth="simulator",
    scale="simulator",
    tags="simulator",
    instances="simulator",
    camera="simulator",
    pose="simulator",
    flow="simulator",
)
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
    """What was drawn from the seed, with the edits."""
    world: packages.Scene
    """The same as a scene package: map, boxes, light states in the world axes of `geometry.pose`."""
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
    take = Take(seed, frames=frames, size=size, fps=fps, spec=spec, edits=edits, scene=scene)
    shown = list(take.shoot(progress))
    tags = np.stack([f.tags for f in shown])
    geometry = Geometry(
        depth_m=np.stack([f.depth for f in shown]),
        origins=SIMULATED,
        camera=take.camera,
        tags=tags,
        instances=np.stack([f.instances for f in shown]),
        pose=take.out_poses,
        flow=np.stack([f.flow for f in shown]),
        ego_mask=(tags == EGO).all(0) if (tags == EGO).any() else None,
    )
    ignore = lens_regions(take.weather.lens_drops, take.camera, seed)
    labels = Labels(
        width=size[0],
        height=size[1],
        frames=tuple(
            label_frame(t, take.stage, shown[t], take.poses[t], take.camera, take.lit[t], ignore)
            for t in range(frames)
        ),
        camera=take.camera,
        condition={k: float(v) for k, v in spec.changes.items()} if spec is not None else {},
        geometry_origin="simulator",
        scale_interval=(1.0, 1.0),
        source_format="proving_ground",
    )
    return Drive(
        clip=Clip(
            frames=np.stack([f.rgb for f in shown]), timestamps_seconds=take.times, fps=fps, camera="front"
        ),
        geometry=geometry,
        labels=labels,
        condition=condition_of(take.weather, spec),
        scene=take.scene,
        world=package_of(take.scene, take.stage, take.lit),
        tracks=take.tracks,
        lamp_states=take.lit,
        spec=spec,
    )


class Take:
    """A drive that is set up and not yet rendered: frames come one by one, so any length fits in memory."""

    def __init__(
        self,
        seed: int,
        *,
        frames: int,
        size: tuple[int, int],
        fps: float,
        spec: Spec | None = None,
        edits: tuple[Edit, ...] = (),
        scene: Scene | None = None,
    ) -> None:
        """Set the stage; arguments as in `render_drive`."""
        before = scene if scene is not None else scene_of(seed)
        self.times = np.arange(frames) / fps
        self.tracks = simulate(before, self.times)
        self.scene = edited_scene(before, edits)
        self.weather = weather_of(self.scene.sky, spec)
        things = static_things(self.scene, frames)
        things += [actor_thing(a, self.tracks[a.id], self.scene.road) for a in before.actors]
        self.camera = camera_of(self.scene, size)
        self.poses = camera_poses(self.scene, self.tracks[EGO_TRACK], self.times)
        things = apply(things, edits, self.scene, self.times)
        if self.scene.ego.bonnet:
            things.append(bonnet_thing(self.scene, self.poses))
        self.stage = build_stage(things, frames)
        self.out_poses = np.asarray(OUT_FROM_WORLD @ self.poses, np.float64)
        self.lit = tuple(
            lamps.states(self.scene, self.tracks, self.weather, edits, t, float(self.times[t]))
            for t in range(frames)
        )
        self._seed = seed

    def shoot(self, progress: Progress | None = None) -> Iterator[Frame]:
        """Render the frames in order."""
        renderer = Renderer(
            self.scene, self.stage, self.weather, self.camera, self.poses, self.times, self._seed
        )
        for t, seconds in enumerate(self.times):
            yield renderer.frame(t, float(seconds), self.lit[t])
            if progress is not None:
                progress(t + 1, len(self.times))


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


def bonnet_thing(scene: Scene, poses: Floats) -> Thing:
    """The ego's own bonnet: it moves with the camera, so it stands still in the picture."""
    ego = scene.ego
    c, s = np.cos(ego.pitch_rad), np.sin(ego.pitch_rad)
    level = np.eye(4)
    level[:3, :3] = CAM_AXES @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    level[2, 3] = ego.height_m
    rig = Rig((Part(bonnet_mesh(ego.colour, ego.height_m)),), (1.0, 1.7, 1.0))
    n = len(poses)
    return Thing(
        0, "ego", "", EGO, rig, poses @ np.linalg.inv(level), np.zeros(n), np.zeros(n), np.ones(n, bool), True
    )


def camera_poses(scene: Scene, track: Track, times: Floats) -> Floats:
    """Return world_from_camera over the frames, [t, 4, 4]; a moving car nods and sways a little."""
    x, y, heading = scene.road.world(track.s, track.d)
    rng = np.random.default_rng([scene.seed, 41])
    phase = rng.uniform(0, 6.28, 6)
    rolling = np.clip(track.speed / 8.0, 0, 1) * scene.ego.shake

    def sway(k: int, hertz: float) -> Floats:
        return np.asarray(
            np.sin(2 * np.pi * hertz * times + phase[k])
            + 0.5 * np.sin(2 * np.pi * hertz * 2.3 * times + phase[k + 1])
        )

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

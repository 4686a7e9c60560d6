"""Record a running CARLA server as a worldgen dump (layout a). Not tried against a server here.

Written after CARLA's documented Python API (0.9.14 and later) and the capture of its own Cosmos client; the
conversions it uses are tested, the loop that talks to a server is not. It needs the ``carla`` package of the
server's version, which is not a dependency of worldgen.

    python -m worldgen.sources.carla.capture out/drive --seconds 5 --fps 10 --size 1280x720

The world runs in synchronous mode; every picture must carry the frame id of its tick, or the recording stops
and nothing is left. The first ticks are thrown away: a new camera's temporal filters need them.
"""

import argparse
import datetime as dt
import math
import queue
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from worldgen.config.carla import FIELDS
from worldgen.datatypes import Camera, SceneBox
from worldgen.errors import SourceError
from worldgen.sources.carla.axes import box_from_unreal, from_unreal, mounting, unreal_matrix
from worldgen.sources.carla.manifest import DumpHead, Recorder, SensorKind
from worldgen.sources.carla.writer import DumpWriter, Picture, box_at

BLUEPRINTS: Final[dict[SensorKind, str]] = {
    "rgb": "sensor.camera.rgb",
    "depth": "sensor.camera.depth",
    "semantic": "sensor.camera.semantic_segmentation",
    "instance": "sensor.camera.instance_segmentation",
}
_CATEGORIES: Final = {
    "car": "car",
    "van": "car",
    "truck": "truck",
    "bus": "bus",
    "motorcycle": "motorcycle",
    "bicycle": "bicycle",
}


def camera_of(width: int, height: int, hfov_deg: float, ego_from_camera: npt.NDArray[np.float64]) -> Camera:
    """Build the camera that CARLA renders for a horizontal field of view and a mounting in our axes."""
    focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
    height_m, pitch_rad, roll_rad = mounting(ego_from_camera)
    return Camera(
        width=width,
        height=height,
        fx=focal,
        fy=focal,
        cx=(width - 1) / 2,
        cy=(height - 1) / 2,
        height_m=height_m,
        pitch_rad=pitch_rad,
        roll_rad=roll_rad,
    )


def category_of_actor(type_id: str, attributes: dict[str, str]) -> str:
    """Name an actor's class from its blueprint: ``vehicle.*`` by base_type and wheels, ``walker.*``."""
    if type_id.startswith("walker."):
        return "pedestrian"
    base = attributes.get("base_type", "").lower()
    if base in _CATEGORIES:
        return _CATEGORIES[base]
    return "motorcycle" if attributes.get("number_of_wheels") == "2" else "car"


def picture_of(raw: bytes, width: int, height: int) -> npt.NDArray[np.uint8]:
    """View a raw BGRA buffer as BGR rows."""
    bgra = np.frombuffer(raw, np.uint8).reshape(height, width, 4)
    return np.ascontiguousarray(bgra[..., :3])


def matrix_of_transform(transform: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401 -- carla.Transform
    """Build the matrix of a `carla.Transform`."""
    place, turn = transform.location, transform.rotation
    return unreal_matrix(place.x, place.y, place.z, pitch=turn.pitch, yaw=turn.yaw, roll=turn.roll)


def box_of_actor(actor: Any, transform: Any) -> SceneBox:  # noqa: ANN401 -- carla.Actor, carla.Transform
    """Pose an actor's bounding box in the world."""
    box = actor.bounding_box
    turn = box.rotation
    local = unreal_matrix(
        box.location.x, box.location.y, box.location.z, pitch=turn.pitch, yaw=turn.yaw, roll=turn.roll
    )
    return box_at(
        actor.id,
        category_of_actor(actor.type_id, dict(actor.attributes)),
        size_m=(2 * box.extent.x, 2 * box.extent.z, 2 * box.extent.y),
        world_from_box=box_from_unreal(matrix_of_transform(transform) @ local),
        attributes={"type_id": actor.type_id},
    )


class Rig:
    """Talks to a server: cameras on the ego vehicle, tick by tick."""

    def __init__(self, world: Any, ego: Any, attach: Any, size: tuple[int, int], hfov: float) -> None:  # noqa: ANN401
        self._world = world
        self._ego = ego
        self._queues: dict[SensorKind, queue.Queue[Any]] = {}
        self._sensors: list[Any] = []
        blueprints = world.get_blueprint_library()
        for kind, name in BLUEPRINTS.items():
            blueprint = blueprints.find(name)
            blueprint.set_attribute("image_size_x", str(size[0]))
            blueprint.set_attribute("image_size_y", str(size[1]))
            blueprint.set_attribute("fov", str(hfov))
            sensor = world.spawn_actor(blueprint, attach, attach_to=ego)
            arrived: queue.Queue[Any] = queue.Queue()
            sensor.listen(arrived.put)
            self._queues[kind] = arrived
            self._sensors.append(sensor)

    def tick(self, *, timeout_s: float = 30.0) -> tuple[int, dict[SensorKind, Any]]:
        """Advance the world by one frame and wait for every sensor's picture of it.

        Raises:
            SourceError: `missing_frame`, `doubled_frame`: a sensor came late, or with another frame.
        """
        frame = int(self._world.tick())
        pictures = {}
        for kind, arrived in self._queues.items():
            while True:
                try:
                    image = arrived.get(timeout=timeout_s)
                except queue.Empty as exc:
                    message = f"sensor {kind} did not deliver frame {frame} within {timeout_s:g} s"
                    raise SourceError(message, reason="missing_frame") from exc
                if image.frame == frame:
                    break
                if image.frame > frame:
                    message = f"sensor {kind} delivered frame {image.frame} instead of {frame}"
                    raise SourceError(message, reason="missing_frame")
            pictures[kind] = image
        return frame, pictures

    def boxes(self, snapshot: Any) -> list[SceneBox]:  # noqa: ANN401 -- carla.WorldSnapshot
        """Pose every vehicle and walker but the ego, as of one moment."""
        found = []
        for pattern in ("vehicle.*", "walker.pedestrian.*"):
            for actor in self._world.get_actors().filter(pattern):
                seen = snapshot.find(actor.id)
                if actor.id != self._ego.id and seen is not None:
                    found.append(box_of_actor(actor, seen.get_transform()))
        return found

    def lights(self) -> dict[str, str]:
        """State of every traffic light."""
        lights = self._world.get_actors().filter("traffic.traffic_light*")
        return {str(light.id): str(light.get_state()).rsplit(".", maxsplit=1)[-1].lower() for light in lights}

    def close(self) -> None:
        """Take the cameras off."""
        for sensor in self._sensors:
            sensor.stop()
            sensor.destroy()


def capture(options: argparse.Namespace) -> Path:
    """Record; see the module's documentation."""
    try:
        import carla  # type: ignore[import-not-found]  # only where a server runs
    except ImportError as exc:
        message = "the carla package is not installed; install the version of your server"
        raise SourceError(message, reason="not_found") from exc
    client = carla.Client(options.host, options.port)
    client.set_timeout(30.0)
    world = client.get_world()
    before = world.get_settings()
    ego = find_ego(world, options.role)
    attach = carla.Transform(
        carla.Location(x=options.x, y=options.y, z=options.z), carla.Rotation(pitch=options.pitch)
    )
    ego_from_camera = from_unreal(matrix_of_transform(attach))
    width, height = (int(v) for v in options.size.split("x"))
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 1.0 / options.fps
    world.apply_settings(settings)
    recorder: Rig | None = None
    try:
        world.tick()
        recorder = Rig(world, ego, attach, (width, height), options.fov)
        for _ in range(1 + options.warmup):
            recorder.tick()
        weather = world.get_weather()
        head = DumpHead(
            origin=Recorder(name="carla", version=client.get_server_version()),
            carla_version=client.get_server_version(),
            fps=options.fps,
            map=world.get_map().name,
            weather={name: float(getattr(weather, name)) for name in FIELDS if hasattr(weather, name)},
            instance_ids="unrelated",
            license=options.license,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        )
        camera = camera_of(width, height, options.fov, ego_from_camera)
        mountings: dict[str, npt.NDArray[np.floating]] = {"front": ego_from_camera}
        with DumpWriter(
            options.folder, head, cameras={"front": camera}, ego_from_camera=mountings, raw=options.raw
        ) as writer:
            record_frames(writer, recorder, world, ego, ego_from_camera, options)
    finally:
        if recorder is not None:
            recorder.close()
        world.apply_settings(before)
    return Path(options.folder)


def record_frames(
    writer: DumpWriter,
    recorder: Rig,
    world: Any,  # noqa: ANN401 -- carla.World
    ego: Any,  # noqa: ANN401 -- carla.Vehicle
    ego_from_camera: npt.NDArray[np.float64],
    options: argparse.Namespace,
) -> None:
    """Write one frame per tick."""
    started: float | None = None
    for index in range(max(1, round(options.seconds * options.fps))):
        frame, images = recorder.tick()
        snapshot = world.get_snapshot()
        if snapshot.frame != frame:
            message = f"the world is at frame {snapshot.frame}, the pictures at {frame}"
            raise SourceError(message, reason="missing_frame")
        elapsed = float(snapshot.timestamp.elapsed_seconds)
        started = elapsed if started is None else started
        pictures: dict[SensorKind, Picture] = {
            kind: picture_of(bytes(image.raw_data), image.width, image.height)
            for kind, image in images.items()
        }
        world_from_ego = from_unreal(matrix_of_transform(snapshot.find(ego.id).get_transform()))
        writer.write_pictures(
            index,
            pictures,
            pose=world_from_ego @ ego_from_camera,
            actors=recorder.boxes(snapshot),
            seconds=elapsed - started,
            simulator_frame=frame,
            light_states=recorder.lights(),
        )


def find_ego(world: Any, role: str) -> Any:  # noqa: ANN401 -- carla.World, carla.Vehicle
    """Find the vehicle to record from by its role name.

    Raises:
        SourceError: `not_found` when no vehicle has it.
    """
    vehicles = list(world.get_actors().filter("vehicle.*"))
    for vehicle in vehicles:
        if vehicle.attributes.get("role_name") == role:
            return vehicle
    roles = sorted({v.attributes.get("role_name", "") for v in vehicles})
    message = f"no vehicle with role_name {role!r}; there are: {', '.join(roles) or 'no vehicles'}"
    raise SourceError(message, reason="not_found", hint="spawn an ego vehicle first, or name it with --role")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    described = argparse.ArgumentParser(
        prog="python -m worldgen.sources.carla.capture",
        description="Record a running CARLA server as a worldgen dump. Not tried against a server here.",
    )
    described.add_argument("folder", type=Path, help="where the recording shall lie; must not exist")
    described.add_argument("--host", default="127.0.0.1")
    described.add_argument("--port", type=int, default=2000)
    described.add_argument("--seconds", type=float, default=5.0)
    described.add_argument("--fps", type=float, default=10.0)
    described.add_argument("--size", default="1280x720", help="WIDTHxHEIGHT")
    described.add_argument("--fov", type=float, default=90.0, help="horizontal, degrees")
    described.add_argument("--role", default="hero", help="role_name of the vehicle to record from")
    described.add_argument(
        "--x", type=float, default=0.8, help="of the camera on the vehicle, metres forward"
    )
    described.add_argument("--y", type=float, default=0.0, help="metres to the right")
    described.add_argument("--z", type=float, default=1.6, help="metres up")
    described.add_argument("--pitch", type=float, default=0.0, help="degrees, up is positive")
    described.add_argument("--warmup", type=int, default=5, help="ticks whose pictures are thrown away")
    described.add_argument("--raw", action="store_true", help="write raw BGRA buffers instead of PNG")
    described.add_argument("--license", default="", help="of the recording, kept in its manifest")
    return described


def main() -> int:
    """Run from the command line."""
    try:
        print(capture(parser().parse_args()))
    except SourceError as error:
        print(f"{error.code}: {error.message}" + (f"\n{error.hint}" if error.hint else ""))
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

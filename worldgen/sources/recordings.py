"""CARLA recordings behind the reader protocol; the work is in `worldgen.sources.carla`."""

from pathlib import Path

from worldgen.datatypes import Clip, Geometry, Scene, Source
from worldgen.media.limits import Limits
from worldgen.sources import carla
from worldgen.sources.protocol import Request, refuse_unknown_camera


class CarlaRecordings:
    """A folder with a manifest.json: our sensor dump, or CARLA's own Cosmos clip folder."""

    def recognises(self, path: Path, request: Request) -> bool:
        """A folder with a manifest of one of the two layouts."""
        return request.control is None and path.is_dir() and carla.is_recording(path)

    def cameras(self, path: Path) -> tuple[str, ...]:
        """The cameras of the manifest."""
        return carla.recording_cameras(path)

    def open(self, path: Path, request: Request) -> Source:
        """Probe one camera of the recording."""
        refuse_unknown_camera(request.camera, carla.recording_cameras(path))
        return carla.open_recording(path, request.camera)

    def read_clip(self, source: Source, limits: Limits) -> Clip:  # noqa: ARG002 -- checked while opening
        """Read the RGB frames."""
        return carla.read_recording_clip(source)

    def read_geometry(self, source: Source) -> Geometry | None:
        """Read depth, tags, instances, flow and poses."""
        return carla.read_recording_geometry(source)

    def read_scene(self, source: Source) -> Scene | None:
        """Read map elements and actors."""
        return carla.read_recording_scene(source)

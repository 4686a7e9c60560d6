"""One camera of a dump, opened: its frames by sensor and index."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64, Int32, UInt8

from worldgen.datatypes import Camera
from worldgen.datatypes.scene import array_of
from worldgen.datatypes.tags import ACTORS
from worldgen.errors import SourceError
from worldgen.sources.carla.encodings import (
    decode_depth,
    decode_flow,
    decode_instance,
    decode_semantic,
    sky_from_depth,
)
from worldgen.sources.carla.files import list_sensor, read_picture
from worldgen.sources.carla.manifest import (
    CameraRecord,
    DumpManifest,
    FrameRecord,
    SensorKind,
    read_frames,
    read_manifest,
)
from worldgen.sources.carla.matching import match_instances
from worldgen.sources.carla.tagtables import has_sky_tag, tag_table

_PARKED: Final = 1 << 16
_ACTOR_TAGS: Final = np.array([int(tag) for tag in ACTORS], np.uint8)
_Dtype = TypeVar("_Dtype", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpReader:
    """Reads the sensors of one camera of a worldgen dump."""

    folder: Path
    name: str
    manifest: DumpManifest
    record: CameraRecord
    records: tuple[FrameRecord, ...]
    paths: dict[SensorKind, tuple[Path, ...]]

    @classmethod
    def open(cls, folder: Path, camera: str | None = None) -> "DumpReader":
        """Read the manifest and list every picture.

        Raises:
            SourceError: See `read_manifest`, `read_frames` and `list_sensor`; `unknown_camera`.
        """
        manifest = read_manifest(folder)
        name = camera or next(iter(manifest.cameras))
        if name not in manifest.cameras:
            message = f"{folder} has no camera {name!r}; it has: {', '.join(manifest.cameras)}"
            raise SourceError(message, reason="unknown_camera")
        record = manifest.cameras[name]
        if "semantic" in record.sensors:
            tag_table(manifest.carla_version)
        records = read_frames(folder, manifest.frames)
        paths = {
            kind: list_sensor(folder, kind, files, manifest.frames) for kind, files in record.sensors.items()
        }
        return cls(folder=folder, name=name, manifest=manifest, record=record, records=records, paths=paths)

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.records)

    @property
    def camera(self) -> Camera:
        """Intrinsics of this camera."""
        return self.record.camera

    @property
    def poses(self) -> Float64[npt.NDArray[np.float64], "t 4 4"]:
        """world_from_camera of every frame."""
        mounting = array_of(self.record.ego_from_camera)
        return np.stack([array_of(r.world_from_ego) @ mounting for r in self.records])

    def has(self, kind: SensorKind) -> bool:
        """Whether the camera has this sensor."""
        return kind in self.paths

    def rgb(self, index: int) -> UInt8[npt.NDArray[np.uint8], "h w 3"]:
        """Read a frame's colours, RGB."""
        return np.asarray(self._eight_bit("rgb", index, colours=True)[..., 2::-1])

    def depth(self, index: int) -> Float32[npt.NDArray[np.float32], "h w"]:
        """Read a frame's depth in metres; inf at the far plane.

        Raises:
            SourceError: `not_metric`.
        """
        picture = self._eight_bit("depth", index)
        return self._explained("depth", index, lambda: decode_depth(picture))

    def tags(self, index: int) -> UInt8[npt.NDArray[np.uint8], "h w"]:
        """Read a frame's tags.

        Raises:
            SourceError: `bad_sensor`, `unknown_version`.
        """
        picture = self._eight_bit("semantic", index)
        version = self.manifest.carla_version
        tags = self._explained("semantic", index, lambda: decode_semantic(picture, version=version))
        if not has_sky_tag(version) and self.has("depth"):
            tags = sky_from_depth(tags, self.depth(index))
        return tags

    def instances(self, index: int) -> Int32[npt.NDArray[np.int32], "h w"]:
        """Read a frame's instance ids, as actor ids: by overlap where the simulator numbers otherwise.

        Vehicles and people that are no actors (CARLA's maps have parked ones) keep an id beyond 16 bits.
        """
        ids, _ = decode_instance(self._eight_bit("instance", index, colours=True))
        if self.manifest.instance_ids == "actors":
            return ids
        frame = self.records[index]
        pose = array_of(frame.world_from_ego) @ array_of(self.record.ego_from_camera)
        depth = self.depth(index) if self.has("depth") else None
        matched = match_instances(ids, frame.actors, pose, self.camera, depth)
        parked = (matched == 0) & (ids > 0) & np.isin(self.instance_tags(index), _ACTOR_TAGS)
        return np.where(parked, ids + _PARKED, matched).astype(np.int32)

    def instance_tags(self, index: int) -> UInt8[npt.NDArray[np.uint8], "h w"]:
        """Read the tags that the instance picture repeats beside its ids.

        Raises:
            SourceError: `bad_sensor`, `unknown_version`.
        """
        _, raw = decode_instance(self._eight_bit("instance", index, colours=True))
        version = self.manifest.carla_version
        return self._explained("instance", index, lambda: decode_semantic(raw, version=version))

    def flow(self, index: int) -> Float32[npt.NDArray[np.float32], "h w 2"]:
        """Read a frame's optical flow in pixels, in the recording's own direction."""
        picture = read_picture(self.paths["flow"][index], self.record.sensors["flow"], self.camera, "flow")
        return self._explained("flow", index, lambda: decode_flow(picture))

    def check_encodings(self) -> None:
        """Decode one frame of every sensor, so that a wrong encoding is an error before any work.

        Raises:
            SourceError: `not_metric`, `bad_sensor`, `truncated`.
        """
        if self.has("rgb"):
            self.rgb(0)
        if self.has("depth"):
            self.depth(0)
        if self.has("semantic"):
            self.tags(0)
        if self.has("instance"):
            self._eight_bit("instance", 0, colours=True)
        if self.has("flow"):
            self.flow(0)

    def _eight_bit(
        self, kind: SensorKind, index: int, *, colours: bool = False
    ) -> UInt8[npt.NDArray[np.uint8], "h w c"]:
        path = self.paths[kind][index]
        picture = read_picture(path, self.record.sensors[kind], self.camera, kind)
        if picture.dtype == np.uint16 and kind == "depth":
            message = f"{path} is a 16-bit depth picture; CARLA's depth has 24 bits over R, G and B"
            raise SourceError(
                message, reason="not_metric", hint="16-bit depth of other makers goes in as a sidecar"
            )
        if picture.dtype != np.uint8 or (colours and (picture.ndim != 3 or picture.shape[2] not in (3, 4))):
            message = f"{path} is not an 8-bit colour picture but {picture.dtype} {picture.shape}"
            raise SourceError(message, reason="bad_sensor")
        return np.asarray(picture, np.uint8)

    def _explained(
        self, kind: SensorKind, index: int, decode: Callable[[], npt.NDArray[_Dtype]]
    ) -> npt.NDArray[_Dtype]:
        try:
            return decode()
        except SourceError as exc:
            message = f"{self.paths[kind][index]}: {exc.message}"
            raise SourceError(message, reason=exc.reason, hint=exc.hint) from exc

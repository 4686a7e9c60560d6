"""Writes a worldgen dump: a temporary folder, renamed when the last frame is in."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64, Int32, UInt8

from worldgen.datatypes import Camera
from worldgen.datatypes.digest import canonical_json
from worldgen.datatypes.scene import SceneBox, matrix_of
from worldgen.errors import OutputError
from worldgen.sources.carla.encodings import (
    encode_depth,
    encode_flow,
    encode_instance,
    encode_semantic,
)
from worldgen.sources.carla.manifest import (
    FRAMES_NAME,
    MANIFEST_NAME,
    CameraRecord,
    DumpHead,
    DumpManifest,
    FrameRecord,
    SensorFiles,
    SensorKind,
)

Picture: TypeAlias = npt.NDArray[np.integer | np.floating]

_FAST_PNG: Final = (cv2.IMWRITE_PNG_COMPRESSION, 1)


class DumpWriter:
    """Writes one recording, frame by frame.

    Args:
        folder: Where it shall lie; must not exist, or be empty.
        head: What is known before the first frame.
        cameras: Camera by name.
        ego_from_camera: Mounting by name (ego axes ours, origin on the ground); by default the camera
            stands `height_m` above the ego's origin, with its pitch and roll.
        raw: Write raw BGRA buffers instead of PNG.

    Use as a context manager: leaving by an exception removes what was written.

    Raises:
        OutputError: `not_a_folder` when the folder is there already, `disk_full`, `not_writable`.
    """

    def __init__(
        self,
        folder: Path,
        head: DumpHead,
        *,
        cameras: dict[str, Camera],
        ego_from_camera: dict[str, npt.NDArray[np.floating]] | None = None,
        raw: bool = False,
    ) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            message = f"{self.folder} is there already; a recording is never overwritten"
            raise OutputError(message, reason="not_a_folder", hint="name a new folder")
        mountings = ego_from_camera or {}
        self._head = head
        self._cameras = cameras
        self._mountings = {
            name: np.asarray(mountings[name], np.float64) if name in mountings else standing(camera)
            for name, camera in cameras.items()
        }
        self._raw = raw
        self._sensors: dict[str, dict[SensorKind, SensorFiles]] = {name: {} for name in cameras}
        self._records: dict[int, FrameRecord] = {}
        self._written: dict[tuple[str, SensorKind], int] = {}
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._temporary = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}.", dir=self.folder.parent))
        except OSError as exc:
            raise _output_error(exc, self.folder) from exc
        self._temporary.chmod(0o755)

    def __enter__(self) -> "DumpWriter":
        """Write inside; `close` on leaving."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish, or remove everything when something went wrong."""
        if kind is None:
            self.close()
        else:
            self.abandon()

    def write_frame(
        self,
        index: int,
        rgb: UInt8[npt.NDArray[np.uint8], "h w 3"],
        depth_m: Float32[npt.NDArray[np.float32], "h w"] | None = None,
        tags: UInt8[npt.NDArray[np.uint8], "h w"] | None = None,
        instances: Int32[npt.NDArray[np.int32], "h w"] | None = None,
        flow: Float32[npt.NDArray[np.float32], "h w 2"] | None = None,
        *,
        pose: Float64[npt.NDArray[np.float64], "4 4"],
        actors: Sequence[SceneBox] = (),
        camera: str | None = None,
        seconds: float | None = None,
        simulator_frame: int | None = None,
        light_states: dict[str, str] | None = None,
    ) -> None:
        """Write one frame of one camera.

        Args:
            index: 0, 1, 2, ...
            rgb: RGB order.
            depth_m: Along the optical axis; inf is sky.
            tags: `Tag` numbers; `EGO` for the recording vehicle.
            instances: 0 for none, else up to 65535: the ids of `actors`.
            flow: Pixels to the next frame.
            pose: world_from_camera in our axes.
            actors: Boxes in world axes; given with the first camera of a frame.
            camera: Which; not needed when there is one.
            seconds: Since the first frame; index / fps by default.
            simulator_frame: The simulator's own frame id.
            light_states: Traffic lights by id.
        """
        name = camera or next(iter(self._cameras))
        size = (self._cameras[name].height, self._cameras[name].width)
        pictures: dict[SensorKind, Picture] = {"rgb": np.ascontiguousarray(rgb[..., ::-1])}
        if depth_m is not None:
            pictures["depth"] = encode_depth(depth_m)
        if tags is not None:
            pictures["semantic"] = encode_semantic(tags)
        if instances is not None:
            tagged = tags if tags is not None else np.zeros(size, np.uint8)
            pictures["instance"] = encode_instance(instances, tagged)
        if flow is not None:
            pictures["flow"] = self._encoded_flow(flow)
        self.write_pictures(
            index,
            pictures,
            pose=pose,
            actors=actors,
            camera=name,
            seconds=seconds,
            simulator_frame=simulator_frame,
            light_states=light_states,
        )

    def write_pictures(
        self,
        index: int,
        pictures: dict[SensorKind, Picture],
        *,
        pose: Float64[npt.NDArray[np.float64], "4 4"],
        actors: Sequence[SceneBox] = (),
        camera: str | None = None,
        seconds: float | None = None,
        simulator_frame: int | None = None,
        light_states: dict[str, str] | None = None,
    ) -> None:
        """Write one frame of one camera as the simulator encoded it: BGR or BGRA, nothing decoded between.

        Args: as in `write_frame`; `pictures` by sensor, flow as `encode_flow` or CARLA's float32 pairs.
        """
        name = camera or next(iter(self._cameras))
        for kind, picture in pictures.items():
            self._write(name, kind, index, picture)
        if index not in self._records:
            world_from_ego = np.asarray(pose, np.float64) @ np.linalg.inv(self._mountings[name])
            self._records[index] = FrameRecord(
                index=index,
                seconds=index / self._head.fps if seconds is None else seconds,
                world_from_ego=matrix_of(world_from_ego),
                simulator_frame=simulator_frame,
                actors=tuple(actors),
                light_states=light_states or {},
            )

    def close(self) -> Path:
        """Write the manifest and put the recording where it shall lie.

        Raises:
            ValueError: Frames are missing, or a sensor has fewer frames than another.
        """
        count = len(self._records)
        if sorted(self._records) != list(range(count)) or count == 0:
            self.abandon()
            msg = f"frames must be 0..n-1, got {sorted(self._records)}"
            raise ValueError(msg)
        uneven = {key: n for key, n in self._written.items() if n != count}
        if uneven:
            self.abandon()
            msg = f"every sensor needs {count} frames; {uneven}"
            raise ValueError(msg)
        cameras = {
            name: CameraRecord(
                camera=camera,
                ego_from_camera=matrix_of(self._mountings[name]),
                sensors=self._sensors[name],
            )
            for name, camera in self._cameras.items()
        }
        manifest = DumpManifest(**self._head.model_dump(), frames=count, cameras=cameras)
        try:
            lines = (canonical_json(self._records[i]) for i in range(count))
            (self._temporary / FRAMES_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
            text = json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True)
            (self._temporary / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")
            if self.folder.exists():
                self.folder.rmdir()
            self._temporary.replace(self.folder)
        except OSError as exc:
            self.abandon()
            raise _output_error(exc, self.folder) from exc
        return self.folder

    def abandon(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _encoded_flow(self, flow: npt.NDArray[np.float32]) -> Picture:
        if not self._raw:
            return encode_flow(flow)
        height, width = flow.shape[:2]
        return np.asarray(flow / np.array((width, height), np.float32), "<f4")

    def _write(self, name: str, kind: SensorKind, index: int, picture: Picture) -> None:
        camera = self._cameras[name]
        if picture.shape[:2] != (camera.height, camera.width):
            height, width = picture.shape[:2]
            size = f"{camera.width}x{camera.height}"
            msg = f"{kind} of frame {index} of {name} is {width}x{height}, its camera {size}"
            raise ValueError(msg)
        several = len(self._cameras) > 1
        folder = f"{kind}/{name}" if several else kind
        files = self._sensors[name].get(kind)
        try:
            if files is None:
                (self._temporary / folder).mkdir(parents=True)
                files = SensorFiles(folder=folder, encoding="bgra" if self._raw else "png")
                self._sensors[name][kind] = files
            path = self._temporary / folder / f"{index:06d}.{files.encoding}"
            # Python's own write, because OpenCV's does not say that a disk is full.
            path.write_bytes(_raw_buffer(picture) if self._raw else _png(picture))
        except OSError as exc:
            self.abandon()
            raise _output_error(exc, self.folder) from exc
        self._written[(name, kind)] = self._written.get((name, kind), 0) + 1


def standing(camera: Camera) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Mount a camera above the ego's origin, from its height, pitch and roll."""
    cp, sp = np.cos(camera.pitch_rad), np.sin(camera.pitch_rad)
    cr, sr = np.cos(camera.roll_rad), np.sin(camera.roll_rad)
    tilt = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    lean = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    out = np.eye(4)
    out[:3, :3] = tilt @ lean
    out[1, 3] = -camera.height_m
    return out


def box_at(
    identity: int,
    category: str,
    *,
    size_m: tuple[float, float, float],
    world_from_box: npt.NDArray[np.floating],
    attributes: dict[str, str] | None = None,
) -> SceneBox:
    """Make an actor's box; `axes.yaw_matrix` gives the pose of one that stands upright."""
    pose = matrix_of(np.asarray(world_from_box))
    return SceneBox(
        id=identity, category=category, size_m=size_m, world_from_box=pose, attributes=attributes or {}
    )


def _png(picture: Picture) -> bytes:
    if picture.dtype == np.uint8 and picture.shape[2] == 4:
        picture = np.ascontiguousarray(picture[..., :3])
    if picture.dtype == np.float32:
        height, width = picture.shape[:2]
        picture = encode_flow(np.asarray(picture, np.float32) * np.array((width, height), np.float32))
    done, data = cv2.imencode(".png", picture, _FAST_PNG)
    if not done:
        msg = f"cannot encode a picture of {picture.dtype} {picture.shape}"
        raise ValueError(msg)
    return data.tobytes()


def _raw_buffer(picture: Picture) -> bytes:
    if picture.dtype == np.uint8 and picture.shape[2] == 3:
        alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
        picture = np.concatenate((picture, alpha), axis=2)
    return picture.tobytes()


def _output_error(exc: OSError, folder: Path) -> OutputError:
    if exc.errno in (28, 122):  # ENOSPC, EDQUOT
        return OutputError(
            f"no space left for {folder}", reason="disk_full", hint="free some space, then run again"
        )
    return OutputError(f"cannot write {folder}: {exc.strerror or exc}", reason="not_writable")

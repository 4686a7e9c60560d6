"""The scratch store: arrays of one job, by reference, so that frames do not travel.

References are values; whoever shares the folder can resolve them. Arrays made in this process are kept
in a bounded memory cache, so that near callers never read them back.
"""

import hashlib
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from worldgen.datatypes import (
    Clip,
    ControlMap,
    ControlRef,
    Geometry,
    GeometryRef,
    VideoRef,
    digest,
)
from worldgen.media.video import read_clip, write_lossless

T = TypeVar("T")
_ARRAYS = ("depth_m", "tags", "instances", "pose", "flow", "ego_mask")


class Scratch:
    """Where arrays live while a source is worked on.

    Args:
        root: Folder; made when missing. Removed by whoever made the scratch.
        shared: Write every array to the folder at once, for readers in other processes. Without it
            geometry is written only when `share` is called.
        max_bytes: Bound of the memory cache; the least recently used arrays leave first.
    """

    def __init__(self, root: Path, *, shared: bool = False, max_bytes: int = 6 << 30) -> None:
        self.root = root
        self.shared = shared
        self._max_bytes = max_bytes
        self._cache: OrderedDict[str, tuple[object, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._pending: dict[str, Geometry] = {}
        self.reads = 0
        """How often something had to be read back from disk."""
        root.mkdir(parents=True, exist_ok=True)

    def new_path(self, suffix: str) -> Path:
        """Name a file that does not exist yet."""
        handle, name = tempfile.mkstemp(suffix=suffix, dir=self.root)
        os.close(handle)
        return Path(name)

    def clip(self, ref: VideoRef, *, keep: bool = True) -> Clip:
        """Read the frames of a video, decoded once.

        Args:
            ref: The video.
            keep: Whether somebody will ask for it again; a candidate is judged once, and a service judges
                thousands.
        """

        def read() -> Clip:
            return read_clip(Path(ref.uri), trusted=True)

        return self._get(f"clip:{ref.sha256}", read, _clip_bytes, keep=keep)

    def put_clip(self, clip: Clip) -> VideoRef:
        """Write frames that are not one file yet (image folders, sensor dumps) as a lossless video."""
        ref = write_lossless(
            self.new_path(".mkv"), clip.frames, fps=clip.fps, timestamps_seconds=clip.timestamps_seconds
        )
        self._put(f"clip:{ref.sha256}", clip, _clip_bytes(clip))
        return ref

    def remember_clip(self, ref: VideoRef, clip: Clip) -> None:
        """Keep frames that were just decoded from `ref`."""
        self._put(f"clip:{ref.sha256}", clip, _clip_bytes(clip))

    def geometry(self, ref: GeometryRef) -> Geometry:
        """Resolve a geometry."""
        return self._get(f"geometry:{ref.digest}", lambda: _read_geometry(ref), _geometry_bytes)

    def put_geometry(self, geometry: Geometry) -> GeometryRef:
        """Keep a geometry and name it by content."""
        name = _geometry_digest(geometry)
        path = self.root / f"geometry-{name[:32]}.npz"
        ref = GeometryRef(
            uri=str(path),
            digest=name,
            frames=len(geometry),
            origins=geometry.origins,
            scale_interval=geometry.scale_interval,
            camera=geometry.camera,
            notes=geometry.notes,
        )
        self._put(f"geometry:{name}", geometry, _geometry_bytes(geometry))
        if self.shared or _geometry_bytes(geometry) > self._max_bytes:
            _write_geometry(path, geometry)
        else:
            self._pending[name] = geometry
        return ref

    def put_control(self, control: ControlMap, *, fps: float) -> ControlRef:
        """Write a control map lossless."""
        video = write_lossless(self.new_path(f".{control.kind}.mp4"), control.frames, fps=fps)
        return ControlRef(
            kind=control.kind, video=video, origin=control.origin, parameters=control.parameters
        )

    def _get(self, key: str, read: Callable[[], T], weigh: Callable[[T], int], *, keep: bool = True) -> T:
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
                return found[0]  # type: ignore[return-value]  # keys carry the type
        pending = self._pending.get(key.removeprefix("geometry:"))
        if pending is not None:
            return pending  # type: ignore[return-value]  # keys carry the type
        value = read()
        self.reads += 1
        if keep:
            self._put(key, value, weigh(value))
        return value

    def _put(self, key: str, value: object, size: int) -> None:
        with self._lock:
            self._cache[key] = (value, size)
            self._cache.move_to_end(key)
            total = sum(s for _, s in self._cache.values())
            while total > self._max_bytes and len(self._cache) > 1:
                _, (_, gone) = self._cache.popitem(last=False)
                total -= gone


def _clip_bytes(clip: Clip) -> int:
    return clip.frames.nbytes


def _geometry_bytes(geometry: Geometry) -> int:
    arrays = (getattr(geometry, name) for name in _ARRAYS)
    return sum(a.nbytes for a in arrays if a is not None)


def _geometry_digest(geometry: Geometry) -> str:
    state = hashlib.sha256()
    head = [geometry.origins.model_dump(), geometry.camera.model_dump(), geometry.scale_interval]
    state.update(digest(head).encode())
    for name in _ARRAYS:
        array = getattr(geometry, name)
        if array is not None:
            state.update(name.encode())
            # Every fourth row and column of depth identifies it; hashing 450 MB per clip would not.
            thin = array[..., ::4, ::4] if name in ("depth_m", "tags", "instances") else array[:1]
            state.update(np.ascontiguousarray(thin).tobytes())
    return state.hexdigest()


def _write_geometry(path: Path, geometry: Geometry) -> None:
    arrays = {name: getattr(geometry, name) for name in _ARRAYS if getattr(geometry, name) is not None}
    partial = path.with_suffix(".part.npz")
    np.savez(partial, **arrays)
    partial.replace(path)


def _read_geometry(ref: GeometryRef) -> Geometry:
    with np.load(ref.uri, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return Geometry(
        origins=ref.origins,
        camera=ref.camera,
        scale_interval=ref.scale_interval,
        notes=ref.notes,
        **arrays,
    )

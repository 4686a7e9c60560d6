"""Whether frame i of every sensor shows moment i, as far as the files can tell.

Simulator frame ids and times are compared first. Then the pictures: one that is byte for byte the one before,
while the world moved, shows a moment twice. What must have moved depends on the sensor: RGB changes with the
camera; depth and maps of a plain road stay the same while driving, so they are held against an actor whose
outline moved while it was seen, and depth also against a map of things (not of ground) that changed.
"""

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from worldgen.datatypes.scene import SceneBox, array_of
from worldgen.datatypes.tags import FLAT
from worldgen.errors import SourceError
from worldgen.imaging.boxes import clip_outline, corners_of, outline_of
from worldgen.sources.carla.manifest import FrameRecord, SensorKind
from worldgen.sources.carla.reader import DumpReader

_MOVED_M: Final = 0.02
_TURNED_RAD: Final = 0.001
_MOVED_PIXELS: Final = 2.5
_SEEN_PIXELS: Final = 60
_CHANGED_SHARE: Final = 0.002


def check_exactness(reader: DumpReader, digests: dict[SensorKind, tuple[str, ...]]) -> None:
    """Check one camera of a recording.

    Raises:
        SourceError: `doubled_frame` or `missing_frame`, naming sensor and frame.
    """
    _check_ids(reader.records, reader.manifest.fps)
    same = {kind: _repeats(of_kind) for kind, of_kind in digests.items()}
    for index in sorted(set().union(*same.values())):
        for kind in ("rgb", "depth", "instance", "semantic"):
            if index in same.get(kind, ()):
                cause = _must_change(reader, kind, index, same)
                if cause:
                    message = (
                        f"sensor {kind} shows frame {index - 1} again at frame {index} (identical pictures), "
                        f"though {cause}"
                    )
                    raise SourceError(message, reason="doubled_frame")


def _must_change(
    reader: DumpReader, kind: SensorKind, index: int, same: dict[SensorKind, frozenset[int]]
) -> str:
    """Say why the picture of a sensor cannot be the one before; nothing when it can."""
    before, after = reader.records[index - 1], reader.records[index]
    if kind == "rgb":
        return "the camera moved" if _moved(before, after) else ""
    mover = _moving_actor(reader, index)
    if mover is not None:
        return f"{mover.category} {mover.id} moved"
    if kind == "depth" and reader.has("semantic") and index not in same["semantic"]:
        flat = np.array([int(tag) for tag in FLAT], np.uint8)
        maps = [np.where(np.isin(reader.tags(i), flat), 0, reader.tags(i)) for i in (index - 1, index)]
        if float((maps[0] != maps[1]).mean()) > _CHANGED_SHARE:
            return "the semantic map changed"
    return ""


def _moving_actor(reader: DumpReader, index: int) -> SceneBox | None:
    """Find an actor that was seen and whose outline moved by pixels between two frames."""
    if not reader.has("instance"):
        return None
    instances = reader.instances(index - 1)
    counts = np.bincount(instances.ravel())
    poses = reader.poses
    later = {box.id: box for box in reader.records[index].actors}
    for box in reader.records[index - 1].actors:
        if box.id >= len(counts) or counts[box.id] < _SEEN_PIXELS or box.id not in later:
            continue
        places = [_place(reader, poses[index - 1], box), _place(reader, poses[index], later[box.id])]
        if places[0] is None or places[1] is None:
            continue
        edges = np.abs(places[0] - places[1])
        # An edge that lies on the frame's rim in both does not move; one that does, moves pixels.
        if float(edges.max()) > _MOVED_PIXELS:
            return box
    return None


def _place(
    reader: DumpReader, pose: npt.NDArray[np.float64], box: SceneBox
) -> npt.NDArray[np.float64] | None:
    camera_from_box = np.linalg.inv(pose) @ array_of(box.world_from_box)
    outline = outline_of(corners_of(box.size_m, camera_from_box), reader.camera)
    inside = None if outline is None else clip_outline(outline, reader.camera)
    if inside is None:
        return None
    return np.array((inside.left, inside.top, inside.right, inside.bottom))


def _repeats(digests: tuple[str, ...]) -> frozenset[int]:
    return frozenset(i for i in range(1, len(digests)) if digests[i] == digests[i - 1])


def _moved(before: FrameRecord, after: FrameRecord) -> bool:
    step = np.linalg.inv(array_of(before.world_from_ego)) @ array_of(after.world_from_ego)
    turned = np.arccos(np.clip((np.trace(step[:3, :3]) - 1) / 2, -1, 1))
    return bool(np.linalg.norm(step[:3, 3]) > _MOVED_M or turned > _TURNED_RAD)


def _check_ids(records: tuple[FrameRecord, ...], fps: float) -> None:
    for before, after in pairwise(records):
        if after.seconds <= before.seconds:
            message = (
                f"frame {after.index} is at {after.seconds} s, frame {before.index} at {before.seconds} s"
            )
            raise SourceError(message, reason="doubled_frame")
        if after.seconds - before.seconds > 1.5 / fps:
            message = (
                f"{after.seconds - before.seconds:.4g} s lie between frames {before.index} and "
                f"{after.index}, at {fps:g} fps: a frame is missing after frame {before.index}"
            )
            raise SourceError(message, reason="missing_frame")
    known = [r.simulator_frame for r in records if r.simulator_frame is not None]
    if len(known) != len(records) or len(known) < 2:
        return
    step = min((b - a for a, b in pairwise(known) if b > a), default=1)
    for index, (a, b) in enumerate(pairwise(known), start=1):
        if b <= a:
            message = f"frame {index} is simulator frame {b}, frame {index - 1} is {a}: the same moment twice"
            raise SourceError(message, reason="doubled_frame")
        if b - a != step:
            message = f"simulator frames jump from {a} to {b} at frame {index}: a frame is missing before it"
            raise SourceError(message, reason="missing_frame")

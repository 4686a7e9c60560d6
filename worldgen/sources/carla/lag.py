"""Whether the sensors of a recording run in step: a stream that is late by a frame has no gap and no double.

Three things are known of the same moment in different ways: where an actor's box projects to (pose and
track), where its pixels are (instance map), and how far they are (depth). The instance map also repeats the
semantic tag of every pixel. Each stream is compared as it is and shifted by one frame; it is called late or
early only when the shift explains it at least twice as well, by a margin that people would call moved.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Labels
from worldgen.datatypes.scene import SceneBox, array_of
from worldgen.errors import SourceError
from worldgen.imaging.boxes import corners_of, outline_of
from worldgen.sources.carla.manifest import SensorKind
from worldgen.sources.carla.reader import DumpReader

_MIN_SAMPLES: Final = 8
_MIN_PIXELS_HIGH: Final = 8
_EDGE_MARGIN: Final = 1.5
"""Pixels by which a shift must be better."""
_DEPTH_MARGIN: Final = 0.02
"""Share of the distance by which a shift must be better."""
_TAG_MARGIN: Final = 0.01
"""Share of pixels by which a shift must be better."""
_FRAMES_COMPARED: Final = 6
_FRAMES_SAMPLED: Final = 16


def check_in_step(reader: DumpReader, labels: Labels | None) -> None:
    """Check that instances, depth and semantics are of the moment of the poses.

    Raises:
        SourceError: `unequal_sensors`, naming the stream and its lag.
    """
    if len(reader) < 3:
        return
    if not reader.has("instance"):
        return
    # Instances first: the others are held against them.
    if labels is not None:
        _judge(reader, "instance", _edge_errors(reader, labels), _EDGE_MARGIN, _MIN_SAMPLES)
    if reader.has("semantic"):
        _judge(reader, "semantic", _tag_errors(reader), _TAG_MARGIN, 3)
    if labels is not None and reader.has("depth"):
        _judge(reader, "depth", _depth_errors(reader, labels), _DEPTH_MARGIN, _MIN_SAMPLES)


def _judge(
    reader: DumpReader,
    kind: SensorKind,
    errors: dict[int, list[float]],
    margin: float,
    least: int,
) -> None:
    """Compare the errors without a shift to those with one."""
    if len(errors[0]) < least:
        return
    median = {lag: float(np.median(values)) for lag, values in errors.items() if len(values) >= least}
    best = min(median, key=lambda lag: median[lag])
    if best == 0 or median[best] > 0.5 * median[0] or median[0] - median[best] < margin:
        return
    word = "late" if best < 0 else "early"
    other = "instance" if kind == "semantic" else "poses"
    message = (
        f"sensor {kind} of camera {reader.name!r} runs one frame {word} against {other}: its frame i shows "
        f"what {other} says of frame i{best:+d}; frame 0 is the first that is wrong"
    )
    raise SourceError(message, reason="unequal_sensors", hint="match pictures by the simulator's frame id")


def _samples(reader: DumpReader, labels: Labels) -> list[tuple[int, SceneBox, npt.NDArray[np.float64]]]:
    """List whole, unhidden, large enough actors with the box of their pixels."""
    found = []
    stride = max(1, len(labels.frames) // _FRAMES_SAMPLED)
    for frame in labels.frames[::stride]:
        boxes = {box.id: box for box in reader.records[frame.frame].actors}
        for label in frame.objects:
            whole = (label.occlusion or 0.0) < 0.03 and (label.truncation or 0.0) < 0.01
            if whole and (label.pixels_high or 0.0) >= _MIN_PIXELS_HIGH and label.id in boxes:
                box = label.box2d
                found.append((frame.frame, boxes[label.id], np.array((box.left, box.right))))
    return found


def _shifted(
    reader: DumpReader,
    labels: Labels,
    measure: Callable[[int, SceneBox, npt.NDArray[np.float64], npt.NDArray[np.float64]], float | None],
) -> dict[int, list[float]]:
    """Measure every sample against its actor's pose one frame before, at, and one frame after."""
    poses = reader.poses
    tracks = [{box.id: box for box in record.actors} for record in reader.records]
    errors: dict[int, list[float]] = {-1: [], 0: [], 1: []}
    for index, box, edges in _samples(reader, labels):
        for lag, values in errors.items():
            other = index + lag
            if 0 <= other < len(reader) and box.id in tracks[other]:
                at = np.linalg.inv(poses[other]) @ array_of(tracks[other][box.id].world_from_box)
                error = measure(index, box, edges, at)
                if error is not None:
                    values.append(error)
    return errors


def _edge_errors(reader: DumpReader, labels: Labels) -> dict[int, list[float]]:
    def measure(
        index: int,  # noqa: ARG001 -- one signature for every measure
        box: SceneBox,
        edges: npt.NDArray[np.float64],
        at: npt.NDArray[np.float64],
    ) -> float | None:
        outline = outline_of(corners_of(box.size_m, at), reader.camera)
        if outline is None:
            return None
        return float(np.abs(edges - (outline[:, 0].min(), outline[:, 0].max())).mean())

    return _shifted(reader, labels, measure)


def _depth_errors(reader: DumpReader, labels: Labels) -> dict[int, list[float]]:
    kept: dict[int, tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]] = {}

    def measure(
        index: int,
        box: SceneBox,
        edges: npt.NDArray[np.float64],  # noqa: ARG001 -- one signature for every measure
        at: npt.NDArray[np.float64],
    ) -> float | None:
        if index not in kept:
            kept.clear()
            kept[index] = reader.depth(index), reader.instances(index)
        depth, instances = kept[index]
        seen = depth[instances == box.id]
        # The nearest tenth of its pixels against the nearest corner: both are the side that faces us.
        near = float(corners_of(box.size_m, at)[:, 2].min())
        return None if near < 1 else abs(float(np.quantile(seen, 0.05)) - near) / near

    return _shifted(reader, labels, measure)


def _tag_errors(reader: DumpReader) -> dict[int, list[float]]:
    """Share of pixels whose semantic tag is not the one the instance map repeats, per shift."""
    errors: dict[int, list[float]] = {-1: [], 0: [], 1: []}
    count = len(reader)
    for index in np.unique(np.linspace(1, count - 2, min(count - 2, _FRAMES_COMPARED)).astype(int)):
        tags = reader.tags(int(index))
        for lag, values in errors.items():
            values.append(float((tags != reader.instance_tags(int(index) + lag)).mean()))
    return errors

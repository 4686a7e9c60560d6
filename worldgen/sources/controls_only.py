"""Control videos made elsewhere, without RGB, as a source of their own.

A folder with one video per control kind, named by kind as in the Cosmos examples and CARLA's client
(depth.mp4, seg_front.mp4, junction_wsm_720p.mp4, vis.mp4, hdmap.mp4), or one file whose kind is given.
"""

import re
from pathlib import Path
from typing import Final

from worldgen.datatypes import Clip, ControlKind, Source, digest
from worldgen.errors import SourceError
from worldgen.media.limits import Limits
from worldgen.media.video import VideoInfo, probe, read_clip
from worldgen.sources.protocol import CAMERA, PlainReader, Request, refuse_unknown_camera

_WORDS: Final[dict[str, ControlKind]] = {
    "edge": "edge",
    "edges": "edge",
    "canny": "edge",
    "blur": "blur",
    "vis": "blur",
    "depth": "depth",
    "seg": "seg",
    "segmentation": "seg",
    "wsm": "wsm",
    "hdmap": "wsm",
}
"""Words in file names -> control kind; vis and hdmap are the names of Cosmos Transfer 1 and 2.5."""
_SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".webm", ".avi")


class ControlVideos(PlainReader):
    """A folder of control videos, or one control video of a given kind."""

    def recognises(self, path: Path, request: Request) -> bool:
        """A folder whose videos name control kinds, or anything opened with a kind."""
        return request.control is not None or (path.is_dir() and bool(control_files(path)[0]))

    def open(self, path: Path, request: Request) -> Source:
        """Probe every control video; they must agree in frames, size and rate.

        Raises:
            SourceError: unequal_sensors naming two that differ, doubled kinds, or what is wrong with a file.
        """
        refuse_unknown_camera(request.camera, (CAMERA,))
        files = _files_of(path, request.control)
        found = {kind: probe(file, request.limits) for kind, file in files.items()}
        _check_equal(files, found)
        first = next(iter(found.values()))
        content = {kind: request.digest(file) for kind, file in files.items()}
        return Source(
            kind="controls",
            uri=str(path),
            sha256=digest(content),
            video=None,
            frames=first.frames,
            width=first.width,
            height=first.height,
            fps=first.fps,
            sensors={kind: str(file) for kind, file in files.items()},
            notes=(f"control videos without RGB: {', '.join(files)}",),
        )

    def read_clip(self, source: Source, limits: Limits) -> Clip:  # noqa: ARG002 -- always refused
        """Refuse: there is no RGB.

        Raises:
            SourceError: missing_sensor, always.
        """
        message = f"{source.uri} holds control videos only ({', '.join(source.sensors)}), no RGB"
        raise SourceError(message, reason="missing_sensor")


def read_control(source: Source, kind: ControlKind, limits: Limits | None = None) -> Clip:
    """Decode one control video of a source, in the bounded process.

    Raises:
        SourceError: missing_sensor, or what is wrong with the file.
    """
    if kind not in source.sensors:
        message = f"{source.uri} has no {kind} control; it has: {', '.join(source.sensors) or 'none'}"
        raise SourceError(message, reason="missing_sensor")
    return read_clip(Path(source.sensors[kind]), limits=limits, camera=source.camera_name)


def control_files(folder: Path) -> tuple[dict[ControlKind, Path], tuple[Path, ...]]:
    """Sort the videos of a folder: those that name a control kind, and the others.

    Raises:
        SourceError: Two files of one kind.
    """
    kinds: dict[ControlKind, Path] = {}
    others: list[Path] = []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file()):
        if path.name.startswith("."):
            continue
        kind = kind_of(path.stem)
        if kind is None:
            others.append(path)
        elif kind in kinds:
            message = f"{folder.name} holds two {kind} videos: {kinds[kind].name} and {path.name}"
            raise SourceError(message, reason="bad_sensor", hint="open one file, saying its kind")
        else:
            kinds[kind] = path
    return kinds, tuple(others)


def kind_of(stem: str) -> ControlKind | None:
    """Find the one control kind that a file name names; None when it names none or several."""
    named = {_WORDS[word] for word in re.split(r"[^a-z0-9]+", stem.lower()) if word in _WORDS}
    return named.pop() if len(named) == 1 else None


def _files_of(path: Path, kind: ControlKind | None) -> dict[ControlKind, Path]:
    if not path.is_dir():
        if kind is None:
            message = f"{path.name} is one file; say which control it is"
            raise SourceError(message, reason="missing_sensor", hint="edge, blur, depth, seg or wsm")
        return {kind: path}
    files, others = control_files(path)
    if others:
        names = ", ".join(p.name for p in others)
        message = f"{path.name} holds control videos and others whose kind is not known: {names}"
        raise SourceError(
            message, reason="bad_sensor", hint="name each file by its kind: depth, edge, seg, blur, wsm"
        )
    if kind is not None and kind not in files:
        raise SourceError(f"{path.name} has no {kind} video", reason="missing_sensor")
    return files if kind is None else {kind: files[kind]}


def _check_equal(files: dict[ControlKind, Path], found: dict[ControlKind, VideoInfo]) -> None:
    first_kind, first = next(iter(found.items()))
    for kind, info in found.items():
        same_rate = abs(info.fps - first.fps) < 0.01
        if (info.frames, info.width, info.height) != (
            first.frames,
            first.width,
            first.height,
        ) or not same_rate:
            message = (
                f"{files[first_kind].name} has {_facts(first)}, but {files[kind].name} has {_facts(info)}"
            )
            raise SourceError(message, reason="unequal_sensors", hint="open one file, saying its kind")


def _facts(info: VideoInfo) -> str:
    return f"{info.frames} frames of {info.width}x{info.height} at {info.fps:g} fps"

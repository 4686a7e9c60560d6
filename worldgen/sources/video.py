"""Video files as sources."""

from pathlib import Path

from worldgen.datatypes import Clip, Source, VideoRef
from worldgen.errors import SourceError
from worldgen.media.limits import Limits
from worldgen.media.video import VideoInfo, probe, read_clip
from worldgen.sources.protocol import CAMERA, PlainReader, Request, refuse_unknown_camera


class VideoFiles(PlainReader):
    """One RGB video file: one camera."""

    def recognises(self, path: Path, request: Request) -> bool:
        """Everything that is not a folder is taken for a video; opening says if it is none."""
        return request.control is None and not path.is_dir()

    def open(self, path: Path, request: Request) -> Source:
        """Probe a video file.

        Raises:
            SourceError: What is wrong with it.
        """
        info = probe(path, request.limits)
        refuse_unknown_camera(request.camera, (CAMERA,))
        if request.fps is not None and abs(request.fps - info.fps) > 0.01 * info.fps:
            message = f"{path.name} has {info.fps:g} frames per second; {request.fps:g} were declared"
            raise SourceError(
                message, reason="count_mismatch", hint="only folders of pictures need a declared rate"
            )
        sha256 = request.digest(path)
        return Source(
            kind="video",
            uri=str(path),
            sha256=sha256,
            video=reference(path, info, sha256),
            frames=info.frames,
            width=info.width,
            height=info.height,
            fps=info.fps,
            notes=notes_on(info),
        )

    def read_clip(self, source: Source, limits: Limits) -> Clip:
        """Decode it, in the bounded process."""
        return read_clip(Path(source.uri), limits=limits, camera=source.camera_name)


def reference(path: Path, info: VideoInfo, sha256: str) -> VideoRef:
    """Refer to a probed video file."""
    return VideoRef(
        uri=str(path),
        sha256=sha256,
        frames=info.frames,
        width=info.width,
        height=info.height,
        fps=info.fps,
        size_bytes=info.size_bytes,
    )


def notes_on(info: VideoInfo) -> tuple[str, ...]:
    """Say what a user may not expect of a file that can be read."""
    notes = []
    if info.is_variable_rate:
        notes.append("frames come at uneven times; the variant keeps them")
    if info.rotation_degrees:
        notes.append(f"the file is stored turned; it is read upright ({info.width}x{info.height})")
    if info.transfer != "sdr":
        notes.append(f"high dynamic range ({info.transfer}) is read without tone mapping")
    if info.has_audio:
        notes.append("sound is left out of variants")
    if info.width % 2 or info.height % 2:
        notes.append("an odd size: variants are H.264 4:4:4, because 4:2:0 cannot hold it")
    return tuple(notes)

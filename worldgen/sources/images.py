"""Folders of pictures as sources: frames in natural order, at a declared rate."""

from pathlib import Path

from worldgen.datatypes import Clip, Source, VideoRef, digest
from worldgen.errors import SourceError
from worldgen.media.images import check_sizes, list_images
from worldgen.media.limits import Limits
from worldgen.media.video import read_images
from worldgen.sources.protocol import CAMERA, PlainReader, Request, refuse_unknown_camera


class ImageFolders(PlainReader):
    """A folder that holds pictures: one camera."""

    def recognises(self, path: Path, request: Request) -> bool:
        """Any folder with a picture in it."""
        return request.control is None and path.is_dir() and bool(list_images(path))

    def open(self, path: Path, request: Request) -> Source:
        """Probe a folder of pictures: every header is read, the first picture is decoded.

        Raises:
            SourceError: missing_fps, mixed_sizes, too_short, too_large, damaged.
        """
        pictures = list_images(path)
        refuse_unknown_camera(request.camera, (CAMERA,))
        if request.fps is None or request.fps <= 0:
            message = f"{path.name} holds {len(pictures)} pictures, which do not say at what rate to play"
            raise SourceError(message, reason="missing_fps", hint="give the rate: --fps 10")
        check_sizes(pictures, request.limits)
        # Pictures may be stored turned; only a decoded one knows.
        one = read_images(pictures[:1], fps=request.fps, limits=_one_frame(request.limits))
        width, height = one.size
        content = [[picture.name, request.digest(picture)] for picture in pictures]
        sha256 = digest({"pictures": content, "fps": request.fps})
        return Source(
            kind="images",
            uri=str(path),
            sha256=sha256,
            video=VideoRef(
                uri=str(path),
                sha256=sha256,
                frames=len(pictures),
                width=width,
                height=height,
                fps=request.fps,
                size_bytes=sum(p.stat().st_size for p in pictures),
            ),
            frames=len(pictures),
            width=width,
            height=height,
            fps=request.fps,
        )

    def read_clip(self, source: Source, limits: Limits) -> Clip:
        """Decode all pictures, in the bounded process.

        Raises:
            SourceError: A picture is damaged, or some went away or came since the folder was opened.
        """
        pictures = list_images(Path(source.uri))
        if len(pictures) != source.frames:
            message = f"{source.uri} held {source.frames} pictures when it was opened, now {len(pictures)}"
            raise SourceError(message, reason="count_mismatch")
        return read_images(pictures, fps=source.fps, limits=limits, camera=source.camera_name)


def _one_frame(limits: Limits) -> Limits:
    return limits.model_copy(update={"min_frames": 1})

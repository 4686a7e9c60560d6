"""Labels of any format: the file says which, and whether it belongs to the clip."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from worldgen.datatypes import Labels
from worldgen.errors import LabelError, boundary
from worldgen.sources.labels.coco import is_coco, read_coco
from worldgen.sources.labels.document import invalid, load, other_source
from worldgen.sources.labels.kitti import is_kitti, read_kitti
from worldgen.sources.labels.nuscenes import is_nuscenes, load_tables, read_nuscenes
from worldgen.sources.labels.openlabel import is_openlabel, read_openlabel

_Reader = Callable[..., Labels]
_JSON_FORMATS: Final[tuple[tuple[Callable[[object], bool], _Reader], ...]] = (
    (is_openlabel, read_openlabel),
    (is_coco, read_coco),
    (is_nuscenes, read_nuscenes),
)
FORMATS: Final = "COCO, KITTI (object and tracking), OpenLABEL 1.0.0, nuScenes-like JSON"


def read_labels(path: Path, *, width: int, height: int, frames: int) -> Labels:
    """Read labels and check that they belong to a clip.

    Args:
        path: A JSON file, a KITTI text file, or a folder of KITTI text files or nuScenes tables.
        width: Of the clip.
        height: Of the clip.
        frames: Of the clip.

    Raises:
        LabelError: `not_found`, `unknown_format`, `invalid`; `other_source` when size, frames or boxes say
            that these are the labels of another clip.
    """
    path = Path(path)
    if not path.exists():
        raise LabelError(f"no such file or folder: {path}", reason="not_found")
    with boundary(LabelError, f"read labels from {path}"):
        labels = _read(path, width, height, frames)
        check_fits(labels, width=width, height=height, frames=frames, what=str(path))
    return labels


def check_fits(labels: Labels, *, width: int, height: int, frames: int, what: str) -> None:
    """Check that labels can belong to a clip.

    Raises:
        LabelError: `other_source`.
    """
    if (labels.width, labels.height) != (width, height):
        message = f"{what} is for pictures of {labels.width}x{labels.height}, the clip is {width}x{height}"
        raise other_source(message)
    beyond = next((f.frame for f in labels.frames if not 0 <= f.frame < frames), None)
    if beyond is not None:
        raise other_source(f"{what} labels frame {beyond}, the clip has {frames} frames")
    boxes = [label.box2d for frame in labels.frames for label in frame.objects]
    outside = [b for b in boxes if b.left >= width or b.top >= height or b.right <= 0 or b.bottom <= 0]
    if boxes and len(outside) > len(boxes) / 2:
        worst = outside[0]
        message = (
            f"{what}: {len(outside)} of {len(boxes)} boxes lie outside the picture of {width}x{height}, "
            f"such as {worst.left:g}..{worst.right:g} x {worst.top:g}..{worst.bottom:g}"
        )
        raise other_source(message)


def _read(path: Path, width: int, height: int, frames: int) -> Labels:
    size: dict[str, Any] = {"width": width, "height": height, "frames": frames, "what": path.name}
    if is_kitti(path):
        return read_kitti(path, **size)
    raw = load_tables(path) if path.is_dir() else load(path)
    for is_format, read in _JSON_FORMATS:
        if is_format(raw):
            try:
                return read(raw, **size)
            except (TypeError, KeyError, AttributeError, ValueError, IndexError) as exc:
                # Readers check what people get wrong; what only a broken file has ends here.
                name = read.__name__.removeprefix("read_")
                raise invalid(f"{path} does not have the structure of {name}: {exc!r}") from exc
    if isinstance(raw, dict) and {"width", "height", "frames"} <= raw.keys():
        try:
            return Labels.model_validate(raw)
        except ValidationError as exc:
            first = exc.errors()[0]
            raise invalid(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
    raise LabelError(f"{path} is in no format that is known: {FORMATS}", reason="unknown_format")

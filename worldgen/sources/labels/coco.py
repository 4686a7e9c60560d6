"""COCO, with video and tracks: read.

Understood: ``images`` (width, height, file_name; frame_id, frame_index or a number at the end of file_name),
``annotations`` (bbox; segmentation as polygons or run lengths, compressed or not; track_id or instance_id;
iscrowd or ignore), ``categories``, and one entry of ``videos``. Annotations over a whole video (``bboxes``,
``segmentations``, as YouTube-VIS writes them) too. Our own fields lie under ``attributes``.
"""

import cv2
import numpy as np

from worldgen.datatypes import Box2d, FrameLabels, IgnoreRegion, Labels, ObjectLabel
from worldgen.imaging.rle import box_of, encode_mask, parse_compressed
from worldgen.sources.labels.attributes import claims_from, label_from, labels_from
from worldgen.sources.labels.categories import KNOWN, category_of
from worldgen.sources.labels.document import Json, box_from_corner, invalid, of_type, trailing_number
from worldgen.sources.labels.frames import place_frames


def is_coco(raw: object) -> bool:
    """Whether a JSON document looks like COCO."""
    return isinstance(raw, dict) and "annotations" in raw and ("images" in raw or "videos" in raw)


def read_coco(raw: Json, *, width: int, height: int, frames: int, what: str) -> Labels:
    """Read a COCO document.

    Raises:
        LabelError: `invalid`; `other_source`.
    """
    images = _images(raw, frames, what)
    places = place_frames([_frame_number(image) for image in images], frames=frames, what=what)
    by_image = {image.get("id"): place for image, place in zip(images, places, strict=True)}
    sizes = {(image.get("width"), image.get("height")) for image in images} - {(None, None)}
    declared = sizes.pop() if len(sizes) == 1 else (width, height)
    if sizes:
        raise invalid(f"{what}: pictures of several sizes; the labels of one clip have one")
    own_width, own_height = int(declared[0] or width), int(declared[1] or height)
    names = _categories(raw, what)
    objects: dict[int, list[ObjectLabel]] = {place: [] for place in places}
    ignore: dict[int, dict[str, IgnoreRegion]] = {place: {} for place in places}
    for number, annotation in enumerate(_annotations(raw, images, what)):
        where = f"{what}: annotation {annotation.get('id', number)}"
        place = by_image.get(annotation.get("image_id"))
        if place is None:
            raise invalid(f"{where} belongs to image {annotation.get('image_id')!r}, which is not listed")
        if annotation.get("category_id") not in names:
            raise invalid(f"{where} has category {annotation.get('category_id')!r}, which is not listed")
        runs = _runs(annotation.get("segmentation"), own_width, own_height, where)
        box = _box(annotation, runs, own_height, where)
        name = names[annotation["category_id"]]
        attributes = annotation.get("attributes")
        extras: Json = attributes if isinstance(attributes, dict) else {}
        if "region" in extras or name == "ignore":
            region = IgnoreRegion(reason=extras.get("reason", "given"), box2d=box, mask_rle=runs)
            ignore[place][str(extras.get("region", number))] = region
            continue
        track = annotation.get("track_id", annotation.get("instance_id", extras.get("track_id")))
        own = {k: v for k, v in extras.items() if k != "track_id"}
        given = _given_class(annotation["category_id"], name)
        dropped = bool(annotation.get("iscrowd") or annotation.get("ignore"))
        objects[place].append(
            label_from(
                own,
                identity=_identity(track, annotation, number),
                category=category_of(name),
                box2d=box,
                mask_rle=runs,
                is_ignored=dropped,
                given=given,
            )
        )
    claims = {by_image[i.get("id")]: claims_from(i.get("claims")) for i in images}
    info = raw.get("info")
    return labels_from(
        info.get("worldgen") if isinstance(info, dict) else None,
        width=own_width,
        height=own_height,
        frames=tuple(
            FrameLabels(
                frame=place,
                objects=tuple(objects[place]),
                ignore=tuple(ignore[place].values()),
                claims=claims[place],
            )
            for place in sorted(objects)
        ),
        source_format="coco",
    )


def _given_class(number: object, name: str) -> dict[str, str]:
    """Remember how the file names and numbers a class, where we would do it differently."""
    ours = category_of(name)
    if ours == name and name in KNOWN and number == KNOWN.index(name) + 1:
        return {}
    return {"category_id": str(number), "category": name}


def _images(raw: Json, frames: int, what: str) -> list[Json]:
    videos = of_type(raw.get("videos", []), list, f"{what}: videos")
    if len(videos) > 1:
        names = ", ".join(str(v.get("name", v.get("id"))) for v in videos[:4])
        raise invalid(f"{what} holds labels of {len(videos)} videos ({names}, ...); give those of one clip")
    images = of_type(raw.get("images", []), list, f"{what}: images")
    for image in images:
        of_type(image, dict, f"{what}: an image")
    if not images and videos:
        # YouTube-VIS: pictures are listed within the video.
        video = videos[0]
        files = video.get("file_names") or [f"{i:06d}.png" for i in range(int(video.get("length", frames)))]
        size = {"width": video.get("width"), "height": video.get("height")}
        return [{"id": i, "frame_id": i, "file_name": name, **size} for i, name in enumerate(files)]
    return sorted(images, key=lambda i: (_frame_number(i) is None, _frame_number(i) or 0, str(i.get("id"))))


def _annotations(raw: Json, images: list[Json], what: str) -> list[Json]:
    flat: list[Json] = []
    for annotation in of_type(raw["annotations"], list, f"{what}: annotations"):
        of_type(annotation, dict, f"{what}: an annotation")
        if "bboxes" not in annotation and not isinstance(annotation.get("segmentations"), list):
            flat.append(annotation)
            continue
        boxes = annotation.get("bboxes") or [None] * len(images)
        masks = annotation.get("segmentations") or [None] * len(images)
        for image, box, mask in zip(images, boxes, masks, strict=False):
            if box or mask:
                own = {k: v for k, v in annotation.items() if k not in ("bboxes", "segmentations", "areas")}
                track = {"track_id": annotation.get("id")}
                flat.append({**own, **track, "image_id": image["id"], "bbox": box, "segmentation": mask})
    return flat


def _frame_number(image: Json) -> int | None:
    for key in ("frame_id", "frame_index", "frame"):
        if isinstance(image.get(key), int):
            return int(image[key])
    name = image.get("file_name")
    return trailing_number(name) if isinstance(name, str) else None


def _categories(raw: Json, what: str) -> dict[object, str]:
    listed = of_type(raw.get("categories", []), list, f"{what}: categories")
    return {c.get("id"): str(c.get("name", "other")) for c in listed if isinstance(c, dict)}


def _identity(track: object, annotation: Json, number: int) -> int:
    for value in (track, annotation.get("id")):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value)
        if isinstance(value, str) and value.lstrip("-").isdigit():
            return int(value)
    return number + 1


def _box(annotation: Json, runs: tuple[int, ...] | None, height: int, where: str) -> Box2d:
    if annotation.get("bbox"):
        return box_from_corner(annotation["bbox"], f"{where}: bbox")
    box = box_of(runs, height=height) if runs else None
    if box is None:
        raise invalid(f"{where} has neither bbox nor segmentation")
    return box


def _runs(segmentation: object, width: int, height: int, where: str) -> tuple[int, ...] | None:
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        return encode_mask(_fill(segmentation, width, height, where))
    if not isinstance(segmentation, dict) or "counts" not in segmentation:
        raise invalid(f"{where}: segmentation is neither polygons nor run lengths")
    counts = segmentation["counts"]
    try:
        runs = parse_compressed(counts) if isinstance(counts, str) else tuple(int(c) for c in counts)
    except (TypeError, ValueError) as exc:
        raise invalid(f"{where}: run lengths cannot be read: {exc}") from exc
    size = segmentation.get("size", [height, width])
    if sum(runs) != width * height or list(size) != [height, width] or min(runs, default=0) < 0:
        raise invalid(f"{where}: run lengths of {sum(runs)} pixels ({size}), the picture is {width}x{height}")
    return runs


def _fill(
    polygons: list[object], width: int, height: int, where: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    canvas = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        try:
            points = np.asarray(polygon, np.float64).reshape(-1, 2)
        except (TypeError, ValueError) as exc:
            raise invalid(f"{where}: a polygon must be a list of x, y pairs") from exc
        if len(points) < 3 or not np.isfinite(points).all():
            raise invalid(f"{where}: a polygon must have three points or more")
        # OpenCV fills from pixel centres; COCO counts from the edge.
        fixed = np.round((points - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(canvas, [fixed], (1,), shift=4)
    return canvas.astype(np.bool_)

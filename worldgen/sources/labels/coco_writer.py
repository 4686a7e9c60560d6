"""COCO, with video and tracks: write.

What must not be trained on or scored is marked ``iscrowd`` and ``ignore``, which COCO's own evaluation
honours. It compares class by class, so an ignore region (of no class) is written once for every class of the
document, with the same number under ``attributes.region``.
"""

import json
from pathlib import Path
from typing import Any

from worldgen.datatypes import Box2d, FrameLabels, IgnoreRegion, Labels, ObjectLabel
from worldgen.imaging.rle import area_of
from worldgen.sources.labels.attributes import attributes_of, head_of
from worldgen.sources.labels.categories import KNOWN
from worldgen.sources.labels.document import Json


def write_coco(labels: Labels, path: Path) -> None:
    """Write labels as a COCO document: one video, one image per labelled frame, tracks as ``track_id``."""
    path.write_text(json.dumps(coco_of(labels), sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def coco_of(labels: Labels) -> Json:
    """Build the COCO document of labels."""
    classes = _classes(labels)
    annotations: list[Json] = []
    for frame in labels.frames:
        for label in frame.objects:
            annotations.append(_object(label, frame, labels, classes[_name_of(label)], len(annotations) + 1))
        for number, region in enumerate(frame.ignore):
            for category in sorted(set(classes.values())) or [1]:
                annotations.append(_region(region, number, frame, labels, category, len(annotations) + 1))
    return {
        "info": {"description": "worldgen", "version": "1", "worldgen": head_of(labels)},
        "videos": [
            {"id": 1, "name": "clip", "width": labels.width, "height": labels.height},
        ],
        "images": [
            {
                "id": frame.frame + 1,
                "video_id": 1,
                "frame_id": frame.frame,
                "file_name": f"{frame.frame:06d}.png",
                "width": labels.width,
                "height": labels.height,
                "claims": frame.claims.model_dump(mode="json"),
            }
            for frame in labels.frames
        ],
        "categories": [{"id": i, "name": n} for n, i in sorted(classes.items(), key=lambda c: c[1])]
        or [{"id": 1, "name": "ignore"}],
        "annotations": annotations,
    }


def _name_of(label: ObjectLabel) -> str:
    """Name a class as the user's file did, so that a detector's class list still fits."""
    return label.attributes.get("category", label.category)


def _classes(labels: Labels) -> dict[str, int]:
    """Number the classes: as the user's file did where that is known and free, else as we list them."""
    wanted: dict[str, int] = {}
    for frame in labels.frames:
        for label in frame.objects:
            stated = label.attributes.get("category_id", "")
            fallback = KNOWN.index(label.category) + 1 if label.category in KNOWN else 0
            wanted.setdefault(_name_of(label), int(stated) if stated.isdigit() else fallback)
    numbers: dict[str, int] = {}
    for name, number in sorted(wanted.items()):
        taken = set(numbers.values()) | {n for other, n in wanted.items() if other != name and n}
        clash = number == 0 or number in numbers.values()
        numbers[name] = max({*taken, len(KNOWN)}) + 1 if clash else number
    return numbers


def _object(label: ObjectLabel, frame: FrameLabels, labels: Labels, category: int, number: int) -> Json:
    attributes = attributes_of(label)
    attributes.pop("given.category_id", None)
    attributes.pop("given.category", None)
    if label.box3d is not None:
        attributes["box3d"] = label.box3d.model_dump(mode="json")
    ignored = int(label.use == "ignore")
    return {
        **_shape(label.box2d, label.mask_rle, labels),
        "id": number,
        "image_id": frame.frame + 1,
        "category_id": category,
        "track_id": label.id,
        "iscrowd": ignored,
        "ignore": ignored,
        "attributes": attributes,
    }


def _region(
    region: IgnoreRegion, place: int, frame: FrameLabels, labels: Labels, category: int, number: int
) -> Json:
    return {
        **_shape(region.box2d, region.mask_rle, labels),
        "id": number,
        "image_id": frame.frame + 1,
        "category_id": category,
        "iscrowd": 1,
        "ignore": 1,
        "attributes": {"region": place, "reason": region.reason},
    }


def _shape(box: Box2d, runs: tuple[int, ...] | None, labels: Labels) -> dict[str, Any]:
    out: dict[str, Any] = {"bbox": [box.left, box.top, box.width, box.height], "area": box.width * box.height}
    if runs is not None:
        out["area"] = area_of(runs)
        out["segmentation"] = {"counts": list(runs), "size": [labels.height, labels.width]}
    return out

"""ASAM OpenLABEL 1.0.0: read.

Understood: objects with ``bbox`` (middle, size), ``poly2d`` outlines, ``cuboid`` and our masks, per frame or
for one picture, with their attributes. A cuboid is taken when its coordinate system is that of a camera
stream or not named; in vehicle axes it would need the rig. Labels of several cameras: give those of one.
"""

import math
from typing import Any

from worldgen.datatypes import Box2d, Box3d, FrameLabels, IgnoreRegion, Labels, ObjectLabel
from worldgen.imaging.rle import box_of
from worldgen.sources.labels.attributes import claims_from, label_from, labels_from
from worldgen.sources.labels.categories import category_of
from worldgen.sources.labels.document import Json, invalid, numbers, of_type, other_source
from worldgen.sources.labels.frames import place_frames
from worldgen.sources.labels.openlabel_writer import CLAIMS_UID, MASK_TYPE, REGION


def is_openlabel(raw: object) -> bool:
    """Whether a JSON document is OpenLABEL."""
    return isinstance(raw, dict) and isinstance(raw.get("openlabel"), dict)


def read_openlabel(raw: Json, *, width: int, height: int, frames: int, what: str) -> Labels:
    """Read an OpenLABEL document.

    Raises:
        LabelError: `invalid`; `other_source`.
    """
    body: Json = raw["openlabel"]
    metadata = of_type(body.get("metadata", {}), dict, f"{what}: metadata")
    version = str(metadata.get("schema_version", ""))
    if not version.startswith("1.0"):
        raise invalid(f"{what} is OpenLABEL {version or 'of no version'}; 1.0.0 is read")
    head = metadata.get("worldgen")
    own_width, own_height = _size(body, head, width, height)
    if (own_width, own_height) != (width, height):
        message = f"{what} is for pictures of {own_width}x{own_height}, the clip is {width}x{height}"
        raise other_source(message)
    objects = of_type(body.get("objects", {}), dict, f"{what}: objects")
    streams = of_type(body.get("streams", {}), dict, f"{what}: streams")
    cameras = frozenset({"", *(n for n, s in streams.items() if (s or {}).get("type") == "camera")})
    timed = of_type(body.get("frames", {}), dict, f"{what}: frames")
    numbers_given = sorted(int(n) for n in timed if n.isdigit())
    places = place_frames(numbers_given, frames=frames, what=what) if numbers_given else ()
    labelled = [
        _frame(
            timed[str(number)], place, objects, cameras, (own_width, own_height), f"{what}: frame {number}"
        )
        for number, place in zip(numbers_given, places, strict=True)
    ]
    if not labelled and objects:
        # Labels of one picture stand on the objects themselves.
        whole = {"objects": {uid: {"object_data": o.get("object_data", {})} for uid, o in objects.items()}}
        place_frames([None], frames=frames, what=what)
        labelled = [_frame(whole, 0, objects, cameras, (own_width, own_height), what)]
    return labels_from(
        head, width=own_width, height=own_height, frames=tuple(labelled), source_format="openlabel"
    )


def _size(body: Json, head: object, width: int, height: int) -> tuple[int, int]:
    if isinstance(head, dict) and {"width", "height"} <= head.keys():
        return int(head["width"]), int(head["height"])
    streams = body.get("streams")
    for stream in streams.values() if isinstance(streams, dict) else ():
        for intrinsics in (stream.get("stream_properties") or {}).values():
            if isinstance(intrinsics, dict) and {"width_px", "height_px"} <= intrinsics.keys():
                return int(intrinsics["width_px"]), int(intrinsics["height_px"])
    return width, height


def _frame(
    frame: Json, place: int, objects: Json, cameras: frozenset[str], size: tuple[int, int], where: str
) -> FrameLabels:
    found: list[ObjectLabel] = []
    ignore: list[IgnoreRegion] = []
    inside = of_type(frame.get("objects", {}), dict, f"{where}: objects")
    for number, (uid, entry) in enumerate(inside.items()):
        what = f"{where}: object {uid}"
        data = of_type((entry or {}).get("object_data", {}), dict, what)
        static = of_type(objects.get(uid, {}), dict, what)
        runs = _mask(data, size, what)
        box = _box(data, runs, size, what)
        if box is None:
            continue
        fields = _fields(data)
        if static.get("type") == REGION:
            ignore.append(IgnoreRegion(reason=fields.get("reason", "given"), box2d=box, mask_rle=runs))
            continue
        name = str(static.get("type", "other"))
        found.append(
            label_from(
                {k: v for k, v in fields.items() if k != "category"},
                identity=int(uid) if uid.lstrip("-").isdigit() else _number_of(uid, number),
                category=str(fields.get("category") or category_of(name)),
                box2d=box,
                box3d=_cuboid(data, cameras, what),
                mask_rle=runs,
                given={} if "category" in fields else {"category": name},
            )
        )
    contexts = frame.get("contexts") or {}
    texts = ((contexts.get(CLAIMS_UID) or {}).get("context_data") or {}).get("text") or []
    claims = {t["name"]: t["val"] for t in texts if isinstance(t, dict) and "name" in t}
    ours = claims if claims.keys() <= {"boxes", "lanes", "depth", "flow"} else None
    return FrameLabels(frame=place, objects=tuple(found), ignore=tuple(ignore), claims=claims_from(ours))


def _number_of(uid: str, number: int) -> int:
    """Turn a UUID into a number that stays the same over the frames."""
    digits = "".join(c for c in uid if c in "0123456789abcdefABCDEF")
    return int(digits[:12], 16) if digits else number + 1


def _fields(data: Json) -> Json:
    out: dict[str, Any] = {}
    shapes = (data.get("bbox") or []) + (data.get("cuboid") or []) + (data.get("poly2d") or [])
    sources = [s.get("attributes") or {} for s in shapes if isinstance(s, dict)] + [data]
    for source in sources:
        for kind in ("num", "text", "boolean", "vec"):
            for item in source.get(kind) or []:
                if isinstance(item, dict) and "name" in item and item["name"] not in out:
                    out[str(item["name"])] = item.get("val")
    return out


def _mask(data: Json, size: tuple[int, int], what: str) -> tuple[int, ...] | None:
    for item in data.get("binary") or []:
        if isinstance(item, dict) and item.get("data_type") == MASK_TYPE:
            try:
                runs = tuple(int(r) for r in str(item.get("val", "")).split())
            except ValueError as exc:
                raise invalid(f"{what}: the mask is not run lengths") from exc
            if sum(runs) != size[0] * size[1] or min(runs, default=0) < 0:
                raise invalid(f"{what}: the mask has {sum(runs)} pixels, the picture {size[0]}x{size[1]}")
            return runs
    return None


def _box(data: Json, runs: tuple[int, ...] | None, size: tuple[int, int], what: str) -> Box2d | None:
    boxes = data.get("bbox") or []
    if boxes:
        x, y, wide, tall = numbers(boxes[0].get("val"), 4, f"{what}: bbox")
        if wide < 0 or tall < 0:
            raise invalid(f"{what}: bbox has a negative size")
        return Box2d(left=x - wide / 2, top=y - tall / 2, right=x + wide / 2, bottom=y + tall / 2)
    outline = next(iter(data.get("poly2d") or []), None)
    if isinstance(outline, dict) and outline.get("mode") == "MODE_POLY2D_ABSOLUTE":
        val = of_type(outline.get("val"), list, f"{what}: poly2d")
        flat = numbers(val, len(val) // 2 * 2, f"{what}: poly2d")
        if len(flat) >= 4:
            return Box2d(
                left=min(flat[0::2]), top=min(flat[1::2]), right=max(flat[0::2]), bottom=max(flat[1::2])
            )
    return box_of(runs, height=size[1]) if runs else None


def _cuboid(data: Json, cameras: frozenset[str], what: str) -> Box3d | None:
    cuboids = data.get("cuboid") or []
    if not cuboids or cuboids[0].get("val") is None or cuboids[0].get("coordinate_system", "") not in cameras:
        return None
    val = of_type(cuboids[0]["val"], list, f"{what}: cuboid")
    flat = numbers(val, 10 if len(val) == 10 else 9, f"{what}: cuboid")
    if len(flat) == 9:
        yaw = flat[4]
    else:
        qx, qy, qz, qw = flat[3:7]
        # The heading (the box's x axis) turned into camera axes, seen from above.
        along = (1 - 2 * (qy * qy + qz * qz), 2 * (qx * qz - qw * qy))
        yaw = math.atan2(-along[1], along[0])
    sx, sy, sz = flat[-3:]
    return Box3d(center_m=(flat[0], flat[1], flat[2]), size_m=(sx, sy, sz), yaw_rad=yaw)

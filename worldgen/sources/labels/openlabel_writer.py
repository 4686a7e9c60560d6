"""ASAM OpenLABEL 1.0.0: write.

``frames.<i>.objects.<id>.object_data`` holds ``bbox`` [cx, cy, w, h] in pixels, ``cuboid`` [x, y, z, rx, ry,
rz, sx, sy, sz] in camera axes (x right, y down, z forward; metres, radians) and a mask as ``binary``: COCO's
uncompressed run lengths. Everything else is in the bbox's attributes. Ignore regions are objects of type
``ignore_region`` with negative ids; what is claimed for a frame is a context of type ``claims``.
"""

import json
from pathlib import Path
from typing import Any, Final

from worldgen.datatypes import Box2d, Box3d, Camera, FrameLabels, Labels, ObjectLabel
from worldgen.sources.labels.attributes import attributes_of, head_of
from worldgen.sources.labels.document import Json

SCHEMA_VERSION: Final = "1.0.0"
STREAM: Final = "camera"
MASK_TYPE: Final = "coco_rle_column_major"
REGION: Final = "ignore_region"
CLAIMS_UID: Final = "0"
_ID_STRIDE: Final = 1 << 32


def write_openlabel(labels: Labels, path: Path) -> None:
    """Write labels as an OpenLABEL 1.0.0 document."""
    path.write_text(json.dumps(openlabel_of(labels), allow_nan=False) + "\n", encoding="utf-8")


def openlabel_of(labels: Labels) -> Json:
    """Build the OpenLABEL document of labels."""
    objects: dict[str, Json] = {}
    frames: dict[str, Json] = {}
    for frame in labels.frames:
        frames[str(frame.frame)] = _frame(frame, objects)
    for entry in objects.values():
        seen = sorted(entry.pop("_frames"))
        entry["frame_intervals"] = _intervals(seen)
    body: Json = {
        "metadata": {
            "schema_version": SCHEMA_VERSION,
            "annotator": "worldgen",
            "worldgen": {"width": labels.width, "height": labels.height, **head_of(labels)},
        },
        "coordinate_systems": {STREAM: {"type": "sensor", "parent": "", "children": []}},
        "streams": {STREAM: _stream(labels.camera)},
        "objects": objects,
        "frames": frames,
        "frame_intervals": _intervals([f.frame for f in labels.frames]),
    }
    if frames:
        body["contexts"] = {
            CLAIMS_UID: {"name": "claims", "type": "claims", "frame_intervals": body["frame_intervals"]}
        }
    return {"openlabel": body}


def _frame(frame: FrameLabels, objects: dict[str, Json]) -> Json:
    inside: dict[str, Json] = {}
    for label in frame.objects:
        uid = _free_uid(label.id, inside)
        entry = objects.setdefault(
            uid, {"name": f"{label.category}_{label.id}", "type": label.category, "_frames": []}
        )
        entry["_frames"].append(frame.frame)
        inside[uid] = {"object_data": _object_data(label)}
    for number, region in enumerate(frame.ignore, start=1):
        uid = str(-number)
        entry = objects.setdefault(uid, {"name": f"{REGION}_{number}", "type": REGION, "_frames": []})
        entry["_frames"].append(frame.frame)
        reason = {"text": [{"name": "reason", "val": region.reason}]}
        inside[uid] = {"object_data": _shape(region.box2d, region.mask_rle, reason)}
    claims = [{"name": k, "val": v} for k, v in frame.claims.model_dump(mode="json").items()]
    return {"objects": inside, "contexts": {CLAIMS_UID: {"context_data": {"text": claims}}}}


def _free_uid(identity: int, taken: dict[str, Json]) -> str:
    """Name an object; an id that stands twice in one frame gets another, so that neither is lost."""
    uid = identity
    while str(uid) in taken or uid < 0:
        uid = abs(uid) + _ID_STRIDE
    return str(uid)


def _object_data(label: ObjectLabel) -> Json:
    fields = attributes_of(label)
    fields["category"] = label.category
    data = _shape(label.box2d, label.mask_rle, _typed(fields))
    if label.box3d is not None:
        data["cuboid"] = [{"name": "cuboid", "val": _cuboid(label.box3d), "coordinate_system": STREAM}]
    return data


def _shape(box: Box2d, runs: tuple[int, ...] | None, attributes: Json) -> Json:
    val = [(box.left + box.right) / 2, (box.top + box.bottom) / 2, box.width, box.height]
    data: Json = {"bbox": [{"name": "bbox", "val": val, "attributes": attributes}]}
    if runs is not None:
        data["binary"] = [
            {"name": "mask", "val": " ".join(map(str, runs)), "data_type": MASK_TYPE, "encoding": "ascii"}
        ]
    return data


def _typed(fields: Json) -> Json:
    """Sort attributes by OpenLABEL's types: num, text, vec."""
    out: dict[str, list[Json]] = {}
    for name, value in sorted(fields.items()):
        kind = "vec" if isinstance(value, list) else "text" if isinstance(value, str) else "num"
        out.setdefault(kind, []).append({"name": name, "val": value})
    return out


def _cuboid(box: Box3d) -> list[float]:
    return [*box.center_m, 0.0, box.yaw_rad, 0.0, *box.size_m]


def _stream(camera: Camera | None) -> Json:
    stream: Json = {"type": "camera", "description": "x right, y down, z forward; metres"}
    if camera is None:
        return stream
    size = {"width_px": camera.width, "height_px": camera.height}
    properties: dict[str, Any]
    if camera.model == "pinhole":
        matrix = [camera.fx, 0.0, camera.cx, 0.0, 0.0, camera.fy, camera.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        # OpenLABEL takes 5 to 14 coefficients, one line of them.
        coefficients = [*camera.distortion, 0.0, 0.0, 0.0, 0.0, 0.0][: max(5, len(camera.distortion))]
        properties = {
            "intrinsics_pinhole": {"camera_matrix": matrix, "distortion_coeffs": coefficients, **size}
        }
    elif camera.model == "fisheye":
        coefficients = [*camera.distortion, 0.0, 0.0, 0.0, 0.0][:4]
        centre = {"center_x_px": camera.cx, "center_y_px": camera.cy, "aspect_ratio": camera.fx / camera.fy}
        properties = {"intrinsics_fisheye": {**size, **centre, "lens_coeffs": coefficients}}
    else:
        properties = {"intrinsics_custom": {**size, **camera.model_dump(mode="json")}}
    return {**stream, "stream_properties": properties}


def _intervals(frames: list[int]) -> list[Json]:
    out: list[Json] = []
    for frame in frames:
        if out and out[-1]["frame_end"] == frame - 1:
            out[-1]["frame_end"] = frame
        elif not out or out[-1]["frame_end"] != frame:
            out.append({"frame_start": frame, "frame_end": frame})
    return out

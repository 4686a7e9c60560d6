"""What our labels say beyond boxes, as plain values: the same fields in COCO and in OpenLABEL."""

from typing import Any, Final

from pydantic import ValidationError

from worldgen.datatypes import Box2d, Box3d, Camera, Claims, FrameLabels, Labels, ObjectLabel, Visibility
from worldgen.sources.labels.document import Json, invalid

_NUMBERS: Final = ("occlusion", "truncation", "range_m", "pixels_high")
_HEAD: Final = ("condition", "sensors_covered", "geometry_origin", "scale_interval", "method_version")


def attributes_of(label: ObjectLabel) -> Json:
    """Write everything about a label but id, class, boxes and mask."""
    out: Json = {"origin": label.origin, "use": label.use}
    out |= {name: getattr(label, name) for name in _NUMBERS if getattr(label, name) is not None}
    if label.range_interval_m is not None:
        out["range_interval_m"] = list(label.range_interval_m)
    if label.reason is not None:
        out["reason"] = label.reason
    if label.visibility is not None:
        seen = label.visibility
        out["visibility"] = seen.state
        out["visibility_predicted"] = seen.predicted
        out["visibility_measured"] = seen.measured
        if seen.transmission is not None:
            out["transmission"] = seen.transmission
        if seen.contrast_to_noise is not None:
            out["contrast_to_noise"] = seen.contrast_to_noise
    if label.changed_attributes:
        out["changed_attributes"] = list(label.changed_attributes)
    out |= {f"given.{k}": v for k, v in sorted(label.attributes.items())}
    return out


def label_from(
    extras: Json,
    *,
    identity: int,
    category: str,
    box2d: Box2d,
    box3d: Box3d | None = None,
    mask_rle: tuple[int, ...] | None = None,
    is_ignored: bool = False,
    given: dict[str, str] | None = None,
) -> ObjectLabel:
    """Build a label from plain values; attributes that are not ours are kept as given.

    Raises:
        LabelError: `invalid`.
    """
    known = {"origin", "use", "reason", "range_interval_m", "changed_attributes", *_NUMBERS}
    seen_keys = {
        "visibility",
        "visibility_predicted",
        "visibility_measured",
        "transmission",
        "contrast_to_noise",
        "box3d",
    }
    own = {k: extras[k] for k in known if extras.get(k) is not None and "origin" in extras}
    attributes = dict(given or {})
    for key, value in extras.items():
        if key.startswith("given."):
            attributes[key.removeprefix("given.")] = str(value)
        elif key not in own and key not in seen_keys and value is not None:
            attributes[key] = str(value)
    values: dict[str, Any] = {
        "origin": "human",
        "use": "ignore" if is_ignored else "train",
        "reason": "given" if is_ignored else None,
        **own,
    }
    stated = extras.get("box3d")
    try:
        if box3d is None and isinstance(stated, dict):
            box3d = Box3d.model_validate(stated)
        visibility = (
            Visibility(
                predicted=extras["visibility_predicted"],
                measured=extras["visibility_measured"],
                transmission=extras.get("transmission"),
                contrast_to_noise=extras.get("contrast_to_noise"),
            )
            if {"visibility_predicted", "visibility_measured"} <= extras.keys()
            else None
        )
        return ObjectLabel(
            id=identity,
            category=category,
            box2d=box2d,
            box3d=box3d,
            mask_rle=mask_rle,
            visibility=visibility,
            attributes=attributes,
            **values,
        )
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise invalid(f"object {identity}: {where}: {first['msg']}") from exc


def head_of(labels: Labels) -> Json:
    """Write what holds for the whole clip."""
    out: Json = {name: labels.model_dump(mode="json")[name] for name in _HEAD}
    out["source_format"] = labels.source_format
    if labels.camera is not None:
        out["camera"] = labels.camera.model_dump(mode="json")
    return out


def labels_from(
    head: object, *, width: int, height: int, frames: tuple[FrameLabels, ...], source_format: str
) -> Labels:
    """Build labels; `head` is what `head_of` wrote, if it did.

    Raises:
        LabelError: `invalid`.
    """
    stated: Json = dict(head) if isinstance(head, dict) else {}
    camera = stated.pop("camera", None)
    stated = {k: v for k, v in stated.items() if k in (*_HEAD, "source_format")}
    stated.setdefault("source_format", source_format)
    try:
        return Labels(
            width=width,
            height=height,
            frames=frames,
            camera=Camera.model_validate(camera) if camera else None,
            **stated,
        )
    except ValidationError as exc:
        first = exc.errors()[0]
        raise invalid(f"labels: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from exc


def claims_from(stated: object) -> Claims:
    """Read the claims of a frame; all kept when nothing is said.

    Raises:
        LabelError: `invalid`.
    """
    try:
        return Claims.model_validate(stated) if isinstance(stated, dict) else Claims()
    except ValidationError as exc:
        raise invalid(f"claims: {exc.errors()[0]['msg']}") from exc

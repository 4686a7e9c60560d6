"""Labelling: what a condition and its verdict leave of a source's labels. Pure.

No label is ever removed, and what cannot be seen never becomes background: it becomes ``use="ignore"`` with
the reason.
"""

from typing import Final

from worldgen.datatypes import FrameLabels, GeometryRef, IgnoreRegion, Labels, Observation, Spec, Verdict
from worldgen.labelling.claims import claims_of, weaker
from worldgen.labelling.objects import judge_object
from worldgen.labelling.regions import regions_of
from worldgen.labelling.signs import Signs, signs_of

__all__ = ["METHOD_VERSION", "labels_of"]

METHOD_VERSION: Final = "1"
"""Of the rules of this package; written into every variant's labels."""


def labels_of(
    labels: Labels | None,
    verdict: Verdict,
    spec: Spec,
    *,
    rendered: dict[str, float | str],
    geometry_ref: GeometryRef | None,
    painted: bool = False,
) -> Labels | None:
    """Carry a source's labels over to a variant.

    Args:
        labels: Of the source; None gives None.
        verdict: Its observations and ignore regions are merged; its findings may keep a claim.
        spec: As asked.
        rendered: The condition as rendered, in the model's own numbers (`Candidate.rendered`).
        geometry_ref: Where ranges came from.
        painted: Whether a model repainted the picture (diffusion): colours and text are then its own.
    """
    if labels is None:
        return None
    signs = signs_of(spec, rendered, painted=painted)
    seen = {(o.object_id, o.frame): o for o in verdict.observations}
    regions: dict[int, list[IgnoreRegion]] = {}
    for index, region in verdict.ignore:
        regions.setdefault(index, []).append(region)
    frames: list[FrameLabels] = []
    for given in labels.frames:
        frame = _frame(given, signs, seen, tuple(regions.get(given.frame, ())), verdict)
        # Predicted regions are added last: where they are is a guess, so no object is ignored for them.
        predicted = regions_of(given.objects, signs, labels.width, labels.height)
        frames.append(
            frame.model_copy(update={"ignore": (*frame.ignore, *predicted)}) if predicted else frame
        )
    return labels.model_copy(
        update={
            "frames": tuple(frames),
            "condition": {**labels.condition, **_asked(spec), **rendered, **_surface(signs)},
            "sensors_covered": ("camera",),
            "geometry_origin": _origin(geometry_ref) or labels.geometry_origin,
            "scale_interval": geometry_ref.scale_interval if geometry_ref else labels.scale_interval,
            "method_version": METHOD_VERSION,
        }
    )


def _frame(
    frame: FrameLabels,
    signs: Signs,
    seen: dict[tuple[int, int], Observation],
    regions: tuple[IgnoreRegion, ...],
    verdict: Verdict,
) -> FrameLabels:
    objects = tuple(
        judge_object(o, signs, seen.get((o.id, frame.frame)), regions, verdict) for o in frame.objects
    )
    claims = weaker(frame.claims, claims_of(signs, verdict))
    unseen = any(o.use == "ignore" and o.reason == "unknown_visibility" for o in objects)
    if unseen and claims.boxes == "kept":
        claims = claims.model_copy(update={"boxes": "degraded"})
    return FrameLabels(frame=frame.frame, objects=objects, ignore=(*frame.ignore, *regions), claims=claims)


def _asked(spec: Spec) -> dict[str, float | str]:
    asked: dict[str, float | str] = {f"asked_{k}": float(v) for k, v in spec.changes.items()}
    return {**asked, "asked_class": spec.asks_for or "none"}


def _surface(signs: Signs) -> dict[str, float | str]:
    if signs.snow_cover >= 0.3:
        return {"road_class": "snow"}
    return {"road_class": "sand"} if signs.sand_cover >= 0.3 else {}


def _origin(ref: GeometryRef | None) -> str:
    return f"depth {ref.origins.depth}, scale {ref.origins.scale}" if ref else ""

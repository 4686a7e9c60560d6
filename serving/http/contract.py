"""The contract of a world model, checked before a job is accepted; a refusal names the nearest that fits."""

import difflib
from collections.abc import Sequence
from math import sqrt
from typing import Any, Final

from serving.http.problems import Refused
from worldgen.datatypes import ModelProfile, Source, Spec
from worldgen.errors import ContractError
from worldgen.planning import check_needs, fit_to, needs_of

_MOST_FIXES: Final = 6


def chosen_profile(profiles: Sequence[ModelProfile], name: str) -> ModelProfile:
    """Find a world model by name; no name is the service's own.

    Raises:
        Refused: `contract.unknown_model`, with the model of the nearest name.
    """
    if not name:
        return profiles[0]
    names = [profile.name for profile in profiles]
    if name in names:
        return profiles[names.index(name)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    message = f"this service has no world model of that name; it has: {', '.join(names)}"
    raise Refused(
        message, status=422, code="contract.unknown_model", nearest={"model": near[0]}, param="model"
    )


def check_specs(specs: Sequence[Spec], profile: ModelProfile) -> None:
    """Check what needs no source: the controls that the specs weigh.

    Raises:
        Refused: `contract.controls`, with the specs without what the model does not take.
    """
    try:
        needs_of(tuple(specs), profile)
    except ContractError as error:
        fitting = [
            spec.model_copy(
                update={
                    "control_weights": {
                        kind: weight
                        for kind, weight in spec.control_weights.items()
                        if kind in profile.control_kinds
                    }
                }
            ).model_dump(mode="json", exclude_none=True)
            for spec in specs
        ]
        raise _refused(error, {"specs": fitting}) from error


def check_source(source: Source, profile: ModelProfile, profiles: Sequence[ModelProfile]) -> None:
    """Check that a source fits a world model.

    Raises:
        Refused: The contract's own code; nearest is the source that would fit (frames, fps, width, height),
            or another model.
    """
    try:
        check_needs(source, profile)
        fit_to(source, profile)
    except ContractError as error:
        raise _refused(error, nearest_to(source, profile, profiles)) from error


def nearest_to(source: Source, profile: ModelProfile, profiles: Sequence[ModelProfile]) -> dict[str, Any]:
    """Name the nearest request that would fit.

    Returns:
        ``{"source": {...}}`` with what of the source has to be another, ``{"model": ...}`` where only another
        model helps, or nothing.
    """
    changed: dict[str, Any] = {}
    for _ in range(_MOST_FIXES):
        try:
            check_needs(source, profile)
            fit_to(source, profile)
        except ContractError as error:
            fix = _fix(source, profile, error.reason)
            if not fix:
                break
            changed |= fix
            source = source.model_copy(update=fix)
        else:
            return {"model": profile.name, "source": changed}
    others = [other for other in profiles if other.name != profile.name and _fits(source, other)]
    return {"model": others[0].name} if others else {}


def _fix(source: Source, profile: ModelProfile, reason: str) -> dict[str, Any]:
    if reason == "frames":
        most = profile.max_frames - (profile.max_frames - profile.frame_offset) % profile.frame_step
        return {"frames": most}
    if reason == "fps" and profile.fps_range is not None:
        low, high = profile.fps_range
        return {"fps": low if source.fps < low else high}
    if reason == "size" and not profile.sizes and not profile.tiers:
        scale = sqrt(profile.max_pixels / (source.width * source.height))
        # Even numbers: most codecs halve the colour.
        width, height = (max(2, int(side * scale) // 2 * 2) for side in (source.width, source.height))
        return {"width": width, "height": height}
    return {}


def _fits(source: Source, profile: ModelProfile) -> bool:
    try:
        check_needs(source, profile)
        fit_to(source, profile)
    except ContractError:
        return False
    return True


def _refused(error: ContractError, nearest: dict[str, Any]) -> Refused:
    return Refused(error.message, status=422, hint=error.hint, code=error.code, nearest=nearest)

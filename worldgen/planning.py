"""Planning: from a spec to a plan with nothing left to decide. Pure; no file, no clock, no chance."""

from dataclasses import dataclass
from typing import Final

from worldgen.datatypes import (
    Condition,
    ControlKind,
    Fit,
    GenerationPlan,
    Material,
    ModelProfile,
    Source,
    Spec,
    Verdict,
    digest,
)
from worldgen.errors import ContractError, SpecError
from worldgen.prompts import negative_prompt_for, prompt_for

POLICY_VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What follows a rejection."""

    max_attempts: int = 2
    seed_stride: int = 1000
    """Added to the seed at each attempt."""

    @property
    def identity(self) -> str:
        """Part of a variant's identity."""
        return f"{POLICY_VERSION}:{self.max_attempts}:{self.seed_stride}"


def needs_of(specs: tuple[Spec, ...], profile: ModelProfile) -> frozenset[ControlKind]:
    """Name the control maps that any of the specs needs from this model."""
    if "controls" not in profile.needs:
        return frozenset()
    asked = {kind for spec in specs for kind, weight in spec.control_weights.items() if weight > 0}
    unknown = asked - profile.control_kinds
    if unknown:
        message = (
            f"{profile.name} has no control {', '.join(sorted(unknown))}; "
            f"it takes: {', '.join(sorted(profile.control_kinds))}"
        )
        raise ContractError(message, reason="controls")
    return frozenset(asked or profile.default_controls)


def variant_id_of(
    source_sha256: str, recipe: str, spec: Spec, profile: ModelProfile, *, policy: RetryPolicy, critic: str
) -> str:
    """Name a variant without decoding anything: 32 hexadecimal characters."""
    settings = dict(sorted(profile.parameters.items()))
    identity = (
        source_sha256,
        recipe,
        spec.identity,
        profile.name,
        profile.revision,
        settings,
        policy.identity,
        critic,
    )
    return digest(*identity)[:32]


def check_needs(source: Source, profile: ModelProfile) -> None:
    """Refuse a source that lacks what the model reads, before any compute.

    Raises:
        ContractError: `needs`: a control video has no RGB, and this model repaints RGB.
    """
    if "rgb" in profile.needs and source.kind == "controls":
        message = f"{profile.name} repaints RGB frames; {source.uri} is a control video without RGB"
        hint = "control videos are for diffusion world models; `worldgen controls` and `inspect` take them"
        raise ContractError(message, reason="needs", hint=hint)


def plan_generation(
    source: Source, material: Material, spec: Spec, profile: ModelProfile, *, variant_id: str
) -> GenerationPlan:
    """Fit a spec to a model's contract.

    Raises:
        SpecError: `no_change` when the spec asks for nothing, `unsupported` when the model cannot make it.
        ContractError: The source does not fit the model, with the nearest that would.
    """
    check_needs(source, profile)
    check_transition(spec, material.condition, profile)
    return GenerationPlan(
        variant_id=variant_id,
        attempt=1,
        model=profile.name,
        revision=profile.revision,
        spec=spec,
        seed=spec.seed,
        source=material.video,
        geometry=material.geometry,
        controls=material.controls,
        control_weights=dict(spec.control_weights),
        condition=material.condition,
        fit=fit_to(source, profile),
        prompt=prompt_for(spec) if profile.kind in ("diffusion", "remote") else "",
        negative_prompt=negative_prompt_for(spec) if profile.kind in ("diffusion", "remote") else "",
        parameters=dict(profile.parameters),
    )


def next_attempt(plan: GenerationPlan, verdict: Verdict, policy: RetryPolicy) -> GenerationPlan | None:
    """Plan the retry after a rejection; None when accepted, undecided or spent."""
    if verdict.state != "rejected" or plan.attempt >= policy.max_attempts:
        return None
    seed = (plan.seed + policy.seed_stride) % 2**32
    return plan.model_copy(update={"attempt": plan.attempt + 1, "seed": seed})


def fit_to(source: Source, profile: ModelProfile) -> Fit:
    """Pad to the next legal frame count and scale to the nearest legal size, as one recorded affine.

    Raises:
        ContractError: Too many frames or pixels, naming the nearest that would fit.
    """
    frames = _legal_frames(source.frames, profile)
    width, height = _legal_size(source.width, source.height, profile)
    fps = min(profile.fps, key=lambda f: abs(f - source.fps)) if profile.fps else source.fps
    return Fit(
        source_frames=source.frames,
        model_frames=frames,
        source_size=(source.width, source.height),
        model_size=(width, height),
        scale_x=width / source.width,
        scale_y=height / source.height,
        source_fps=source.fps,
        model_fps=fps,
    )


def _legal_frames(frames: int, profile: ModelProfile) -> int:
    steps = max(0, -(-(frames - profile.frame_offset) // profile.frame_step))
    legal = max(profile.min_frames, profile.frame_offset + profile.frame_step * steps)
    if legal > profile.max_frames:
        most = profile.max_frames - (profile.max_frames - profile.frame_offset) % profile.frame_step
        message = f"{profile.name} takes at most {most} frames, the source has {frames}"
        raise ContractError(message, reason="frames", hint=f"cut the clip to {most} frames")
    return legal


def _legal_size(width: int, height: int, profile: ModelProfile) -> tuple[int, int]:
    if not profile.sizes:
        if width * height > profile.max_pixels:
            message = f"{profile.name} takes at most {profile.max_pixels} pixels, got {width}x{height}"
            raise ContractError(message, reason="size", hint="scale the clip down first")
        return width, height
    ratio = width / height

    def distance(size: tuple[int, int]) -> tuple[float, int]:
        return abs(size[0] / size[1] - ratio), abs(size[0] * size[1] - width * height)

    return min(profile.sizes, key=distance)


def check_transition(spec: Spec, condition: Condition, profile: ModelProfile) -> None:
    """Refuse what changes nothing and what the model cannot make, before any compute.

    Raises:
        SpecError: `no_change` or `unsupported`, naming what the model would have to remove.
    """
    if not spec.changes:
        message = "the spec sets no weather, light or exposure"
        raise SpecError(message, reason="no_change")
    foreign = [f for f in spec.changes if profile.makes and f not in profile.makes]
    if foreign:
        makes = ", ".join(sorted(profile.makes))
        message = f"{profile.name} cannot make {', '.join(foreign)}; it makes: {makes}"
        raise SpecError(message, reason="unsupported")
    missing = sorted(removals(spec, condition) - profile.removes)
    if missing:
        message = (
            f"{profile.name} cannot remove {', '.join(missing)} from this source "
            f"(its condition is {condition.label}, {condition.origin})"
        )
        raise SpecError(message, reason="unsupported", hint="a diffusion world model repaints the scene")
    if is_unchanged(spec, condition):
        raise SpecError(_why_unchanged(spec, condition), reason="no_change")


def removals(spec: Spec, condition: Condition) -> frozenset[str]:
    """Name what of the source's condition has to go for the spec to be true.

    Weather and light can be added to a picture; only a model that repaints it can take them away.
    """
    sun = spec.sun_elevation_deg
    lighter = sun is not None and _darkness(sun) < _DARKNESS.get(condition.label, 0)
    opens_sky = spec.clouds_okta is not None and spec.clouds_okta <= 4
    foggy = condition.label == "fog" or (condition.fog_mor_m or 1e9) < 2000
    lifts_fog = spec.fog_mor_m is not None and spec.fog_mor_m > 1.2 * (condition.fog_mor_m or 200.0)
    raining = condition.is_precipitating and not condition.is_snowy
    snowing = condition.is_precipitating and condition.is_snowy
    stops_rain = bool(spec.snow_mm_h) or (spec.rain_mm_h is not None and spec.rain_mm_h < 0.1)
    moves_sun = spec.sun_azimuth_deg is not None and (sun is None or sun > 12)
    shines = opens_sky or spec.asks_for == "low_sun"
    tests: tuple[tuple[str, bool], ...] = (
        ("wet", condition.is_wet and spec.wetness is not None and spec.wetness < 0.3),
        ("fog", foggy and (lifts_fog or shines)),
        ("snow", condition.is_snowy and spec.snow_cover is not None and spec.snow_cover < 0.3),
        ("snow", snowing and (shines or (spec.snow_mm_h is not None and spec.snow_mm_h < 0.1))),
        ("rain", raining and (shines or stops_rain)),
        ("clouds", opens_sky and condition.label == "overcast"),
        ("shadows", moves_sun and condition.has_hard_shadows),
        (condition.label, lighter),
    )
    return frozenset(name for name, holds in tests if holds)


def is_unchanged(spec: Spec, condition: Condition) -> bool:
    """Whether the source already is all that the spec asks for, as far as nine classes can tell.

    Field by field: a daylight source already has any sun above 12 degrees (finer times of day are not
    separable), a dry road already is dry, a clear sky already is without rain.
    """
    sun = spec.sun_elevation_deg
    label = condition.label
    raining = condition.is_precipitating and not condition.is_snowy
    met = {
        "clouds_okta": _has_clouds(spec.clouds_okta, condition),
        "sun_elevation_deg": sun is not None and _darkness(sun) == _DARKNESS.get(label, 0),
        "sun_azimuth_deg": sun is not None,  # Decided by the elevation.
        "wetness": (spec.wetness or 0) < 0.1 and not condition.is_wet,
        "spray": not spec.spray,
        "lens_drops": not spec.lens_drops,
        "rain_mm_h": (spec.rain_mm_h or 0) < 0.1 and not raining,
        "snow_mm_h": (spec.snow_mm_h or 0) < 0.05,
        "snow_cover": (spec.snow_cover or 0) < 0.05,
        "sand_cover": (spec.sand_cover or 0) < 0.05,
        "fog_mor_m": (spec.fog_mor_m or 1e9) >= 10_000 and label != "fog",
        "dust_mor_m": (spec.dust_mor_m or 1e9) >= 10_000,
        "exposure_stops": abs(spec.exposure_stops or 0) < 0.05,
    }
    return spec.headlights == "auto" and all(met[field] for field in spec.changes)


_DARKNESS: Final[dict[str, int]] = {"low_sun": 1, "dusk": 2, "night": 3}
"""Classes of light from day (0) to night; light can be taken away, not given."""


def _darkness(sun_elevation_deg: float) -> int:
    if sun_elevation_deg < -6:
        return 3
    if sun_elevation_deg <= 0:
        return 2
    return 1 if sun_elevation_deg <= 12 else 0


def _has_clouds(okta: int | None, condition: Condition) -> bool:
    if okta is None:
        return False
    if okta >= 6:  # Fog, rain and snow bring their own closed sky.
        return condition.label in ("overcast", "fog") or condition.is_precipitating
    return condition.label in ("clear", "low_sun", "wet", "dusk", "night")


def _why_unchanged(spec: Spec, condition: Condition) -> str:
    seen = f"{condition.label.replace('_', ' ')}, {condition.origin}"
    if set(spec.changes) <= {"sun_elevation_deg", "sun_azimuth_deg"} and (spec.sun_elevation_deg or 0) > 12:
        return f"the source is daylight already ({seen}); finer times of day than low sun form one class"
    if spec.wetness is not None and set(spec.changes) == {"wetness"}:
        return f"the road of the source is already dry ({seen})"
    return f"the source already is what the spec asks for ({seen})"

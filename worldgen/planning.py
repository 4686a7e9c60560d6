"""Planning: from a spec to a plan with nothing left to decide. Pure; no file, no clock, no chance."""

from dataclasses import dataclass

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


def plan_generation(
    source: Source, material: Material, spec: Spec, profile: ModelProfile, *, variant_id: str
) -> GenerationPlan:
    """Fit a spec to a model's contract.

    Raises:
        SpecError: `no_change` when the spec asks for nothing, `unsupported` when the model cannot make it.
        ContractError: The source does not fit the model, with the nearest that would.
    """
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
        message = f"{profile.name} cannot make {', '.join(foreign)}; it makes: {', '.join(sorted(profile.makes))}"
        raise SpecError(message, reason="unsupported")
    missing = sorted(removals(spec, condition) - profile.removes)
    if missing:
        message = (
            f"{profile.name} cannot remove {', '.join(missing)} from this source "
            f"(its condition is {condition.label}, {condition.origin})"
        )
        raise SpecError(message, reason="unsupported", hint="a diffusion world model repaints the scene")
    if is_unchanged(spec, condition):
        message = f"the source is already {condition.label}; the spec asks for nothing else"
        raise SpecError(message, reason="no_change")


def removals(spec: Spec, condition: Condition) -> frozenset[str]:
    """Name what of the source's condition has to go for the spec to be true."""
    sun = spec.sun_elevation_deg
    asks_day = sun is not None and sun > 0
    dry = spec.wetness is not None and spec.wetness < 0.1
    lifts_fog = spec.fog_mor_m is not None and spec.fog_mor_m > 1.2 * (condition.fog_mor_m or 1e9)
    clear_sky = spec.clouds_okta is not None and spec.clouds_okta <= 2
    tests = {
        "wet": condition.is_wet and dry,
        "fog": condition.fog_mor_m is not None and condition.fog_mor_m < 2000 and (lifts_fog or clear_sky),
        "snow": condition.is_snowy and spec.snow_cover is not None and spec.snow_cover < 0.1,
        "night": condition.is_night and asks_day,
        "rain": condition.is_precipitating and spec.rain_mm_h is not None and spec.rain_mm_h < 0.1,
    }
    return frozenset(name for name, holds in tests.items() if holds)


def is_unchanged(spec: Spec, condition: Condition) -> bool:
    """Whether the source already is what the spec asks for, as far as nine classes can tell."""
    return spec.asks_for == condition.label and condition.label in ("clear", "overcast")

"""Planning: from a spec to a plan with nothing left to decide. Pure; no file, no clock, no chance."""

from collections.abc import Mapping
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
    canonical_json,
    digest,
)
from worldgen.errors import ContractError, SpecError
from worldgen.prompts import Shot, emphasis_on, negative_prompt_for, prompt_for, subjects_of

POLICY_VERSION = "1"
PROMPT_VERSION = "1"
"""Of the templates and edits in worldgen.prompts; raised when their words change."""


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
    asked = {kind for spec in specs for kind in control_weights_of(spec, profile)}
    unknown = asked - profile.control_kinds
    if unknown:
        message = (
            f"{profile.name} has no control {', '.join(sorted(unknown))}; "
            f"it takes: {', '.join(sorted(profile.control_kinds))}"
        )
        raise ContractError(message, reason="controls")
    return frozenset(asked)


def variant_id_of(
    source_sha256: str,
    recipe: str,
    spec: Spec,
    profile: ModelProfile,
    *,
    policy: RetryPolicy,
    critic: str,
    caption: str = "",
    masks: str = "",
) -> str:
    """Name a variant without decoding anything: 32 hexadecimal characters.

    Args:
        source_sha256: Of the source's content.
        recipe: Of geometry and control maps.
        spec: What shall change.
        profile: Of the world model.
        policy: What follows a rejection.
        critic: Version of the panel.
        caption: What the source says to models that read text, see `words_of`.
        masks: Content of the control maps' masks, see `masks_of`.
    """
    settings = dict(sorted(profile.parameters.items()))
    identity = (
        source_sha256,
        recipe,
        spec.identity,
        profile.name,
        profile.revision,
        profile.checkpoint,
        settings,
        policy.identity,
        critic,
    )
    reads = (caption, PROMPT_VERSION) if profile.kind in ("diffusion", "remote") else ()
    return digest(*identity, *reads, *([masks] if masks else []))[:32]


def words_of(source: Source) -> str:
    """Return what of a source goes into a prompt beside its frames: its caption, else what labels name."""
    if source.caption or source.labels is None:
        return source.caption
    return canonical_json([s.model_dump(mode="json") for s in subjects_of(source.labels)])


def masks_of(source: Source) -> str:
    """Return the content of a source's masks; empty without any."""
    return canonical_json({kind: mask.sha256 for kind, mask in source.masks.items()}) if source.masks else ""


def check_needs(source: Source, profile: ModelProfile) -> None:
    """Refuse a source that lacks what the model reads, before any compute.

    Raises:
        ContractError: `needs`: a control video has no RGB, and this model repaints RGB; `controls`: masks for
            maps that it does not read.
    """
    foreign = sorted(set(source.masks) - (profile.control_kinds if "controls" in profile.needs else set()))
    if foreign:
        takes = ", ".join(sorted(profile.control_kinds)) or "no control maps"
        message = f"a mask of {', '.join(foreign)} was given; {profile.name} reads {takes}"
        raise ContractError(message, reason="controls")
    if "rgb" in profile.needs and source.kind == "controls":
        message = f"{profile.name} repaints RGB frames; {source.uri} is a control video without RGB"
        hint = "control videos are for diffusion world models; `worldgen controls` and `inspect` take them"
        raise ContractError(message, reason="needs", hint=hint)


def check_masks(source: Source, weights: Mapping[ControlKind, float]) -> None:
    """Refuse a mask of a control map that a variant is not made from.

    Raises:
        ContractError: `controls`.
    """
    unread = sorted(set(source.masks) - set(weights))
    if unread:
        message = f"a mask of {', '.join(unread)} was given; this variant is made from {', '.join(weights)}"
        raise ContractError(message, reason="controls", hint=f"weigh it: --weight {unread[0]}=1")


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
    weights = control_weights_of(spec, profile)
    check_masks(source, weights)
    fit = fit_to(source, profile)
    prompt, negative_prompt = _prompts(source, material, spec, profile, fit)
    return GenerationPlan(
        variant_id=variant_id,
        attempt=1,
        model=profile.name,
        revision=profile.revision,
        checkpoint=profile.checkpoint,
        spec=spec,
        seed=spec.seed,
        source=material.video,
        geometry=material.geometry,
        controls=tuple(
            c.model_copy(update={"mask": source.masks.get(c.kind)})
            for c in material.controls
            if not weights or c.kind in weights
        ),
        control_weights=weights,
        condition=material.condition,
        fit=fit,
        prompt=prompt,
        negative_prompt=negative_prompt,
        parameters=parameters_of(profile, weights),
    )


def control_weights_of(spec: Spec, profile: ModelProfile) -> dict[ControlKind, float]:
    """Say which control maps count, and how much: those that the spec weighs, else the model's own at 1.

    After dark the model's own are taken without blur, which keeps the source's luminance: the vendors' own
    night demos stayed day with it. Who weighs blur by hand gets it.
    """
    if "controls" not in profile.needs:
        return dict(spec.control_weights)
    asked = {kind: weight for kind, weight in spec.control_weights.items() if weight > 0}
    if asked:
        return asked
    own = profile.default_controls
    if spec.sun_elevation_deg is not None and spec.sun_elevation_deg <= 0:
        own = tuple(kind for kind in own if kind != "blur") or _instead_of_blur(profile)
    return dict.fromkeys(own, 1.0)


def _instead_of_blur(profile: ModelProfile) -> tuple[ControlKind, ...]:
    structural: tuple[ControlKind, ...] = ("edge", "depth", "seg", "wsm")
    return tuple(kind for kind in structural if kind in profile.control_kinds)[:1] or profile.default_controls


def _prompts(
    source: Source, material: Material, spec: Spec, profile: ModelProfile, fit: Fit
) -> tuple[str, str]:
    """Write the prompts of a model that reads text, in its style, from the source's caption if it has one."""
    if profile.kind not in ("diffusion", "remote"):
        return "", ""
    width, height = fit.model_size
    prompt = prompt_for(
        spec,
        style=profile.prompt_style,
        caption=source.caption,
        condition=material.condition,
        labels=source.labels,
        shot=Shot(width=width, height=height, frames=fit.model_frames, fps=fit.model_fps),
    )
    if profile.parameters.get("emphasize_control_in_prompt"):
        prompt = f"{prompt} {emphasis_on(tuple(control_weights_of(spec, profile)))}"
    return prompt, negative_prompt_for(spec, style=profile.prompt_style)


def parameters_of(
    profile: ModelProfile, weights: dict[ControlKind, float]
) -> dict[str, float | int | str | bool]:
    """Fill in what the parameters leave open (0) from the preset of the control, or of several."""
    preset = profile.presets.get(next(iter(weights)) if len(weights) == 1 else "several", {})
    filled = {name: value for name, value in preset.items() if not profile.parameters.get(name)}
    return {**profile.parameters, **filled}


def next_attempt(plan: GenerationPlan, verdict: Verdict, policy: RetryPolicy) -> GenerationPlan | None:
    """Plan the retry after a rejection; None when accepted, undecided or spent."""
    if verdict.state != "rejected" or plan.attempt >= policy.max_attempts:
        return None
    seed = (plan.seed + policy.seed_stride) % 2**32
    return plan.model_copy(update={"attempt": plan.attempt + 1, "seed": seed})


def fit_to(source: Source, profile: ModelProfile) -> Fit:
    """Pad to the next legal frame count, and scale into the nearest legal size, as one recorded affine.

    The picture is scaled as a whole and stands in the middle of the model's frame, on whole pixels; what is
    left over above and below, or left and right, is filled by reflection and cut off after decoding. So no
    border is lost, as cropping would lose it, and the far edge is at most half a pixel off its true place.

    Raises:
        ContractError: Too many frames or pixels, naming the nearest that would fit.
    """
    frames = _legal_frames(source.frames, profile)
    width, height = _legal_size(source.width, source.height, profile)
    _check_rate(source.fps, profile)
    scale = min(width / source.width, height / source.height)
    wide, tall = max(1, round(scale * source.width)), max(1, round(scale * source.height))
    fps = min(profile.fps, key=lambda f: abs(f - source.fps)) if profile.fps else source.fps
    return Fit(
        source_frames=source.frames,
        model_frames=frames,
        source_size=(source.width, source.height),
        model_size=(width, height),
        scale_x=wide / source.width,
        scale_y=tall / source.height,
        offset_x=(width - wide) // 2,
        offset_y=(height - tall) // 2,
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


def _check_rate(fps: float, profile: ModelProfile) -> None:
    if profile.fps_range is None:
        return
    low, high = profile.fps_range
    if not low * 0.99 <= fps <= high * 1.01:  # 9.99 and 29.97 are 10 and 30.
        near = low if fps < low else high
        message = f"{profile.name} takes {low:g} to {high:g} frames a second, the source has {fps:g}"
        raise ContractError(message, reason="fps", hint=f"give it a clip of {near:g} frames a second")


def _legal_size(width: int, height: int, profile: ModelProfile) -> tuple[int, int]:
    sizes = _sizes_of(profile)
    if not sizes:
        if width * height > profile.max_pixels:
            message = f"{profile.name} takes at most {profile.max_pixels} pixels, got {width}x{height}"
            raise ContractError(message, reason="size", hint="scale the clip down first")
        return width, height
    ratio = width / height

    def distance(size: tuple[int, int]) -> tuple[float, int]:
        return abs(size[0] / size[1] - ratio), abs(size[0] * size[1] - width * height)

    return min(sizes, key=distance)


def _sizes_of(profile: ModelProfile) -> tuple[tuple[int, int], ...]:
    if not profile.tiers:
        return profile.sizes
    tier = int(profile.parameters.get("tier", 0))
    if tier not in profile.tiers:
        told = ", ".join(map(str, sorted(profile.tiers)))
        near = min(profile.tiers, key=lambda t: abs(t - tier))
        message = f"{profile.name} has no tier {tier}; it has: {told}"
        raise ContractError(message, reason="size", hint=f"the nearest is tier={near}")
    return profile.tiers[tier]


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

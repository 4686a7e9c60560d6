"""Conditions to learn: specs drawn so that every class comes equally often, and the words for them."""

import numpy as np

from worldgen.config.specs import find_preset
from worldgen.datatypes import Condition, ConditionClass, ModelProfile, Spec
from worldgen.errors import SpecError
from worldgen.planning import check_transition

CLASSES: tuple[ConditionClass, ...] = ("overcast", "fog", "rain", "snow", "low_sun", "dusk", "night", "wet")
"""Beside clear, which every scene is in its own clip."""
PHYSICS = ModelProfile(name="physics", revision="", kind="physics", needs=frozenset())
"""What physics may do, for the check of transitions alone."""

Rng = np.random.Generator


def draw_specs(rng: Rng, count: int, source: Condition, *, for_physics: bool) -> list[Spec]:
    """Draw specs of different classes.

    Args:
        rng: Decides.
        count: How many; fewer when the source leaves fewer.
        source: What physics starts from.
        for_physics: Leave out what physics cannot make of the source.
    """
    found: list[Spec] = []
    for label in rng.permutation(CLASSES):
        for _ in range(4):
            spec = draw_spec(rng, label)
            if not for_physics or _can_make(spec, source):
                found.append(spec)
                break
        if len(found) == count:
            break
    return found


def draw_spec(rng: Rng, label: ConditionClass) -> Spec:
    """Draw one spec of a class: half of them from the presets that people use, half by numbers."""
    named = [s for s in _named() if s.asks_for == label]
    seed = int(rng.integers(2**31))
    if named and rng.random() < 0.5:
        return named[int(rng.integers(len(named)))].model_copy(update={"seed": seed})
    return Spec.model_validate({"name": label, "seed": seed, **_numbers(rng, label)})


def own_spec(clouds_okta: int, sun_elevation_deg: float) -> Spec:
    """State what a scene is by itself."""
    return Spec(name="clear", seed=0, clouds_okta=clouds_okta, sun_elevation_deg=round(sun_elevation_deg))


def _numbers(rng: Rng, label: ConditionClass) -> dict[str, float | int]:
    def between(low: float, high: float, digits: int = 2) -> float:
        return round(float(rng.uniform(low, high)), digits)

    def ratio(low: float, high: float) -> float:
        return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.2g}")

    if label == "overcast":
        return {"clouds_okta": 8}
    if label == "fog":
        return {"fog_mor_m": ratio(35, 400)}
    if label == "rain":
        return {"rain_mm_h": ratio(4, 40), "wetness": between(0.6, 0.95), "clouds_okta": 8}
    if label == "snow":
        return {"snow_mm_h": between(0.5, 4), "snow_cover": between(0.4, 1.0), "clouds_okta": 8}
    if label == "low_sun":
        side = between(-40, 40, 0) if rng.random() < 0.6 else between(-180, 180, 0)
        return {"sun_elevation_deg": between(2, 11, 0), "sun_azimuth_deg": side}
    if label == "dusk":
        return {"sun_elevation_deg": between(-5, -1, 1)}
    if label == "night":
        more = {"wetness": between(0.4, 0.9)} if rng.random() < 0.25 else {}
        return {"sun_elevation_deg": between(-40, -9, 0), **more}
    return {"wetness": between(0.5, 1.0)}


def _named() -> tuple[Spec, ...]:
    return (*find_preset("carla18").specs, *find_preset("nine").specs)


def _can_make(spec: Spec, source: Condition) -> bool:
    try:
        check_transition(spec, source, PHYSICS)
    except SpecError:
        return False
    return True

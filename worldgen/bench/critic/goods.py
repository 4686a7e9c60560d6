"""Goods: candidates that a critic must not reject."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from worldgen.bench.critic.scene import Frames, TestScene
from worldgen.datatypes import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """A candidate made honestly."""

    generator: str
    frames: Frames
    spec: Spec | None
    crf: int = 18


def goods_of(scene: TestScene, rng: np.random.Generator) -> list[Good]:
    """Make the goods of one scene, one of each generator."""
    return [make(scene, rng) for make in GENERATORS.values()]


def _painted(scene: TestScene, rng: np.random.Generator) -> Good:
    del rng
    return Good(generator="physics", frames=scene.painted, spec=scene.spec)


def _painted_coarse(scene: TestScene, rng: np.random.Generator) -> Good:
    return Good(
        generator="physics_recompressed", frames=scene.painted, spec=scene.spec, crf=int(rng.integers(23, 29))
    )


def _staged(scene: TestScene, rng: np.random.Generator) -> Good:
    del rng
    return Good(generator="scene_weather", frames=scene.staged, spec=scene.spec)


def _null(scene: TestScene, rng: np.random.Generator) -> Good:
    # Judged without an asked condition: nothing was asked, nothing changed, nothing is wrong.
    return Good(
        generator="re_encoded",
        frames=np.asarray(scene.drive.clip.frames),
        spec=None,
        crf=int(rng.integers(18, 36)),
    )


def _graded(scene: TestScene, rng: np.random.Generator) -> Good:
    return Good(generator="graded", frames=re_graded(scene.source_frames, rng), spec=None)


def re_graded(frames: Frames, rng: np.random.Generator) -> Frames:
    """Grade a clip slightly: gain, gamma and warmth, one set for all frames."""
    gain, gamma = rng.uniform(0.88, 1.12), rng.uniform(0.92, 1.08)
    warm = rng.uniform(-0.03, 0.03)
    table = np.arange(256, dtype=np.float32) / 255.0
    tables = [np.clip((table**gamma) * gain * w, 0, 1) for w in (1 + warm, 1.0, 1 - warm)]
    lut = np.stack([(t * 255 + 0.5).astype(np.uint8) for t in tables], axis=-1)[None]
    return np.stack([np.asarray(cv2.LUT(f, lut), dtype=np.uint8) for f in frames])


def _foreign(scene: TestScene, rng: np.random.Generator) -> Good:
    """Darkness, a veil, dullness or rain by albumentations 2.0.8, one set of parameters for the whole clip.

    Its fog (blobs), snow (blown-out patches, violet skies) and sun flare (painted over near vehicles) are
    left out: they were looked at, and a person would not accept them as that weather.
    """
    import albumentations as albu

    kind = ("darker", "veil", "duller", "rain")[int(rng.integers(4))]
    frames = np.asarray(scene.drive.clip.frames)
    spec: Spec | None = None
    if kind == "darker":
        change = albu.Compose(
            [
                albu.RandomGamma((180, 180), p=1.0),
                albu.ISONoise((0.02, 0.02), (0.05, 0.05), p=1.0),
            ]
        )
        spec = Spec(name="darker", exposure_stops=-1.5, seed=1)
    elif kind == "veil":
        # A flat veil is a wet lens or mist on the glass, not fog: nothing is asked of it.
        change = albu.Compose([albu.RandomToneCurve(scale=0.0, p=1.0), albu.ToGray(p=0.0)])
        veil = rng.uniform(0.25, 0.4)
        frames = np.asarray(frames * (1 - veil) + 205 * veil, dtype=np.uint8)
    elif kind == "duller":
        change = albu.Compose([albu.HueSaturationValue((0, 0), (-35, -35), (-6, -6), p=1.0)])
    else:
        # One slant for the whole clip; where each streak is differs from frame to frame, as it does in rain.
        slant = float(rng.uniform(-6, 6))
        change = albu.Compose(
            [
                albu.RandomRain(
                    slant_range=(slant, slant),
                    drop_length=max(4, frames.shape[1] // 24),
                    drop_width=1,
                    drop_color=(180, 180, 185),
                    blur_value=3,
                    brightness_coefficient=0.85,
                    rain_type="default",
                    p=1.0,
                )
            ]
        )
        spec = Spec(name="rain", rain_mm_h=10.0, seed=1)
    change.set_random_seed(int(rng.integers(1 << 31)))
    shown = np.stack([change(image=f)["image"] for f in frames])
    return Good(generator="foreign_weather", frames=shown, spec=spec)


GENERATORS: Final[dict[str, Callable[[TestScene, np.random.Generator], Good]]] = {
    "physics": _painted,
    "physics_recompressed": _painted_coarse,
    "scene_weather": _staged,
    "re_encoded": _null,
    "graded": _graded,
    "foreign_weather": _foreign,
}

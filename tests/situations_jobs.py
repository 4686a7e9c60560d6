"""Named situations for runners: a small source, its material, and a plan that takes a known number of steps."""

from pathlib import Path

import numpy as np

from worldgen.assembly import Assembly
from worldgen.datatypes import GenerationPlan, Source, Spec
from worldgen.media.scratch import Scratch
from worldgen.media.video import write_video
from worldgen.planning import plan_generation
from worldgen.sources.open import open_source


def small_clip(path: Path, *, frames: int = 12, size: tuple[int, int] = (160, 90), seed: int = 1) -> Path:
    """Write a clip of a road-like gradient that moves; enough for physics to repaint."""
    width, height = size
    rng = np.random.default_rng(seed)
    texture = cv_blur(rng.integers(60, 150, (height, width + 2 * frames, 3), dtype=np.uint8))
    sky = np.linspace(235, 180, height // 2, dtype=np.uint8)[:, None, None]
    pictures = []
    for index in range(frames):
        picture = np.ascontiguousarray(texture[:, index * 2 : index * 2 + width]).copy()
        picture[: height // 2] = sky
        picture[:, :, 2][: height // 2] = np.minimum(255, sky[..., 0] + 15)
        pictures.append(picture)
    write_video(path, np.stack(pictures), fps=10.0)
    return path


def cv_blur(picture: np.ndarray) -> np.ndarray:
    """Soften noise, so that the encoder keeps it."""
    import cv2

    return cv2.GaussianBlur(picture, (0, 0), 1.5)


def planned(
    folder: Path,
    *,
    frames: int = 12,
    shared: bool = True,
    size: tuple[int, int] = (160, 90),
    model: str = "physics",
) -> tuple[Assembly, Source, GenerationPlan]:
    """An assembly over `folder` and a plan for fog; physics takes one step per frame, in one chunk."""
    clip = small_clip(folder / "clip.mp4", frames=frames, size=size)
    assembly = Assembly(Scratch(folder / "scratch", shared=shared), model=model)
    source = open_source(clip)
    material = assembly.extractor.extract(source, frozenset())
    spec = Spec(name="fog", fog_mor_m=80.0, seed=3)
    identity = assembly.identity(source, (spec,))
    variant_id = assembly.variant_id(source, spec, identity)
    plan = plan_generation(source, material, spec, assembly.model.profile, variant_id=variant_id)
    return assembly, source, plan

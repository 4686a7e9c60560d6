"""One scene as the model shall know it: clips under several conditions, their words, and control maps.

The scene's own clip is the source: its controls are given, and every clip of the scene is a target. Weather
comes from physics (on the scene's own clip) and from rendering the same scene under weather.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from checkpoints.conditions import draw_specs, own_spec
from checkpoints.recipe import DataRecipe
from worldgen.controls.blur import blur_control
from worldgen.controls.depth import depth_control
from worldgen.controls.edge import edge_control, sky_of
from worldgen.controls.seg import seg_control
from worldgen.controls.wsm import wsm_control
from worldgen.datatypes import Clip, Condition, Geometry, Spec
from worldgen.models.physics.renderer import render_frames
from worldgen.prompts import Shot, negative_prompt_for, prompt_for
from worldgen.sources.proving_ground.drive import Drive, render_drive

Frames = npt.NDArray[np.uint8]
EDGE_SCALES = (1.0, 1.5, 2.0, 2.8)
"""Edges are found at this multiple of the model's size: sources are larger than the model by any factor."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Take:
    """One clip of a scene."""

    name: str
    frames: Frames
    """uint8 [t, h, w, 3]."""
    label: str
    """The class that it should be recognised as."""
    made_by: str
    """own, physics or rendered."""
    spec: Spec
    captions: tuple[str, ...]
    """Plain, and structured."""
    negative: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneData:
    """A scene: clips, controls and truth, frame for frame."""

    seed: int
    fps: float
    takes: tuple[Take, ...]
    controls: dict[str, Frames]
    """uint8 [t, h, w, 3] by name: a kind, or a kind and a number (`edge1`) for another rendering of it."""
    tags: npt.NDArray[np.uint8]
    """`worldgen.datatypes.Tag` [t, h, w]."""
    depth_m: npt.NDArray[np.float16]
    """[t, h, w]; infinite for the sky."""

    def facts(self) -> dict[str, Any]:
        """Return everything but the pictures, as JSON can hold it."""
        return {
            "seed": self.seed,
            "fps": self.fps,
            "takes": [
                {
                    "name": t.name,
                    "label": t.label,
                    "made_by": t.made_by,
                    "spec": t.spec.model_dump(mode="json", exclude_defaults=True) | {"seed": t.spec.seed},
                    "captions": list(t.captions),
                    "negative": t.negative,
                }
                for t in self.takes
            ],
        }


def make_scene(seed: int, recipe: DataRecipe, *, labels: tuple[Spec, ...] | None = None) -> SceneData:
    """Render one scene with everything that is learnt from it.

    Args:
        seed: Of the proving ground; it decides everything that is drawn, too.
        recipe: Sizes and counts.
        labels: The specs that physics makes, in place of drawn ones; nothing is rendered under weather then.
    """
    rng = np.random.default_rng([seed, 0xDA7A])
    fps = float(recipe.fps[int(rng.integers(len(recipe.fps)))])
    width, height = (side * recipe.supersample for side in recipe.size)

    def drive(spec: Spec | None) -> Drive:
        return render_drive(seed, frames=recipe.frames, size=(width, height), fps=fps, spec=spec)

    own = drive(None)
    sky = own.scene.sky
    takes = [
        _take(
            "own",
            own.clip.frames,
            own_spec(sky.clouds_okta, sky.sun_elevation_deg),
            own.condition,
            recipe,
            fps,
        )
    ]
    specs = (
        list(labels)
        if labels is not None
        else draw_specs(rng, recipe.physics, own.condition, for_physics=True)
    )
    for i, spec in enumerate(specs):
        frames = np.stack(list(render_frames(own.clip, own.geometry, spec, own.condition, spec.seed)))
        takes.append(_take(f"physics{i}", frames, spec, own.condition, recipe, fps))
    others = draw_specs(rng, recipe.rendered if labels is None else 0, own.condition, for_physics=False)
    for i, spec in enumerate(others if recipe.rendered and labels is None else []):
        takes.append(_take(f"rendered{i}", drive(spec).clip.frames, spec, own.condition, recipe, fps))
    return SceneData(
        seed=seed,
        fps=fps,
        takes=tuple(takes),
        controls=_controls(own, recipe, rng),
        tags=_each(own.geometry.tags, recipe.size, cv2.INTER_NEAREST),
        depth_m=_each(own.geometry.depth_m, recipe.size, cv2.INTER_NEAREST).astype(np.float16),
    )


def _take(name: str, frames: Frames, spec: Spec, source: Condition, recipe: DataRecipe, fps: float) -> Take:
    shot = Shot(width=recipe.size[0], height=recipe.size[1], frames=len(frames), fps=fps)
    return Take(
        name=name,
        frames=_each(frames, recipe.size, cv2.INTER_AREA),
        label=spec.expected_on(source),
        made_by=name.rstrip("0123456789"),
        spec=spec,
        captions=captions_of(spec, source, shot),
        negative=negative_prompt_for(spec),
    )


def captions_of(spec: Spec, source: Condition | None = None, shot: Shot | None = None) -> tuple[str, str]:
    """Write the prompts that a spec may come with, as planning would: a paragraph, and a JSON caption."""
    return (
        prompt_for(spec, condition=source, shot=shot),
        prompt_for(spec, style="structured", condition=source, shot=shot),
    )


def _controls(own: Drive, recipe: DataRecipe, rng: np.random.Generator) -> dict[str, Frames]:
    """Make control maps where the scene was rendered, as an extractor would, and bring them to size.

    The size is reached as `worldgen.models.cosmos3.fitting` does: by area, and a palette by nearest pixels.
    Edges twice: at the model's size, and at a larger one that is drawn, with a preset that is drawn.
    """
    geometry, size = own.geometry, recipe.size
    reduced = Clip(
        frames=_each(own.clip.frames, size, cv2.INTER_AREA),
        timestamps_seconds=own.clip.timestamps_seconds.copy(),
        fps=own.clip.fps,
    )
    found = {
        "edge": edge_control(reduced, origin="simulator").frames,
        "edge1": _edges_at(own, float(rng.choice(EDGE_SCALES[1:])), recipe, rng),
        "blur": _each(blur_control(own.clip).frames, size, cv2.INTER_AREA),
        "depth": _each(depth_control(geometry).frames, size, cv2.INTER_AREA),
        "seg": _each(seg_control(geometry).frames, size, cv2.INTER_NEAREST),
        "wsm": _each(wsm_control(own.world, geometry).frames, size, cv2.INTER_AREA),
    }
    return {name: np.ascontiguousarray(frames) for name, frames in found.items()}


def _edges_at(own: Drive, scale: float, recipe: DataRecipe, rng: np.random.Generator) -> Frames:
    size = round(recipe.size[0] * scale), round(recipe.size[1] * scale)
    method = cv2.INTER_AREA if scale <= recipe.supersample else cv2.INTER_CUBIC
    clip = Clip(
        frames=_each(own.clip.frames, size, method),
        timestamps_seconds=own.clip.timestamps_seconds.copy(),
        fps=own.clip.fps,
    )
    preset = str(rng.choice(["low", "medium", "medium", "high"]))
    mask = sky_of(_resized(own.geometry, size)) if rng.random() < 0.5 else None
    edges = edge_control(clip, preset=preset, sky=mask, origin="simulator")  # type: ignore[arg-type]  # drawn from its values
    return np.asarray(_each(edges.frames, recipe.size, cv2.INTER_AREA))


def _resized(geometry: Geometry, size: tuple[int, int]) -> Geometry:
    """Bring depth and tags to a size; nothing else is read of the result."""
    return Geometry(
        depth_m=_each(geometry.depth_m, size, cv2.INTER_NEAREST),
        origins=geometry.origins,
        camera=geometry.camera.scaled(*size),
        tags=_each(geometry.tags, size, cv2.INTER_NEAREST),
        pose=geometry.pose,
    )


def _each(frames: Any, size: tuple[int, int], method: int) -> Any:  # noqa: ANN401 -- arrays of any pixel type
    """Resize every frame of a stack [t, h, w, ...]."""
    if frames.shape[2:0:-1] == size:
        return np.ascontiguousarray(frames)
    return np.stack([cv2.resize(frame, size, interpolation=method) for frame in frames])

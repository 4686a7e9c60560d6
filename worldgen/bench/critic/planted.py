"""Planted defects: something is done to the pixels, the frames or the labels of an honest candidate."""

from typing import Final

import cv2
import numpy as np

from worldgen.bench.critic.pictured import PICTURED, smooth_noise, warp
from worldgen.bench.critic.scene import FRAMES, Frames, Maker, TestScene
from worldgen.datatypes import Tag


def _pick(scene: TestScene, strength: int) -> int | None:
    ids = scene.actor_ids(40)
    if not ids:
        return None
    place = {3: 0, 2: len(ids) // 2, 1: len(ids) - 1}[strength]
    return ids[place]


def erased(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor is painted over, from the first frame on."""
    del rng
    actor = _pick(scene, strength)
    if actor is None:
        return None
    kernel = np.ones((5, 5), np.uint8)
    masks = scene.mask(actor).astype(np.uint8)
    return np.stack(
        [
            np.asarray(cv2.inpaint(f, cv2.dilate(m, kernel), 3, cv2.INPAINT_TELEA)) if m.any() else f
            for f, m in zip(scene.painted, masks, strict=True)
        ]
    )


def _pasted(scene: TestScene, actor: int, dx: int, dy: int, *, remove: bool) -> Frames:
    base = scene.painted
    if remove:
        kernel = np.ones((5, 5), np.uint8)
        masks = scene.mask(actor).astype(np.uint8)
        base = np.stack(
            [
                np.asarray(cv2.inpaint(f, cv2.dilate(m, kernel), 3, cv2.INPAINT_TELEA)) if m.any() else f
                for f, m in zip(base, masks, strict=True)
            ]
        )
    out = base.copy()
    height, width = out.shape[1:3]
    for index, mask in enumerate(scene.mask(actor)):
        ys, xs = np.nonzero(mask)
        keep = (ys + dy >= 0) & (ys + dy < height) & (xs + dx >= 0) & (xs + dx < width)
        ys, xs = ys[keep], xs[keep]
        out[index, ys + dy, xs + dx] = scene.painted[index, ys, xs]
    return out


def duplicated(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A second copy of an actor drives beside it."""
    actor = _pick(scene, strength)
    if actor is None:
        return None
    width = int(np.ptp(np.nonzero(scene.mask(actor).any(axis=(0, 1)))[0])) + 4
    return _pasted(scene, actor, int(rng.choice([-1, 1])) * width, 0, remove=False)


def displaced(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor stands beside where its label is."""
    actor = _pick(scene, 3)
    if actor is None:
        return None
    step = (4, 8, 14)[strength - 1]
    return _pasted(scene, actor, int(rng.choice([-1, 1])) * step, 0, remove=True)


def jumping(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor jumps sideways in the middle of the clip."""
    moved = displaced(scene, strength, rng)
    if moved is None:
        return None
    return np.concatenate([scene.painted[: FRAMES // 2], moved[FRAMES // 2 :]])


def melted(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor melts: its inside is warped and washed out, differently in every frame."""
    actor = _pick(scene, 3)
    if actor is None:
        return None
    reach = (2.0, 3.5, 6.0)[strength - 1]
    shape = scene.painted.shape[1:3]
    out = scene.painted.copy()
    for index, mask in enumerate(scene.mask(actor)):
        bent = warp(out[index], reach * smooth_noise(rng, shape, 4), reach * smooth_noise(rng, shape, 4))
        bent = np.asarray(cv2.GaussianBlur(bent, (0, 0), 0.6 * strength))
        wide = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        out[index][wide] = bent[wide]
    return out


def posterised(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Smooth shading turned into steps, as with too coarse a quantisation."""
    del rng
    levels = (9, 7, 5)[strength - 1]
    step = 256 / levels
    return np.asarray(np.clip((scene.painted // step + 0.5) * step, 0, 255), np.uint8)


def markings_gone(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Lane markings are painted over, in a part or all of the picture."""
    del rng
    tags = scene.drive.geometry.tags
    if tags is None or scene.spec.snow_cover:
        return None
    height = tags.shape[1]
    first = (int(height * 0.8), int(height * 0.65), 0)[strength - 1]
    out = []
    for frame, tag in zip(scene.painted, tags, strict=True):
        mask = (tag == Tag.ROAD_LINE).astype(np.uint8)
        mask[:first] = 0
        mask = cv2.dilate(mask, np.ones((5, 5), np.uint8))
        out.append(np.asarray(cv2.inpaint(frame, mask, 3, cv2.INPAINT_TELEA)) if mask.any() else frame)
    return np.stack(out)


def foreign_geometry(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """The condition was painted with the geometry of another scene."""
    del strength, rng
    return scene.paint(scene.drive, scene.spec, TestScene(scene.seed + 1).drive)


def sky_seam(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Two skies that do not meet."""
    sky = np.asarray(scene.drive.geometry.tags == Tag.SKY)
    if sky.mean() < 0.08:
        return None
    reach = (14.0, 26.0, 45.0)[strength - 1]
    column = int(rng.integers(sky.shape[2] // 3, 2 * sky.shape[2] // 3))
    out = scene.painted.astype(np.float32)
    side = np.zeros(sky.shape, bool)
    side[:, :, column:] = True
    out[sky & side] -= reach
    return np.clip(out, 0, 255).astype(np.uint8)


def burnt_patch(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A bright smear without a cause, fixed in the world by the source's own flow."""
    size = (7, 12, 20)[strength - 1]
    height, width = scene.painted.shape[1:3]
    x, y = float(rng.integers(width // 4, 3 * width // 4)), float(rng.integers(height // 2, height - 24))
    flow = scene.drive.geometry.flow
    out = scene.painted.copy()
    for index in range(len(out)):
        cv2.ellipse(
            out[index], (int(x), int(y)), (size, size // 2), 20.0, 0, 360, (235, 90, 40), -1, cv2.LINE_AA
        )
        if flow is not None and 0 <= x < width and 0 <= y < height:
            dx, dy = flow[index, int(y), int(x)]
            x, y = x + float(dx), y + float(dy)
    return out


PLANTED: Final[dict[str, Maker]] = {
    **PICTURED,
    **{
        maker.__name__: maker
        for maker in (
            erased,
            duplicated,
            displaced,
            jumping,
            melted,
            posterised,
            markings_gone,
            foreign_geometry,
            sky_seam,
            burnt_patch,
        )
    },
}

"""Planted defects: something is done to the pixels, the frames or the labels of an honest candidate."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.bench.critic.scene import FRAMES, Frames, Maker, TestScene
from worldgen.datatypes import Tag


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> npt.NDArray[np.float32]:
    noise = rng.standard_normal(shape).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), scale)
    return np.asarray(soft / (soft.std() + 1e-6), dtype=np.float32)


def _warp(frame: Frames, dx: npt.NDArray[np.float32], dy: npt.NDArray[np.float32]) -> Frames:
    height, width = frame.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    map_x, map_y = (x + dx).astype(np.float32), (y + dy).astype(np.float32)
    return np.asarray(cv2.remap(frame, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))


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


def shifted(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """The whole picture is beside its labels."""
    step = (3, 5, 8)[strength - 1] * int(rng.choice([-1, 1]))
    flat = np.zeros(scene.painted.shape[1:3], np.float32)
    return np.stack([_warp(f, flat + step, flat) for f in scene.painted])


def frozen(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """The picture stands still for a while."""
    length = (3, 6, 10)[strength - 1]
    start = int(rng.integers(2, FRAMES - length))
    out = scene.painted.copy()
    out[start : start + length] = out[start]
    return out


def doubled(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Frames are shown twice while others are dropped."""
    del rng
    every = (4, 3, 2)[strength - 1]
    index = np.arange(FRAMES)
    index[::every] = np.maximum(index[::every] - 1, 0)
    return np.asarray(scene.painted[index])


def mirrored(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Left is right, for a part or all of the clip."""
    del rng
    first = (FRAMES - 4, FRAMES // 2, 0)[strength - 1]
    out = scene.painted.copy()
    out[first:] = out[first:, :, ::-1]
    return out


def blank(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Some frames show one grey."""
    count = (1, 2, 5)[strength - 1]
    out = scene.painted.copy()
    out[rng.choice(FRAMES, count, replace=False)] = 128
    return out


def black(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Some frames are black."""
    count = (1, 2, 5)[strength - 1]
    out = scene.painted.copy()
    out[rng.choice(FRAMES, count, replace=False)] = 0
    return out


def short(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Frames are missing at the end."""
    del rng
    return np.asarray(scene.painted[: -(1, 2, 4)[strength - 1]])


def long(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """There are more frames than the source has."""
    del rng
    return np.concatenate([scene.painted, scene.painted[-(1, 2, 4)[strength - 1] :]])


def reversed_time(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A stretch runs backwards."""
    del rng
    length = (6, 10, FRAMES)[strength - 1]
    out = scene.painted.copy()
    out[:length] = out[:length][::-1]
    return out


def shuffled(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Neighbouring frames change places."""
    del rng
    index = np.arange(FRAMES)
    for start in range(0, FRAMES - 1, (8, 4, 2)[strength - 1]):
        index[[start, start + 1]] = index[[start + 1, start]]
    return np.asarray(scene.painted[index])


def other_scene(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Another drive, for a part or all of the clip: latents of two scenes mixed in time."""
    del rng
    other = TestScene(scene.seed + 1)
    first = (FRAMES - 4, FRAMES // 2, 0)[strength - 1]
    changed = scene.paint(other.drive, scene.spec)
    return np.concatenate([scene.painted[:first], changed[first:]])


def mixed_scenes(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Another drive shines through, as when latents of two scenes are mixed."""
    del rng
    share = (0.2, 0.35, 0.5)[strength - 1]
    changed = scene.paint(TestScene(scene.seed + 1).drive, scene.spec)
    return np.asarray(cv2.addWeighted(scene.painted, 1 - share, changed, share, 0))


def wrong_weather(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An honest variant of another condition than the asked one."""
    del strength, rng
    return scene.paint(scene.drive, scene.other_spec)


def source_again(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """The source, passed off as the variant."""
    del strength, rng
    return np.asarray(scene.drive.clip.frames).copy()


def half_weather(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """The condition holds on one side of the picture only."""
    del strength
    out = scene.painted.copy()
    middle = out.shape[2] // 2
    side = slice(0, middle) if rng.random() < 0.5 else slice(middle, None)
    out[:, :, side] = scene.drive.clip.frames[:, :, side]
    return out


def late_weather(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """The condition comes at once in the middle of the clip: the control was dropped."""
    del rng
    first = (3, 6, 10)[strength - 1]
    return np.concatenate([scene.drive.clip.frames[:first], scene.painted[first:]])


def boiling(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Texture crawls: another smooth displacement in each frame."""
    reach = (0.7, 1.2, 2.0)[strength - 1]
    shape = scene.painted.shape[1:3]
    return np.stack(
        [
            _warp(f, reach * _smooth_noise(rng, shape, 5), reach * _smooth_noise(rng, shape, 5))
            for f in scene.painted
        ]
    )


def stuck_texture(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A texture that stands still on the screen."""
    depth = (10.0, 18.0, 30.0)[strength - 1]
    pattern = depth * _smooth_noise(rng, scene.painted.shape[1:3], 2.5)[None, ..., None]
    return np.clip(scene.painted + pattern, 0, 255).astype(np.uint8)


def breathing(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Geometry breathes: a sinusoidal warp that comes and goes."""
    del rng
    reach = (2.0, 4.0, 6.0)[strength - 1]
    height, width = scene.painted.shape[1:3]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    out = []
    for index, frame in enumerate(scene.painted):
        swing = reach * np.sin(2 * np.pi * index / 8)
        out.append(_warp(frame, swing * np.sin(2 * np.pi * y / 70), swing * np.sin(2 * np.pi * x / 90)))
    return np.stack(out)


def zooming(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Scale drifts over the clip."""
    del rng
    reach = (0.03, 0.06, 0.12)[strength - 1]
    height, width = scene.painted.shape[1:3]
    out = []
    for index, frame in enumerate(scene.painted):
        zoom = 1 + reach * index / (FRAMES - 1)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 0, zoom)
        out.append(cv2.warpAffine(frame, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101))
    return np.stack(out)


def hue_drift(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Colours drift over the clip."""
    reach = (0.12, 0.25, 0.45)[strength - 1] * float(rng.choice([-1, 1]))
    ramp = np.linspace(0, reach, FRAMES, dtype=np.float32)[:, None, None, None]
    tint = np.array([1.0, 0.0, -1.0], np.float32)
    return np.clip(scene.painted * (1 + ramp * tint), 0, 255).astype(np.uint8)


def chunk_seam(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A step in brightness and hue where two chunks meet."""
    reach = (0.06, 0.12, 0.25)[strength - 1] * float(rng.choice([-1, 1]))
    out = scene.painted.astype(np.float32)
    out[FRAMES // 2 :] *= 1 + reach * np.array([1.0, 0.6, 0.3], np.float32)
    return np.clip(out, 0, 255).astype(np.uint8)


def flicker(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Brightness jumps from frame to frame."""
    reach = (0.04, 0.08, 0.16)[strength - 1]
    gains = (1 + reach * rng.choice([-1.0, 1.0], FRAMES)).astype(np.float32)[:, None, None, None]
    return np.asarray(np.clip(scene.painted * gains, 0, 255), dtype=np.uint8)


def melted(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor melts: its inside is warped and washed out, differently in every frame."""
    actor = _pick(scene, 3)
    if actor is None:
        return None
    reach = (2.0, 3.5, 6.0)[strength - 1]
    shape = scene.painted.shape[1:3]
    out = scene.painted.copy()
    for index, mask in enumerate(scene.mask(actor)):
        bent = _warp(out[index], reach * _smooth_noise(rng, shape, 4), reach * _smooth_noise(rng, shape, 4))
        bent = np.asarray(cv2.GaussianBlur(bent, (0, 0), 0.6 * strength))
        wide = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        out[index][wide] = bent[wide]
    return out


def scrambled(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Patches of the picture change places, the same ones in every frame."""
    size, pairs = 16, (1, 3, 6)[strength - 1]
    out = scene.painted.copy()
    height, width = out.shape[1:3]
    for _ in range(pairs):
        y0, y1 = rng.integers(height // 3, height - size, 2)
        x0, x1 = rng.integers(0, width - size, 2)
        one = out[:, y0 : y0 + size, x0 : x0 + size].copy()
        out[:, y0 : y0 + size, x0 : x0 + size] = out[:, y1 : y1 + size, x1 : x1 + size]
        out[:, y1 : y1 + size, x1 : x1 + size] = one
    return out


def bleeding(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Colour lies beside the shapes that it belongs to."""
    del rng
    step = (4, 8, 14)[strength - 1]
    out = []
    for frame in scene.painted:
        ycc = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)
        ycc[..., 1:] = np.roll(ycc[..., 1:], step, axis=1)
        out.append(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB))
    return np.stack(out)


def ghosting(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Earlier frames linger, as with too few steps."""
    del rng
    lag, share = (2, 3, 4)[strength - 1], (0.35, 0.5, 0.6)[strength - 1]
    out = scene.painted.astype(np.float32)
    late = np.concatenate([out[:1].repeat(lag, axis=0), out[:-lag]])
    mixed = (1 - share) * out + share * late
    return np.asarray(mixed, dtype=np.uint8)


def washed_out(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Detail is gone everywhere, as with too few steps."""
    del rng
    sigma = (1.5, 2.5, 4.0)[strength - 1]
    return np.stack([np.asarray(cv2.GaussianBlur(f, (0, 0), sigma)) for f in scene.painted])


def posterised(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Smooth shading turned into steps, as with too coarse a quantisation."""
    del rng
    levels = (20, 14, 9)[strength - 1]
    step = 256 / levels
    return np.clip((scene.painted // step + 0.5) * step, 0, 255).astype(np.uint8)


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
    maker.__name__: maker
    for maker in (
        erased,
        duplicated,
        displaced,
        jumping,
        shifted,
        frozen,
        doubled,
        mirrored,
        blank,
        black,
        short,
        long,
        reversed_time,
        shuffled,
        other_scene,
        mixed_scenes,
        wrong_weather,
        source_again,
        half_weather,
        late_weather,
        boiling,
        stuck_texture,
        breathing,
        zooming,
        hue_drift,
        chunk_seam,
        flicker,
        melted,
        scrambled,
        bleeding,
        ghosting,
        washed_out,
        posterised,
        markings_gone,
        foreign_geometry,
        sky_seam,
        burnt_patch,
    )
}

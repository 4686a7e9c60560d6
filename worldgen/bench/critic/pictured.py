"""Defects of pictures: what goes wrong with frames as such, on any clip, without knowing what they show."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.bench.critic.scene import FRAMES, Frames, PictureMaker, Pictures


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> npt.NDArray[np.float32]:
    """Draw a smooth field [h, w] of deviation 1."""
    noise = rng.standard_normal(shape).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), scale)
    return np.asarray(soft / (soft.std() + 1e-6), dtype=np.float32)


def warp(frame: Frames, dx: npt.NDArray[np.float32], dy: npt.NDArray[np.float32]) -> Frames:
    """Move every pixel of a frame: it shows what lies (dx, dy) pixels away."""
    height, width = frame.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    map_x, map_y = (x + dx).astype(np.float32), (y + dy).astype(np.float32)
    return np.asarray(cv2.remap(frame, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))


def shifted(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """The whole picture is beside its labels."""
    step = (3, 5, 8)[strength - 1] * int(rng.choice([-1, 1]))
    flat = np.zeros(scene.painted.shape[1:3], np.float32)
    return np.stack([warp(f, flat + step, flat) for f in scene.painted])


def frozen(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """The picture stands still for a while."""
    length = (3, 6, 10)[strength - 1]
    start = int(rng.integers(2, FRAMES - length))
    out = scene.painted.copy()
    out[start : start + length] = out[start]
    return out


def doubled(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Frames are shown twice while others are dropped."""
    del rng
    every = (4, 3, 2)[strength - 1]
    index = np.arange(FRAMES)
    index[::every] = np.maximum(index[::every] - 1, 0)
    return np.asarray(scene.painted[index])


def mirrored(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Left is right, for a part or all of the clip."""
    del rng
    first = (FRAMES - 4, FRAMES // 2, 0)[strength - 1]
    out = scene.painted.copy()
    out[first:] = out[first:, :, ::-1]
    return out


def blank(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Some frames show one grey."""
    count = (1, 2, 5)[strength - 1]
    out = scene.painted.copy()
    out[rng.choice(FRAMES, count, replace=False)] = 128
    return out


def black(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Some frames are black."""
    count = (1, 2, 5)[strength - 1]
    out = scene.painted.copy()
    out[rng.choice(FRAMES, count, replace=False)] = 0
    return out


def short(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Frames are missing at the end."""
    del rng
    return np.asarray(scene.painted[: -(1, 2, 4)[strength - 1]])


def long(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """There are more frames than the source has."""
    del rng
    return np.concatenate([scene.painted, scene.painted[-(1, 2, 4)[strength - 1] :]])


def reversed_time(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """A stretch runs backwards."""
    del rng
    length = (6, 10, FRAMES)[strength - 1]
    out = scene.painted.copy()
    out[:length] = out[:length][::-1]
    return out


def shuffled(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Neighbouring frames change places."""
    del rng
    index = np.arange(FRAMES)
    for start in range(0, FRAMES - 1, (8, 4, 2)[strength - 1]):
        index[[start, start + 1]] = index[[start + 1, start]]
    return np.asarray(scene.painted[index])


def other_scene(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Another drive, for a part or all of the clip: latents of two scenes mixed in time."""
    del rng
    first = (FRAMES - 4, FRAMES // 2, 0)[strength - 1]
    changed = scene.painted_elsewhere
    return np.concatenate([scene.painted[:first], changed[first:]])


def mixed_scenes(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Another drive shines through, as when latents of two scenes are mixed."""
    del rng
    share = (0.2, 0.35, 0.5)[strength - 1]
    changed = scene.painted_elsewhere
    return np.asarray(cv2.addWeighted(scene.painted, 1 - share, changed, share, 0))


def wrong_weather(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """An honest variant of another condition than the asked one."""
    del strength, rng
    return scene.painted_otherwise


def source_again(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """The source, passed off as the variant."""
    del strength, rng
    return np.asarray(scene.source_frames).copy()


def half_weather(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """The condition holds on one side of the picture only."""
    del strength
    out = scene.painted.copy()
    middle = out.shape[2] // 2
    side = slice(0, middle) if rng.random() < 0.5 else slice(middle, None)
    out[:, :, side] = scene.source_frames[:, :, side]
    return out


def late_weather(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """The condition comes at once in the middle of the clip: the control was dropped."""
    del rng
    first = (3, 6, 10)[strength - 1]
    return np.concatenate([scene.source_frames[:first], scene.painted[first:]])


def boiling(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Texture crawls: another smooth displacement in each frame."""
    reach = (0.7, 1.2, 2.0)[strength - 1]
    shape = scene.painted.shape[1:3]
    return np.stack(
        [
            warp(f, reach * smooth_noise(rng, shape, 5), reach * smooth_noise(rng, shape, 5))
            for f in scene.painted
        ]
    )


def stuck_texture(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """A texture that stands still on the screen."""
    depth = (10.0, 18.0, 30.0)[strength - 1]
    pattern = depth * smooth_noise(rng, scene.painted.shape[1:3], 2.5)[None, ..., None]
    return np.clip(scene.painted + pattern, 0, 255).astype(np.uint8)


def breathing(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Geometry breathes: a sinusoidal warp that comes and goes."""
    del rng
    reach = (2.0, 4.0, 6.0)[strength - 1]
    height, width = scene.painted.shape[1:3]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    out = []
    for index, frame in enumerate(scene.painted):
        swing = reach * np.sin(2 * np.pi * index / 8)
        out.append(warp(frame, swing * np.sin(2 * np.pi * y / 70), swing * np.sin(2 * np.pi * x / 90)))
    return np.stack(out)


def zooming(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
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


def hue_drift(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Colours drift over the clip."""
    reach = (0.12, 0.25, 0.45)[strength - 1] * float(rng.choice([-1, 1]))
    ramp = np.linspace(0, reach, FRAMES, dtype=np.float32)[:, None, None, None]
    tint = np.array([1.0, 0.0, -1.0], np.float32)
    return np.clip(scene.painted * (1 + ramp * tint), 0, 255).astype(np.uint8)


def chunk_seam(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """A step in brightness and hue where two chunks meet."""
    reach = (0.06, 0.12, 0.25)[strength - 1] * float(rng.choice([-1, 1]))
    out = scene.painted.astype(np.float32)
    out[FRAMES // 2 :] *= 1 + reach * np.array([1.0, 0.6, 0.3], np.float32)
    return np.clip(out, 0, 255).astype(np.uint8)


def flicker(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Brightness jumps from frame to frame."""
    reach = (0.04, 0.08, 0.16)[strength - 1]
    gains = (1 + reach * rng.choice([-1.0, 1.0], FRAMES)).astype(np.float32)[:, None, None, None]
    return np.asarray(np.clip(scene.painted * gains, 0, 255), dtype=np.uint8)


def scrambled(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
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


def bleeding(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Colour lies beside the shapes that it belongs to."""
    del rng
    step = (4, 8, 14)[strength - 1]
    out = []
    for frame in scene.painted:
        ycc = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)
        ycc[..., 1:] = np.roll(ycc[..., 1:], step, axis=1)
        out.append(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB))
    return np.stack(out)


def ghosting(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Earlier frames linger, as with too few steps."""
    del rng
    lag, share = (2, 3, 4)[strength - 1], (0.35, 0.5, 0.6)[strength - 1]
    out = scene.painted.astype(np.float32)
    late = np.concatenate([out[:1].repeat(lag, axis=0), out[:-lag]])
    mixed = (1 - share) * out + share * late
    return np.asarray(mixed, dtype=np.uint8)


def washed_out(scene: Pictures, strength: int, rng: np.random.Generator) -> Frames | None:
    """Detail is gone everywhere, as with too few steps."""
    del rng
    sigma = (1.5, 2.5, 4.0)[strength - 1]
    return np.stack([np.asarray(cv2.GaussianBlur(f, (0, 0), sigma)) for f in scene.painted])


PICTURED: Final[dict[str, PictureMaker]] = {
    maker.__name__: maker
    for maker in (
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
        scrambled,
        bleeding,
        ghosting,
        washed_out,
    )
}

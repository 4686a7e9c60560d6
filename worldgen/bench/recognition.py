"""Recognition: makes configs/critic/recognition.json and reports it on scenes that it did not see.

Proving-ground drives are rendered under weather, and weather physics is run on their clear and overcast
renders. Even seeds fit, odd seeds report. Half of the sources, with all that was
made from them, are seen through another camera (white balance, exposure, contrast, sharpness, coding).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.config import find_configs
from worldgen.config.specs import parse_specs
from worldgen.datatypes import Clip, Condition, Geometry
from worldgen.imaging.appearance import measure_appearance
from worldgen.imaging.change import measure_change
from worldgen.imaging.recognition import CLASSES, Head, HeadName, measures_of

SPECS: Final = (
    "clear, overcast, fog 300 m, fog, dust, light rain, heavy rain, light snow, snow, snow on the road, "
    "low sun, golden hour, dusk, night, wet road, puddles"
)
FRAMES: Final = 6
SIZE: Final = (256, 144)
PENALTY: Final = 1e-3
"""Of squared weights; chosen on even seeds among 1e-4, 1e-3 and 1e-2."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One clip as the heads see it."""

    origin: str
    """rendered (proving ground under weather), physics, or the name of a real clip."""
    seed: int
    asked: str
    label: str
    measures: dict[HeadName, dict[str, float]]


def examples_of(
    origin: str, seed: int, source: Clip, geometry: Geometry, made: dict[str, tuple[str, Clip]]
) -> Iterator[Example]:
    """Measure every clip that was made from a source."""
    rng = np.random.default_rng([seed, len(origin)])
    camera = _Camera(rng) if rng.random() < 0.5 else None
    before = camera.take(source) if camera else source
    # Sources come with a geometry; a fourth of them has none worth the name.
    known = geometry if rng.random() < 0.75 else None
    seen_before = measure_appearance(before, known)
    for asked, (label, clip) in made.items():
        now = camera.take(clip) if camera else _coded(clip, 92)
        seen = measure_appearance(now, known)
        change = measure_change(now, before, known)
        yield Example(
            origin=origin,
            seed=seed,
            asked=asked,
            label=label,
            measures={
                "alone": measures_of(seen),
                "pair": measures_of(seen, seen_before),
                "against": measures_of(seen, seen_before, change),
            },
        )


def drives(seed: int) -> Iterator[Example]:
    """Render one seed under every weather, run physics on it, and measure all."""
    from worldgen.models.physics.renderer import FrameRenderer
    from worldgen.sources.proving_ground.drive import render_drive

    own = render_drive(seed, frames=FRAMES, size=SIZE)
    rendered: dict[str, tuple[str, Clip]] = {"own": (own.condition.label, own.clip)}
    for spec in parse_specs(SPECS, seed=seed):
        drive = render_drive(seed, frames=FRAMES, size=SIZE, spec=spec)
        rendered[spec.name] = (drive.condition.label, drive.clip)
    yield from examples_of("rendered", seed, own.clip, own.geometry, rendered)
    for name in ("own", "overcast"):
        label, source = rendered[name]
        condition = Condition.model_validate(
            {"label": label, "origin": "simulator", "has_hard_shadows": label == "clear"}
        )
        made: dict[str, tuple[str, Clip]] = {"own": (label, source)}
        for spec in parse_specs(SPECS, seed=seed):
            if spec.expected_on(condition) == label:
                continue
            if label == "overcast" and spec.name == "clear":
                continue
            renderer = FrameRenderer(source, own.geometry, spec, condition, seed)
            frames = np.stack([renderer.render(i) for i in range(len(source))])
            made[spec.name] = (spec.expected_on(condition), _clip(frames, source))
        yield from examples_of("physics", seed, source, own.geometry, made)


class _Camera:
    """Another camera: the same for a source and all that was made from it."""

    def __init__(self, rng: np.random.Generator) -> None:
        stops = rng.uniform(-0.8, 0.6)
        balance = 2.0 ** np.array([rng.uniform(-0.25, 0.25), 0.0, rng.uniform(-0.25, 0.25)])
        gamma = rng.uniform(0.85, 1.25)
        level = np.arange(256) / 255.0
        self._table = np.stack(
            [np.clip((level**gamma) * (gain * 2.0**stops) ** (1 / 2.2), 0, 1) * 255 for gain in balance],
            axis=-1,
        ).astype(np.uint8)
        self._blur = rng.uniform(0.0, 0.7)
        self._colour = rng.uniform(0.6, 1.2)
        self._quality = int(rng.integers(70, 96))

    def take(self, clip: Clip) -> Clip:
        """See the same scene through this camera."""
        frames = np.stack([self._one(frame) for frame in clip.frames])
        return _coded(_clip(frames, clip), self._quality)

    def _one(self, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        out = np.stack([self._table[:, c][frame[..., c]] for c in range(3)], axis=-1).astype(np.float32)
        grey = out.mean(axis=-1, keepdims=True)
        out = grey + (out - grey) * self._colour
        if self._blur > 0.2:
            out = cv2.GaussianBlur(out, (0, 0), self._blur)
        return np.asarray(np.clip(out, 0, 255), np.uint8)


def _coded(clip: Clip, quality: int) -> Clip:
    """Code and decode every frame, as a file would."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    coded = (cv2.imencode(".jpg", frame, options)[1] for frame in clip.frames)
    frames = [np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8) for code in coded]
    return _clip(np.stack(frames), clip)


def _clip(frames: npt.NDArray[np.uint8], like: Clip) -> Clip:
    return Clip(
        frames=np.ascontiguousarray(frames), timestamps_seconds=like.timestamps_seconds.copy(), fps=like.fps
    )


def fit_head(examples: list[Example], name: HeadName, *, penalty: float = PENALTY) -> Head:
    """Fit a softmax in which every class weighs the same."""
    from scipy.optimize import minimize

    names = tuple(examples[0].measures[name])
    values = np.array([[e.measures[name][n] for n in names] for e in examples])
    labels = np.array([CLASSES.index(e.label) for e in examples])
    mean, spread = values.mean(axis=0), values.std(axis=0) + 1e-3
    standard = np.clip((values - mean) / spread, -3, 3)
    share = 1.0 / np.maximum(np.bincount(labels, minlength=len(CLASSES)), 1)[labels]
    share /= share.sum()
    truth = np.eye(len(CLASSES))[labels]
    count = len(CLASSES) * len(names)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights, bias = flat[:count].reshape(len(CLASSES), -1), flat[count:]
        logits = standard @ weights.T + bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        right = odds[np.arange(len(labels)), labels]
        miss = (odds - truth) * share[:, None]
        gradient = np.concatenate([(miss.T @ standard + 2 * penalty * weights).ravel(), miss.sum(axis=0)])
        return float(-(share * np.log(right + 1e-12)).sum() + penalty * (weights**2).sum()), gradient

    found = minimize(
        loss, np.zeros(count + len(CLASSES)), jac=True, method="L-BFGS-B", options={"maxiter": 600}
    ).x
    weights = found[:count].reshape(len(CLASSES), -1)
    return Head(
        names=names,
        mean=tuple(np.round(mean, 5).tolist()),
        spread=tuple(np.round(spread, 5).tolist()),
        weights=tuple(tuple(row) for row in np.round(weights, 4).tolist()),
        bias=tuple(np.round(found[count:], 4).tolist()),
    )


def confusion(examples: list[Example], head: Head, name: HeadName) -> npt.NDArray[np.int64]:
    """Count, true class by named class [9, 9]."""
    table = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for example in examples:
        scores, _ = head.score(example.measures[name])
        table[CLASSES.index(example.label), int(scores.argmax())] += 1
    return table


def main(argv: list[str] | None = None) -> int:
    """Fit on even seeds, report on odd ones, write the file when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 12), help="first and last + 1")
    parser.add_argument("--write", action="store_true", help="write configs/critic/recognition.json")
    options = parser.parse_args(argv)
    cv2.setNumThreads(1)
    found: list[Example] = []
    for seed in range(*options.seeds):
        found.extend(drives(seed))
        print(f"seed {seed}: {len(found)} examples", file=sys.stderr, flush=True)
    report = publish(found, find_configs() / "critic" / "recognition.json" if options.write else None)
    print(json.dumps(report, indent=1))
    return 0


def publish(found: list[Example], path: Path | None) -> dict[str, dict[str, float]]:
    """Fit the heads, write them, and return each head's recall by origin and class on odd seeds."""
    even = [e for e in found if e.seed % 2 == 0]
    heads = {name: fit_head(even, name) for name in get_args(HeadName)}
    report: dict[str, dict[str, float]] = {}
    for name, head in heads.items():
        for origin in sorted({e.origin for e in found}):
            odd = [e for e in found if e.seed % 2 and e.origin == origin]
            table = confusion(odd, head, name)
            recall = np.diag(table) / np.maximum(table.sum(axis=1), 1)
            report[f"{name}, {origin}"] = {
                "all": round(float(np.trace(table) / max(table.sum(), 1)), 3),
                "clips": int(table.sum()),
                **{
                    c: round(float(r), 3)
                    for c, r, n in zip(CLASSES, recall, table.sum(axis=1), strict=True)
                    if n
                },
            }
    if path is not None:
        seeds = sorted({e.seed for e in found})
        about = f"worldgen.bench.recognition, seeds {seeds[0]}..{seeds[-1]}: even ones fit, odd ones report"
        stored = {
            "about": about,
            "report": report,
            "heads": {n: h.model_dump(mode="json") for n, h in heads.items()},
        }
        path.write_text(json.dumps(stored, separators=(",", ":")).replace('"heads"', '\n"heads"') + "\n")
    return report


if __name__ == "__main__":
    raise SystemExit(main())

"""Evaluation: the exported model on scenes that it never saw, against controls, truth and training set.

Every figure is an average over clips. Ceilings stand beside it (the same measure on the true clip, and on its
way through the VAE), so that a weak measure is not taken for a weak model.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from checkpoints.coder_training import round_trip
from checkpoints.figures import sheet
from checkpoints.painter import Painter
from checkpoints.probe import CONDITIONS, Probe, Reading, groups_of
from checkpoints.shards import Item, Shards
from worldgen.datatypes import Clip, ControlKind, Geometry
from worldgen.imaging.appearance import measure_appearance
from worldgen.imaging.change import measure_change
from worldgen.imaging.fidelity import edge_f1, edges_of, psnr
from worldgen.imaging.recognition import recognise
from worldgen.sources.proving_ground.drive import render_drive

if TYPE_CHECKING:
    from checkpoints.train import Run

Frames = npt.NDArray[np.uint8]
TAKES_PER_SCENE = 3
"""Its own condition, and two that physics makes."""
SHUFFLED = 10
THUMB = (28, 16)
"""Width and height at which frames are compared with the training set."""


def evaluate(run: "Run", *, scenes: int | None = None) -> dict[str, Any]:
    """Measure a run's exported model.

    Args:
        run: Finished up to `export`.
        scenes: How many held-out scenes; None: all.

    Returns:
        `figures`, `confusion` by two judges, and a row per clip.
    """
    held_out = run.held_out()
    seeds = held_out.seeds[:scenes]
    judge = Judge(run, held_out)
    rows = []
    for seed in seeds:
        for take in _chosen(held_out.takes_of(seed)):
            row = judge.row(take)
            rows.append(row)
            print({k: v for k, v in row.items() if k != "asked"}, flush=True)
    judge.draw(run.folder / "evaluation")
    figures = _averages(rows)
    figures["retrieved_by_control"] = judge.shuffle(seeds[:SHUFFLED])
    figures["seconds_per_clip"] = float(np.median(judge.painter.seconds))
    figures["clips"] = float(len(rows))
    return {
        "figures": {name: round(value, 4) for name, value in figures.items()},
        "confusion": {
            name: _confusion(rows, name)
            for name in ("recognised", "classified", "true_recognised", "true_classified")
        },
        "classes": list(CONDITIONS),
        "rows": rows,
    }


class Judge:
    """Paints held-out takes and measures them.

    Args:
        run: Finished up to `export`.
        held_out: Scenes.
    """

    def __init__(self, run: "Run", held_out: Shards) -> None:
        recipe = run.recipe
        self.painter = Painter(
            run.folder / "model", recipe.sampling, shift=recipe.flow.shift, device=run.device
        )
        self._kinds = recipe.sampling.controls
        self._held_out = held_out
        self._device = run.device
        self._vae = run.finished_coder()
        self._probe = load_probe(run)
        self._training = thumbs_of_training(run.shards())
        self._drawn: list[tuple[Item, Frames]] = []

    def row(self, take: Item) -> dict[str, Any]:
        """Paint one take and measure it beside the truth."""
        held = self._held_out
        true = held.frames(take)
        made = self.painter.paint(
            self.controls(take.seed), take.captions[0], fps=held.fps(take.seed), seed=take.seed % 2**31
        )
        back = round_trip(self._vae, true, self._device)
        self._drawn.append((take, made))
        control = held.array(take.seed, "control/edge") > 127
        # What agreement is worth: that with a scene which has nothing to do with this one.
        another = held.array(_next(held.seeds, take.seed), "control/edge") > 127
        geometry = _geometry(held, take.seed)
        source = held.frames(held.takes_of(take.seed)[0])
        row: dict[str, Any] = {
            "seed": take.seed,
            "take": take.name,
            "label": take.label,
            "asked": take.captions[0],
        }
        for name, frames in (("", made), ("true_", true), ("vae_", back)):
            edges = edges_of(frames)
            row[f"{name}edge_f1_control"] = edge_f1(edges, control)
            row[f"{name}edge_f1_control_2px"] = edge_f1(edges, control, tolerance_px=2)
            row[f"{name}edge_f1_another_scene"] = edge_f1(edges, another)
            read = Reading.of(self._probe, frames, self._device)
            row[f"{name}group_iou"] = read.group_iou(groups_of(held.array(take.seed, "truth/tags")))
            row[f"{name}depth_error"] = read.depth_error(held.array(take.seed, "truth/depth_m"))
            row[f"{name}classified"] = read.condition
            row[f"{name}recognised"] = _recognised(frames, source, held.fps(take.seed), geometry)
            row[f"{name}nearest_training"] = self.distance_to_training(frames)
        row["vae_psnr"] = psnr(back, true)
        row["vae_edge_f1"] = edge_f1(edges_of(back), edges_of(true))
        row["psnr"] = psnr(made, true)
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}

    def controls(self, seed: int) -> dict[ControlKind, Frames]:
        """Return a scene's controls of the kinds that the model ships with."""
        item = next(i for i in self._held_out.controls if i.seed == seed)
        named = {kind: Item(item.seed, f"control/{kind}") for kind in self._kinds}
        return {kind: self._held_out.frames(one) for kind, one in named.items()}

    def distance_to_training(self, frames: Frames) -> float:
        """Root-mean-square distance (0..255) of the middle frame to the nearest training frame."""
        thumb = thumb_of(frames[len(frames) // 2]).astype(np.float32)
        wrong = self._training.astype(np.float32) - thumb
        return float(np.sqrt((wrong**2).mean(axis=(1, 2, 3)).min()))

    def shuffle(self, seeds: Sequence[int]) -> float:
        """Give each scene another one's controls, words and noise unchanged.

        Returns:
            Share of results whose edges fit the scene of the control best, among all these scenes.
        """
        held = self._held_out
        maps = [held.array(seed, "control/edge") > 127 for seed in seeds]
        right = 0
        for index, seed in enumerate(seeds):
            other = (index + 1) % len(seeds)
            take = held.takes_of(seed)[0]
            made = self.painter.paint(
                self.controls(seeds[other]), take.captions[0], fps=held.fps(seed), seed=seed % 2**31
            )
            fits = [edge_f1(edges_of(made), control) for control in maps]
            right += int(np.argmax(fits)) == other
        return right / len(seeds)

    def draw(self, folder: Path) -> None:
        """Draw control, truth and result of every clip, twelve to a sheet."""
        for start in range(0, len(self._drawn), 12):
            part = self._drawn[start : start + 12]
            rows: list[list[tuple[str, Frames]]] = []
            for take, made in part:
                true = self._held_out.frames(take)
                edge = np.repeat(self._held_out.array(take.seed, "control/edge")[-1][..., None], 3, axis=-1)
                rows.append(
                    [
                        (f"{take.seed} edge", edge),
                        (f"true: {take.label}", true[-1]),
                        ("first", made[0]),
                        ("middle", made[len(made) // 2]),
                        ("last", made[-1]),
                    ]
                )
            sheet(folder / f"clips-{start // 12:02d}.png", rows, scale=1.0)


def load_probe(run: "Run") -> Probe:
    """Load a run's probe."""
    from checkpoints.loop import STATE, load_into, read_state

    path = run.folder / "probe" / STATE
    probe = Probe(run.recipe.probe.width)
    held, _ = read_state(path)
    load_into(probe, held, path)
    return probe.to(run.device).eval()


def thumbs_of_training(shards: Shards) -> npt.NDArray[np.uint8]:
    """Shrink three frames of every training clip: [n, 16, 28, 3]."""
    thumbs: list[Frames] = []
    for take in shards.takes:
        frames = shards.frames(take)
        thumbs.extend(thumb_of(frames[i]) for i in (0, len(frames) // 2, len(frames) - 1))
    return np.stack(thumbs)


def thumb_of(frame: Frames) -> Frames:
    """Shrink one frame by area."""
    return np.asarray(cv2.resize(frame, THUMB, interpolation=cv2.INTER_AREA), np.uint8)


def _next(seeds: Sequence[int], seed: int) -> int:
    return seeds[(seeds.index(seed) + 1) % len(seeds)]


def _chosen(takes: list[Item]) -> list[Item]:
    own = [take for take in takes if take.made_by == "own"]
    return [*own, *[take for take in takes if take.made_by == "physics"]][:TAKES_PER_SCENE]


def _geometry(held: Shards, seed: int) -> Geometry:
    """Render the scene once more at the model's size, for what the recogniser asks of geometry."""
    frames = held.array(seed, "truth/tags")
    size = frames.shape[2], frames.shape[1]
    return render_drive(seed, frames=len(frames), size=size, fps=held.fps(seed)).geometry


def _recognised(frames: Frames, source: Frames, fps: float, geometry: Geometry) -> str:
    now, before = _clip(frames, fps), _clip(source, fps)
    return recognise(
        measure_appearance(now, geometry),
        measure_appearance(before, geometry),
        measure_change(now, before, geometry),
    ).label


def _clip(frames: Frames, fps: float) -> Clip:
    return Clip(frames=np.ascontiguousarray(frames), timestamps_seconds=np.arange(len(frames)) / fps, fps=fps)


def _averages(rows: list[dict[str, Any]]) -> dict[str, float]:
    names = [name for name, value in rows[0].items() if isinstance(value, float)]
    found = {name: float(np.mean([row[name] for row in rows])) for name in names}
    clear = [row for row in rows if row["take"] == "take/own"]
    found["vae_psnr_clear"] = float(np.mean([row["vae_psnr"] for row in clear]))
    for name in ("recognised", "classified", "true_recognised", "true_classified"):
        found[f"condition_{name}"] = float(np.mean([row[name] == row["label"] for row in rows]))
    return found


def _confusion(rows: list[dict[str, Any]], name: str) -> list[list[int]]:
    """Count, asked class by named class, in the order of CONDITIONS."""
    table = np.zeros((len(CONDITIONS), len(CONDITIONS)), int)
    for row in rows:
        table[CONDITIONS.index(row["label"]), CONDITIONS.index(row[name])] += 1
    return table.tolist()

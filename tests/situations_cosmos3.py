"""Situations: a tiny Cosmos 3 on disk, control clips, and what the engine gives for them."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch

from worldgen.datatypes import (
    Candidate,
    Clip,
    Condition,
    ControlMap,
    GenerationPlan,
    Material,
    Source,
    Spec,
)
from worldgen.media.scratch import Scratch
from worldgen.media.video import read_clip
from worldgen.models.build import build_model
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.request import Control, Decoded, Made, Sampling, StepDone, Transfer
from worldgen.models.cosmos3.tiny import make_checkpoint
from worldgen.models.engine.guidance import Guidance
from worldgen.planning import plan_generation
from worldgen.weights import FilePin, Receipt, Store
from worldgen.weights.store import sha256_of_file, stamp

SIZE = (48, 80)
FRAMES = 13
QUICK: dict[str, Any] = {"tier": 256, "steps": 2, "device": "cpu", "dtype": "float32"}
SPEC = Spec(seed=3, fog_mor_m=80, prompt="fog")


def checkpoint(root: Path, seed: int = 0) -> Path:
    folder = root / f"cosmos3-tiny-{seed}"
    return folder if folder.exists() else make_checkpoint(folder, seed=seed)


def install(root: Path, *names: str, seed: int = 0) -> None:
    """Put a tiny checkpoint where pulled weights lie, under the names of production models."""
    store = Store(root)
    for name in names:
        folder = make_checkpoint(store.folder(name), seed=seed)
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        pins = tuple(
            FilePin(path=str(p.relative_to(folder)), size=p.stat().st_size, sha256=sha256_of_file(p))
            for p in files
        )
        receipt = Receipt(
            repository="tests/tiny",
            revision="0" * 40,
            endpoint="none",
            trust="first_use",
            fetched="2026-01-01T00:00:00+00:00",
            files=pins,
            seen={pin.path: stamp(folder / pin.path) for pin in pins},
        )
        store.write_receipt(name, receipt)


def control(kind: Any = "edge", *, frames: int = FRAMES, seed: int = 1, **more: Any) -> Control:
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, *SIZE, 3), dtype=np.uint8)
    return Control(kind=kind, frames=pixels, digest=f"{seed}-{frames}", **more)


def request(*controls: Control, steps: int = 3, guidance: Guidance | None = None, **more: Any) -> Transfer:
    known = set(Sampling.__dataclass_fields__)
    how = {name: more.pop(name) for name in list(more) if name in known}
    sampling = Sampling(steps=steps, guidance=guidance or Guidance(text=3.0, control=1.5), fps=10.0, **how)
    words = {"prompt": "heavy rain, wet road", "negative": "blurry"} | more
    return Transfer(controls=controls or (control(),), sampling=sampling, **{"seed": 5, **words})


def events(engine: Cosmos3Engine, wanted: Transfer, **more: Any) -> list[StepDone | Decoded | Made]:
    return list(engine.transfer(wanted, threading.Event(), **more))


def made(engine: Cosmos3Engine, wanted: Transfer, **more: Any) -> Made:
    last = events(engine, wanted, **more)[-1]
    assert isinstance(last, Made)
    return last


def pixels(engine: Cosmos3Engine, wanted: Transfer, **more: Any) -> torch.Tensor:
    """Frames before rounding, [t, 3, h, w] in 0..1."""
    chunks = [e.pixels for e in events(engine, wanted, **more) if isinstance(e, Decoded)]
    return torch.cat(chunks, dim=2)[0].permute(1, 0, 2, 3)[: wanted.total] * 0.5 + 0.5


def source_of(clip: Clip, **changes: Any) -> Source:
    width, height = clip.size
    facts = {"frames": len(clip), "width": width, "height": height, "fps": clip.fps} | changes
    return Source(kind="video", uri="a.mp4", sha256="0" * 64, video=None, **facts)


class Situation:
    """A model over a scratch store with two control maps of one clip."""

    def __init__(self, root: Path, *, frames: int = 6, **parameters: Any) -> None:
        self.scratch = Scratch(root)
        self.model = build_model("cosmos3-nano", self.scratch, {**QUICK, **parameters})
        pixels = np.random.default_rng(0).integers(0, 256, (frames, 54, 96, 3), dtype=np.uint8)
        self.clip = Clip(frames=pixels, timestamps_seconds=np.arange(frames) / 10, fps=10.0)
        maps = [ControlMap(kind=k, frames=pixels, origin="simulator") for k in ("edge", "depth")]
        self.material = Material(
            video=self.scratch.put_clip(self.clip),
            geometry=None,
            controls=tuple(self.scratch.put_control(m, fps=10.0) for m in maps),
            condition=Condition(),
            recipe="by hand",
        )

    def plan(self, spec: Spec = SPEC) -> GenerationPlan:
        source = source_of(self.clip)
        return plan_generation(source, self.material, spec, self.model.profile, variant_id="v" * 32)

    def make(self, plan: GenerationPlan | None = None) -> Candidate:
        last = list(self.model.generate(plan or self.plan(), threading.Event()))[-1]
        assert isinstance(last, Candidate)
        return last

    def frames(self, plan: GenerationPlan | None = None) -> np.ndarray:
        return read_clip(Path(self.make(plan).video.uri), trusted=True).frames

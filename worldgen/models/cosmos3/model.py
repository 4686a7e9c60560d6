"""Cosmos 3 as a world model: the contract that every other one keeps."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from traceback import clear_frames
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from worldgen.datatypes import (
    Candidate,
    Clip,
    ControlRef,
    Finding,
    GenerationPlan,
    MaskRef,
    ModelProfile,
    Place,
    Progress,
)
from worldgen.datatypes.digest import digest
from worldgen.errors import (
    Cancelled,
    ContractError,
    GenerationError,
    SourceError,
    WeightsError,
    boundary,
)
from worldgen.media.masks import read_mask
from worldgen.media.scratch import Scratch
from worldgen.media.video import VideoWriter
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.fitting import fitted, restored
from worldgen.models.cosmos3.memory import Demand, cheaper, demand_of, estimate_memory
from worldgen.models.cosmos3.placement import Placement, build_engine, free_memory, placement_of
from worldgen.models.cosmos3.request import Control, Frames, Made, Sampling, StepDone, Transfer
from worldgen.models.cosmos3.shape import shape_of
from worldgen.models.engine.guidance import Guidance, Interval
from worldgen.models.engine.resume import FolderSaves, NoSaves, Saves
from worldgen.models.engine.seams import Seam
from worldgen.models.engine.threads import computing_with
from worldgen.weights import Store, find

CACHE_BYTES: Final = 4 << 30
SEAM_RATIO: Final = 2.0
"""From here a seam is told as failed; to people, for it decides no verdict."""


class Cosmos3WorldModel:
    """A Cosmos 3 checkpoint that repaints clips from their control maps.

    Args:
        scratch: Where the control maps are, and where the candidate goes.
        profile: From the model's configuration.
        weights: Name in the manifest; looked up now, loaded with the first plan.

    Raises:
        WeightsError: The weights are not here, with the command that fetches them.
    """

    def __init__(self, scratch: Scratch, profile: ModelProfile, weights: str) -> None:
        self.profile = profile
        self._scratch = scratch
        self._folder = find(weights)
        receipt = Store().receipt(weights)
        self.weights = f"{weights}@{receipt.revision[:12]}" if receipt else profile.checkpoint
        """Which weights, for provenance: at the hub's commit, or by what ships."""
        self._loaded: tuple[Placement, Cosmos3Engine] | None = None

    def generate(self, plan: GenerationPlan, stop: threading.Event) -> Iterator[Progress | Candidate]:
        """Denoise chunk by chunk; see `WorldModel.generate`.

        Raises:
            WeightsError: `changed`: the plan is for other weights.
            GenerationError: `out_of_memory` with what the plan needs and what would need less, `not_finite`
                with step and chunk, `unavailable` for a plan without control maps.
        """
        with boundary(GenerationError, f"generate with {self.profile.name}"):
            try:
                yield from _Generation(self, plan, stop).events()
            except torch.OutOfMemoryError as exc:
                clear_frames(exc.__traceback__)  # They hold the tensors that did fit.
                raise self.out_of_memory(_demand(plan)) from exc
            except BaseException:
                free_memory()
                raise

    def engine(self, placement: Placement) -> Cosmos3Engine:
        """Return the loaded engine; another placement loads it anew."""
        if self._loaded is None or self._loaded[0] != placement:
            self._loaded = None
            free_memory()
            self._loaded = (placement, build_engine(self._folder, placement, cache_bytes=CACHE_BYTES))
        return self._loaded[1]

    def clip(self, control: ControlRef) -> Clip:
        """Read a control map."""
        return self._scratch.clip(control.video)

    def source(self, plan: GenerationPlan) -> Clip | None:
        """Read the source's frames, if it has any."""
        return None if plan.source is None else self._scratch.clip(plan.source)

    def new_path(self) -> Path:
        """Name the candidate's file."""
        return self._scratch.new_path(".candidate.mp4")

    def out_of_memory(self, asked: Demand) -> GenerationError:
        """Let go of what is shared, and say what was asked for and what would need less."""
        if self._loaded is not None:
            self._loaded[1].cache.clear()
        free_memory()
        width, height = asked.size
        shape = shape_of(self._folder)
        message = (
            f"out of memory: {asked.frames} frames of {width}x{height} at a time, {asked.hints} controls; "
            f"our estimate for that is {estimate_memory(shape, asked).gib:g} GiB (tensors alone), and "
            f"{self.profile.name} is published as needing {self.profile.memory_gib:g} GiB"
        )
        less = [f"{name} ({m.gib:g} GiB)" for name, m in cheaper(shape, asked, self.profile.tiers)]
        hint = f"estimated to need less, each on its own: {', '.join(less) or 'nothing'}"
        return GenerationError(message, reason="out_of_memory", hint=hint)


@dataclass(slots=True)
class _Generation:
    """One plan under way."""

    model: Cosmos3WorldModel
    plan: GenerationPlan
    stop: threading.Event

    def events(self) -> Iterator[Progress | Candidate]:
        if not self.plan.controls:
            message = f"{self.model.profile.name} paints from control maps; the plan has none"
            raise GenerationError(message, reason="unavailable")
        self._check_checkpoint()
        self._check("before loading")
        placement = placement_of(dict(self.plan.parameters))
        with computing_with(placement.threads):
            yield from self._made(placement)

    def _made(self, placement: Placement) -> Iterator[Progress | Candidate]:
        seconds: dict[str, float] = {}
        started = time.perf_counter()
        engine = self.model.engine(placement)
        seconds["load"] = time.perf_counter() - started
        started = time.perf_counter()
        request = self._request()
        seconds["read"] = time.perf_counter() - started
        self._check("before the first step")
        made: Made | None = None
        started = time.perf_counter()
        for event in engine.transfer(request, self.stop, self._saves(request, engine)):
            if isinstance(event, StepDone):
                yield _progress(event, time.perf_counter() - started)
                self._check(f"after step {event.step} of chunk {event.chunk + 1}")
            elif isinstance(event, Made):
                made = event
        if made is None:
            message = "the engine ended without frames"
            raise GenerationError(message)
        yield self._candidate(made, placement, request, {**seconds, **made.seconds})

    def _request(self) -> Transfer:
        plan = self.plan
        lengths = {ref.kind: ref.video.frames for ref in plan.controls}
        if any(length != plan.fit.source_frames for length in lengths.values()):
            told = ", ".join(f"{kind} has {length}" for kind, length in lengths.items())
            message = f"the clip has {plan.fit.source_frames} frames, and of its control maps {told}"
            raise ContractError(message, reason="controls", hint="make the maps from this very clip")
        weights = plan.control_weights
        controls = tuple(self._control(ref, weights.get(ref.kind, 1.0)) for ref in plan.controls)
        return Transfer(
            prompt=plan.prompt,
            negative=plan.negative_prompt,
            controls=controls,
            sampling=sampling_of(plan),
            seed=plan.seed,
            start=self._start(),
        )

    def _control(self, ref: ControlRef, weight: float) -> Control:
        frames = fitted(self.model.clip(ref).frames, self.plan.fit, ref.kind)
        # The map's own digest, and how it was fitted: what the encodes of all variants share.
        name = digest(ref.video.sha256, self.plan.fit.model_dump(mode="json"), ref.kind)
        mask = self._mask(ref.mask) if ref.mask is not None else None
        return Control(kind=ref.kind, frames=frames, digest=name, weight=weight, mask=mask)

    def _mask(self, ref: MaskRef) -> npt.NDArray[np.float32]:
        try:
            grey = read_mask(ref)
        except SourceError as error:
            raise GenerationError(error.message, reason="unavailable") from error
        is_one = len(grey) == 1
        whole = fitted(grey, self.plan.fit, "mask", pads=not is_one).astype(np.float32) / np.float32(255)
        return np.repeat(whole, self.plan.fit.model_frames, axis=0) if is_one else whole

    def _start(self) -> Frames | None:
        count = int(self.plan.parameters.get("start_frames", 0))
        if not count:
            return None
        source = self.model.source(self.plan)
        if source is None:
            message = "start_frames keeps frames of the source's RGB; this source has none"
            raise GenerationError(message, reason="unavailable", hint="set start_frames=0")
        return fitted(source.frames[:count], self.plan.fit, "rgb", pads=False)

    def _saves(self, request: Transfer, engine: Cosmos3Engine) -> Saves:
        if not request.sampling.save_every:
            return NoSaves()
        # By content: the process that goes on has another scratch folder, and so other addresses.
        plan = self.plan.model_dump(mode="json", exclude={"source", "geometry", "controls"})
        start = "" if self.plan.source is None else self.plan.source.sha256
        masks = [ref.mask.sha256 if ref.mask else "" for ref in self.plan.controls]
        name = digest(plan, start, [c.digest for c in request.controls], masks, engine.parts.identity)[:32]
        return FolderSaves(saves_root() / name, name)

    def _candidate(
        self, made: Made, placement: Placement, request: Transfer, seconds: dict[str, float]
    ) -> Candidate:
        started = time.perf_counter()
        plan = self.plan
        clip = self.model.source(plan) or self.model.clip(plan.controls[0])
        frames = made.frames[: plan.fit.source_frames]
        path = self.model.new_path()
        try:
            with _writer(path, clip, plan) as writer:
                for frame, moment in zip(frames, clip.timestamps_seconds, strict=True):
                    self._check("while writing")
                    writer.write(restored(frame, plan.fit), seconds=float(moment))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        seconds["write"] = time.perf_counter() - started
        return Candidate(
            variant_id=plan.variant_id,
            attempt_id=plan.attempt_id,
            video=writer.ref,
            rendered={
                **_rendered(request, made, placement),
                **{f"mask_{ref.kind}": ref.mask.sha256[:16] for ref in plan.controls if ref.mask},
                "weights": self.model.weights,
            },
            findings=tuple(_finding(seam) for seam in made.seams),
            seconds=seconds,
            counters=_counters(made),
        )

    def _check_checkpoint(self) -> None:
        """Refuse a plan that was made for other weights: elsewhere, or before they were pulled anew."""
        here = self.model.profile.checkpoint
        if self.plan.checkpoint != here:
            message = f"the plan is for the weights {self.plan.checkpoint or '(unknown)'}; here are {here}"
            raise WeightsError(message, reason="changed", hint="plan it again with the weights that are here")

    def _check(self, when: str) -> None:
        if self.stop.is_set():
            message = f"stopped {when}"
            raise Cancelled(message, reason="by_user")


def _demand(plan: GenerationPlan) -> Demand:
    return demand_of(
        plan.parameters,
        size=plan.fit.model_size,
        frames=plan.fit.model_frames,
        hints=len(plan.controls),
        words=max(plan.prompt, plan.negative_prompt, key=len),
    )


def sampling_of(plan: GenerationPlan) -> Sampling:
    """Read a plan's sampler settings; the planner has filled in the preset."""
    p: dict[str, Any] = dict(plan.parameters)
    threshold = float(p.get("step_cache", 0.0))
    return Sampling(
        steps=int(p["steps"]),
        guidance=Guidance(
            text=float(p["guidance"]) or 1.0,
            control=float(p["control_guidance"]) or 1.0,
            text_interval=_interval(p, "guidance"),
            control_interval=_interval(p, "control"),
        ),
        flow_shift=float(p["flow_shift"]),
        # A clip shorter than a chunk is one chunk of its own length: the rest would be made to be cut off.
        chunk_frames=min(int(p["chunk_frames"]) or plan.fit.model_frames, plan.fit.model_frames),
        conditional_frames=int(p["conditional_frames"]),
        short_last=bool(p["short_last"]),
        fps=plan.fit.model_fps,
        step_cache={"threshold": threshold} if threshold else None,
        save_every=int(p["save_every"]),
    )


def saves_root() -> Path:
    """Where states of generations under way lie: ``$WORLDGEN_STATES``, else the user's cache folder."""
    named = os.environ.get("WORLDGEN_STATES")
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "worldgen" / "states"


def _interval(parameters: dict[str, Any], name: str) -> Interval | None:
    low, high = float(parameters.get(f"{name}_from", 0.0)), float(parameters.get(f"{name}_to", 1000.0))
    return None if (low, high) == (0.0, 1000.0) else (low, high)


def _progress(event: StepDone, elapsed: float) -> Progress:
    done = event.chunk * event.steps + event.step
    steps = event.steps * event.chunks
    return Progress(
        stage="denoise",
        step=done,
        steps=steps,
        chunk=event.chunk,
        chunks=event.chunks,
        seconds_left=elapsed / done * (steps - done),
    )


def _finding(seam: Seam) -> Finding:
    passed = seam.ratio < SEAM_RATIO
    return Finding(
        check="generation.seam",
        passed=passed,
        value=round(seam.ratio, 3),
        threshold=SEAM_RATIO,
        severity="info",
        places=(Place(first_frame=seam.frame - 1, last_frame=seam.frame),),
        reason=(
            f"where a chunk ends, before frame {seam.frame}, the picture changes {seam.ratio:.1f} times "
            f"as much as between the frames around it ({seam.difference:.1f} against {seam.usual:.1f} levels)"
        ),
    )


def _rendered(request: Transfer, made: Made, placement: Placement) -> dict[str, float | str]:
    how = request.sampling
    told: dict[str, float | str] = {
        "steps": float(how.steps),
        "guidance": how.guidance.text,
        "control_guidance": how.guidance.control,
        "flow_shift": how.flow_shift,
        "step_cache": "off" if how.step_cache is None else f"sea {how.step_cache['threshold']:g}",
    }
    told |= {f"control_{c.kind}": c.weight for c in request.controls}
    if made.seams:
        told["worst_seam"] = max(seam.ratio for seam in made.seams)
    return told | placement.facts()


def _counters(made: Made) -> dict[str, int]:
    repeated = sum(count for name, count in made.counters.items() if name.endswith("_repeated"))
    return {**made.counters, "repeated_encodes": repeated}


def _writer(path: Path, clip: Clip, plan: GenerationPlan) -> VideoWriter:
    even = np.arange(len(clip)) / clip.fps
    is_even = bool(np.abs(clip.timestamps_seconds - even).max() < 1e-3)
    return VideoWriter(
        path,
        fps=clip.fps,
        has_times=not is_even,
        crf=int(plan.parameters.get("crf", 16)),
        preset=str(plan.parameters.get("preset", "veryfast")),
    )

"""Rollouts: a clip from text, from a first frame or first frames, or from the way the car drives.

The same loop and the same sharing as transfer, without controls, in one piece. Actions (forward dynamics,
domain `av`) are nine numbers a step: translation in metres and six of the rotation matrix, from one frame to
the next, in OpenCV's camera axes (z ahead). They are given and not predicted, so their tokens are made once.
Read from diffusers 0.42, modular_pipelines/cosmos and pipelines/cosmos/pipeline_cosmos3_omni.py.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from diffusers import Cosmos3OmniPipeline
from torch import Tensor

from worldgen.errors import ContractError
from worldgen.models.cosmos3.codec import frames_of, pixels_of
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.network import Grid, SharedNetwork
from worldgen.models.cosmos3.request import Decoded, Frames, Made, Sampling, StepDone
from worldgen.models.cosmos3.text import VIDEO_SYSTEM_PROMPT, token_ids, with_format
from worldgen.models.cosmos3.towers import Rotation, TextKeys
from worldgen.models.engine.chunks import latent_frames, legal_frames
from worldgen.models.engine.loop import Loop, State

AV_DOMAIN: Final = 1
"""Of `av` among the embodiments that the network knows."""
AV_WIDTH: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rollout:
    """A clip to be made without controls."""

    prompt: str
    negative: str = ""
    size: tuple[int, int]
    """Height and width; both multiples of the VAE's factor."""
    frames: int
    """4 k + 1."""
    sampling: Sampling = field(default_factory=Sampling)
    seed: int
    start: Frames | None = None
    """First frames, kept as they are: one (image to video) or 4 k + 1 (video to video); None: text alone."""
    actions: npt.NDArray[np.float32] | None = None
    """[frames - 1, 9]: how the camera moves from each frame to the next; needs one first frame."""
    has_system_prompt: bool = True

    def check(self, engine: Cosmos3Engine) -> None:
        """Refuse what cannot be made, before any compute.

        Raises:
            ContractError: `frames`, `size` or `needs`, naming what would fit.
        """
        codec = engine.codec
        if legal_frames(self.frames, codec.temporal) != self.frames:
            near = legal_frames(self.frames, codec.temporal)
            message = f"{self.frames} frames: a rollout has {codec.temporal} k + 1; the nearest is {near}"
            raise ContractError(message, reason="frames")
        if any(side % codec.spatial for side in self.size):
            message = f"{self.size[1]}x{self.size[0]} is no multiple of {codec.spatial}"
            raise ContractError(message, reason="size")
        if 0 < self.sampling.guidance.text < 1:
            message = f"guidance {self.sampling.guidance.text:g} is neither off (1) nor more than 1"
            raise ContractError(message, reason="parameters")
        if self.start is not None:
            self._check_start(self.start, codec.temporal)
        if self.actions is not None:
            self._check_actions(self.actions, engine)

    def _check_start(self, start: Frames, temporal: int) -> None:
        count = len(start)
        if start.shape[1:3] != self.size or count > self.frames or legal_frames(count, temporal) != count:
            message = (
                f"{count} first frames of {start.shape[2]}x{start.shape[1]}: 1 or {temporal} k + 1 frames of "
                f"{self.size[1]}x{self.size[0]} are wanted, at most {self.frames}"
            )
            raise ContractError(message, reason="frames")

    def _check_actions(self, actions: npt.NDArray[np.float32], engine: Cosmos3Engine) -> None:
        config = engine.network.network.config
        if not config.action_gen:
            message = "this checkpoint was not trained with actions"
            raise ContractError(message, reason="needs", hint="Cosmos3-Nano and -Super were")
        if actions.shape != (self.frames - 1, AV_WIDTH) or not np.isfinite(actions).all():
            message = f"actions {actions.shape}: wanted are ({self.frames - 1}, {AV_WIDTH}), all finite"
            raise ContractError(message, reason="frames")
        if self.start is None or len(self.start) != 1:
            message = "actions need exactly one first frame"
            raise ContractError(message, reason="needs")


def roll_out(
    engine: Cosmos3Engine, wanted: Rollout, stop: threading.Event
) -> Iterator[StepDone | Decoded | Made]:
    """Yield every step, the decoded clip, then the result.

    Raises:
        ContractError: The request does not fit.
        Cancelled: `stop` was set.
        GenerationError: `not_finite`, naming the step.
    """
    wanted.check(engine)
    before, seconds, how = engine.cache.counts.copy(), {}, wanted.sampling
    started = time.perf_counter()
    texts = {name: engine.text_keys(ids) for name, ids in _ids(engine, wanted).items()}
    seconds["text"] = time.perf_counter() - started
    started = time.perf_counter()
    given = _given(engine, wanted)
    seconds["encode"] = time.perf_counter() - started
    network = engine.network
    latents = _noise(engine, wanted)
    if given is not None:
        latents = torch.cat([given.to(latents), latents[:, :, given.shape[2] :]], dim=2)
    scheduler = engine.scheduler(how.flow_shift)
    scheduler.set_timesteps(how.steps, device=network.device)
    velocity = _Velocity(network, wanted, texts, latents, 0 if given is None else int(given.shape[2]))
    # Given frames are not put back after a step: their velocity is zero, and the stock pipeline trusts that.
    loop = Loop(
        scheduler=scheduler,
        velocity=velocity,
        pin=None,
        chunk=0,
        stop=stop,
        prepare=lambda step: engine.precision.step(step, how.steps),
    )
    running = loop.run(State(step=0, latents=latents))
    started = time.perf_counter()
    try:
        while True:
            try:
                done = next(running)
            except StopIteration as ended:
                latents = ended.value
                break
            yield StepDone(chunk=0, chunks=1, step=done.step, steps=how.steps)
    finally:
        engine.precision.reset()
    seconds["denoise"] = time.perf_counter() - started
    started = time.perf_counter()
    pixels = engine.codec.decode(latents)
    frames = frames_of(pixels)
    seconds["decode"] = time.perf_counter() - started
    yield Decoded(chunk=0, pixels=pixels)
    counters = {**engine.cache.since(before), "forwards": velocity.forwards}
    yield Made(frames=frames, seconds=seconds, counters=counters)


class _Velocity:
    """The forwards of a rollout: with the prompt, and with the negative one if guidance asks for it."""

    def __init__(
        self,
        network: SharedNetwork,
        wanted: Rollout,
        texts: dict[str, TextKeys],
        latents: Tensor,
        conditioned: int,
    ) -> None:
        self.forwards = 0
        self._network = network
        self._texts = texts
        self._conditioned = conditioned
        self._scale = wanted.sampling.guidance.text
        self._grid: Grid = network.grid_of(latents)
        self._per_frame = self._grid[1] * self._grid[2]
        fps = wanted.sampling.fps
        with torch.inference_mode():
            self._actions = (
                None if wanted.actions is None else network.action_tokens(wanted.actions, AV_DOMAIN)
            )
            self._turns = {name: self._turn(text.length, fps) for name, text in texts.items()}

    def _turn(self, text_length: int, fps: float) -> Rotation:
        turn = self._network.rotation(text_length, self._grid, fps)
        if self._actions is None:
            return turn
        other = self._network.action_rotation(text_length, len(self._actions), fps)
        return Rotation(torch.cat([turn.cos, other.cos]), torch.cat([turn.sin, other.sin]))

    def __call__(self, latents: Tensor, step: int, timestep: Tensor) -> Tensor:
        del step
        given = self._conditioned * self._per_frame
        target = self._network.tokens_of(latents)
        target[given:] += self._network.embed_time(timestep)
        tokens = target if self._actions is None else torch.cat([target, self._actions])
        made = {name: self._predict(name, tokens, latents, len(target)).float() for name in self._texts}
        if "negative" not in made:
            return made["prompt"]
        return made["negative"] + self._scale * (made["prompt"] - made["negative"])

    def _predict(self, name: str, tokens: Tensor, latents: Tensor, end: int) -> Tensor:
        self.forwards += 1
        return self._network.predict(
            tokens,
            self._texts[name],
            self._turns[name],
            wanted=slice(self._conditioned * self._per_frame, end),
            latents=latents,
            conditioned=self._conditioned,
        )


def _ids(engine: Cosmos3Engine, wanted: Rollout) -> dict[str, tuple[int, ...]]:
    height, width = wanted.size
    fps = wanted.sampling.fps
    if wanted.actions is None:
        prompt = with_format(wanted.prompt, wanted.frames, fps, height, width)
        negative = with_format(wanted.negative, wanted.frames, fps, height, width, negated=True)
    else:
        prompt = Cosmos3OmniPipeline._build_action_json_prompt(
            wanted.prompt,
            view_point="ego_view",
            num_frames=wanted.frames,
            fps=fps,
            height=height,
            width=width,
        )
        negative = wanted.negative
    system = VIDEO_SYSTEM_PROMPT if wanted.has_system_prompt else None
    ids = {"prompt": token_ids(engine.parts.tokenizer, prompt, system)}
    if wanted.sampling.guidance.text > 1.0:
        ids["negative"] = token_ids(engine.parts.tokenizer, negative, system)
    return ids


def _given(engine: Cosmos3Engine, wanted: Rollout) -> Tensor | None:
    """Encode the first frames alone: the VAE is causal, what follows would not change their latents."""
    if wanted.start is None:
        return None
    codec = engine.codec
    return codec.encode_pixels(pixels_of(wanted.start, codec.vae.dtype, codec.device))


def _noise(engine: Cosmos3Engine, wanted: Rollout) -> Tensor:
    codec = engine.codec
    height, width = (side // codec.spatial for side in wanted.size)
    shape = (1, codec.channels, latent_frames(wanted.frames, codec.temporal), height, width)
    random = torch.Generator("cpu").manual_seed(wanted.seed)
    return torch.randn(shape, generator=random, dtype=torch.float32).to(engine.network.device)

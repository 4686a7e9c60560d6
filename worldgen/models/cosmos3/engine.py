"""Cosmos 3 transfer: our loop over chunks and steps, with diffusers' result where nothing more is asked.

Read from diffusers 0.42, modular_pipelines/cosmos (encoders, before_denoise, denoise, decoders). What differs
is what is not computed: the blank target is not encoded (its latents are multiplied by 0), a later chunk's
start is encoded without the frames after it (the VAE is causal), and see `worldgen.models.cosmos3.network`.
"""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from diffusers import UniPCMultistepScheduler
from torch import Tensor

from worldgen.errors import Cancelled
from worldgen.models.cosmos3.branches import CachedBranches, SharedBranches, Sides
from worldgen.models.cosmos3.caching import forget_steps, step_cache
from worldgen.models.cosmos3.codec import Codec, frames_of, pixels_of
from worldgen.models.cosmos3.emphasis import token_weights
from worldgen.models.cosmos3.fp8 import MixedPrecision
from worldgen.models.cosmos3.load import Parts
from worldgen.models.cosmos3.network import Grid, SharedNetwork
from worldgen.models.cosmos3.request import Control, Decoded, Made, StepDone, Transfer
from worldgen.models.cosmos3.text import TRANSFER_SYSTEM_PROMPT, token_ids
from worldgen.models.cosmos3.towers import Rotation, TextKeys
from worldgen.models.engine.cache import SharedCache
from worldgen.models.engine.chunks import Chunk, latent_frames
from worldgen.models.engine.loop import Loop, State
from worldgen.models.engine.resume import NoSaves, Saves
from worldgen.models.engine.seams import measure_seams


class Cosmos3Engine:
    """A loaded Cosmos 3 that makes clips.

    Args:
        parts: See `worldgen.models.cosmos3.load.load`.
        cache_bytes: Bound of what is shared between requests; 0 shares nothing between them.
        attention: A backend of diffusers' dispatch; None: its active one.
        shares: Off: nothing is kept between steps, branches or requests, and the network's own forward is
            called, as the stock pipeline does; to compare with.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        cache_bytes: int = 2 << 30,
        attention: str | None = None,
        shares: bool = True,
    ) -> None:
        self.parts = parts
        self.cache = SharedCache(cache_bytes if shares else 0)
        self._shares = shares
        self.network = SharedNetwork(
            parts.network, temporal=int(parts.vae.config.scale_factor_temporal), attention=attention
        )
        self.codec = Codec(parts.vae, self.network.dtype)
        self.precision = MixedPrecision(parts.network)

    def transfer(
        self, request: Transfer, stop: threading.Event, saves: Saves | None = None
    ) -> Iterator[StepDone | Decoded | Made]:
        """Yield every step of every chunk, each chunk as it is decoded, then the clip.

        Args:
            request: What to make.
            stop: Looked at after every step.
            saves: Where states are kept, if `save_every` asks for them; one that is there is gone on from.

        Raises:
            ContractError: The request does not fit.
            Cancelled: `stop` was set.
            GenerationError: `not_finite`, naming step and chunk.
        """
        request.check(self.codec.spatial)
        with step_cache(self.parts.network, request.sampling.step_cache):
            try:
                yield from _Run(self, request, stop, saves or NoSaves()).events()
            finally:
                self.precision.reset()

    def scheduler(self, flow_shift: float) -> UniPCMultistepScheduler:
        """Make the checkpoint's scheduler anew, with a flow shift; it keeps state between steps."""
        return UniPCMultistepScheduler.from_config(
            self.parts.scheduler_config, flow_shift=flow_shift, use_karras_sigmas=False
        )

    def text_keys(self, ids: tuple[int, ...]) -> TextKeys:
        """Read a tokenised prompt, once."""
        return self.cache.get("text", (self.parts.identity, ids), lambda: self._read_text(ids))

    def branches(
        self,
        sides: Sides,
        ids: dict[str, tuple[int, ...]],
        texts: dict[str, TextKeys],
        scheduler: UniPCMultistepScheduler,
        is_cached: bool,
    ) -> SharedBranches | CachedBranches:
        """Prepare the forwards of one chunk."""
        grid = self.network.grid_of(sides.controls[0])
        if is_cached or not self._shares:
            return CachedBranches(
                self.network,
                sides,
                ids=ids,
                positions={name: self.network.positions(len(i), grid, sides.fps) for name, i in ids.items()},
                grid=grid,
                scheduler=scheduler,
            )
        return SharedBranches(
            self.network,
            sides,
            texts=texts,
            rotations={name: self._rotation(len(i), grid, sides.fps) for name, i in ids.items()},
            grid=grid,
            timesteps=scheduler.timesteps.tolist(),
        )

    def _rotation(self, length: int, grid: Grid, fps: float) -> Rotation:
        def make() -> Rotation:
            with torch.inference_mode():
                return self.network.rotation(length, grid, fps)

        return self.cache.get("rotation", (self.parts.identity, length, grid, fps), make)

    @torch.inference_mode()
    def _read_text(self, ids: tuple[int, ...]) -> TextKeys:
        with self.precision.reading():
            return self.network.read_text(ids)


class _Run:
    """One request under way."""

    def __init__(self, engine: Cosmos3Engine, request: Transfer, stop: threading.Event, saves: Saves) -> None:
        self._engine = engine
        self._request = request
        self._stop = stop
        self._saves = saves
        self._chunks = request.chunks(engine.codec.temporal)
        self._controls = request.active()
        self._seconds = dict.fromkeys(("text", "encode", "denoise", "decode"), 0.0)
        self._forwards = 0
        # On the host: the noise of a seed is the same on every machine.
        self._random = torch.Generator("cpu").manual_seed(request.seed)

    def events(self) -> Iterator[StepDone | Decoded | Made]:
        before = self._engine.cache.counts.copy()
        saved = self._saves.read()
        pieces = list(saved.pieces) if saved else []
        tail = saved.tail if saved else None
        if saved:
            self._random.set_state(saved.random)
        with self._timed("text"):
            ids = self._ids()
            texts = {name: self._engine.text_keys(tokens) for name, tokens in ids.items()}
        for chunk in self._chunks[len(pieces) :]:
            self._check()
            forget_steps(self._engine.parts.network)
            resumed = saved.state if saved and chunk.index == len(saved.pieces) else None
            latents = yield from self._denoise(chunk, ids, texts, tail, resumed)
            self._check()
            with self._timed("decode"):
                pixels = self._engine.codec.decode(latents)
                fresh = pixels[:, :, chunk.conditional :]
                pieces.append(frames_of(fresh))
            yield Decoded(chunk=chunk.index, pixels=fresh)
            taken = self._request.sampling.conditional_frames
            tail = pixels[:, :, -taken:].clone() if taken else None
            del pixels, fresh, latents
            if self._is_saving and chunk is not self._chunks[-1]:
                self._saves.keep_chunk(chunk.index, pieces[-1], tail, self._random.get_state())
        self._saves.clear()
        frames = np.concatenate(pieces)[: self._request.total]
        yield Made(
            frames=frames,
            seams=measure_seams(frames, tuple(c.start + c.conditional for c in self._chunks[1:])),
            seconds=self._seconds,
            counters={**self._engine.cache.since(before), "forwards": self._forwards},
        )

    def _denoise(
        self,
        chunk: Chunk,
        ids: dict[str, tuple[int, ...]],
        texts: dict[str, TextKeys],
        tail: Tensor | None,
        resumed: State | None,
    ) -> Generator[StepDone, None, Tensor]:
        how = self._request.sampling
        with self._timed("encode"):
            controls = tuple(self._encoded(control, chunk) for control in self._controls)
            given = self._given(chunk, tail)
        shape = tuple(controls[0].shape)
        conditioned = 0 if given is None else int(given.shape[2])
        with self._timed("denoise"):
            if resumed is None:
                noise = torch.randn(shape, generator=self._random, dtype=torch.float32)
                latents = noise.to(self._engine.network.device)
                state = State(step=0, latents=_pinned(latents, given))
            else:
                state = _moved(resumed, self._engine.network.device)
            scheduler = self._engine.scheduler(how.flow_shift)
            scheduler.set_timesteps(how.steps, device=self._engine.network.device)
            sides = Sides(
                controls=controls,
                weights=tuple(self._weight(control, chunk, controls[0]) for control in self._controls),
                conditioned=conditioned,
                guidance=how.guidance,
                fps=how.fps,
            )
            branches = self._engine.branches(sides, ids, texts, scheduler, how.step_cache is not None)
        loop = Loop(
            scheduler=scheduler,
            velocity=branches,
            prepare=lambda step: self._engine.precision.step(step, how.steps),
            pin=None if given is None else lambda latents: _pinned(latents, given),
            chunk=chunk.index,
            stop=self._stop,
        )
        latents = yield from self._steps(loop, state, chunk)
        self._forwards += branches.forwards
        return latents

    def _steps(self, loop: Loop, state: State, chunk: Chunk) -> Generator[StepDone, None, Tensor]:
        """Run the loop; only its own time counts, not what the reader does between steps."""
        how = self._request.sampling
        running = loop.run(state)
        while True:
            try:
                with self._timed("denoise"):
                    done = next(running)
            except StopIteration as ended:
                return ended.value  # type: ignore[no-any-return]  # what `run` returns
            if self._is_saving and done.step % how.save_every == 0 and done.step < how.steps:
                self._saves.keep_step(chunk.index, done, self._random.get_state())
            yield StepDone(chunk=chunk.index, chunks=len(self._chunks), step=done.step, steps=how.steps)

    def _ids(self) -> dict[str, tuple[int, ...]]:
        request, tokenizer = self._request, self._engine.parts.tokenizer
        system = TRANSFER_SYSTEM_PROMPT if request.has_system_prompt else None
        ids = {"prompt": token_ids(tokenizer, request.prompt, system)}
        if request.sampling.guidance.text > 1.0:
            ids["negative"] = token_ids(tokenizer, request.negative, system)
        return ids

    def _encoded(self, control: Control, chunk: Chunk) -> Tensor:
        codec, cache = self._engine.codec, self._engine.cache
        height, width = self._request.size
        window = (chunk.start, chunk.end, chunk.frames)
        key = (self._engine.parts.identity, control.digest, height, width, window)
        return cache.get("control", key, lambda: codec.encode(control.frames, chunk.sources()))

    def _given(self, chunk: Chunk, tail: Tensor | None) -> Tensor | None:
        """Encode the frames that the chunk starts with; None: it starts from noise alone."""
        codec = self._engine.codec
        if chunk.index:
            pixels = tail
        elif self._request.start is not None:
            count = min(len(self._request.start), chunk.frames)
            pixels = pixels_of(self._request.start[:count], codec.vae.dtype, codec.device)
        else:
            return None
        count = 0 if pixels is None else int(pixels.shape[2])
        if pixels is None or not count:
            return None
        # The VAE is causal: what comes after these frames would not change their latents.
        whole = codec.temporal * (latent_frames(count, codec.temporal) - 1) + 1
        return codec.encode_pixels(pixels[:, :, :whole].to(codec.vae.dtype))

    def _weight(self, control: Control, chunk: Chunk, latents: Tensor) -> Tensor | float:
        if control.mask is None:
            return float(control.weight)
        window = control.mask[chunk.sources()]
        grid = self._engine.network.grid_of(latents)
        return token_weights(window, control.weight, grid, temporal=self._engine.codec.temporal)

    @property
    def _is_saving(self) -> bool:
        return self._request.sampling.save_every > 0

    def _check(self) -> None:
        if self._stop.is_set():
            message = "stopped between two chunks"
            raise Cancelled(message, reason="by_user")

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] += time.perf_counter() - started


def _pinned(latents: Tensor, given: Tensor | None) -> Tensor:
    """Put the given frames back, exactly."""
    if given is None:
        return latents
    return torch.cat([given.to(latents), latents[:, :, given.shape[2] :]], dim=2)


def _moved(state: State, device: torch.device) -> State:
    """Bring a saved state back to the device."""
    memory = {
        name: [v.to(device) if isinstance(v, Tensor) else v for v in value]
        if isinstance(value, list)
        else value.to(device)
        if isinstance(value, Tensor)
        else value
        for name, value in state.scheduler.items()
    }
    return State(step=state.step, latents=state.latents.to(device), scheduler=memory)

"""The training loop: steps, a log, saved states. A run that stopped goes on as if it never had.

Everything random in a step comes from (seed, step), so that a resumed run is the uninterrupted one, bit for
bit on a CPU. States are safetensors; nothing is pickled.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from checkpoints.descent import Descent
from checkpoints.recipe import Steps
from worldgen.errors import ConfigError, GenerationError

Numbers = dict[str, float]


class Task(Protocol):
    """What is learnt."""

    name: str
    steps: Steps

    @property
    def network(self) -> nn.Module:
        """What learns."""
        ...

    def loss(self, chance: "Chance") -> tuple[Tensor, Numbers]:
        """Return one step's loss and its parts; all that is random comes from `chance`."""
        ...

    def examine(self) -> Numbers:
        """Measure on scenes that are not learnt."""
        ...

    def show(self, path: Path) -> None:
        """Draw what the network makes of held-out scenes."""
        ...

    def is_matrix(self, name: str, parameter: nn.Parameter) -> bool:
        """Whether Muon is for a parameter of two dimensions or more."""
        ...


@dataclass(frozen=True, slots=True)
class Chance:
    """The random numbers of one step."""

    numbers: np.random.Generator
    noise: torch.Generator
    """On the host, so that every machine sees the same noise."""

    @classmethod
    def of(cls, seed: int, step: int) -> "Chance":
        """Seed both from a run's seed and the step."""
        numbers = np.random.default_rng([seed, step])
        return cls(numbers, torch.Generator().manual_seed(int(numbers.integers(2**62))))

    def normal(self, like: Tensor) -> Tensor:
        """Draw standard normal noise of a tensor's shape, on its device."""
        return torch.randn(like.shape, generator=self.noise).to(like.device, like.dtype)


def train(
    task: Task,
    folder: Path,
    *,
    seed: int,
    minutes: float | None = None,
    told: Callable[[Numbers], None] | None = None,
) -> bool:
    """Learn until the steps are done or the time is up.

    Args:
        task: What.
        folder: Where state, log and samples are; a state that is there is gone on from.
        seed: Of everything random.
        minutes: Stop after this long, saved; None: only at the end.
        told: Hears every line of the log.

    Returns:
        Whether all steps are done.

    Raises:
        GenerationError: `not_finite`: the loss was, at this step.
        ConfigError: The state is of another network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    how = task.steps
    descent = Descent(
        task.network.named_parameters(),
        is_matrix=task.is_matrix,
        matrix_rate=how.matrix_rate,
        other_rate=how.other_rate,
        weight_decay=how.weight_decay,
    )
    first, before = _restore(folder, task, descent)
    log = Log(folder / "log.jsonl", first, told)
    started = last = time.perf_counter()
    since = first
    for step in range(first, how.steps):
        task.network.train()
        numbers = _step(task, descent, step, seed)
        done = step + 1
        is_late = minutes is not None and time.perf_counter() - started > 60 * minutes
        if done % how.log_every == 0 or done == how.steps:
            now = time.perf_counter()
            log.write({"step": done, **numbers, "seconds_per_step": (now - last) / (done - since)})
            last, since = now, done
        if done % how.examine_every == 0 or done == how.steps:
            task.network.eval()
            with torch.no_grad(), _cast(task):
                log.write({"step": done, **{f"held_out_{k}": v for k, v in task.examine().items()}})
                task.show(folder / f"sample-{done:06d}.png")
            last, since = time.perf_counter(), done
        if done % how.save_every == 0 or done == how.steps or is_late:
            spent = before + time.perf_counter() - started
            _save(folder, task, descent, done, spent)
        if is_late and done < how.steps:
            return False
    return True


def _step(task: Task, descent: Descent, step: int, seed: int) -> Numbers:
    how = task.steps
    descent.zero()
    with _cast(task):
        loss, parts = task.loss(Chance.of(seed, step))
    if not bool(torch.isfinite(loss)):
        message = f"the loss of {task.name} is not finite at step {step + 1}"
        raise GenerationError(message, reason="not_finite", hint="lower the rates, or switch autocast off")
    loss.backward()  # type: ignore[no-untyped-call]  # of torch
    norm = descent.clip(how.clip)
    rate = rate_at(step, how)
    descent.step(rate)
    return {"loss": float(loss.detach()), **parts, "gradient": norm, "rate": rate}


def _cast(task: Task) -> AbstractContextManager[object]:
    device = next(task.network.parameters()).device
    return torch.autocast(device.type, torch.bfloat16, enabled=task.steps.autocast == "bfloat16")


def rate_at(step: int, how: Steps) -> float:
    """Scale the rates at a step: a linear rise, a plateau, a cosine fall to a twentieth."""
    if step < how.warmup:
        return (step + 1) / (how.warmup + 1)
    falling = how.steps * how.decay
    begun = how.steps - falling
    if step < begun or falling < 1:
        return 1.0
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - begun) / falling)))


class Log:
    """JSON lines. Lines of steps that a killed run had not saved are taken out."""

    def __init__(self, path: Path, first: int, told: Callable[[Numbers], None] | None) -> None:
        self._path = path
        self._told = told
        if path.is_file():
            kept = [line for line in read_log(path) if line["step"] <= first]
            path.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def write(self, numbers: Numbers) -> None:
        """Append one line."""
        line = {k: v if isinstance(v, int) else float(f"{v:.6g}") for k, v in numbers.items()}
        with self._path.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        if self._told is not None:
            self._told(line)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a log; a torn last line is left out."""
    return list(_lines(path))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


STATE = "state.safetensors"


def _save(folder: Path, task: Task, descent: Descent, step: int, seconds: float) -> None:
    tensors = {f"network.{k}": v for k, v in task.network.state_dict().items()}
    tensors |= {f"descent.{k}": v for k, v in descent.state().items()}
    # A copy each: safetensors refuses tensors that share memory.
    held = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}
    partly = folder / f".{STATE}.partly"
    save_file(held, partly, metadata={"task": task.name, "step": str(step), "seconds": f"{seconds:.1f}"})
    partly.replace(folder / STATE)


def _restore(folder: Path, task: Task, descent: Descent) -> tuple[int, float]:
    """Put the saved state back; return the steps done and the seconds they took."""
    path = folder / STATE
    if not path.is_file():
        return 0, 0.0
    held, facts = read_state(path)
    load_into(task.network, held, path)
    descent.restore({k.removeprefix("descent."): v for k, v in held.items() if k.startswith("descent.")})
    return int(facts["step"]), float(facts["seconds"])


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a state's tensors and facts (task, step, seconds)."""
    with safe_open(path, framework="pt") as stream:
        return {name: stream.get_tensor(name) for name in stream.keys()}, dict(stream.metadata())  # noqa: SIM118 -- not a dict


def load_into(network: nn.Module, held: dict[str, Tensor], path: Path) -> None:
    """Load the network's part of a state.

    Raises:
        ConfigError: It is of another network.
    """
    weights = {k.removeprefix("network."): v for k, v in held.items() if k.startswith("network.")}
    try:
        network.load_state_dict(weights)
    except RuntimeError as exc:
        message = f"{path} is the state of another network: {exc}"
        raise ConfigError(message, reason="invalid", hint="train in another folder") from exc

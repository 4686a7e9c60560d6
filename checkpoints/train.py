"""Make the small model: `python -m checkpoints.train all --recipe checkpoints/small16.yaml --run runs/small`.

Stages, in order: data, outer, inner, coder, tokenizer, latents, flow, probe, decoder, export, evaluate. Each
goes on where it stopped, so the same command may be given again after a kill, or with `--minutes` in several
sittings.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import torch
import yaml

from checkpoints.coder import make_coder
from checkpoints.coder_training import CoderTask, DecoderTask
from checkpoints.export import bytes_of, export, model_settings
from checkpoints.figures import curves
from checkpoints.flow import make_flow
from checkpoints.flow_training import FlowTask
from checkpoints.latents import Latents, encode_all
from checkpoints.levels import InnerTask, Levels, OuterTask
from checkpoints.loop import STATE, Numbers, Task, load_into, read_log, read_state, train
from checkpoints.probe import ProbeTask
from checkpoints.recipe import Recipe, read_recipe
from checkpoints.shards import Shards, held_out_seeds, make_shards, train_seeds
from checkpoints.words import train_tokenizer
from worldgen.errors import ConfigError, WorldgenError

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan


AIM_DB = 26.0


class Run:
    """One run folder, and its stages.

    Args:
        folder: Everything goes there.
        recipe: What is made.
        device: Where networks learn.
        workers: Processes that render.
        minutes: Bound of one training stage; None: until its steps are done.
        cache_bytes: Of rendered pictures kept in memory.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        *,
        device: torch.device,
        workers: int = 1,
        minutes: float | None = None,
        cache_bytes: int = 3 << 30,
    ) -> None:
        self.folder = folder
        self.recipe = recipe
        self.device = device
        self._workers = workers
        self._minutes = minutes
        self._cache_bytes = cache_bytes
        self.is_paused = False
        """Whether a stage ran out of time: what comes after it would build on something unfinished."""

    @property
    def stages(self) -> dict[str, Callable[[], None]]:
        """By name, in order."""
        return {
            "data": self.data,
            "outer": self.outer,
            "inner": self.inner,
            "coder": self.coder,
            "tokenizer": self.tokenizer,
            "latents": self.latents,
            "flow": self.flow,
            "probe": self.probe,
            "decoder": self.decoder,
            "export": self.export,
            "evaluate": self.evaluate,
        }

    def data(self) -> None:
        """Render all scenes."""
        seeds = [*held_out_seeds(self.recipe.data), *train_seeds(self.recipe.data)]
        started = time.perf_counter()
        for count, seed in enumerate(
            make_shards(self.folder / "data", self.recipe, seeds, workers=self._workers), 1
        ):
            say(f"scene {seed} rendered, {count} in {time.perf_counter() - started:.0f} s")

    def outer(self) -> None:
        """Teach the outer level of the VAE, if the recipe says so."""
        if self.recipe.coder.outer is None:
            say("outer: not in this recipe")
            return
        self._train(OuterTask(self.recipe, self.shards(), self.held_out(), self.device))

    def inner(self) -> None:
        """Teach the inner level of the VAE, if the recipe says so."""
        if self.recipe.coder.inner is None:
            say("inner: not in this recipe")
            return
        levels = self._levels("outer")
        self._train(InnerTask(self.recipe, self.shards(), self.held_out(), self.device, levels))

    def coder(self) -> None:
        """Teach the VAE."""
        begun = None if self.recipe.coder.inner is None else self._levels("inner").vae
        self._train(CoderTask(self.recipe, self.shards(), self.held_out(), self.device, begun))

    def tokenizer(self) -> None:
        """Make the tokenizer."""
        captions = (caption for take in self.shards().takes for caption in take.captions)
        train_tokenizer(captions, self.recipe.flow.vocabulary).save_pretrained(self.folder / "tokenizer")

    def latents(self) -> None:
        """Encode all scenes with the finished VAE."""
        vae = self.finished_coder()
        log = read_log(self.folder / "coder" / "log.jsonl")
        examined = [line for line in log if "held_out_psnr_clear" in line]
        if examined:  # The transformer can be no better than this.
            reached = examined[-1]["held_out_psnr_clear"]
            say(f"the VAE gives clear clips back at {reached:.1f} dB; the aim is {AIM_DB:g}")
        identity = sha256_of(self.folder / "coder" / STATE)
        started = time.perf_counter()
        for shards in (self.held_out(), self.shards()):
            for seed in encode_all(
                self.folder / "latents", vae, shards, identity=identity, device=self.device
            ):
                say(f"scene {seed} encoded, {time.perf_counter() - started:.0f} s")

    def flow(self) -> None:
        """Teach the transformer."""
        shards, held_out = self.shards(), self.held_out()
        latents = Latents(self.folder / "latents", (*shards.seeds, *held_out.seeds))
        statistics = Latents(self.folder / "latents", shards.seeds).statistics()
        task = FlowTask(
            self.recipe,
            shards,
            held_out,
            latents,
            statistics,
            self.finished_tokenizer(),
            self.finished_coder(),
            self.device,
        )
        self._train(task)

    def probe(self) -> None:
        """Teach the probe."""
        self._train(ProbeTask(self.recipe, self.shards(), self.held_out(), self.device))

    def decoder(self) -> None:
        """Teach the decoder on, if the recipe says so; latents stay as they are."""
        if self.recipe.coder.finishing is None:
            say("decoder: not in this recipe")
            return
        vae = self._coder("coder")
        self._train(DecoderTask(self.recipe, self.shards(), self.held_out(), self.device, vae))

    def export(self) -> None:
        """Write the model in the production layout."""
        flow = make_flow(self.recipe.flow, self.recipe.coder)
        held, facts = read_state(self._state("flow"))
        load_into(flow, held, self._state("flow"))
        facts_of = {"coder": read_state(self._state("coder"))[1], "flow": facts}
        if self._is_finished:
            facts_of["decoder"] = read_state(self._state("decoder"))[1]
        seeds = tuple(train_seeds(self.recipe.data))
        folder = export(
            self.folder / "model",
            self.recipe,
            vae=self.finished_coder(),
            flow=flow,
            tokenizer=self.finished_tokenizer(),
            statistics=Latents(self.folder / "latents", seeds).statistics(),
            facts={**facts_of, "torch": torch.__version__},
        )
        path = self.folder / "cosmos3-embedded.yaml"
        path.write_text(yaml.safe_dump(model_settings(self.recipe), sort_keys=False))
        say(f"{folder} holds {bytes_of(folder) / 2**20:.1f} MiB")

    def evaluate(self) -> None:
        """Measure the exported model on the held-out scenes."""
        from checkpoints.evaluate import evaluate

        report = evaluate(self)
        (self.folder / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n")
        say(json.dumps(report["figures"], indent=1))

    def shards(self) -> Shards:
        """Return the training scenes; a GPU would wait for files, so it finds them in memory."""
        seeds = train_seeds(self.recipe.data)
        shards = Shards(self.folder / "data", seeds, cache_bytes=self._cache_bytes)
        if self.device.type == "cuda":
            say(f"{shards.preload(self._workers) / 2**30:.1f} GiB of pictures in memory")
        return shards

    def held_out(self) -> Shards:
        """Return the held-out scenes."""
        return Shards(self.folder / "data", held_out_seeds(self.recipe.data), cache_bytes=1 << 30)

    def finished_coder(self) -> "AutoencoderKLWan":
        """Load the VAE as it will ship: in bfloat16."""
        vae = self._coder("decoder" if self._is_finished else "coder")
        torch.nn.Module.to(vae, self.device, torch.bfloat16)
        return vae.eval().requires_grad_(requires_grad=False)

    @property
    def _is_finished(self) -> bool:
        """Whether the decoder was taught on by itself."""
        return self.recipe.coder.finishing is not None and (self.folder / "decoder" / STATE).is_file()

    def _coder(self, stage: str) -> "AutoencoderKLWan":
        vae = make_coder(self.recipe.coder)
        path = self._state(stage)
        load_into(vae, read_state(path)[0], path)
        return vae

    def _levels(self, stage: str) -> Levels:
        levels = Levels(make_coder(self.recipe.coder))
        path = self._state(stage)
        load_into(levels, read_state(path)[0], path)
        return levels

    def finished_tokenizer(self) -> Any:  # noqa: ANN401 -- of transformers
        """Load the tokenizer."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(str(self.folder / "tokenizer"), local_files_only=True)

    def _state(self, stage: str) -> Path:
        path = self.folder / stage / STATE
        if not path.is_file():
            message = f"there is no {path}"
            raise ConfigError(message, reason="not_found", hint=f"run the {stage} stage first")
        return path

    def _train(self, task: Task) -> None:
        folder = self.folder / task.name
        is_done = train(task, folder, seed=self.recipe.seed, minutes=self._minutes, told=_tell(task.name))
        curves(folder / "log.jsonl", folder / "curves.png")
        self.is_paused = not is_done
        say(f"{task.name}: {'all steps are done' if is_done else 'the time is up; give the command again'}")


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _tell(name: str) -> Callable[[Numbers], None]:
    def tell(line: Numbers) -> None:
        say(name + " " + " ".join(f"{k}={v:.4g}" for k, v in line.items()))

    return tell


def say(line: str) -> None:
    """Print at once, for whoever reads a log."""
    print(time.strftime("%H:%M:%S"), line, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Run stages."""
    parser = argparse.ArgumentParser(prog="checkpoints.train", description=__doc__)
    parser.add_argument("stages", nargs="+", help="data, coder, .. evaluate, or all")
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--threads", type=int, default=None, help="of torch")
    parser.add_argument("--minutes", type=float, default=None, help="bound of each training stage")
    parser.add_argument("--cache-gib", type=float, default=3.0, help="of rendered pictures kept in memory")
    options = parser.parse_args(argv)
    cv2.setNumThreads(1)
    if options.threads:
        torch.set_num_threads(options.threads)
    name = options.device
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
    try:
        run = Run(
            options.run,
            read_recipe(options.recipe),
            device=device,
            workers=options.workers,
            minutes=options.minutes,
            cache_bytes=int(options.cache_gib * 2**30),
        )
        asked = list(run.stages) if options.stages == ["all"] else options.stages
        unknown = [stage for stage in asked if stage not in run.stages]
        if unknown:
            parser.error(f"no stage {', '.join(unknown)}; there are: {', '.join(run.stages)}")
        for stage in asked:
            run.stages[stage]()
            if run.is_paused:
                break
    except WorldgenError as exc:
        print(f"{exc.message}\n{exc.hint or ''}".strip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

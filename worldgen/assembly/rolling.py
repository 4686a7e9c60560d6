"""Rollouts: a clip from a first frame and the way the car drives, from first frames, or from words."""

import json
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from worldgen import __version__
from worldgen.assembly.augmenting import Options, source_of
from worldgen.assembly.trajectory import read_trajectory
from worldgen.datatypes import ModelProfile, Progress, Source, Spec, digest
from worldgen.errors import ContractError, OutputError, disk_errors
from worldgen.media.encode import write_video
from worldgen.media.scratch import Scratch
from worldgen.media.video import sha256_of
from worldgen.models.build import build_rollout_model, rollout_profile
from worldgen.models.guardrail import build_guardrail
from worldgen.models.guardrail.looks import Frames, Looks
from worldgen.planning import fit_to
from worldgen.prompts import check_caption, negative_prompt_for
from worldgen.sources.open import read_source_clip

NOT_JUDGED: Final = "not judged: a rollout shows what no camera saw, so there is no source to compare it with"
DEFAULT_PROMPT: Final = "You are an autonomous vehicle planning system."
"""The vendor's, for actions."""
Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutOptions:
    """What a rollout may be told beside its source."""

    model: str = "cosmos3-nano"
    parameters: dict[str, float | int | str | bool] = field(default_factory=dict)
    actions: Path | None = None
    """A trajectory; None: no actions."""
    prompt: str = ""
    """Empty: the clip's caption; for actions the vendor's sentence."""
    frames: int = 0
    """4 k + 1; 0: as many as the actions lead through, else 61."""
    start: int = 1
    """First frames that are kept from the source: 1, or 4 k + 1."""
    seed: int = 0
    camera: str | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledOut:
    """A rollout on disk."""

    id: str
    folder: Path
    facts: dict[str, Any]
    """Its provenance, as rollout.json holds it."""
    reused: bool
    """Whether it was there already."""


def _ignore(progress: Progress) -> None:
    del progress


def rollout(
    path: str | Path | None,
    *,
    out: str | Path,
    options: RolloutOptions | None = None,
    tell: Tell = _ignore,
    stop: threading.Event | None = None,
) -> RolledOut:
    """Make one rollout, with its provenance; the same request made before is not made again.

    What a guardrail refuses leaves its provenance without a clip: `facts["blocked"]` says why.

    Args:
        path: A video file, a folder of images or a recording; None: words alone.
        out: Folder of results; the clip is `<out>/rollouts/<id>/rollout.mp4`.
        options: See `RolloutOptions`.
        tell: Called after every step.
        stop: Set it to cancel; nothing is left then.

    Raises:
        BadInput: Source, actions, size, frames or weights; nothing was written.
        GenerationError: The model failed; nothing was written.
        Cancelled: `stop` was set.
    """
    options = options or RolloutOptions()
    out = Path(out)
    if out.exists() and not out.is_dir():
        message = f"{out} is a file; results need a folder"
        raise OutputError(message, reason="not_a_folder")
    profile = rollout_profile(options.model, options.parameters)
    from worldgen.models.cosmos3.rolling import Drive, Rolled, check_rollout, make_rollout

    actions = None if options.actions is None else read_trajectory(options.actions)
    frames = options.frames or (61 if actions is None else len(actions) + 1)
    check_rollout(profile.parameters, frames)
    if actions is not None and len(actions) < frames - 1:
        message = f"{frames} frames need {frames - 1} steps; {options.actions} has {len(actions)}"
        raise ContractError(message, reason="frames", hint=f"--frames {len(actions) // 4 * 4 + 1}")
    source = None if path is None else source_of(path, Options(camera=options.camera, fps=options.fps))
    _check_source(source, options, frames)
    drive = Drive(
        prompt=_prompt(source, options),
        negative=negative_prompt_for(Spec(seed=options.seed), style=profile.prompt_style),
        fit=fit_to(
            source or _blank(profile.tiers[int(profile.parameters["tier"])][0], options, frames), profile
        ).model_copy(update={"model_frames": frames}),
        seed=options.seed,
        start=None if source is None else read_source_clip(source).frames[: options.start],
        actions=None if actions is None else actions[: frames - 1],
    )
    asked = {
        "mode": drive.mode,
        "model": profile.name,
        "revision": profile.revision,
        "checkpoint": profile.checkpoint,
        "source": None if source is None else {"uri": source.uri, "sha256": source.sha256},
        "first_frames": 0 if source is None else options.start,
        "actions": None if options.actions is None else sha256_of(options.actions),
        "prompt": drive.prompt,
        "negative_prompt": drive.negative,
        "frames": frames,
        "fit": drive.fit.model_dump(mode="json"),
        "seed": options.seed,
        "parameters": dict(sorted(profile.parameters.items())),
    }
    known = asked | {"source": None if source is None else source.sha256}
    name = digest(known)[:32]
    folder = out / "rollouts" / name
    if (folder / "rollout.json").is_file():
        facts = json.loads((folder / "rollout.json").read_text(encoding="utf-8"))
        return RolledOut(id=name, folder=folder, facts=facts, reused=True)
    facts = {"id": name, **asked, "judged": False, "note": NOT_JUDGED, "code_version": __version__}
    looks = _looks(profile)
    blocked = looks.at_words({"prompt": drive.prompt, "negative prompt": drive.negative})
    frames_made: Frames | None = None
    if not blocked:
        with tempfile.TemporaryDirectory(prefix="worldgen-") as scratch:
            model = build_rollout_model(options.model, Scratch(Path(scratch)), options.parameters)
            made: Rolled | None = None
            for event in make_rollout(model, drive, profile.parameters, stop or threading.Event()):
                if isinstance(event, Progress):
                    tell(event)
                else:
                    made = event
        assert made is not None  # noqa: S101 -- `make_rollout` ends with it or raises
        facts |= {"weights": model.weights, "rendered": made.facts, "seconds": made.seconds}
        facts |= {"counters": made.counters}
        frames_made = looks.at_frames(made.frames)
        if frames_made is None:
            blocked = "the frames were refused"
    facts |= {"guardrail": looks.record.model_dump(mode="json"), "blocked": blocked}
    kept = _publish(folder, frames_made, drive.fit.source_fps, facts)
    return RolledOut(id=name, folder=folder, facts=kept, reused=False)


def _looks(profile: ModelProfile) -> Looks:
    requested = str(profile.parameters.get("guardrail", "off"))
    return Looks(build_guardrail(requested, str(profile.parameters.get("device", ""))), requested)


def _publish(folder: Path, frames: Frames | None, fps: float, facts: dict[str, Any]) -> dict[str, Any]:
    """Write clip and provenance beside the place, then move both there at once; without frames, no clip."""
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
        try:
            if frames is not None:
                video = write_video(beside / "rollout.mp4", frames, fps=fps, crf=16)
                kept = video.model_dump(mode="json", exclude={"uri"}) | {"file": "rollout.mp4"}
                facts = facts | {"video": kept}
            text = json.dumps(facts, indent=2, default=str) + "\n"
            (beside / "rollout.json").write_text(text, encoding="utf-8")
            beside.chmod(0o755)
            beside.replace(folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    return facts


def _check_source(source: Source | None, options: RolloutOptions, frames: int) -> None:
    if source is None:
        if options.actions is not None:
            message = "actions need a clip: its first frame is where the car starts"
            raise ContractError(message, reason="needs")
        if not options.prompt.strip():
            message = "a rollout without a clip needs a prompt"
            raise ContractError(message, reason="needs", hint="--prompt says what to show")
        return
    if source.kind == "controls":
        message = f"{source.uri} is a control video without RGB; a rollout starts from RGB"
        raise ContractError(message, reason="needs")
    most = min(frames, source.frames)
    if (options.start - 1) % 4 or not 1 <= options.start <= most:
        message = f"{options.start} first frames: 1 or 4 k + 1 are kept, at most {most}"
        raise ContractError(message, reason="frames")
    if options.actions is not None and options.start != 1:
        message = f"{options.start} first frames: actions start from exactly one"
        raise ContractError(message, reason="needs")


def _prompt(source: Source | None, options: RolloutOptions) -> str:
    given = options.prompt or (source.caption if source is not None else "")
    return check_caption(given or DEFAULT_PROMPT)


def _blank(size: tuple[int, int], options: RolloutOptions, frames: int) -> Source:
    """Stand in for the clip that words alone have not: of the tier's wide size."""
    return Source(
        kind="video",
        uri="",
        sha256="0" * 64,
        video=None,
        frames=frames,
        width=size[0],
        height=size[1],
        fps=options.fps or 24.0,
    )

"""A world model with a guardrail: words are looked at before any compute, frames as users get them.

What is refused becomes a candidate without a file and with a reason, which the spine turns into a rejected
variant with one finding: never black frames, never silence.
"""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from worldgen.datatypes import Candidate, GenerationPlan, GuardrailRecord, ModelProfile, Progress, VideoRef
from worldgen.errors import GenerationError, boundary
from worldgen.media.scratch import Scratch
from worldgen.media.video import VideoWriter
from worldgen.models.guardrail.looks import refused_words
from worldgen.models.guardrail.protocol import Guardrail
from worldgen.models.protocol import WorldModel


class GuardedWorldModel:
    """Passes plans on to a world model, with a guardrail before and behind it.

    Args:
        model: Any world model.
        guardrail: None: nothing looks, and the record says so.
        scratch: Where candidates are.
    """

    def __init__(self, model: WorldModel, guardrail: Guardrail | None, scratch: Scratch) -> None:
        self.model = model
        self.profile: ModelProfile = model.profile
        self._guardrail = guardrail
        self._scratch = scratch

    def generate(self, plan: GenerationPlan, stop: threading.Event) -> Iterator[Progress | Candidate]:
        """See `WorldModel.generate`."""
        record = GuardrailRecord(requested=str(plan.parameters.get("guardrail", "off")))
        if self._guardrail is not None:
            reason = self._refuses(plan)
            state = {"text": "blocked" if reason else "passed", "version": self._guardrail.version}
            record = record.model_copy(update=state)
            if reason:
                yield _blocked(plan, reason, record)
                return
        with closing(self.model.generate(plan, stop)) as events:  # type: ignore[type-var]  # all are generators
            for event in events:
                yield self._checked(plan, event, record) if isinstance(event, Candidate) else event

    def _refuses(self, plan: GenerationPlan) -> str:
        assert self._guardrail is not None  # noqa: S101 -- for the type checker; the caller has looked
        texts = {"prompt": plan.prompt, "negative prompt": plan.negative_prompt}
        return refused_words(self._guardrail, texts)

    def _checked(self, plan: GenerationPlan, candidate: Candidate, record: GuardrailRecord) -> Candidate:
        guardrail = self._guardrail
        if guardrail is None or not guardrail.sees_frames or candidate.blocked:
            return candidate.model_copy(update={"guardrail": record})
        with boundary(GenerationError, "check the frames of a candidate"):
            try:
                clip = self._scratch.clip(candidate.video)
                frames = guardrail.check_frames(clip.frames)
            except BaseException:
                Path(candidate.video.uri).unlink(missing_ok=True)
                raise
            if frames is None:
                Path(candidate.video.uri).unlink(missing_ok=True)
                refused = record.model_copy(update={"video": "blocked"})
                blocked = _blocked(plan, f"{guardrail.name}: the frames were refused", refused)
                return blocked.model_copy(
                    update={"seconds": candidate.seconds, "counters": candidate.counters}
                )
            record = record.model_copy(update={"video": "passed" if guardrail.judges_frames else "off"})
            if np.array_equal(frames, clip.frames):
                return candidate.model_copy(update={"guardrail": record})
            video = self._rewritten(plan, candidate, frames)
            record = record.model_copy(update={"faces_blurred": True})
            return candidate.model_copy(update={"guardrail": record, "video": video})

    def _rewritten(
        self,
        plan: GenerationPlan,
        candidate: Candidate,
        frames: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    ) -> VideoRef:
        """Encode changed frames in place of the candidate's, at its times."""
        clip = self._scratch.clip(candidate.video)
        even = np.arange(len(clip)) / clip.fps
        is_even = bool(np.abs(clip.timestamps_seconds - even).max() < 1e-3)
        path = self._scratch.new_path(".candidate.mp4")
        try:
            with VideoWriter(
                path,
                fps=clip.fps,
                has_times=not is_even,
                crf=int(plan.parameters.get("crf", 16)),
                preset=str(plan.parameters.get("preset", "veryfast")),
            ) as writer:
                for frame, seconds in zip(frames, clip.timestamps_seconds, strict=True):
                    writer.write(frame, seconds=float(seconds))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            Path(candidate.video.uri).unlink(missing_ok=True)
        return writer.ref


def _blocked(plan: GenerationPlan, reason: str, record: GuardrailRecord) -> Candidate:
    """Make the candidate that has no file."""
    fit = plan.fit
    width, height = fit.source_size
    nothing = VideoRef(uri="", sha256="", frames=0, width=width, height=height, fps=fit.source_fps)
    return Candidate(
        variant_id=plan.variant_id,
        attempt_id=plan.attempt_id,
        video=nothing,
        blocked=f"blocked by a guardrail ({reason})",
        guardrail=record,
    )

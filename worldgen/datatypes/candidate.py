"""A candidate: generated, not yet judged; and the progress that comes before it."""

from typing import Literal

from worldgen.datatypes.digest import Value
from worldgen.datatypes.verdict import Finding
from worldgen.datatypes.video_ref import VideoRef


class Progress(Value):
    """One step done. Steps are counted over the whole generation: chunks x steps of each."""

    stage: str
    step: int
    """1-based, of `steps`."""
    steps: int
    chunk: int = 0
    chunks: int = 1
    seconds_left: float | None = None


class GuardrailRecord(Value):
    """Which guardrail was asked for, and what of it really looked at this candidate."""

    requested: str = "off"
    """As configured: off, words or cosmos."""
    text: Literal["off", "passed", "blocked"] = "off"
    """What became of the prompt and the negative prompt."""
    video: Literal["off", "passed", "blocked"] = "off"
    """What became of the frames; off when nothing looked that could have refused them."""
    faces_blurred: bool = False
    """Whether the guardrail changed frames."""
    version: str = ""
    """Of what looked: package or list, with its version."""


class Candidate(Value):
    """The encoded file that users get, before any verdict."""

    variant_id: str
    attempt_id: str
    video: VideoRef
    rendered: dict[str, float | str] = {}
    """The condition as rendered, in the model's own numbers (labels carry it)."""
    blocked: str = ""
    """A guardrail's reason; the candidate then has no meaning and is rejected with one finding."""
    guardrail: GuardrailRecord | None = None
    """None for models that have none."""
    findings: tuple[Finding, ...] = ()
    """What the model itself measured of its work, such as seams between chunks; they join the verdict's."""
    seconds: dict[str, float] = {}
    counters: dict[str, int] = {}
    """Encodes, cache hits and the like."""

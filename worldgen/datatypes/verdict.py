"""A verdict: what the critic measured on a candidate, and what follows from it."""

from typing import Literal, TypeAlias

from pydantic import model_validator

from worldgen.datatypes.digest import Value
from worldgen.datatypes.labels import Box2d, IgnoreRegion, Visibility

VerdictState: TypeAlias = Literal["accepted", "review", "rejected", "inconclusive"]


class Place(Value):
    """Where in a clip: a span of frames, and a box if it is not the whole picture."""

    first_frame: int
    last_frame: int
    box2d: Box2d | None = None
    object_id: int | None = None


class Detectable(Value):
    """What a check could have noticed: the smallest thing, at this contrast and noise."""

    side_px: float
    """Side of the square, pixels of the file."""
    contrast_levels: float
    """Contrast of such a thing against its surround in the candidate, of 255 levels."""
    frames: int
    """In so many frames it must be seen."""


class Finding(Value):
    """One answer of the critic: a number, a threshold, a place and a sentence."""

    check: str
    """Which check, dotted: structure.edges, condition.visible, temporal.flicker, ..."""
    passed: bool | None
    """None: could not be decided (never yes, never no)."""
    value: float | None
    threshold: float | None
    unit: str = ""
    severity: Literal["reject", "review", "info"] = "reject"
    """What a failure of this check means for the verdict."""
    places: tuple[Place, ...] = ()
    reason: str
    """A sentence for people, also when it passed."""
    detectable: Detectable | None = None
    """What a pass covers: nothing smaller or fainter would have been noticed. None where it is not known."""


class Observation(Value):
    """What the critic saw of one labelled object in one frame."""

    object_id: int
    frame: int
    visibility: Visibility
    range_m: float | None = None
    range_interval_m: tuple[float, float] | None = None


class Verdict(Value):
    """The critic's judgement of a candidate. Rejected is not failed."""

    state: VerdictState
    findings: tuple[Finding, ...]
    observations: tuple[Observation, ...] = ()
    """Per labelled object and frame; empty without labels."""
    ignore: tuple[tuple[int, IgnoreRegion], ...] = ()
    """Regions the critic found unusable, with their frame."""
    recognised: str = ""
    """The condition class the critic sees in the candidate."""
    critic: str = ""
    """Name and version of the panel and its thresholds."""

    @model_validator(mode="after")
    def _has_grounds(self) -> "Verdict":
        if not self.findings:
            msg = "a verdict needs at least one finding"
            raise ValueError(msg)
        return self

    @classmethod
    def of(
        cls,
        findings: tuple[Finding, ...],
        *,
        observations: tuple[Observation, ...] = (),
        ignore: tuple[tuple[int, IgnoreRegion], ...] = (),
        recognised: str = "",
        critic: str = "",
    ) -> "Verdict":
        """Draw the conclusion: any failed 'reject' rejects; undecided 'reject' is inconclusive."""
        state: VerdictState = "accepted"
        if any(f.passed is False and f.severity == "review" for f in findings):
            state = "review"
        if any(f.passed is None and f.severity == "reject" for f in findings):
            state = "inconclusive"
        if any(f.passed is False and f.severity == "reject" for f in findings):
            state = "rejected"
        return cls(
            state=state,
            findings=findings,
            observations=observations,
            ignore=ignore,
            recognised=recognised,
            critic=critic,
        )

    @property
    def accepted(self) -> bool:
        """Whether the variant may be trained on without a look."""
        return self.state == "accepted"

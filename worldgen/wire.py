"""The wire: HTTP bodies, shared by server and client."""

from typing import Any, Literal, TypeAlias

from pydantic import Field

from worldgen.datatypes.digest import Value
from worldgen.datatypes.spec import Spec

JobState: TypeAlias = Literal[
    "queued", "preparing", "running", "judging", "completed", "failed", "cancelled", "expired"
]
"""A job whose variants are all judged is completed, with counts; rejected is not failed."""

FINAL: frozenset[JobState] = frozenset({"completed", "failed", "cancelled", "expired"})


class JobRequest(Value):
    """One source and the specs to make of it."""

    source: str
    """``blob:<sha256>`` of an uploaded file, or a path inside a folder that the server allows."""
    specs: tuple[str | Spec, ...] = Field(min_length=1, max_length=200)
    """Words ("heavy rain at night"), preset names, or typed specs."""
    model: str = "physics"
    seed: int = Field(default=0, ge=0, lt=2**32)
    camera: str | None = None


class VariantLine(Value):
    """A finished spec of a job: a variant, or the reason why there is none."""

    id: str
    spec: str
    state: str
    """accepted, review, rejected, inconclusive; or failed, unsupported, no_change."""
    recognised: str = ""
    message: str = ""
    findings: tuple[dict[str, Any], ...] = ()
    files: tuple[str, ...] = ()
    """Names under ``/v1/variants/{id}/files/``."""


class JobStatus(Value):
    """What a job is doing."""

    id: str
    state: JobState
    created: str
    variants_total: int
    variants_done: int = 0
    counts: dict[str, int] = {}
    """Per verdict."""
    step: int = 0
    steps: int = 0
    stage: str = ""
    seconds_left: float | None = None
    variants: tuple[VariantLine, ...] = ()
    error: dict[str, str] | None = None
    """``code``, ``message`` and ``hint`` of a failed job."""


class JobEvent(Value):
    """One line of a job's event stream."""

    id: int
    """Counts from 1 within the job; send it as Last-Event-ID to go on after a lost connection."""
    kind: Literal["state", "progress", "variant"]
    state: JobState
    variant: VariantLine | None = None
    variant_id: str = ""
    spec: str = ""
    stage: str = ""
    step: int = 0
    steps: int = 0
    chunk: int = 0
    chunks: int = 1
    seconds_left: float | None = None


class Problem(Value):
    """An error after RFC 9457, with our stable code."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""

"""The wire: HTTP bodies, shared by server and client."""

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from worldgen.datatypes.audit import Audit, Decision
from worldgen.datatypes.candidate import Progress
from worldgen.datatypes.digest import Value
from worldgen.datatypes.spec import Spec

JobState: TypeAlias = Literal[
    "queued", "preparing", "running", "judging", "completed", "failed", "cancelled", "expired"
]
"""A job whose variants are all judged is completed, with counts; rejected is not failed."""

FINAL: frozenset[JobState] = frozenset({"completed", "failed", "cancelled", "expired"})

Priority: TypeAlias = Literal["interactive", "batch"]

Scope: TypeAlias = Literal["submit", "read", "audit", "admin"]

Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_MOST_OF_A_NAME: Final = 255
_NO_PART_OF_A_NAME: Final = r"/\\\x00-\x1f\x7f"

SourceName: TypeAlias = Annotated[
    str, Field(max_length=_MOST_OF_A_NAME, pattern=f"^[^{_NO_PART_OF_A_NAME}]*$")
]
"""What a file is called, for people: no folder, no control character."""


def source_name(name: str) -> str:
    """Make a `SourceName` of whatever a file is called."""
    text = name.encode("utf-8", "replace").decode()
    return re.sub(f"[{_NO_PART_OF_A_NAME}]", "_", text)[:_MOST_OF_A_NAME]


class JobRequest(Value):
    """One source and the specs to make of it."""

    source: str
    """``blob:<sha256>`` of an uploaded file, an https or s3 address that the server allows, or a path inside
    a folder that the server allows."""
    source_name: SourceName = ""
    """What the source is called where it comes from; shown to people, and part of no identity."""
    specs: tuple[str | Spec, ...] = Field(min_length=1, max_length=200)
    """Words ("heavy rain at night"), preset names, or typed specs."""
    model: str = ""
    """World model; empty: the server's default."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    camera: str | None = None
    labels: str | None = None
    """Labels beside a clip: addressed as `source` is."""
    calibration: str | None = None
    """Calibration beside a clip: addressed as `source` is."""
    priority: Priority = "interactive"
    deadline_seconds: float | None = Field(default=None, gt=0, le=7 * 86400)
    """From submission on; what is not finished then is given up, and the job expires."""


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
    started: str | None = None
    finished: str | None = None
    model: str = ""
    source: str = ""
    """As it was asked for."""
    source_name: str = ""
    """What it is called where it comes from, for people."""
    priority: Priority = "interactive"
    queue_position: int | None = None
    """0 is next; None once it is being worked on."""
    cancel_requested: bool = False
    attempt: int = 0
    """How often a runner took it up; more than 1 after a runner died."""
    variants_total: int
    variants_done: int = 0
    counts: dict[str, int] = {}
    """Per verdict."""
    step: int = 0
    steps: int = 0
    chunk: int = 0
    chunks: int = 1
    stage: str = ""
    seconds_left: float | None = None
    variants: tuple[VariantLine, ...] = ()
    error: dict[str, str] | None = None
    """``code``, ``message`` and ``hint`` of a failed job."""


class JobPage(Value):
    """Jobs, newest first."""

    data: tuple[JobStatus, ...]
    next: str | None = None
    """Send it as ``after`` for the next page; None on the last one."""


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

    @classmethod
    def of_step(cls, variant_id: str, spec: str, step: Progress) -> "JobEvent":
        """Say how far a variant is; the store gives the number."""
        told = step.model_dump()
        return cls(id=0, kind="progress", state="running", variant_id=variant_id, spec=spec, **told)


BatchState: TypeAlias = Literal["queued", "running", "completed", "failed", "cancelled"]


class BatchLine(Value):
    """One source of a batch."""

    source: str = Field(min_length=1, max_length=4096)
    """A path inside a folder that the server allows; in a manifest, relative ones start at its folder."""
    specs: tuple[str, ...] = Field(min_length=1, max_length=200)
    """Words ("heavy rain at night") or preset names."""
    labels: str | None = Field(default=None, max_length=4096)
    calibration: str | None = Field(default=None, max_length=4096)
    camera: str | None = Field(default=None, max_length=200)
    seed: int = Field(default=0, ge=0, lt=2**32)


class BatchRequest(Value):
    """Many sources, and what to make of each: `lines`, or a `manifest` of such lines."""

    lines: tuple[BatchLine, ...] = Field(default=(), max_length=10_000)
    manifest: str = Field(default="", max_length=4096)
    """Path of a JSON-lines file inside a folder that the server allows, in place of `lines`."""
    model: str = ""
    """World model; empty: the server's default."""
    runners: int = Field(default=2, ge=1, le=64)
    """Sources in flight."""


class BatchStatus(Value):
    """What a batch is doing: the state is Ray's, progress is what the catalogue holds."""

    id: str
    state: BatchState
    created: str
    finished: str | None = None
    model: str
    sources: int
    variants_total: int
    variants_done: int = 0
    """Made by this batch or before, and specs that have no variant for a reason."""
    counts: dict[str, int] = {}
    """Per verdict or reason; sources that could not be opened are ``source_failed:CODE``."""
    error: dict[str, str] | None = None
    """``code``, ``message`` and ``hint`` of a failed batch."""


class BatchPage(Value):
    """Batches, newest first."""

    data: tuple[BatchStatus, ...]
    next: str | None = None
    """Send it as ``after`` for the next page; None on the last one."""


class AuditRequest(Value):
    """What a person says of a variant; who and when are the server's to say, where keys are on."""

    decision: Decision
    reason: str = Field(default="", max_length=4000)
    by: str = Field(default="", max_length=200)
    frame: int | None = Field(default=None, ge=0)
    """Zero-based frame that was shown when the decision was made."""


class VariantView(Value):
    """A variant as the catalogue holds it."""

    id: str
    spec: str
    state: str
    model: str
    source_sha256: str
    created: str
    recognised: str = ""
    findings: tuple[dict[str, Any], ...] = ()
    files: tuple[str, ...] = ()
    """Names under ``/v1/variants/{id}/files/``."""
    audits: tuple[Audit, ...] = ()


class VariantPage(Value):
    """Variants, in a stable order."""

    data: tuple[VariantView, ...]
    next: str | None = None
    """Send it as ``after`` for the next page; None on the last one."""


class BlobQuestion(Value):
    """Which uploads does the server miss?"""

    sha256: tuple[Sha256, ...] = Field(max_length=1000)


class BlobAnswer(Value):
    """What has to be uploaded, and what of it is there already."""

    missing: tuple[Sha256, ...]
    received: dict[str, int] = {}
    """Bytes that an interrupted upload has left; go on from there."""


class Problem(Value):
    """An error after RFC 9457, with our stable code."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""
    nearest: dict[str, Any] | None = None
    """The nearest request that would fit, where the world model's contract refused this one."""

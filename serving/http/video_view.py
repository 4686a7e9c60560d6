"""A job with one variant in the fields of the OpenAI client."""

from datetime import datetime, timedelta
from typing import Any

from worldgen.datatypes import Source, VideoRef
from worldgen.wire import FINAL, JobRequest, JobStatus, VariantLine


def video_of(
    status: JobStatus, request: JobRequest, shape: Source | VideoRef | None, *, keep_days: float
) -> dict[str, Any]:
    """Describe a job with one variant in the client's fields."""
    created = datetime.fromisoformat(status.created)
    spec = request.specs[0]
    return {
        "id": status.id,
        "object": "video",
        "model": status.model,
        "status": status_word(status),
        "progress": progress_of(status),
        "created_at": int(created.timestamp()),
        "completed_at": int(datetime.fromisoformat(status.finished).timestamp()) if status.finished else None,
        "expires_at": int((created + timedelta(days=keep_days)).timestamp()),
        "seconds": f"{shape.frames / shape.fps:.3g}" if shape else "",
        "size": f"{shape.width}x{shape.height}" if shape else "",
        "prompt": spec if isinstance(spec, str) else (spec.prompt or spec.name or None),
        "remixed_from_video_id": None,
        "error": failure_of(status) if status.state in FINAL else None,
        "variant_id": status.variants[0].id if status.variants else None,
        "verdict": status.variants[0].state if status.variants else None,
    }


def status_word(status: JobStatus) -> str:
    """Say a job's state in the four words that the client knows."""
    if status.state == "queued":
        return "queued"
    if status.state not in FINAL:
        return "in_progress"
    return "failed" if failure_of(status) else "completed"


def progress_of(status: JobStatus) -> int:
    """Say how far it is, in percent: generation is 5 to 90."""
    if status.state in FINAL:
        return 100
    if status.state in ("queued", "preparing"):
        return 0
    if status.state == "judging":
        return 95
    return 5 + int(85 * status.step / status.steps) if status.steps else 5


def failure_of(status: JobStatus) -> dict[str, str] | None:
    """Say why an ended job has no accepted video."""
    if status.state != "completed":
        error = status.error or {}
        message = error.get("message", f"the job was {status.state}")
        return {"code": error.get("code", status.state), "message": message}
    line = status.variants[0] if status.variants else None
    if line is not None and line.state == "accepted":
        return None
    if line is None:
        return {"code": "failed", "message": "the job has no variant"}
    return {"code": line.state, "message": line.message or _why(line)}


def _why(line: VariantLine) -> str:
    reasons = [
        str(finding.get("reason", "")) for finding in line.findings if finding.get("passed") is not True
    ]
    return f"the critic's verdict is {line.state}: {'; '.join(reasons)[:1000]}".rstrip(": ")

"""What a server says when it refuses, as typed errors that keep its code."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2

from worldgen.errors import BadInput, ServiceError, WorldgenError

_REASONS: Final = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    416: "invalid",
    422: "invalid",
    429: "busy",
    501: "unsupported",
    503: "busy",
    504: "timeout",
}
_PASSING: Final = frozenset({408, 409, 425, 429, 502, 503, 504})
_INPUT: Final = frozenset(kind.border for kind in BadInput.__subclasses__()) | {BadInput.border}


class Refused(ServiceError):  # noqa: N818 -- said of a request, as the server's own class is
    """The server answered with an error.

    Args:
        message: What the server said.
        reason: Of `ServiceError`, after the HTTP status.
        hint: The server's.
        code: The server's stable code, such as ``spec.unknown_word``.
        status: HTTP status; 0 when a job failed later.
        nearest: The nearest request that would fit the world model's contract, where the server named one.
        retry_after_seconds: How long the server asks to wait.
        is_passing: Whether the same request may succeed later.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        hint: str = "",
        code: str = "",
        status: int = 0,
        nearest: dict[str, Any] | None = None,
        retry_after_seconds: float | None = None,
        is_passing: bool = False,
    ) -> None:
        super().__init__(message, reason=reason, hint=hint)
        self.server_code = code
        self.status = status
        self.nearest = nearest
        self.retry_after_seconds = retry_after_seconds
        self.is_passing = is_passing

    @property
    def code(self) -> str:
        """The server's code; ours where it sent none."""
        return self.server_code or super().code

    def __str__(self) -> str:
        """Show the code beside the message, and the request that would fit."""
        fit = f"; nearest that fits: {json.dumps(self.nearest)}" if self.nearest else ""
        return f"{self.message} ({self.code}){fit}"

    def __reduce__(self) -> tuple[object, ...]:
        """Keep everything when the error crosses a process."""
        fields = ("reason", "hint", "status", "nearest", "retry_after_seconds", "is_passing")
        kept = {name: getattr(self, name) for name in fields}
        return (_rebuild, (type(self), self.message, {**kept, "code": self.server_code}))


class RefusedInput(Refused, BadInput):
    """The server cannot use what the user gave: source, labels, spec, contract or option."""


def _rebuild(cls: type[Refused], message: str, fields: dict[str, Any]) -> Refused:
    return cls(message, **fields)


def refusal(answer: httpx2.Response) -> Refused:
    """Read an error answer whose body was read: a problem after RFC 9457, or whatever a proxy sent."""
    status = answer.status_code
    try:
        body = answer.json()
    except ValueError:
        body = None
    problem: dict[str, Any] = body if isinstance(body, dict) else {}
    code = str(problem.get("code") or "")
    nearest = problem.get("nearest")
    detail = problem.get("detail") or problem.get("title") or f"the server answered {status}"
    return refused(
        _words(detail),
        code=code,
        reason=_REASONS.get(status, "failed"),
        hint=str(problem.get("hint") or ""),
        status=status,
        nearest=nearest if isinstance(nearest, dict) else None,
        retry_after_seconds=retry_after(answer),
        is_passing=_is_passing(answer, has_code=bool(code)),
    )


def refused(message: str, *, code: str, **fields: Any) -> Refused:  # noqa: ANN401 -- those of Refused
    """Make the error that fits a code: input that the user can mend, or the service."""
    kind = RefusedInput if code.partition(".")[0] in _INPUT else Refused
    return kind(message, code=code, **fields)


def is_passing(error: WorldgenError) -> bool:
    """Tell whether the same request may succeed later: the server was busy, away, or being replaced."""
    if isinstance(error, Refused):
        return error.is_passing
    return isinstance(error, ServiceError) and error.reason == "unreachable"


def retry_after(answer: httpx2.Response) -> float | None:
    """Read Retry-After, seconds or a date, as seconds from now."""
    text = answer.headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _is_passing(answer: httpx2.Response, *, has_code: bool) -> bool:
    status = answer.status_code
    # A replica that dies under a request shows as a bare 500 of the proxy; one with a code is the service's
    # own and would come again. 409 is the first try of this very request, still under way.
    if status == 500:
        return not has_code
    return status in _PASSING


def _words(detail: Any) -> str:  # noqa: ANN401 -- JSON
    if isinstance(detail, str):
        return detail
    if isinstance(detail, list) and all(isinstance(row, dict) for row in detail):
        return "; ".join(f"{'.'.join(map(str, row.get('loc', ())))}: {row.get('msg', row)}" for row in detail)
    return json.dumps(detail)

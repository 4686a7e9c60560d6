"""Errors on the wire: problems after RFC 9457; on `/v1/videos` the body that the OpenAI client reads."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from worldgen.errors import BadInput, ConfigError, ContractError, ServiceError, WorldgenError
from worldgen.wire import Problem

MEDIA_TYPE: Final = "application/problem+json"
_SERVICE: Final = {
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "invalid": 400,
    "busy": 429,
    "unreachable": 503,
    "timeout": 504,
    "bad_answer": 502,
    "unsupported": 501,
}
_CODES: Final = {
    401: "service.unauthorized",
    403: "service.forbidden",
    404: "service.not_found",
    408: "service.timeout",
    409: "service.conflict",
    413: "service.too_large",
    429: "service.busy",
}
_CODE_STATUS: Final = {
    "publish.not_found": 404,
    "output.disk_full": 507,
    "source.too_large": 413,
    "source.not_found": 404,
    "weights.missing": 503,
}
_OPENAI_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}


class Refused(ServiceError):  # noqa: N818 -- as Cancelled, a word for what happened
    """A refusal that says more than its reason: status, headers, and the nearest request that would fit.

    Args:
        message: As of every `WorldgenError`.
        reason: Of `ServiceError`.
        hint: What to do next.
        status: Of the answer; default: that of the reason.
        headers: Of the answer.
        nearest: The nearest request that would fit.
        code: In place of ``service.<reason>``, for errors of another border.
        param: Field that is at fault, for the OpenAI client.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "invalid",
        hint: str = "",
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        nearest: Mapping[str, Any] | None = None,
        code: str = "",
        param: str | None = None,
    ) -> None:
        super().__init__(message, reason=reason, hint=hint)
        self.status = status or _SERVICE.get(reason, 500)
        self.headers = dict(headers or {})
        self.nearest = dict(nearest) if nearest else None
        self.own_code = code
        self.param = param

    @property
    def code(self) -> str:
        """The stable code."""
        return self.own_code or super().code


def status_of(error: WorldgenError) -> int:
    """Choose the HTTP status of a typed error: 4xx for what the client can mend."""
    if isinstance(error, Refused):
        return error.status
    if error.code in _CODE_STATUS:
        return _CODE_STATUS[error.code]
    if isinstance(error, ServiceError):
        return _SERVICE.get(error.reason, 500)
    if isinstance(error, ContractError):
        return 422
    if isinstance(error, ConfigError):
        return 500
    return 400 if isinstance(error, BadInput) else 500


def problem_of(error: WorldgenError) -> Problem:
    """Describe a typed error; what is our fault is not told in detail."""
    status = status_of(error)
    is_ours = status == 500
    return Problem(
        title=_title(error),
        status=status,
        detail="something went wrong in the service" if is_ours else error.message,
        code=error.code,
        hint="" if is_ours else error.hint,
        nearest=error.nearest if isinstance(error, Refused) else None,
    )


def answer(
    problem: Problem,
    *,
    path: str = "",
    headers: Mapping[str, str] | None = None,
    param: str | None = None,
) -> Response:
    """Make the answer to a request for `path`; `param` names the field at fault to the OpenAI client."""
    told = dict(headers or {})
    if problem.status in (429, 503):
        told.setdefault("Retry-After", "5")
    if path.startswith("/v1/videos"):
        body: dict[str, Any] = {
            "error": {
                "message": f"{problem.detail} ({problem.hint})" if problem.hint else problem.detail,
                "type": _OPENAI_TYPES.get(
                    problem.status, "server_error" if problem.status >= 500 else "invalid_request_error"
                ),
                "code": problem.code,
                "param": param,
            }
        }
        if problem.nearest:
            body["error"]["nearest"] = problem.nearest
        return JSONResponse(body, status_code=problem.status, headers=told)
    return JSONResponse(
        problem.model_dump(mode="json", exclude_none=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=told,
    )


def add_problems(app: FastAPI) -> None:
    """Answer every kind of error in one shape."""

    @app.exception_handler(WorldgenError)
    async def _typed(request: Request, error: WorldgenError) -> Response:
        error = unwrapped(error)
        request.state.code = error.code
        told = error if isinstance(error, Refused) else None
        return answer(
            problem_of(error),
            path=request.url.path,
            headers=told.headers if told else None,
            param=told.param if told else None,
        )

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        request.state.code = "service.invalid"
        problem = Problem(
            title="Invalid request", status=422, detail=_first(error), code="service.invalid", hint=""
        )
        return answer(problem, path=request.url.path)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, "service.invalid")
        request.state.code = code
        problem = Problem(
            title=_titled(code), status=error.status_code, detail=str(error.detail), code=code, hint=""
        )
        return answer(problem, path=request.url.path, headers=error.headers)


def unwrapped(error: WorldgenError) -> WorldgenError:
    """Return the error itself: what Ray raises is of a class of its own, with the error as its cause."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, WorldgenError) else error


def _first(error: RequestValidationError) -> str:
    # Never the input itself: it may be long, or a prompt.
    found = [(".".join(str(part) for part in e["loc"]), str(e["msg"])) for e in error.errors()[:3]]
    return "; ".join(f"{where}: {what}" for where, what in found)[:2000]


def _title(error: WorldgenError) -> str:
    return _titled(error.code)


def _titled(code: str) -> str:
    border, _, reason = code.partition(".")
    return f"{border}: {reason.replace('_', ' ')}"

"""What is told of every request: a line of JSON, figures, and headers that keep browsers careful.

No line at level info holds a prompt, a name of a user's file or an address: routes are told as templates, and
only ids that we gave are told.
"""

import json
import logging
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.metrics import RequestFigures
from serving.http.problems import answer
from worldgen.wire import Problem

LOGGER: Final = logging.getLogger("worldgen.service")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID: Final = re.compile(r"[0-9a-f]{32,64}")
_FIELDS: Final = ("request_id", "owner", "method", "route", "status", "code", "ms", "job", "variant", "stage")
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class JsonLines(logging.Formatter):
    """One JSON document per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; only known fields are told."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= {name: record.__dict__[name] for name in _FIELDS if record.__dict__.get(name) is not None}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_json(level: int = logging.INFO) -> None:
    """Write the service's log as JSON lines on standard error; for whoever starts a process."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


class RequestLog:
    """The outermost layer: numbers requests, times them, and answers what nobody else did.

    Args:
        app: Everything else.
        figures: Where requests are counted.
    """

    def __init__(self, app: ASGIApp, *, figures: RequestFigures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, told)
        except ClientDisconnect:
            status = status or 499
        except Exception:
            LOGGER.exception("request failed", extra={"request_id": request_id, "route": _route(scope)})
            if status == 0:
                await _failed(scope, receive, told)
        finally:
            self._tell(scope, status or 499, time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        state, route = scope["state"], _route(scope)
        self._figures.add(scope["method"], route, status, seconds)
        key = state.get("key")
        ids = scope.get("path_params") or {}
        LOGGER.log(
            logging.DEBUG if route in ("/healthz", "/readyz", "/metrics") else logging.INFO,
            "request",
            extra={
                "request_id": state["request_id"],
                "owner": key.owner if key is not None else None,
                "method": scope["method"],
                "route": route,
                "status": status,
                "code": state.get("code"),
                "ms": round(seconds * 1000, 1),
                "job": state.get("job") or _id(ids.get("job_id") or ids.get("video_id")),
                "variant": _id(ids.get("variant_id")),
            },
        )


async def _failed(scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(
        title="internal: unexpected",
        status=500,
        detail="something went wrong in the service; its log has it under this request's id",
        code="internal.unexpected",
    )
    await answer(problem, path=scope["path"])(scope, receive, send)


def _route(scope: Scope) -> str:
    # The template, such as /v1/jobs/{job_id}: a path that matched nothing is not told.
    return str(getattr(scope.get("route"), "path", "")) or "unknown"


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and _ID.fullmatch(value) else None

"""Bodies: how large, how slow. A body that is refused is cut off, and its sender still gets the answer."""

import asyncio
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.config import ServiceConfig

_LINGER_BYTES: Final = 1 << 20
_LINGER_SECONDS: Final = 1.0
_FORM_BYTES: Final = 1 << 20
"""Of a form beside its file."""


class BodyLimit:
    """Bounds every request's body, in size and in time.

    Args:
        app: What is protected.
        config: Of the service.
    """

    def __init__(self, app: ASGIApp, *, config: ServiceConfig) -> None:
        self._app = app
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its body bounded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, send, self._config)
        await self._app(scope, body.receive, body.send)


class _Body:
    """One request's body on its way in, and the answer on its way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, config: ServiceConfig) -> None:
        headers = Headers(scope=scope)
        self._receive, self._send = receive, send
        self._http = config.http
        self._is_upload = scope["method"] == "PUT" or scope["path"].startswith("/v1/videos")
        self._most = config.max_upload_bytes + _FORM_BYTES if self._is_upload else self._http.max_body_bytes
        said = headers.get("content-length", "")
        self._said = int(said) if said.isdigit() else None
        self._is_whole = not self._said and "transfer-encoding" not in headers
        self._seen = 0
        self._started = 0.0
        self._is_answered = False

    async def receive(self) -> Message:
        """Receive the next piece of the body, or refuse it."""
        if self._is_whole:
            return await self._receive()
        if self._said is not None and self._said > self._most:
            return self._refuse(413, f"a body may have at most {self._most} bytes; this has {self._said}")
        self._started = self._started or time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), self._patience())
        except TimeoutError:
            return self._refuse(408, f"the body came to a halt after {self._seen} bytes")
        if message["type"] != "http.request":
            self._is_whole = True
            return message
        self._seen += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._seen > self._most:
            return self._refuse(413, f"a body may have at most {self._most} bytes")
        if not self._is_whole and self._is_slow():
            return self._refuse(408, f"the body is too slow: {self._seen} bytes so far")
        return message

    async def send(self, message: Message) -> None:
        """Send the answer; when the body is not wanted any more, close the connection after it."""
        if message["type"] == "http.response.start":
            self._is_answered = True
            if not self._is_whole:
                MutableHeaders(scope=message)["Connection"] = "close"
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not is_last or self._is_whole:
            await self._send(message)
            return
        # Closing on unread bytes would reset the connection, and the answer could be lost with it.
        await self._send({**message, "more_body": True})
        await self._drain()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drain(self) -> None:
        end, left = time.monotonic() + _LINGER_SECONDS, _LINGER_BYTES
        while left > 0 and (seconds := end - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), seconds)
            except TimeoutError:
                return
            if message["type"] != "http.request" or not message.get("more_body", False):
                return
            left -= len(message.get("body", b""))

    def _patience(self) -> float:
        if self._is_upload:
            return self._http.idle_seconds
        left = self._http.body_seconds - (time.monotonic() - self._started)
        return max(0.01, min(self._http.idle_seconds, left))

    def _is_slow(self) -> bool:
        seconds = time.monotonic() - self._started
        return seconds > self._http.idle_seconds and self._seen < seconds * self._http.least_bytes_per_second

    def _refuse(self, status: int, why: str) -> Message:
        if self._is_answered:
            return {"type": "http.disconnect"}
        raise HTTPException(status, why)

"""Who asks, and may they: answered from the headers alone, before a body is read."""

import asyncio
import base64
import binascii
import hashlib
import re
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.config import ServiceConfig
from serving.http.backend import Backend
from serving.http.problems import answer, problem_of
from serving.http_config import LOOPBACK
from serving.store.keys import LOCAL, Key
from worldgen.errors import ServiceError
from worldgen.wire import Problem
from worldgen.wire import Scope as KeyScope

COOKIE: Final = "worldgen_session"
"""Of the page."""
_OPEN: Final = frozenset({"/healthz", "/readyz"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_AUDIT: Final = re.compile(r"/v1/variants/[^/]+/audit")
_KNOWN_SECONDS: Final = 1.0
"""How long an answer of the key store is believed; a revoked key is refused after this at the latest."""
_KNOWN: Final = 1024


def key_of(request: Request) -> Key:
    """Return the key of a request to `/v1` that got through the gate."""
    key: Key = request.state.key
    return key


def needed_scope(method: str, path: str) -> KeyScope:
    """Say which scope a request needs."""
    if path == "/metrics":
        return "admin"
    if method in _SAFE or path == "/v1/blobs/check":
        return "read" if path != "/v1/blobs/check" else "submit"
    return "audit" if _AUDIT.fullmatch(path) else "submit"


class Sessions(Protocol):
    """Reads the page's cookie."""

    def key_id(self, value: str) -> str | None:
        """Whose session it is; None when it is over, or was not made here."""


class Gate:
    """Lets requests through that carry a key with the scope they need, and come from where they should.

    Args:
        app: What is protected.
        config: Of the service.
        backend: Keys and the audit log.
        sessions: Reads the cookie of the page, where there is one.
    """

    def __init__(
        self, app: ASGIApp, *, config: ServiceConfig, backend: Backend, sessions: Sessions | None = None
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._http = config.http
        self._asks = config.http.asks_for_keys(config.host)
        self._hosts = frozenset(config.http.host_names) or (
            LOOPBACK if not self._asks and config.host in LOOPBACK else frozenset()
        )
        self._backend = backend
        self._known: OrderedDict[str, tuple[float, Key]] = OrderedDict()
        self._told: OrderedDict[str, float] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its key, or answer it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["key"] = LOCAL
        try:
            problem = await self._refusal(scope)
        except ServiceError as error:
            # The store of keys is away: who asks is not known, so nothing is answered but that.
            problem = problem_of(error)
        if problem is None:
            await self._app(scope, receive, send)
            return
        state["code"] = problem.code
        headers = {}
        if problem.status == 401:
            # A browser asks for the key as a password; programs send it as a bearer token.
            headers["WWW-Authenticate"] = 'Bearer realm="worldgen", Basic realm="worldgen", charset="UTF-8"'
        await answer(problem, path=scope["path"], headers=headers)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        if self._hosts and _host_of(headers.get("host", "")) not in self._hosts:
            why = "this service is not asked under that name"
            return _forbidden(why, "name it in http.host_names")
        if scope["method"] not in _SAFE and not _is_same_origin(headers):
            return _forbidden("a page of another origin may not change anything here", "")
        path = scope["path"]
        if path in _OPEN or (path == "/metrics" and self._http.open_metrics) or not self._asks:
            return None
        token = _token_of(headers.get("authorization", ""))
        key = await self._find(token) if token else await self._of_session(scope)
        if not _is_ours(path):
            # The page says itself who may see what, and shows strangers where to sign in.
            scope["state"]["key"] = key
            return None
        if key is None:
            await self._tell(scope, "key.refused", "service.unauthorized")
            detail = "this key is not known, or was revoked" if token else "this service asks for a key"
            return Problem(
                title="service: unauthorized",
                status=401,
                detail=detail,
                code="service.unauthorized",
                hint="send `Authorization: Bearer wg_...`; `worldgen keys create` makes one",
            )
        scope["state"]["key"] = key
        needed = needed_scope(scope["method"], path)
        if not key.may(needed):
            await self._tell(scope, "key.refused", "service.forbidden")
            return _forbidden(
                f"this key lacks the scope {needed}", f"it has: {', '.join(sorted(key.scopes))}"
            )
        return None

    async def _find(self, token: str) -> Key | None:
        name = hashlib.sha256(token.encode()).hexdigest()
        now = time.monotonic()
        until, key = self._known.get(name, (0.0, None))
        if key is not None and now < until:
            return key
        key = await asyncio.to_thread(self._backend.keys.authenticate, token)
        self._known.pop(name, None)
        if key is not None:
            self._known[name] = (now + _KNOWN_SECONDS, key)
            while len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return key

    async def _of_session(self, scope: Scope) -> Key | None:
        if self._sessions is None:
            return None
        key_id = self._sessions.key_id(Request(scope).cookies.get(COOKIE, ""))
        return await asyncio.to_thread(self._backend.keys.find, key_id) if key_id else None

    async def _tell(self, scope: Scope, action: str, outcome: str) -> None:
        """Log a refusal, at most one per address and second: nobody fills the disk by being refused."""
        address = scope["client"][0] if scope.get("client") else ""
        now = time.monotonic()
        if now - self._told.get(address, -1e9) < 1.0:
            return
        self._told[address] = now
        self._told.move_to_end(address)
        while len(self._told) > _KNOWN:
            self._told.popitem(last=False)
        key: Key = scope["state"]["key"]
        is_known = key is not LOCAL
        with suppress(ServiceError):  # it is refused all the same
            await asyncio.to_thread(
                self._backend.audit_log.add,
                action,
                owner=key.owner if is_known else "",
                key_id=key.id if is_known else "",
                outcome=outcome,
                address=address,
                request_id=scope["state"].get("request_id", ""),
            )


def _is_ours(path: str) -> bool:
    return path.startswith("/v1/") or path in ("/v1", "/metrics", "/openapi.json")


def _forbidden(detail: str, hint: str) -> Problem:
    return Problem(title="service: forbidden", status=403, detail=detail, code="service.forbidden", hint=hint)


def _token_of(header: str) -> str:
    kind, _, rest = header.partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() != "basic":
        return ""
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "malformed"
    return password or user


def _host_of(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower().rstrip(".")


def _is_same_origin(headers: Headers) -> bool:
    # A key that a browser sends by itself, or none at all on the loopback, must not serve other pages.
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()

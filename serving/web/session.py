"""Sessions of the page: a signed cookie that stands for a key, readable by every replica.

The cookie holds the key's id and an end, never the key; whoever checks it looks the key up again, so a
revoked key ends its sessions at once.
"""

import base64
import hashlib
import hmac
import time
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers

COOKIE: Final = "worldgen_session"
SECONDS: Final = 7 * 86400

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Sessions:
    """Issues and reads cookie values.

    Args:
        secret: At least 32 random bytes, the same for every replica and kept over restarts.
        seconds: How long a session lasts.

    Raises:
        ValueError: The secret is too short.
    """

    def __init__(self, secret: bytes, *, seconds: int = SECONDS) -> None:
        if len(secret) < 32:
            message = f"a secret of sessions has at least 32 bytes, got {len(secret)}"
            raise ValueError(message)
        self._secret = secret
        self.seconds = seconds

    def issue(self, key_id: str) -> str:
        """Make the value of a cookie that stands for a key."""
        body = _encode(f"{int(time.time()) + self.seconds}:{key_id}".encode())
        return f"{body}.{self._sign(body)}"

    def key_id(self, value: str) -> str | None:
        """Read whose session it is; None when it is over, or was not made here."""
        body, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        ends, _, key_id = _decode(body).partition(":")
        return key_id if int(ends) > time.time() else None

    def _sign(self, body: str) -> str:
        return _encode(hmac.digest(self._secret, b"worldgen page:" + body.encode(), hashlib.sha256))


def session_of(request: Request) -> str | None:
    """Return the cookie's value, unless another site makes the browser send a change.

    A cookie travels with every request that the browser makes, whoever wrote the page that makes it; a
    bearer key does not. So the cookie counts for reading, and for changes from our own pages alone.
    """
    value = request.cookies.get(COOKIE)
    return value if value and (request.method in _SAFE or is_same_origin(request.headers)) else None


def is_same_origin(headers: Headers) -> bool:
    """Say whether a request comes from a page of this server, or from no page at all."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decode(value: str) -> str:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()

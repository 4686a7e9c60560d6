"""Where the server is and how patient to be."""

import os
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from worldgen import __version__
from worldgen.errors import ConfigError

DEFAULT_URL: Final = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a client speaks to a server; made by `settings`."""

    url: str
    key: str = field(repr=False)
    timeout_seconds: float
    """Of one answer, and of every pause within one."""
    retries: int
    """How often a request that was not answered, or answered with `later`, is sent again."""
    patience_seconds: float
    """How long a job that is followed, or a download, may be out of reach."""

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every request, and to this server alone."""
        headers = {"User-Agent": f"worldgen/{__version__}"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        return headers

    @property
    def connection(self) -> dict[str, Any]:
        """What a connection is made with. The environment's proxies are for other machines than this one."""
        is_here = urlsplit(self.url).hostname in ("127.0.0.1", "::1", "localhost")
        return {
            "base_url": self.url,
            "headers": self.headers,
            "timeout": self.timeout,
            "trust_env": not is_here,
        }

    @property
    def timeout(self) -> httpx2.Timeout:
        """For connecting, sending, receiving and waiting for a free connection."""
        return httpx2.Timeout(self.timeout_seconds)


def settings(
    url: str | None, key: str | None, *, timeout_seconds: float, retries: int, patience_seconds: float
) -> Settings:
    """Complete what was given from WORLDGEN_URL and WORLDGEN_KEY.

    Raises:
        ConfigError: `invalid` when the address is not http(s)://host[:port][/path].
    """
    address = (url or os.environ.get("WORLDGEN_URL") or DEFAULT_URL).strip().rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        message = f"a server is http(s)://host[:port], without name, password or query, not {address!r}"
        raise ConfigError(message, reason="invalid", hint="--server, or WORLDGEN_URL")
    secret = (key if key is not None else os.environ.get("WORLDGEN_KEY") or "").strip()
    if not secret.isascii() or any(c.isspace() for c in secret):
        message = "a key has no spaces and no letters outside ASCII"
        raise ConfigError(message, reason="invalid", hint="WORLDGEN_KEY")
    return Settings(
        url=address,
        key=secret,
        timeout_seconds=timeout_seconds,
        retries=retries,
        patience_seconds=patience_seconds,
    )

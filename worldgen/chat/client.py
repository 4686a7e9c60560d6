"""One endpoint that speaks ``/chat/completions``: vLLM, SGLang, llama.cpp, Ollama or a vendor's.

Nothing leaves this machine unasked: an address that is not this machine's own needs explicit permission, a
redirect is not followed, and what was sent is written to a log (address, model, sizes and digests, never the
key). The same question is sent once: answers lie in a folder by the digest of all that decides them.
"""

import base64
import hashlib
import ipaddress
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from worldgen.datatypes.digest import Value, digest
from worldgen.errors import ConfigError, ServiceError, disk_errors

_MOST_BYTES: Final = 8_000_000
"""Of an answer; a caption is some 10 kB."""
_REASONS: Final = {400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not_found", 422: "invalid"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to be shown, as JPEG."""

    jpeg: bytes


Piece: TypeAlias = str | Picture


class ChatSettings(Value):
    """Where to ask, and how."""

    url: str
    """Up to and with ``/v1``."""
    model: str
    max_tokens: Annotated[int, Field(ge=16, le=65_536)] = 8_000
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.2
    seed: int = 0
    timeout_s: Annotated[float, Field(gt=0)] = 300.0
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    """Of a request that a busy or failing server could not answer."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            msg = "an endpoint is http(s)://host[:port]/v1, without name, password or query"
            raise ValueError(msg)
        return url.rstrip("/")

    @property
    def is_here(self) -> bool:
        """Whether the address is this machine's own."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


class Chat:
    """A connection to an endpoint. The key is ``$WORLDGEN_CHAT_KEY``: one that was set for this and no other.

    Args:
        settings: Where to ask.
        may_leave: Permission to send to another machine.
        folder: Of the cache and of `sent.jsonl`; by default worldgen/chat in the user's cache.

    Raises:
        ConfigError: `not_permitted` when the endpoint is another machine and `may_leave` is not set.
    """

    def __init__(
        self, settings: ChatSettings, *, may_leave: bool = False, folder: Path | None = None
    ) -> None:
        if not settings.is_here and not may_leave:
            host = urlsplit(settings.url).hostname
            message = f"{host} is another machine; nothing is sent there without permission"
            raise ConfigError(message, reason="not_permitted", hint="--allow-egress permits it")
        self.settings = settings
        self.folder = folder or _default_folder()

    def ask(self, system: str, pieces: Sequence[Piece]) -> str:
        """Ask once and remember the answer.

        Args:
            system: What the model is to be.
            pieces: Words and pictures, in order.

        Raises:
            ServiceError: `unreachable`, `unauthorized`, `forbidden`, `not_found`, `invalid`, `busy`,
                `timeout`, `failed`, or `bad_answer` when what comes back is not an answer.
        """
        name = self._name(system, pieces)
        place = self.folder / f"{name}.json"
        if place.is_file():
            kept = json.loads(place.read_text(encoding="utf-8"))
            return str(kept["answer"])
        self._log(name, pieces)
        answer = self._answer(system, pieces)
        _write(place, {"answer": answer, "url": self.settings.url, "model": self.settings.model})
        return answer

    def forget(self, system: str, pieces: Sequence[Piece]) -> None:
        """Drop the remembered answer to a question, because it was of no use."""
        (self.folder / f"{self._name(system, pieces)}.json").unlink(missing_ok=True)

    def _name(self, system: str, pieces: Sequence[Piece]) -> str:
        said = [p if isinstance(p, str) else f"jpeg:{_sha256(p.jpeg)}" for p in pieces]
        how = self.settings.model_dump(exclude={"timeout_s", "tries"})
        return digest(how, system, said)[:40]

    def _log(self, name: str, pieces: Sequence[Piece]) -> None:
        """Write what is about to be sent, before it is."""
        row = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "url": self.settings.url,
            "model": self.settings.model,
            "question": name,
            "characters": sum(len(p) for p in pieces if isinstance(p, str)),
            "pictures": [
                {"bytes": len(p.jpeg), "sha256": _sha256(p.jpeg)} for p in pieces if isinstance(p, Picture)
            ],
        }
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "sent.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")

    def _answer(self, system: str, pieces: Sequence[Piece]) -> str:
        import httpx2

        body = {
            "model": self.settings.model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": [_content(p) for p in pieces]},
            ],
            "max_tokens": self.settings.max_tokens,
            "temperature": self.settings.temperature,
            "seed": self.settings.seed,
        }
        key = os.environ.get("WORLDGEN_CHAT_KEY", "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with httpx2.Client(timeout=self.settings.timeout_s, follow_redirects=False, headers=headers) as http:
            for tried in range(1, self.settings.tries + 1):
                status, text, wait = self._post(http, body)
                if status == 200:
                    return _words_of(text)
                if status not in (429, 500, 502, 503, 504) or tried == self.settings.tries:
                    raise self._refused(status, text)
                time.sleep(min(wait or 0.5 * 2**tried, 30.0))
        raise AssertionError  # the loop returns or raises

    def _post(self, http: Any, body: dict[str, Any]) -> tuple[int, str, float]:  # noqa: ANN401 -- httpx2.Client
        import httpx2

        try:
            with http.stream("POST", f"{self.settings.url}/chat/completions", json=body) as response:
                content = b""
                for block in response.iter_bytes():
                    content += block
                    if len(content) > _MOST_BYTES:
                        message = f"{self.settings.url} answered more than {_MOST_BYTES} bytes"
                        raise ServiceError(message, reason="bad_answer")
                after = response.headers.get("Retry-After", "")
                wait = float(after) if after.replace(".", "", 1).isdigit() else 0.0
                return response.status_code, content.decode("utf-8", errors="replace"), wait
        except httpx2.TimeoutException as exc:
            message = f"{self.settings.url} did not answer within {self.settings.timeout_s:g} s"
            raise ServiceError(message, reason="timeout") from exc
        except httpx2.HTTPError as exc:
            message = f"{self.settings.url} cannot be reached: {type(exc).__name__}: {exc}"
            raise ServiceError(message, reason="unreachable") from exc

    def _refused(self, status: int, text: str) -> ServiceError:
        if 300 <= status < 400:
            message = f"{self.settings.url} redirects elsewhere; name the address that answers"
            return ServiceError(message, reason="invalid")
        reason = _REASONS.get(status, "busy" if status == 429 else "failed")
        hint = "WORLDGEN_CHAT_KEY holds the key for this endpoint" if status in (401, 403) else ""
        return ServiceError(f"{self.settings.url} answered {status}: {text[:300]}", reason=reason, hint=hint)


def _content(piece: Piece) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    data = base64.b64encode(piece.jpeg).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


def _words_of(text: str) -> str:
    try:
        choice = json.loads(text)["choices"][0]
        words = choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as exc:
        message = f"not an answer of /chat/completions: {text[:200]!r}"
        raise ServiceError(message, reason="bad_answer") from exc
    if not isinstance(words, str) or not words.strip():
        message = "the endpoint answered without a word"
        raise ServiceError(message, reason="bad_answer")
    if choice.get("finish_reason") == "length":
        message = "the answer was cut off at max_tokens"
        raise ServiceError(message, reason="bad_answer", hint="raise max_tokens")
    return words


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _default_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "worldgen" / "chat"


def _write(place: Path, values: dict[str, str]) -> None:
    with disk_errors(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(values, file)
        Path(name).replace(place)

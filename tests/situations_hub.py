"""A model hub on this machine: the part of the public hub's HTTP interface that fetching weights uses."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the hub holds and how it behaves; tests change it while it serves."""

    files: dict[str, bytes]
    repository: str = "someone/world"
    commit: str = COMMIT
    large: tuple[str, ...] = (".safetensors", ".bin", ".pt")
    """Suffixes that are stored beside git, and so listed with their sha256."""
    listed: dict[str, bytes] = field(default_factory=dict)
    """Content that the listing's digests are of, where it is not what is served."""
    cut: dict[str, int] = field(default_factory=dict)
    """Bytes after which the connection breaks, once per file."""
    slow: float = 0.0
    """Seconds between blocks of 64 KiB."""
    gate: tuple[int, str] | None = None
    """Status and error code for everybody whose token is not `token`."""
    token: str = "hf_allowed"
    broken: int = 0
    """Status of every answer, when set."""
    cdn: str = ""
    """Where large files are redirected to."""
    expires: bool = False
    """Whether a signed address is worth nothing after a connection broke."""
    signed: int = 0
    """Addresses signed so far."""
    expired: int = 0
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Method, path, range and authorization of every request."""
    url: str = ""

    def listing(self) -> dict[str, object]:
        siblings = []
        for path, served in self.files.items():
            content = self.listed.get(path, served)
            row: dict[str, object] = {"rfilename": path, "size": len(content)}
            if path.endswith(self.large):
                sha256 = hashlib.sha256(content).hexdigest()
                row["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
                row["blobId"] = "f" * 40
            else:
                row["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            siblings.append(row)
        return {"_id": "1", "id": self.repository, "sha": self.commit, "siblings": siblings}

    def ranges(self, path: str) -> list[str]:
        return [r for method, p, r, _ in self.asked if method == "GET" and p.endswith(path)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args: object) -> None:
        del args

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub, path = self.hub, urlsplit(self.path).path
        token = self.headers.get("Authorization", "")
        hub.asked.append((self.command, path, self.headers.get("Range", ""), token))
        if hub.broken:
            return self._short(hub.broken)
        if hub.gate and token != f"Bearer {hub.token}":
            status, code = hub.gate
            return self._short(status, **{"X-Error-Code": code, "X-Error-Message": "Access is restricted."})
        if path.startswith(f"/api/models/{hub.repository}/revision/"):
            if path.rsplit("/", 1)[1] not in ("main", hub.commit):
                return self._short(404, **{"X-Error-Code": "RevisionNotFound"})
            return self._body(json.dumps(hub.listing()).encode(), "application/json")
        start = f"/{hub.repository}/resolve/{hub.commit}/"
        if path.startswith(start) and path.removeprefix(start) in hub.files:
            return self._file(path.removeprefix(start))
        if path.startswith((f"/api/models/{hub.repository}", f"/{hub.repository}/")):
            return self._short(404, **{"X-Error-Code": "EntryNotFound"})
        return self._short(401, **{"X-Error-Code": "RepoNotFound"})

    def _short(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _file(self, path: str) -> None:
        hub = self.hub
        content = hub.files[path]
        is_large = path.endswith(hub.large)
        signature = int(urlsplit(self.path).query.removeprefix("signature=") or 0)
        if signature and signature <= hub.expired:
            self._short(403)
            return
        redirected = bool(is_large and hub.cdn)
        begin = 0
        if wanted := self.headers.get("Range", ""):
            begin = int(wanted.removeprefix("bytes=").split("-")[0])
        self.send_response(302 if redirected else 206 if wanted else 200)
        digest = hashlib.sha256(content).hexdigest()
        self.send_header("ETag", f'"{digest}"')
        self.send_header("X-Repo-Commit", hub.commit)
        self.send_header("Accept-Ranges", "bytes")
        if redirected:
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Linked-ETag", f'"{digest}"')
            hub.signed += 1
            self.send_header("Location", f"{hub.cdn}{self.path}?signature={hub.signed}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if wanted:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if self.command != "GET":
            return
        end = hub.cut.pop(path, len(content))
        for at in range(begin, min(end, len(content)), 1 << 16):
            self.wfile.write(content[at : min(at + (1 << 16), end)])
            if hub.slow:
                self.wfile.flush()
                time.sleep(hub.slow)
        if end < len(content):
            hub.expired = signature if hub.expires else 0
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve a hub on a free port of this machine."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A small real server on a real port that misbehaves on purpose: says busy, drops connections, dies and returns."""

import hashlib
import json
import re
import socket
import struct
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from worldgen.datatypes.profile import ModelProfile
from worldgen.wire import JobEvent, JobStatus, VariantLine

VARIANT = "ab" * 16


class Misbehaving:
    """Keeps blobs and jobs as the service does; `faults` are used up by matching requests, one each.

    A fault is (method, part of the path, what happens): a status, a status with Retry-After as a tuple, `reset`
    (the connection is reset before an answer), `lost` (the request is carried out and the answer is lost) or
    `cut` (the connection is reset after half of the body).
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = {"variant.mp4": bytes(range(256)) * 2000, "verdict.json": b"{}", **(files or {})}
        digests = {name: hashlib.sha256(body).hexdigest() for name, body in self.files.items()}
        self.files["variant.json"] = json.dumps({"id": VARIANT, "files": digests}).encode()
        self.faults: list[tuple[str, str, Any]] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.keys: dict[str, str] = {}
        self.blobs: dict[str, bytes] = {}
        self.partial: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.cut_events_after = 0
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Misbehaving":
        server = self

        class Bound(_Handler):
            home = server

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Bound)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def counts(self) -> Counter[str]:
        return Counter(f"{method} {path.partition('?')[0]}" for method, path, _ in self.seen)

    def headers(self, method: str, part: str) -> list[dict[str, str]]:
        return [headers for m, path, headers in self.seen if m == method and part in path]

    def fault(self, method: str, path: str) -> Any:
        for index, (m, part, what) in enumerate(self.faults):
            if m == method and part in path:
                del self.faults[index]
                return what
        return None

    def events(self) -> list[JobEvent]:
        line = VariantLine(id=VARIANT, spec="fog", state="accepted", files=tuple(sorted(self.files)))
        steps = [
            JobEvent(
                id=n, kind="progress", state="running", variant_id=VARIANT, spec="fog\u2028", step=n, steps=8
            )
            for n in range(2, 9)
        ]
        return [
            JobEvent(id=1, kind="state", state="queued"),
            *steps,
            JobEvent(id=9, kind="variant", state="running", variant=line, variant_id=VARIANT, spec="fog"),
            JobEvent(id=10, kind="state", state="completed"),
        ]

    def status(self, job_id: str) -> JobStatus:
        line = self.events()[-2].variant
        return JobStatus(
            id=job_id,
            state="completed",
            created="2026-01-01T00:00:00+00:00",
            variants_total=1,
            variants_done=1,
            counts={"accepted": 1},
            variants=(line,) if line else (),
        )


class _Handler(BaseHTTPRequestHandler):
    home: Misbehaving
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def do_PUT(self) -> None:
        self._handle("PUT")

    def _handle(self, method: str) -> None:
        self.home.seen.append((method, self.path, dict(self.headers.items())))
        fault = self.home.fault(method, self.path)
        body = self._body(half=fault == "cut" and method == "PUT")
        if fault == "reset" or body is None:
            self._reset()
        elif isinstance(fault, int | tuple):
            status, wait = fault if isinstance(fault, tuple) else (fault, None)
            self._send(status, b"", {"Retry-After": wait} if wait else {})
        else:
            self._answer(method, body, fault)

    def _body(self, *, half: bool) -> bytes | None:
        length = int(self.headers.get("Content-Length", 0))
        if not half:
            return self.rfile.read(length)
        name = self.path.rpartition("/")[2]
        self.home.partial[name] = self.home.partial.get(name, b"") + self.rfile.read(length // 2)
        return None

    def _answer(self, method: str, body: bytes, fault: Any) -> None:
        home, path = self.home, self.path.partition("?")[0]
        if path == "/v1/blobs/check":
            names = json.loads(body)["sha256"]
            missing = [n for n in names if n not in home.blobs]
            received = {n: len(home.partial[n]) for n in missing if n in home.partial}
            self._json(200, {"missing": missing, "received": received, "a_newer_field": 1})
        elif path.startswith("/v1/blobs/"):
            self._put(path.rpartition("/")[2], body)
        elif path == "/v1/models":
            self._json(200, [json.loads(_PROFILE.model_dump_json())])
        elif path == "/v1/jobs" and method == "GET":
            self._page()
        elif path == "/v1/jobs":
            self._submit(body, fault)
        elif path.endswith("/events"):
            self._events()
        elif found := re.fullmatch(r"/v1/jobs/([^/]+)", path):
            self._json(200, json.loads(home.status(found[1]).model_dump_json()))
        elif found := re.fullmatch(r"/v1/variants/[^/]+/files/(.+)", path):
            self._file(home.files.get(found[1]), fault)
        else:
            self._json(
                404, {"title": "not found", "status": 404, "detail": "no such", "code": "service.not_found"}
            )

    def _put(self, name: str, body: bytes) -> None:
        found = re.fullmatch(r"bytes (\d+)-\d+/\d+", self.headers.get("Content-Range", ""))
        whole = self.home.partial.get(name, b"")[: int(found[1])] + body if found else body
        if hashlib.sha256(whole).hexdigest() != name:
            self.home.partial.pop(name, None)
            self._json(
                400, {"title": "x", "status": 400, "detail": "another hash", "code": "service.invalid"}
            )
        else:
            self.home.blobs[name] = whole
            self._json(201, {"sha256": name})

    def _submit(self, body: bytes, fault: Any) -> None:
        wanted = json.loads(body)
        if "frogs" in wanted["specs"]:
            problem = {"title": "spec: unknown word", "status": 400, "detail": "unknown word 'frogs'"}
            more = {"code": "spec.unknown_word", "hint": "fog?", "nearest": {"frames": 93}}
            self._json(400, {**problem, **more})
            return
        key = self.headers["Idempotency-Key"]
        job_id = self.home.keys.setdefault(key, f"job{len(self.home.keys)}")
        self.home.jobs[job_id] = wanted
        if fault == "lost":
            self._reset()
        else:
            self._json(202, json.loads(self.home.status(job_id).model_dump_json()))

    def _page(self) -> None:
        after = re.search(r"after=job(\d+)", self.path)
        first = int(after[1]) + 1 if after else 0
        rows = [
            json.loads(self.home.status(f"job{n}").model_dump_json()) for n in range(first, min(first + 2, 5))
        ]
        self._json(200, {"data": rows, "next": rows[-1]["id"] if first + 2 < 5 else None})

    def _events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b": hello\r\nretry: 10\r\n\r\nevent: a_newer_kind\r\ndata: {}\r\n\r\n")
        sent = 0
        for event in self.home.events():
            if event.id <= int(self.headers.get("Last-Event-ID", 0)):
                continue
            if self.home.cut_events_after and sent == self.home.cut_events_after:
                self._reset()
                return
            line = event.model_dump_json().encode()
            self.wfile.write(b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), line))
            sent += 1
        self.close_connection = True

    def _file(self, body: bytes | None, fault: Any) -> None:
        if body is None:
            self._json(404, {"title": "x", "status": 404, "detail": "no file", "code": "service.not_found"})
            return
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        if start >= len(body):
            self._send(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            return
        if fault == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1])
        headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"'} if fault != "wrong" else {}
        if found:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self._send(206 if found else 200, body[start:], headers, cut=fault == "cut")

    def _json(self, status: int, body: Any) -> None:
        kind = "application/problem+json" if status >= 400 else "application/json"
        self._send(status, json.dumps(body).encode(), {"Content-Type": kind})

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


_PROFILE = ModelProfile(name="physics", revision="1", kind="physics", needs=frozenset({"rgb"}))

"""A language model on this machine: an HTTP server that speaks /chat/completions and answers what tests say."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Talker:
    """What it answers: one text or status per question, the last one for all that follow."""

    answers: list[str | int | Callable[[dict[str, Any]], str]]
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""

    def pictures(self, question: int = 0) -> int:
        return sum(p["type"] == "image_url" for p in self.asked[question]["messages"][1]["content"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    talker: Talker

    def log_message(self, *args: object) -> None:
        del args

    def do_POST(self) -> None:
        talker = self.talker
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = talker.answers[min(len(talker.asked), len(talker.answers) - 1)]
        talker.asked.append(body)
        talker.keys.append(self.headers.get("Authorization", ""))
        if isinstance(answer, int):
            self.send_response(answer)
            self.send_header("Retry-After", "0.01")
            if 300 <= answer < 400:
                self.send_header("Location", f"{talker.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        text = answer(body) if callable(answer) else answer
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        content = json.dumps({"choices": [choice]}).encode()
        self.send_response(200 if self.path.endswith("/v1/chat/completions") else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def talking(*answers: str | int | Callable[[dict[str, Any]], str]) -> Iterator[Talker]:
    """Serve a language model on a free port of this machine."""
    talker = Talker(list(answers))
    handler = type("Handler", (_Handler,), {"talker": talker})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    talker.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield talker
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A server of OpenAI's protocol that answers as a test says, well or badly, and notes what it got.

A real one (`transformers serve`) is in test_real_server.py; this one does what a real one does on a
bad day only.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


def completion(text: object, *, finish: str = "stop", usage: object = USAGE) -> str:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage})


@dataclass(frozen=True)
class Bad:
    """An answer of another kind: its state, body and headers; what is done before and after."""

    status: int = 200
    body: str = "{}"
    headers: tuple[tuple[str, str], ...] = ()
    hang: float = 0.0
    cut_at: int | None = None
    """Bytes after which the connection is closed, though more were promised."""


Answer = str | Bad
Respond = Callable[[dict[str, Any], int], Answer]
"""The answer to a request's body, and to the number of the request, from 0."""


@dataclass
class Server:
    """A running server, and all that it was asked."""

    respond: Respond
    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """What --url is."""
        return f"http://127.0.0.1:{self.port}/v1"

    def begin(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> int:
        with self.lock:
            self.paths.append(path)
            self.headers.append(headers)
            self.bodies.append(body)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            return len(self.bodies) - 1

    def end(self) -> None:
        with self.lock:
            self.at_once -= 1


@contextmanager
def serving(respond: Respond) -> Iterator[Server]:
    """A server on a free port of this machine."""
    served = Server(respond)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = served.begin(self.path, dict(self.headers), body)
            try:
                found = served.respond(body, number)
                self.answer(Bad(body=found) if isinstance(found, str) else found)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                served.end()

        def answer(self, bad: Bad) -> None:
            time.sleep(bad.hang)
            content = bad.body.encode("utf-8", "surrogateescape")
            self.send_response(bad.status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in bad.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[: bad.cut_at])
            self.close_connection = bad.cut_at is not None

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.port = server.server_address[1]
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

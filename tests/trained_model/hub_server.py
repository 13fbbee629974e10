"""A hub on this machine: the part of the Hugging Face hub's protocol that a download uses.

Source: https://huggingface.co/docs/hub/api
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """One repository with one commit, which one tag names; `asked` has every path asked for."""

    def __init__(self, repository: str, tag: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.repository, self.revisions, self.folder = repository, (tag, COMMIT), folder
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    """Answers about a revision, its files, and each of them."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""

    def _answer(self) -> None:
        path = unquote(urlparse(self.path).path)
        self.server.asked.append(path)
        api, files = f"/api/models/{self.server.repository}", f"/{self.server.repository}/resolve"
        names = sorted(each.name for each in self.server.folder.iterdir())
        known: dict[str, tuple[bytes, str | None]] = {}
        for revision in self.server.revisions:
            said = {"id": self.server.repository, "sha": COMMIT, "siblings": []}
            known[f"{api}/revision/{revision}"] = (json.dumps(said).encode(), None)
            entries = [self._entry(each) for each in names]
            known[f"{api}/tree/{revision}"] = (json.dumps(entries).encode(), None)
            for name in names:
                content = (self.server.folder / name).read_bytes()
                known[f"{files}/{revision}/{name}"] = (content, name)
        if path in known:
            self._send(*known[path])
        else:
            code = "RepoNotFound" if self.server.repository not in path else "RevisionNotFound"
            self._send(b"", None, 404, {"X-Error-Code": code, "X-Error-Message": "not found"})

    def _entry(self, name: str) -> dict[str, object]:
        content = (self.server.folder / name).read_bytes()
        oid = hashlib.sha1(content).hexdigest()
        return {"type": "file", "oid": oid, "size": len(content), "path": name}

    def _send(
        self,
        content: bytes,
        name: str | None,
        code: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        if name is not None:
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@contextmanager
def serving(repository: str, tag: str, folder: Path) -> Iterator[Hub]:
    """A hub that answers inside the block."""
    hub = Hub(repository, tag, folder)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()

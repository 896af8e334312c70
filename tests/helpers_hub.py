"""A small Hub on this machine: the two requests a download makes, and ways to fail."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hub:
    """What the server holds, how it fails, and what it was asked.

    Attributes:
        files: path -> content.
        cuts: after how many bytes the next answers break off; used up one by one.
        statuses: error codes of the next answers to GET; used up one by one.
        ranges: False: a server that ignores range requests.
        storage: answer HEAD with a redirect, as the real Hub does for large files.
        etag: None: the sha256 of the content; empty: none is sent.
        requests: (method, path, value of the Range header).
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    storage: bool = True
    etag: str | None = None
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    authorised: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Run the server on a free port; `hub.url` is its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def _content(self) -> bytes | None:
            hub.requests.append((self.command, self.path, self.headers["Range"]))
            hub.authorised.append((self.path, self.headers["Authorization"]))
            content = hub.files.get(self.path.removeprefix("/storage"))
            if content is None:
                self.send_error(404)
            return content

        def _linked(self, content: bytes) -> None:
            etag = hashlib.sha256(content).hexdigest() if hub.etag is None else hub.etag
            if etag:
                self.send_header("X-Linked-ETag" if hub.storage else "ETag", f'"{etag}"')
            if hub.storage:
                self.send_header("X-Linked-Size", str(len(content)))

        def do_HEAD(self) -> None:
            content = self._content()
            if content is None:
                return
            self.send_response(302 if hub.storage else 200)
            self._linked(content)
            if hub.storage:
                # Another host name, as with the real storage.
                self.send_header("Location", hub.url.replace("127.0.0.1", "localhost") + "/storage" + self.path)
            self.send_header("Content-Length", "0" if hub.storage else str(len(content)))
            self.end_headers()

        def do_GET(self) -> None:
            content = self._content()
            if content is None:
                return
            if hub.statuses:
                self.send_error(hub.statuses.pop(0))
                return
            if hub.storage and not self.path.startswith("/storage"):
                self.send_response(302)
                self.send_header("Location", hub.url.replace("127.0.0.1", "localhost") + "/storage" + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            asked = self.headers["Range"] if hub.ranges else None
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = start + hub.cuts.pop(0) if hub.cuts else len(content)
            self.wfile.write(content[start:end])
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

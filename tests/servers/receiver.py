"""Who is told: a real HTTP server on loopback that keeps every request, and can refuse, or hang up."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    """One that came whole. `answered` is what it got; 0: the connection was closed instead."""

    path: str
    headers: dict[str, str]
    body: bytes
    answered: int


@dataclass
class Receiver:
    """`status` is what it answers with from now on, after `takes_s` seconds; 0: it takes the request, and
    hangs up.
    """

    port: int
    status: int = 200
    takes_s: float = 0.0
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def taken(self, path: str = "") -> list[Request]:
        """Those that it took, below a path."""
        return [one for one in self.requests if one.path.startswith(path) and one.answered == 200]


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    """One that listens until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status = made.status  # once: a test may set another meanwhile
            made.requests.append(Request(self.path, dict(self.headers), body, status))
            time.sleep(made.takes_s)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    made = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

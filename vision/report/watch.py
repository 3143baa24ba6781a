"""The page of a running sweep on a local server; a browser that shows it reloads it when runs finish.

>>> server = serve(WatchedPage(Path("outputs/demo"), Path("report.html"), write), port=0)  # doctest: +SKIP
>>> server.serve_forever()  # doctest: +SKIP
"""

import hashlib
import json
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Lock

from vision import results

HOST = "127.0.0.1"  # other machines cannot reach it
NAMES = (HOST, "localhost")
WAITING = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{0}</title><body><p>{0}</p></body></html>'
)


class WatchedPage:
    """A page over a sweep that is written again when the states of its runs have changed."""

    def __init__(self, source: Path, out: Path, write: Callable[[], object]) -> None:
        """Take the folder of a sweep, the file of its page, and what writes that file."""
        self.source, self.out, self.write = source, out, write
        self._text, self._state, self._lock = "", "", Lock()

    def state(self) -> str:
        """Return a text that changes when a run starts, finishes or fails."""
        states = json.dumps(results.status(self.source), sort_keys=True)
        return hashlib.sha256(states.encode()).hexdigest()

    def html(self) -> str:
        """Return the page with a script that reloads it, or why there is no page yet."""
        with self._lock:  # several browsers, one drawing
            if (state := self.state()) != self._state:
                self._text = self._written()
                self._state = state
            reload = files("vision.report").joinpath("watch.js").read_text(encoding="utf-8")
            script = f"<script>\nconst STATE = {json.dumps(self._state)};\n{reload}</script>\n</body>"
            return script.join(self._text.rsplit("</body>", 1))

    def _written(self) -> str:
        try:
            self.write()
        except (OSError, ValueError) as error:  # such as: no run has finished yet
            return WAITING.format(escape(str(error)))
        return self.out.read_text(encoding="utf-8")


class PageServer(ThreadingHTTPServer):
    """A server of one page, on this machine only."""

    daemon_threads = True

    def __init__(self, page: WatchedPage, port: int) -> None:
        """Bind the port; 0 takes a free one."""
        super().__init__((HOST, port), _Handler)
        self.page = page

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/"


def serve(page: WatchedPage, *, port: int) -> PageServer:
    """Return a server of the page that is ready for `serve_forever`.

    Raises:
        ValueError: The port cannot be used.
    """
    try:
        return PageServer(page, port)
    except (OSError, OverflowError) as error:
        raise ValueError(f"--port must be a free port from 0 to 65535, got {port}: {error}") from error


class _Handler(BaseHTTPRequestHandler):
    server: PageServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        # A name that another site resolves to this machine must not read the page.
        if self.headers.get("Host", "").partition(":")[0] not in NAMES:
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path == "/":
            self._send(self.server.page.html(), "text/html")
        elif self.path == "/state":
            self._send(self.server.page.state(), "text/plain")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: the terminal shows the address only."""

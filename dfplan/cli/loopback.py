"""A web server for this machine alone: a few files of one folder, read only, on 127.0.0.1.

Only files that were in the folder when it began are known, by their names: nothing in an address is ever looked up on
the disk. A page of another site that a browser has open learns nothing either: it would have to ask by the name of its
own site, which is refused (DNS rebinding).
"""

import socketserver
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from dfplan.errors import UserError

ADDRESS = "127.0.0.1"
# What a page may do that perhaps somebody else has made: run its own scripts, and reach nothing.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: 'self'; "
    "media-src data: 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
Read = Callable[[], bytes]


def open_server(files: Mapping[str, tuple[str, Read]], *, port: int) -> ThreadingHTTPServer:
    """A server that has begun to listen; ``serve_forever`` answers, and ``server_close`` ends it.

    Args:
        files: by their addresses, such as "/" and "/results.json": the media type, and what reads the content.
        port: 0 is one that is free.

    Raises:
        UserError: the port is taken, or may not be listened at.
    """

    class Handler(_Handler):
        served = files

    try:
        return _Server((ADDRESS, port), Handler)
    except OSError as error:
        raise UserError(f"port={port} cannot be listened at ({error.strerror}); give another, or none") from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a browser that keeps a connection open does not keep the command alive
    allow_reuse_address = sys.platform != "win32"  # where another program could be listening at the same port

    def server_bind(self) -> None:
        """Bind without asking the network for the name of this machine, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    served: Mapping[str, tuple[str, Read]] = {}
    server_version, sys_version = "dfplan", ""
    timeout = 30  # seconds that a connection may say nothing

    def do_GET(self) -> None:
        """Answer with a file."""
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        """Answer with what is said of a file."""
        self._answer(with_content=False)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def _answer(self, *, with_content: bool) -> None:
        if self.headers.get("Host") not in {f"{name}:{self.server.server_port}" for name in (ADDRESS, "localhost")}:
            self.send_error(HTTPStatus.FORBIDDEN, "asked by another name than 127.0.0.1")
            return
        found = self.served.get(unquote(urlsplit(self.path).path))
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND, "no such file in this run")
            return
        kind, read = found
        try:
            content = read()
        except (OSError, UserError):
            self.send_error(HTTPStatus.NOT_FOUND, "the file is gone")
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def end_headers(self) -> None:
        """With every answer, also one that refuses."""
        for name, value in {
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }.items():
            self.send_header(name, value)
        super().end_headers()

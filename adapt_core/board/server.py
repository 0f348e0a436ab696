"""The server of the board: for this machine alone, and for reading alone."""

from __future__ import annotations

import logging
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from adapt_core.board.pages import HTML, Board, Page
from adapt_core.errors import InputError

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"

_OWN_NAMES = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
"""The Host headers that are answered: a page of another name that resolves to this machine is not. With any port, for
that of a tunnel (`ssh -L 9000:127.0.0.1:8427`) is another."""
_OF_ANOTHER_NAME = b"This board answers to the names 127.0.0.1 and localhost alone.\n"

_COMMON = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_POLICY = f"{_COMMON}; script-src 'self'; connect-src 'self'; frame-ancestors 'none'"
_POLICY_OF_A_RUN_S_OWN = f"{_COMMON}; frame-ancestors 'none'; sandbox allow-popups"
"""What a run wrote (its report) is another's: it runs no script, and is of no origin."""


class BoardServer(ThreadingHTTPServer):
    """Serves a board on the loopback interface.

    Args:
        board: its pages.
        port: 0 for any that is free.

    Raises:
        InputError: the port cannot be had.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, board: Board, port: int) -> None:
        self.board = board
        try:
            super().__init__((ADDRESS, port), _Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"--port {port} cannot be served on: {error}. Give another one, or 0.") from None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet: a browser that leaves in the middle of an answer is no fault."""
        log.debug("a request of %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: BoardServer
    server_version = "adapt-board"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer with a page."""
        if not _OWN_NAMES.fullmatch(self.headers.get("Host") or ""):
            self._send(Page("text/plain; charset=utf-8", _OF_ANOTHER_NAME, 421))
            return
        try:
            page = self.server.board.answer(self.path)
        except Exception:
            log.exception("the board could not answer %r", self.path)
            page = Page(HTML, b"<!DOCTYPE html><title>fault</title><p>This page could not be made.", 500)
        self._send(page)

    do_HEAD = do_GET  # noqa: N815 - the base names it so

    def _send(self, page: Page) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Content-Security-Policy", _POLICY if page.scripted else _POLICY_OF_A_RUN_S_OWN)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002 - the base's name
        """Log requests as details."""
        log.debug("board: " + format, *values)

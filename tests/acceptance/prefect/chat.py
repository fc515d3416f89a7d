"""A chat that automations tell: a webhook on this machine."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer


class Messages:
    """A chat's webhook: keeps what is posted to it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        #: While it is not set, what is posted is not answered.
        self.answers = threading.Event()
        self.answers.set()
        messages = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                messages.texts.append(json.loads(body)["text"])
                messages.answers.wait(60)
                with suppress(OSError):  # whoever posted it may be gone
                    self.send_response(204)
                    self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no longer."""
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

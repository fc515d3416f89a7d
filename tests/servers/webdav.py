"""WebDAVServer: WsgiDAV on cheroot in a thread, over a folder of its own."""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

from tests.servers import free_port, wait_for_port


class WebDAVServer:
    """Takes Basic and Digest. `denied`: names that it answers 403 for."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="boxhaul-webdav-"))
        self.root = self.home / "content"
        self.root.mkdir()
        self.username, self.password = "anna", secrets.token_urlsafe(16)
        self.port = free_port()
        self.denied: set[str] = set()
        #: Requests by method.
        self.asked: list[str] = []
        self._server: wsgi.Server | None = None

    @property
    def url(self) -> str:
        """The folder `root`."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same through a proxy."""
        return f"webdav://127.0.0.1:{port}/share"

    def start(self) -> None:
        """Start in a thread and wait until it accepts connections."""
        logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
        app = WsgiDAVApp(
            {
                "provider_mapping": {"/share": {"root": str(self.root), "readonly": True}},
                "simple_dc": {"user_mapping": {"*": {self.username: {"password": self.password}}}},
                "http_authenticator": {"default_to_digest": True},
                "verbose": 0,
                "logging": {"enable": False},
                "fs_dav_provider": {"follow_symlinks": True},
            }
        )
        self._server = wsgi.Server(("127.0.0.1", self.port), self._guarded(app), numthreads=10)
        self._server.shutdown_timeout = 1
        threading.Thread(target=self._server.safe_start, daemon=True).start()
        wait_for_port(self.port, alive=lambda: True)

    def stop(self) -> None:
        """Stop the thread and remove the folder."""
        if self._server is not None:
            self._server.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _guarded(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            self.asked.append(environ["REQUEST_METHOD"])
            path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
            if not self.denied.isdisjoint(path.split("/")):
                start_response("403 Forbidden", [("Content-Length", "0")])
                return [b""]
            return app(environ, start_response)

        return answer

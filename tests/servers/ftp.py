"""FTPServer: pyftpdlib in a thread, over a folder of its own, with and without TLS."""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import trustme

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # asyncore, which later Pythons do not have
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer as Listener


class FTPServer:
    """`denied`: folders that are listed and may not be entered; `unreadable`: names of files that may not be read."""

    def __init__(self, *, tls: bool = False) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="boxhaul-ftp-"))
        self.root = self.home / "content"
        self.root.mkdir()
        self.username, self.password = "anna", secrets.token_urlsafe(16)
        self.denied: set[str] = set()
        self.unreadable: set[str] = set()
        #: Commands that it does not know.
        self.unknown: set[str] = set()
        #: Bytes after which a transfer is broken off with 426, once.
        self.cut_after: int | None = None
        self.ca_file = self.home / "ca.pem"
        self._tls = tls
        self._loop = IOLoop()
        self._listener = Listener(("127.0.0.1", 0), self._handler(), ioloop=self._loop)
        self.port = int(self._listener.address[1])
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        """The folder `root`."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same through a proxy, which the data connections go round."""
        return f"{'ftps' if self._tls else 'ftp'}://127.0.0.1:{port}/"

    @property
    def options(self) -> dict[str, object]:
        """Options of the source."""
        return {"ca_file": str(self.ca_file)} if self._tls else {}

    def start(self) -> None:
        """Serve in a thread."""
        logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """Stop the thread and remove the folder."""
        self._ended.set()
        shutil.rmtree(self.home, ignore_errors=True)

    def _serve(self) -> None:
        while not self._ended.is_set():
            self._loop.loop(timeout=0.05, blocking=False)
        self._listener.close_all()

    def _handler(self) -> type[FTPHandler]:
        server = self
        authorizer = _Authorizer(self)
        authorizer.add_user(self.username, self.password, str(self.root), perm="elr")

        class Handler(TLS_FTPHandler if self._tls else FTPHandler):  # type: ignore[misc]
            def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
                if cmd in server.unknown:
                    self.respond(f"500 Command {cmd} not understood.")
                    return
                super().pre_process_command(line, cmd, arg)

            def ftp_RETR(self, file: str) -> Any:
                if server.cut_after is not None and Path(file).stat().st_size > server.cut_after:
                    return _cut(self, file, server)
                return super().ftp_RETR(file)

        Handler.authorizer = authorizer
        Handler.auth_failed_timeout = 0
        Handler.unicode_errors = "surrogateescape"
        if self._tls:
            authority = trustme.CA()
            certificate = self.home / "server.pem"
            authority.cert_pem.write_to_path(self.ca_file)
            authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
            Handler.certfile = str(certificate)
            Handler.tls_control_required = Handler.tls_data_required = True
        return Handler


class _Authorizer(DummyAuthorizer):  # type: ignore[misc]
    def __init__(self, server: FTPServer) -> None:
        super().__init__()
        self._server = server

    def has_perm(self, username: str, perm: str, path: str | None = None) -> bool:
        """Nothing in what is denied, and no reading of what is unreadable."""
        parts = set(Path(path).parts) if path else set()
        if not self._server.denied.isdisjoint(parts):
            return False
        if perm == "r" and not self._server.unreadable.isdisjoint(parts):
            return False
        return bool(super().has_perm(username, perm, path))


def _cut(handler: Any, file: str, server: FTPServer) -> Any:
    """A part of the file, then 426, as a server does whose disk fails."""
    size, server.cut_after = server.cut_after, None
    part = server.home / "part"
    with open(file, "rb") as whole:
        part.write_bytes(whole.read(size))
    handler.log_transfer = lambda *arguments, **options: None
    respond = handler.respond

    def instead(text: str, *arguments: Any, **options: Any) -> None:
        handler.respond = respond if text.startswith("226") else instead
        respond("426 Connection closed; transfer aborted." if text.startswith("226") else text)

    handler.respond = instead
    handler.respond_w_warning = respond
    return FTPHandler.ftp_RETR(handler, str(part))

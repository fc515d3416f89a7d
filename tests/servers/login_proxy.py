"""LoginProxy: an HTTP proxy on loopback that asks for a login, and leads every tunnel to one port of this machine."""

from __future__ import annotations

import base64
import secrets
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class LoginProxy:
    """A context manager. `url` has user and password, `bare_url` has not."""

    def __init__(self, target_port: int) -> None:
        self.username, self.password = "clerk", secrets.token_hex(8)
        #: What to answer instead of a tunnel, whatever the login.
        self.refusing: str | None = None
        #: Requests without the right login, and tunnels that were opened.
        self.refused = self.opened = 0
        self._target_port = target_port
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.bare_url = f"http://127.0.0.1:{port}"
        self.url = f"http://{self.username}:{self.password}@127.0.0.1:{port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def change_password(self) -> None:
        """What was right is wrong from now on, and open tunnels are cut."""
        self.password = secrets.token_hex(8)
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (data := client.recv(4096)):
                    return
                head += data
            login = base64.b64encode(f"{self.username}:{self.password}".encode())
            if b"Basic " + login not in head:
                self.refused += 1
                client.sendall(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=out\r\n"
                    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
                )
                return
            if self.refusing:
                client.sendall(f"HTTP/1.1 {self.refusing}\r\nContent-Length: 0\r\n\r\n".encode())
                return
            self.opened += 1
            self._open.append(client)
            with socket.create_connection(("127.0.0.1", self._target_port)) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)

"""A CONNECT proxy that leads every host to one local port: how a client with fixed addresses reaches the sandbox."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

BUFFER = 1 << 18
SECONDS = 60.0


class ConnectProxy:
    """A context manager; `url` is what HTTPS_PROXY takes."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="connect-proxy", daemon=True)

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A blocked accept is woken by shutdown, not by close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self.drop()

    def drop(self) -> None:
        """Cut every tunnel."""
        for sock in list(self._open):
            _end(sock)

    def _refusal_of(self, request: bytes) -> bytes | None:
        """What is answered in place of a tunnel; None to open one."""
        return None if request.startswith(b"CONNECT ") else b"HTTP/1.1 405 Method Not Allowed\r\n\r\n"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(SECONDS)
        self._open.add(client)
        upstream = None
        try:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = client.recv(4096)
                if not piece:
                    return
                request += piece
            if (refusal := self._refusal_of(request)) is not None:
                client.sendall(refusal)
                return
            upstream = socket.create_connection(("127.0.0.1", self.target_port), timeout=SECONDS)
            self._open.add(upstream)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
            back.start()
            _pump(client, upstream)
            back.join(SECONDS)
        except OSError:
            return
        finally:
            for sock in (client, upstream):
                if sock is not None:
                    self._open.discard(sock)
                    _end(sock)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(BUFFER):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        _end(source)
        _end(target)


def _end(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        sock.close()

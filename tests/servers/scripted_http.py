"""ScriptedHTTP: a web server on bare sockets that does with each request exactly what the test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Self

#: What happens to one request; the connection stays open where it returns True.
Step = Callable[[socket.socket], bool]


@dataclass
class Heard:
    """One request that arrived."""

    #: Connections are counted from 1.
    connection: int
    head: str
    body: bytes = field(repr=False)

    @property
    def line(self) -> str:
        """Method and path."""
        return self.head.split("\r\n", 1)[0].rpartition(" ")[0]


def answer(body: bytes = b'{"id": "1"}', status: str = "200 OK", headers: str = "") -> Step:
    """Answer, and keep the connection."""

    def step(sock: socket.socket) -> bool:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        sock.sendall(head.encode() + body)
        return True

    return step


def hang_up(sock: socket.socket) -> bool:
    """Close the connection without an answer."""
    return False


def say_nothing(sock: socket.socket) -> bool:
    """Never answer, and keep the connection."""
    return True


class ScriptedHTTP:
    """A context manager. Requests meet the steps in the order of their arrival, then `last` for good."""

    def __init__(self, *steps: Step, last: Step | None = None) -> None:
        self.heard: list[Heard] = []
        #: Connections that are open on this side.
        self.open: set[socket.socket] = set()
        self._steps = list(steps)
        self._last = last or answer()
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A blocked accept is woken by shutdown, not by close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self.open):
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock, self._connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            with sock, sock.makefile("rb") as lines:
                while head := _head(lines):
                    self.heard.append(Heard(number, head.decode(), lines.read(_length(head))))
                    step = self._steps.pop(0) if self._steps else self._last
                    if not step(sock):
                        return
        except (OSError, ValueError):  # ended by __exit__
            return
        finally:
            self.open.discard(sock)


def _head(lines: BinaryIO) -> bytes:
    """Everything before the empty line; nothing when the connection ended."""
    head = b""
    while line := lines.readline():
        if line == b"\r\n":
            return head
        head += line
    return b""


def _length(head: bytes) -> int:
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lengths[0].partition(b":")[2]) if lengths else 0

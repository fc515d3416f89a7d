"""Proxy: a TCP relay on loopback that counts SMB2 commands, delays, drops, alters. By itself it changes no byte."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

#: [MS-SMB2] 2.2.1.2
SMB2_COMMANDS = (
    "NEGOTIATE", "SESSION_SETUP", "LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE", "FLUSH",
    "READ", "WRITE", "LOCK", "IOCTL", "CANCEL", "ECHO", "QUERY_DIRECTORY", "CHANGE_NOTIFY", "QUERY_INFO",
    "SET_INFO", "OPLOCK_BREAK",
)  # fmt: skip


class Proxy:
    """A context manager; `port` is where clients connect."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        #: SMB2 commands by name, and messages (compounds count once) as "messages", of all clients.
        self.commands: Counter[str] = Counter()
        #: Connections cut so far by `drop` and `drop_after`.
        self.cuts = 0
        #: Connections accepted so far.
        self.connections = 0
        #: Seconds that each block of bytes waits on its way to the client.
        self.delay_seconds = 0.0
        #: What is done to the bytes on their way to the client, and to the server: nothing, unless a test plays the
        #: attacker, or another kind of server.
        self.alter: Callable[[bytes], bytes] = bytes
        self.alter_request: Callable[[bytes], bytes] = bytes
        #: While True, new connections are closed at once.
        self.refusing = False
        #: So many connections at once; one more is closed, as by a server that is full.
        self.most: int | None = None
        self._drop_after: int | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def open_connections(self) -> int:
        """Connections that are open now."""
        with self._lock:
            return len(self._open) // 2

    def drop(self) -> int:
        """Cut every connection now; how many sockets that were."""
        with self._lock:
            victims, self._open = self._open, set()
            self.cuts += len(victims) // 2
        for victim in victims:
            with suppress(OSError):
                victim.shutdown(socket.SHUT_RDWR)
        return len(victims)

    def drop_after(self, count: int) -> None:
        """Cut every connection once, when this many more bytes have come from the server."""
        self._drop_after = count

    def reset(self) -> None:
        """Forget what was counted."""
        self.commands.clear()

    def close(self) -> None:
        """Stop listening and cut everything."""
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.refusing or (self.most is not None and self.open_connections >= self.most):
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            for source, sink, counting in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, counting), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counting: bool) -> None:
        counter = CommandCounter(self.commands, self._lock)
        try:
            while data := source.recv(262_144):
                if counting:
                    counter.feed(data)
                    data = self.alter_request(data)
                else:
                    self._hold_back(data)
                    data = self.alter(data)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            with self._lock:
                self._open -= {source, sink}

    def _hold_back(self, data: bytes) -> None:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        if self._drop_after is not None:
            self._drop_after -= len(data)
            if self._drop_after <= 0:
                self._drop_after = None
                self.drop()


class CommandCounter:
    """Counts the SMB2 commands in one direction of one connection; encrypted messages count as "sealed"."""

    def __init__(self, commands: Counter[str], lock: threading.Lock) -> None:
        self._commands = commands
        self._lock = lock
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._buffer += data
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[1:4], "big")
            if len(self._buffer) < 4 + length:
                return
            message, self._buffer = self._buffer[4 : 4 + length], self._buffer[4 + length :]
            with self._lock:
                self._commands["messages"] += 1
                self._count(message)

    def _count(self, message: bytes) -> None:
        if message[:4] == b"\xfdSMB":
            self._commands["sealed"] += 1
        while message[:4] == b"\xfeSMB" and len(message) >= 64:
            number = int.from_bytes(message[12:14], "little")
            self._commands[SMB2_COMMANDS[number]] += 1
            step = int.from_bytes(message[20:24], "little")
            if not step:
                return
            message = message[step:]

"""SocksProxy: a SOCKS5 proxy (RFC 1928, 1929) that asks for a login and leads every host to one local port."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable

from tests.servers.connect_proxy import SECONDS, ConnectProxy, _end, _pump

LOGIN, NOTHING_FITS = 2, 0xFF

Read = Callable[[int], bytes]


class SocksProxy(ConnectProxy):
    """A context manager. `url` has user and password."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.username, self.password = "clerk", secrets.token_hex(8)
        #: Logins that were wrong, and names that were asked for.
        self.refused = 0
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """socks5h: the proxy looks the name up."""
        return super().url.replace("http://", f"socks5h://{self.username}:{self.password}@")

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(SECONDS)
        with client, client.makefile("rb") as said:
            try:
                if self._greeted(client, said.read) and self._logged_in(client, said.read):
                    self._lead(client, said.read)
            except OSError:
                return

    def _greeted(self, client: socket.socket, read: Read) -> bool:
        _, count = read(2)
        offered = read(count)
        client.sendall(bytes([5, LOGIN if LOGIN in offered else NOTHING_FITS]))
        return LOGIN in offered

    def _logged_in(self, client: socket.socket, read: Read) -> bool:
        read(1)
        told = [read(read(1)[0]).decode() for _ in ("user", "password")]
        right = told == [self.username, self.password]
        self.refused += not right
        client.sendall(bytes([1, 0 if right else 1]))
        return right

    def _lead(self, client: socket.socket, read: Read) -> None:
        kind = read(4)[3]
        name = read(read(1)[0] if kind == 3 else 4)
        read(2)
        self.asked.append(name.decode(errors="replace"))
        upstream = socket.create_connection(("127.0.0.1", self.target_port), timeout=SECONDS)
        self._open.update((client, upstream))
        client.sendall(bytes([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
        back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
        back.start()
        _pump(client, upstream)
        back.join(SECONDS)
        self._open.difference_update((client, upstream))
        _end(upstream)

"""LoginProxy: a CONNECT proxy that asks for a login."""

from __future__ import annotations

import base64
import secrets

from tests.servers.connect_proxy import ConnectProxy


class LoginProxy(ConnectProxy):
    """A context manager. `url` has user and password, `bare_url` has not."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.username, self.password = "clerk", secrets.token_hex(8)
        #: What to answer instead of a tunnel, whatever the login.
        self.refusing: str | None = None
        #: Requests without the right login, and tunnels that were opened.
        self.refused = self.opened = 0

    @property
    def bare_url(self) -> str:
        """http://127.0.0.1:PORT."""
        return super().url

    @property
    def url(self) -> str:
        """With the login."""
        return self.bare_url.replace("://", f"://{self.username}:{self.password}@")

    def change_password(self) -> None:
        """What was right is wrong from now on, and open tunnels are cut."""
        self.password = secrets.token_hex(8)
        self.drop()

    def _refusal_of(self, request: bytes) -> bytes | None:
        login = base64.b64encode(f"{self.username}:{self.password}".encode())
        if b"Basic " + login not in request:
            self.refused += 1
            return (
                b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=out\r\n"
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
        if self.refusing:
            return f"HTTP/1.1 {self.refusing}\r\nContent-Length: 0\r\n\r\n".encode()
        self.opened += 1
        return super()._refusal_of(request)

"""PasswordServer: asyncssh's SFTP server in a thread, for logins that need a password and nothing of the system."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import asyncssh


class PasswordServer:
    """Serves a folder to one user; counts the passwords that it was offered."""

    def __init__(
        self, root: Path, sftp_server: Callable[..., asyncssh.SFTPServer] = asyncssh.SFTPServer
    ) -> None:
        """`sftp_server` is called for each channel, as asyncssh.SFTPServer."""
        self.root = root
        self._sftp_server = sftp_server
        self.username = "ann"
        self.password = secrets.token_urlsafe(12)
        self.attempts = 0
        self.port = 0
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._thread.start()
        self._listener = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._listener.get_port()

    def stop(self) -> None:
        """Close every connection and end the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def known_hosts_line(self) -> str:
        """The line that makes the host known."""
        return f"[127.0.0.1]:{self.port} {self._key.export_public_key().decode()}"

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            partial(_Login, self._accepts),
            "127.0.0.1",
            0,
            server_host_keys=[self._key],
            sftp_factory=partial(self._sftp_server, chroot=str(self.root)),
        )

    async def _close(self) -> None:
        self._listener.close()
        await self._listener.wait_closed()

    def _accepts(self, username: str, password: str) -> bool:
        self.attempts += 1
        return username == self.username and secrets.compare_digest(password, self.password)


class _Login(asyncssh.SSHServer):
    def __init__(self, accepts: Callable[[str, str], bool]) -> None:
        self._accepts = accepts

    def password_auth_supported(self) -> bool:
        """Passwords only."""
        return True

    def validate_password(self, username: str, password: str) -> bool:
        """Ask the server."""
        return self._accepts(username, password)

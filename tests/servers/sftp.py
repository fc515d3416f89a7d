"""SFTPServer: OpenSSH's sshd on a free port with keys of its own, for root and for ordinary users."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tests.servers import free_port, require
from tests.servers.process import ServerProcess

HINT = "apt-get install -y --no-install-recommends openssh-server openssh-client"

_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {home}/host_key
PidFile {home}/pid
AuthorizedKeysFile {home}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""


class SFTPServer(ServerProcess):
    """sshd for the user who runs the tests; `key_file` logs in, `known_hosts` knows the host."""

    #: The server takes keys only: checking a password needs the system's own accounts.
    password = None

    def __init__(self, settings: str = "") -> None:
        """`settings`: more lines of sshd's configuration, which come first and so win."""
        self._settings = settings
        self._sshd = require("sshd", HINT)
        self._keygen = require("ssh-keygen", HINT)
        super().__init__("sftp", free_port())
        self.username = getpass.getuser()
        self.root = self.home / "content"
        self.root.mkdir()
        self.key_file = self.make_key("user_key")
        self.known_hosts = self.home / "known_hosts"
        self._lay_out()

    @property
    def url(self) -> str:
        """The folder `root`."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same through a proxy."""
        return f"sftp://127.0.0.1:{port}{self.root}"

    @property
    def options(self) -> dict[str, object]:
        """Options of the source that log in."""
        return {"key_file": str(self.key_file), "known_hosts": str(self.known_hosts)}

    def command(self) -> Sequence[str]:
        """sshd in the foreground, logging to the server's folder."""
        return [self._sshd, "-D", "-e", "-f", str(self.home / "sshd_config")]

    def sessions(self) -> list[psutil.Process]:
        """The processes that serve connections; each leads a process group of its own."""
        return psutil.Process(self.pid).children(recursive=True) if self.running else []

    def drop_connections(self) -> int:
        """Kill what serves connections, so that clients lose them without a word; how many processes that were."""
        sessions = self.sessions()
        _kill(sessions)
        return len(sessions)

    def halt(self) -> None:
        """End the server, then the connections that it leaves behind."""
        sessions = self.sessions()
        super().halt()
        _kill(sessions)

    def make_key(self, name: str, *words: str, passphrase: str = "") -> Path:
        """A new key pair, of another kind or format where `words` of ssh-keygen say so."""
        path = self.home / name
        command = [self._keygen, "-q", "-N", passphrase, *(words or ("-t", "ed25519")), "-f", path]
        subprocess.run(command, check=True)
        return path

    def admit(self, key: Path) -> None:
        """Let this key log in, too."""
        with open(self.home / "authorized_keys", "a") as file:
            file.write(key.with_suffix(".pub").read_text())

    def know(self, port: int) -> None:
        """Let known_hosts accept the host at this port, too."""
        kind, key, *_ = (self.home / "host_key.pub").read_text().split()
        with open(self.known_hosts, "a") as file:
            file.write(f"[127.0.0.1]:{port} {kind} {key}\n")

    def _lay_out(self) -> None:
        self.make_key("host_key")
        (self.home / "authorized_keys").write_text((self.home / "user_key.pub").read_text())
        (self.home / "sshd_config").write_text(
            f"{self._settings}\n{_CONFIG.format(port=self.port, home=self.home)}"
        )
        self.know(self.port)
        if os.getuid() == 0:
            # Where root's sshd wants to separate its privileges.
            Path("/run/sshd").mkdir(exist_ok=True)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()

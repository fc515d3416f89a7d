"""Samba: a real smbd on a free port with its own configuration, for root and for ordinary users."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import psutil

from tests.servers import free_port, missing, require
from tests.servers.process import ServerProcess
from tests.servers.smb_clients import held_exclusively, range_locked

HINT = "apt-get install -y --no-install-recommends samba smbclient samba-vfs-modules"

_GLOBAL = """\
[global]
  server role = standalone server
  interfaces = lo
  bind interfaces only = yes
  smb ports = {port}
  private dir = {home}/private
  lock directory = {home}/lock
  state directory = {home}/state
  cache directory = {home}/cache
  pid directory = {home}/pid
  ncalrpc dir = {home}/ncalrpc
  log file = {home}/log/log.smbd
  disable netbios = yes
  load printers = no
  printing = bsd
  printcap name = /dev/null
  disable spoolss = yes
  map to guest = never
  usershare max shares = 0
  passdb backend = smbpasswd:{home}/private/smbpasswd
  server multi channel support = no
"""
_SHARE = """\
[{name}]
  path = {path}
  read only = no
{options}
"""

_TRUE_NAMES = "  mangled names = no\n"
_STREAMS = "  vfs objects = streams_depot\n  streams_depot:directory = {home}/streams\n"


class Samba(ServerProcess):
    """smbd with eight shares.

    `data` is the plain one; `sealed` demands encryption; `guarded` serves the same files as an ordinary user
    also when smbd runs as root, so that permissions count; `mangled` substitutes names that Windows forbids,
    which is Samba's default; `dfs` is a namespace with one link; `streams` is `data` with alternate data streams,
    which Samba keeps outside of the share's folder: see `put_streams`; `tape` is `data` with every file offline;
    `hiding` hides what its
    user may not read, and says so.
    """

    share = "data"

    def __init__(self, settings: str = "") -> None:
        """`settings`: more lines of the [global] section; what is said of shares there holds for all of them."""
        self._settings = settings
        self._smbd = require("smbd", HINT)
        self._pdbedit = require("pdbedit", HINT)
        self.smbclient = require("smbclient", HINT)
        super().__init__("samba", free_port())
        self.username = getpass.getuser()
        self.password = secrets.token_urlsafe(12)
        #: The content of the shares.
        self.root = self.home / "content"
        self._lay_out()
        self.set_password(self.password)

    @property
    def url(self) -> str:
        """The share `data`."""
        return self.url_of(self.share)

    def url_of(self, share: str, port: int | None = None) -> str:
        """Another share, or the same through a proxy."""
        return f"smb://127.0.0.1:{port or self.port}/{share}"

    def command(self) -> Sequence[str]:
        """smbd in the foreground."""
        return [self._smbd, "-s", str(self._config), "-F", "--no-process-group", "-l", str(self.home / "log")]

    def set_password(self, password: str) -> None:
        """Give the account this password; connections that are logged in stay so."""
        subprocess.run(
            [self._pdbedit, "-s", str(self._config), "-a", "-u", self.username, "-t"],
            input=f"{password}\n{password}\n".encode(),
            check=True,
            capture_output=True,
        )
        self.password = password

    def client(self, *commands: str, share: str | None = None) -> str:
        """What a second, independent client (smbclient) prints for these commands; else RuntimeError."""
        done = subprocess.run(
            [self.smbclient, f"//127.0.0.1/{share or self.share}", "-p", str(self.port),
             "-s", str(self._config), "-c", "; ".join(commands)],
            env={**os.environ, "USER": self.username, "PASSWD": self.password},
            capture_output=True,
            timeout=30,
            check=False,
        )  # fmt: skip
        output = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode or "NT_STATUS" in output:
            raise RuntimeError(output)
        return output

    def drop_connections(self) -> int:
        """End the processes that serve connections; how many there were.

        Not by SIGKILL: Samba would keep what such a process knew of its open files, and show the write time
        of a file that is gone for a new one that the file system gave the same inode, in a later test.
        """
        children = psutil.Process(self.pid).children(recursive=True)
        serving = [child for child in children if any(c.status == "ESTABLISHED" for c in _connections(child))]
        for child in serving:
            with suppress(psutil.NoSuchProcess):  # its connection ended by itself
                child.terminate()
        psutil.wait_procs(serving, timeout=10)
        return len(serving)

    def put_streams(self, name: str, streams: Mapping[str, bytes]) -> None:
        """Give a file alternate data streams, as a Windows client does; `forget_streams` comes first."""
        commands = []
        for number, (stream, content) in enumerate(streams.items()):
            given = self.home / f"stream-{number}"
            given.write_bytes(content)
            commands.append(f'put "{given}" "{name}:{stream}"')
        self.client(*commands, share="streams")

    def forget_streams(self) -> None:
        """Begin without any: a new file may have the inode of one that is gone, by which Samba keeps the streams."""
        self.require_module("streams_depot")
        shutil.rmtree(self.home / "streams", ignore_errors=True)

    def require_module(self, name: str) -> None:
        """Skip, or fail where that is forbidden, when Samba lacks this VFS module."""
        built = subprocess.run([self._smbd, "-b"], check=True, capture_output=True, text=True).stdout
        folder = next(line.split()[-1] for line in built.splitlines() if "MODULESDIR" in line)
        if not Path(folder, "vfs", f"{name}.so").exists():
            missing(f"Samba's module {name}", HINT)

    def holding(self, name: str) -> AbstractContextManager[None]:
        """While the context lasts another client holds the file and shares it with nobody."""
        return held_exclusively(self.port, self.share, self.username, self.password, name)

    def locking(self, name: str) -> AbstractContextManager[None]:
        """While the context lasts another client has locked the first 100 bytes."""
        return range_locked(self.port, self.share, self.username, self.password, name)

    def _lay_out(self) -> None:
        for name in ("private", "lock", "state", "cache", "pid", "log", "ncalrpc", "content", "namespace"):
            (self.home / name).mkdir()
        self.home.chmod(0o711)
        (self.home / "private").chmod(0o700)
        (self.home / "namespace" / "link").symlink_to(r"msdfs:127.0.0.1\data")
        self._config = Path(self.home / "smb.conf")
        shares = [
            _SHARE.format(name="data", path=self.root, options=_TRUE_NAMES),
            _SHARE.format(name="sealed", path=self.root, options=f"{_TRUE_NAMES}  smb encrypt = required\n"),
            _SHARE.format(name="mangled", path=self.root, options=""),
            _SHARE.format(
                name="guarded", path=self.root, options="" if os.getuid() else "  force user = nobody"
            ),
            _SHARE.format(name="dfs", path=self.home / "namespace", options="  msdfs root = yes"),
            _SHARE.format(
                name="hiding",
                path=self.root,
                options=_TRUE_NAMES
                + "  access based share enum = yes\n  hide unreadable = yes\n"
                + ("" if os.getuid() else "  force user = nobody\n"),
            ),
            _SHARE.format(name="tape", path=self.root, options="  vfs objects = offline"),
            _SHARE.format(
                name="streams", path=self.root, options=f"{_TRUE_NAMES}{_STREAMS.format(home=self.home)}"
            ),
        ]
        head = _GLOBAL.format(port=self.port, home=self.home)
        self._config.write_text(f"{head}{self._settings}\n{''.join(shares)}")


def _connections(process: psutil.Process) -> list[object]:
    try:
        return list(process.net_connections(kind="tcp"))
    except psutil.Error:
        return []

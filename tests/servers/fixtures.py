"""Fixtures for the servers: one of each per session, started when a test first asks for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.servers.s3 import S3Server
from tests.servers.samba import Samba
from tests.servers.sftp import SFTPServer


@pytest.fixture(scope="session")
def samba() -> Iterator[Samba]:
    """A Samba server; `.root` is shared by the session: use `empty(samba.root)` or a folder of your own."""
    server = Samba()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def sftp_server() -> Iterator[SFTPServer]:
    """An OpenSSH server; `.options` holds key and known hosts."""
    server = SFTPServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3-compatible server; `.options` holds its endpoint, `.put` and `.clear` change it."""
    server = S3Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def running_box() -> Iterator[Sandbox]:
    """One sandbox for a module, which keeps digests alone: a test empties it, and takes its faults away."""
    with Sandbox(content="hash") as box:
        yield box


def empty(folder: Path) -> Path:
    """Remove everything inside a folder, whatever the permissions, and keep the folder."""
    for path, folders, _ in os.walk(folder):
        for name in folders:
            if not os.path.islink(os.path.join(path, name)):
                os.chmod(os.path.join(path, name), 0o700)
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
    return folder

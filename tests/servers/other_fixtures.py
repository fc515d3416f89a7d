"""Fixtures for the servers that few tests need: `pytest_plugins = ["tests.servers.other_fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.azure import Azurite
from tests.servers.ftp import FTPServer
from tests.servers.gcs import GCSServer
from tests.servers.webdav import WebDAVServer


@pytest.fixture(scope="session")
def webdav_server() -> Iterator[WebDAVServer]:
    """A WebDAV server; `.root` is shared by the session."""
    server = WebDAVServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def ftp_server() -> Iterator[FTPServer]:
    """An FTP server; `.root` is shared by the session."""
    server = FTPServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[GCSServer]:
    """An emulator of Google Cloud Storage; `.put` and `.clear` change it."""
    server = GCSServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Azure's emulator; `.put` and `.clear` change it."""
    server = Azurite()
    try:
        server.start()
        yield server
    finally:
        server.stop()

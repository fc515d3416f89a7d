"""Fixtures that open sources on a server, directly or through a proxy, and close them.

A test module takes them with `pytest_plugins = ["tests.integration.openers"]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.source import Source
from connectors.sources.registry import open_source
from tests.integration.server_faults import Opener
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.servers.sftp import SFTPServer


@pytest.fixture
def opened() -> Iterator[Callable[[Source], Any]]:
    """Closes the sources that a test opens."""
    sources: list[Source] = []

    def keep(source: Source) -> Any:
        sources.append(source)
        return source

    yield keep
    for source in sources:
        source.close()


@pytest.fixture
def open_smb(samba: Samba, opened: Callable[[Source], Any]) -> Opener:
    """Opens sources on the emptied Samba share, through a proxy if its port is given."""
    empty(samba.root)

    def open_one(port: int | None = None, **options: Any) -> Any:
        account = {"username": samba.username, "password": options.pop("password", samba.password)}
        return opened(
            open_source(samba.url_of("data", port), **account, options={"patience_seconds": 20, **options})
        )

    return open_one


@pytest.fixture
def open_sftp(sftp_server: SFTPServer, opened: Callable[[Source], Any]) -> Opener:
    """The same on the emptied SFTP server."""
    empty(sftp_server.root)

    def open_one(port: int | None = None, **options: Any) -> Any:
        if port is not None:
            sftp_server.know(port)
        merged = {**sftp_server.options, "patience_seconds": 20, **options}
        url = sftp_server.url_at(port or sftp_server.port)
        return opened(open_source(url, username=sftp_server.username, options=merged))

    return open_one

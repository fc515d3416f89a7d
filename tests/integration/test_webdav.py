"""WebDAVSource against WsgiDAV."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ChangedWhileReading,
    NotFound,
    ShareUnreachable,
)
from connectors.source import Source
from connectors.sources.registry import open_source
from tests.contract import Root, SourceContract
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.webdav import WebDAVServer

pytest_plugins = ["tests.servers.other_fixtures"]


def opened_at(server: WebDAVServer, port: int | None = None, **options: Any) -> Source:
    """A source over the server's folder, through a proxy if its port is given."""
    password = options.pop("password", server.password)
    return open_source(
        server.url_at(port or server.port), username=server.username, password=password, options=options
    )


class TestWebDAV(SourceContract):
    """Everything that every source promises."""

    sees_same_size_change = False
    sees_replacement = False
    has_file_ids = False

    @pytest.fixture
    def root(self, webdav_server: WebDAVServer) -> Root:
        """The emptied folder of the server."""
        webdav_server.denied = set()
        return Root(empty(webdav_server.root))

    @pytest.fixture
    def source(self, root: Root, webdav_server: WebDAVServer) -> Iterator[Source]:
        """A source over it."""
        source = opened_at(webdav_server)
        source.connect()
        yield source
        source.close()

    @pytest.fixture
    def secrets_of(self, webdav_server: WebDAVServer) -> list[str]:
        """What must not be shown."""
        return [webdav_server.username, webdav_server.password]

    def test_what_may_not_be_read(self, source: Source, root: Root, webdav_server: WebDAVServer) -> None:
        """It is denied, not away."""
        root.build({"open": b"1", "closed": b"2", "shut": {"inner": b"3"}})
        webdav_server.denied = {"closed", "shut"}

        assert ["closed", "open", "shut"] == [entry.path for entry in source.list_folder("")]
        for call, path in ((source.open, "closed"), (source.list_folder, "shut")):
            with pytest.raises(AccessDenied):
                call(path)

    def test_changed_while_it_is_read(self, source: Source, root: Root) -> None:
        """A file that is replaced between two requests is not glued together from two halves."""
        root.build({"large.bin": b"1" * 3_000_000})
        with source.open("large.bin") as file:
            file.read(1_000)
            root.write("large.bin", b"2" * 3_000_001)
            file.seek(2_000_000)
            with pytest.raises(ChangedWhileReading):
                file.read(1_000)

    def test_a_server_that_comes_back(self, root: Root, webdav_server: WebDAVServer) -> None:
        """While it refuses connections a read waits, and goes on when it is back."""
        content = os.urandom(20_000_000)
        root.build({"large.bin": content})
        with Proxy(webdav_server.port) as proxy:
            source = opened_at(webdav_server, proxy.port)
            with source.open("large.bin") as file:
                head = file.read(1_000)
                proxy.refusing = True
                proxy.drop()
                threading.Timer(1.0, setattr, (proxy, "refusing", False)).start()

                assert content == head + file.read()
            source.close()


@pytest.mark.parametrize("auth", ["basic", "digest"])
def test_login(webdav_server: WebDAVServer, auth: str) -> None:
    """Both ways take the password; a wrong one is one line."""
    right, wrong = opened_at(webdav_server, auth=auth), opened_at(webdav_server, auth=auth, password="no")
    right.connect()
    with pytest.raises(
        AuthenticationFailed, match=r"^the login was refused \(401\); check user and password"
    ):
        wrong.connect()
    right.close()
    wrong.close()


def test_what_is_no_folder(webdav_server: WebDAVServer) -> None:
    """A root that is not there, one that is a file, and a port where nobody listens: one line each."""
    empty(webdav_server.root)
    (webdav_server.root / "file").write_bytes(b"x")
    webdav_server.denied = set()
    for url in (f"{webdav_server.url}/gone", f"{webdav_server.url}/file", "webdav://127.0.0.1:1/x"):
        source = open_source(url, username=webdav_server.username, password=webdav_server.password)
        with pytest.raises(ShareUnreachable) as caught:
            source.connect()
        assert "\n" not in str(caught.value)
        assert "127.0.0.1" in str(caught.value)
        source.close()


def test_a_folder_is_one_request(webdav_server: WebDAVServer) -> None:
    """However many entries it has."""
    empty(webdav_server.root)
    for number in range(30):
        (webdav_server.root / f"{number}").write_bytes(b"")
    source = opened_at(webdav_server)
    webdav_server.asked.clear()

    assert 30 == len(source.list_folder(""))
    assert ["PROPFIND"] == webdav_server.asked
    with pytest.raises(NotFound):
        source.list_folder("1")
    source.close()

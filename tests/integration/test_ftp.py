"""FTPSource against pyftpdlib."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.entry import EntryKind
from connectors.errors import AccessDenied, AuthenticationFailed, NotFound, ShareUnreachable
from connectors.source import Source
from connectors.sources.registry import open_source
from tests.contract import Root, SourceContract
from tests.servers.fixtures import empty
from tests.servers.ftp import FTPServer
from tests.servers.proxy import Proxy
from tests.trees import read_tree

pytest_plugins = ["tests.servers.other_fixtures"]


def opened_at(server: FTPServer, port: int | None = None, **options: Any) -> Source:
    """A source over the server's folder, through a proxy if its port is given."""
    password = options.pop("password", server.password)
    return open_source(
        server.url_at(port or server.port),
        username=server.username,
        password=password,
        options={**server.options, **options},
    )


class TestFTP(SourceContract):
    """Everything that every source promises."""

    sees_same_size_change = False
    sees_replacement = False
    has_file_ids = False

    @pytest.fixture
    def root(self, ftp_server: FTPServer) -> Root:
        """The emptied folder of the server."""
        ftp_server.denied, ftp_server.unreadable, ftp_server.unknown = set(), set(), set()
        return Root(empty(ftp_server.root))

    @pytest.fixture
    def source(self, root: Root, ftp_server: FTPServer) -> Iterator[Source]:
        """A source over it."""
        source = opened_at(ftp_server)
        source.connect()
        yield source
        source.close()

    @pytest.fixture
    def secrets_of(self, ftp_server: FTPServer) -> list[str]:
        """What must not be shown."""
        return [ftp_server.username, ftp_server.password]

    def test_denied_is_not_away(self, source: Source, root: Root, ftp_server: FTPServer) -> None:
        """The server answers 550 to both; what the folder above lists is there."""
        root.build({"open": b"1", "closed": b"2", "shut": {"inner": b"3"}})
        ftp_server.denied, ftp_server.unreadable = {"shut"}, {"closed"}

        assert ["closed", "open", "shut"] == [entry.path for entry in source.list_folder("")]
        with pytest.raises(AccessDenied):
            source.list_folder("shut")
        with pytest.raises(AccessDenied):
            source.open("closed").read()
        for call in (source.list_folder, source.stat, source.open):
            with pytest.raises(NotFound):
                call("gone")

    def test_a_transfer_that_is_cut_short(self, source: Source, root: Root, ftp_server: FTPServer) -> None:
        """The data ends as if that were all, and the server says 426: reading goes on where it ended."""
        content = bytes(range(256)) * 4_000
        root.build({"large.bin": content})
        ftp_server.cut_after = 100_000
        with source.open("large.bin") as file:
            assert content == file.read()
        assert ftp_server.cut_after is None

    def test_names_that_are_no_unicode(self, source: Source, root: Root) -> None:
        """They are listed as they are; this server does not take them back, so that they fail, and are not away."""
        with open(bytes(root.path) + b"/caf\xe9", "wb") as file:
            file.write(b"latin")

        assert ["caf\udce9"] == [entry.path for entry in source.list_folder("")]
        with pytest.raises(AccessDenied, match="501"):
            source.open("caf\udce9")

    def test_links_that_lead_round(self, source: Source, root: Root) -> None:
        """FTP follows links by itself and shows none: a folder that leads back up is told by its id."""
        root.build({"folder": {"file": b"1"}})
        (root.path / "folder" / "up").symlink_to("..")

        listed = {entry.path: entry for entry in source.list_folder("folder")}
        assert EntryKind.SYMLINK is listed["folder/up"].kind
        assert {"folder": {"file": b"1"}} == read_tree(source)

    def test_without_mlst(self, source: Source, root: Root, ftp_server: FTPServer) -> None:
        """A server that cannot say it of one file is asked for the folder."""
        root.build({"folder": {"file": b"12"}})
        listed = source.list_folder("folder")
        ftp_server.unknown = {"MLST"}

        assert listed == [source.stat("folder/file")]

    def test_a_server_that_comes_back(self, root: Root, ftp_server: FTPServer) -> None:
        """A listing waits for a server that went away."""
        root.build({"folder": {"file": b"1"}})
        with Proxy(ftp_server.port) as proxy:
            source = opened_at(ftp_server, proxy.port)
            source.list_folder("")
            proxy.refusing = True
            proxy.drop()
            threading.Timer(1.0, setattr, (proxy, "refusing", False)).start()

            assert ["folder/file"] == [entry.path for entry in source.list_folder("folder")]
            source.close()


def refusal(source: Source, error: type[Exception]) -> str:
    """What connecting raises, as one line."""
    with pytest.raises(error) as caught:
        source.connect()
    source.close()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_used(ftp_server: FTPServer) -> None:
    """A wrong password, a folder that is not there, nobody there, and a server without MLSD: one line each."""
    wrong, gone = opened_at(ftp_server, password="no"), f"{ftp_server.url}gone"
    account = {"username": ftp_server.username, "password": ftp_server.password}
    assert refusal(wrong, AuthenticationFailed).startswith("the login was refused (530)")
    assert "root folder" in refusal(open_source(gone, **account), ShareUnreachable)
    assert "127.0.0.1" in refusal(open_source("ftp://127.0.0.1:1/x"), ShareUnreachable)
    ftp_server.unknown = {"MLSD"}
    assert "does not know MLSD" in refusal(opened_at(ftp_server), ShareUnreachable)
    ftp_server.unknown = set()


def test_with_tls() -> None:
    """ftps:// sends password and files by TLS, and trusts nobody whom it was not told of."""
    server = FTPServer(tls=True)
    server.start()
    (server.root / "file").write_bytes(b"x" * 300_000)
    try:
        source = opened_at(server)
        source.connect()
        assert {"file": b"x" * 300_000} == read_tree(source)
        source.close()
        stranger = open_source(server.url, username=server.username, password=server.password)
        assert "certificate is not trusted" in refusal(stranger, ShareUnreachable)
    finally:
        server.stop()

"""SFTPSource on a real OpenSSH server."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.entry import EntryKind
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionLost,
    NotAFile,
    NotFound,
    ShareUnreachable,
)
from connectors.source import Source
from connectors.sources.registry import open_source
from tests.contract import Root, SourceContract
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.sftp import SFTPServer
from tests.servers.sftp_password import PasswordServer
from tests.trees import read_tree

OpenSource = Callable[..., Any]


@pytest.fixture
def root(sftp_server: SFTPServer) -> Root:
    """The emptied folder of the server."""
    return Root(empty(sftp_server.root))


@pytest.fixture
def open_sftp(sftp_server: SFTPServer, root: Root) -> Iterator[OpenSource]:
    """Opens sources with other options if wanted, and closes them."""
    opened: list[Source] = []

    def open_one(url: str | None = None, **options: Any) -> Source:
        merged = {**sftp_server.options, "patience_seconds": 5, **options}
        opened.append(open_source(url or sftp_server.url, username=sftp_server.username, options=merged))
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


@pytest.fixture
def source(open_sftp: OpenSource) -> Source:
    """A source over the whole folder."""
    return open_sftp()


@pytest.fixture
def secrets_of(sftp_server: SFTPServer) -> list[str]:
    """What must not be shown."""
    return [sftp_server.key_file.read_text(), f"{sftp_server.username}@"]


class TestSFTP(SourceContract):
    """Everything that every source promises."""

    # SFTP version 3, which OpenSSH speaks, knows whole seconds and neither change times nor ids.
    sees_same_size_change = False
    sees_replacement = False
    has_file_ids = False


def test_links_are_listed_not_followed(source: Source, root: Root, tmp_path: Path) -> None:
    """Symlinks appear as such and FIFOs as failures; neither open nor a path through them works."""
    (tmp_path / "secret").write_text("not for you")
    (root.path / "file link").symlink_to(tmp_path / "secret")
    (root.path / "folder link").symlink_to(tmp_path)
    (root.path / "loop").symlink_to(".")
    os.mkfifo(root.path / "pipe")
    kinds = {entry.path: (entry.kind, entry.fault and entry.fault.reason) for entry in source.list_folder("")}

    assert {
        "file link": (EntryKind.SYMLINK, None),
        "folder link": (EntryKind.SYMLINK, None),
        "loop": (EntryKind.SYMLINK, None),
        "pipe": (EntryKind.SPECIAL, "not_a_file"),
    } == kinds
    for path in ("file link", "folder link/secret", "pipe"):
        with pytest.raises(AccessDenied if "link" in path else NotAFile):
            source.open(path)
    for path in ("folder link", "loop"):
        with pytest.raises(AccessDenied):
            source.list_folder(path)


def test_names_that_are_not_unicode(source: Source, root: Root) -> None:
    """A name of bytes that are no UTF-8 is listed with surrogate escapes and can be read by that name."""
    with open(os.fsencode(root.path) + b"/caf\xe9.txt", "wb") as file:
        file.write(b"latin 1")
    (entry,) = source.list_folder("")

    assert "caf\udce9.txt" == entry.path
    with source.open(entry.path) as opened:
        assert b"latin 1" == opened.read()


def test_dates_before_1970_and_in_the_future(source: Source, root: Root) -> None:
    """Times are whole seconds; what SFTP's 32 bits cannot say is as near as they come."""
    (root.path / "new").touch()
    os.utime(root.path / "new", (4_102_444_800, 4_102_444_800))

    assert [4_102_444_800 * 10**9] == [entry.modified_ns for entry in source.list_folder("")]


def test_an_unknown_host_key_is_refused(open_sftp: OpenSource, tmp_path: Path) -> None:
    """A server that known_hosts does not name is one clear line, unless checking is switched off."""
    unknown = tmp_path / "known_hosts"
    unknown.touch()
    with pytest.raises(AuthenticationFailed, match="add it to known_hosts") as caught:
        open_sftp(known_hosts=str(unknown)).connect()
    open_sftp(known_hosts=str(unknown), check_host_key=False).connect()

    assert "\n" not in str(caught.value)


def test_a_wrong_key_is_refused(sftp_server: SFTPServer, open_sftp: OpenSource) -> None:
    """A key that the server does not know is one clear line."""
    other = sftp_server.make_key(f"other_{os.urandom(4).hex()}")

    with pytest.raises(AuthenticationFailed, match="check user name, password and key file"):
        open_sftp(key_file=str(other)).connect()


def test_a_missing_key_file_is_named(open_sftp: OpenSource) -> None:
    """A key file that does not exist is one clear line."""
    with pytest.raises(AuthenticationFailed, match="key file"):
        open_sftp(key_file="/nowhere/key").connect()


def test_an_unreachable_host(open_sftp: OpenSource) -> None:
    """A port where nobody listens is one line, at once."""
    with pytest.raises(ShareUnreachable, match="check host and port"):
        open_sftp("sftp://127.0.0.1:1/").connect()


def test_a_wrong_folder(sftp_server: SFTPServer, open_sftp: OpenSource) -> None:
    """A root that does not exist is one line."""
    with pytest.raises(ShareUnreachable, match="the root folder does not exist"):
        open_sftp(sftp_server.url + "/not/there").connect()


def test_reading_disturbs_nobody(source: Source, root: Root) -> None:
    """A file that is renamed and deleted while we read it is read to its end."""
    content = os.urandom(3_000_000)
    root.build({"shared.bin": content})
    with source.open("shared.bin") as file:
        head = file.read(500_000)
        (root.path / "shared.bin").rename(root.path / "moved.bin")
        (root.path / "moved.bin").unlink()

        assert content == head + file.read()
    with pytest.raises(NotFound):
        source.open("shared.bin")


def test_the_root_may_be_a_link(sftp_server: SFTPServer, open_sftp: OpenSource, root: Root) -> None:
    """Whoever writes the plan may name a root that is a link; nothing below it is followed."""
    root.build({"real": {"a.txt": b"1"}})
    (root.path / "link").symlink_to("real")
    source = open_sftp(sftp_server.url + "/link")
    source.connect()

    assert ["a.txt"] == [entry.path for entry in source.list_folder("")]


@pytest.fixture
def password_server(tmp_path: Path) -> Iterator[PasswordServer]:
    """A server that asks for a password, with one file."""
    folder = tmp_path / "content"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"1")
    server = PasswordServer(folder)
    server.start()
    (tmp_path / "known_hosts").write_text(server.known_hosts_line())
    yield server
    server.stop()


@pytest.fixture
def open_with_password(password_server: PasswordServer, tmp_path: Path) -> Iterator[OpenSource]:
    """Opens sources on it with a password."""
    opened: list[Source] = []

    def open_one(password: str) -> Source:
        url = f"sftp://127.0.0.1:{password_server.port}/"
        options = {"known_hosts": str(tmp_path / "known_hosts"), "patience_seconds": 1}
        opened.append(open_source(url, username=password_server.username, password=password, options=options))
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


def test_a_password_logs_in(password_server: PasswordServer, open_with_password: OpenSource) -> None:
    """A server that wants a password gets it; its root is the root of the URL."""
    assert {"a.txt": b"1"} == read_tree(open_with_password(password_server.password))


def test_a_wrong_password_is_tried_once(
    password_server: PasswordServer, open_with_password: OpenSource
) -> None:
    """A wrong password is one clear line without the secret and one attempt: it must not lock the account."""
    source = open_with_password("wrong-secret")
    for call in (source.connect, lambda: source.list_folder(""), lambda: source.stat("a.txt")):
        with pytest.raises(AuthenticationFailed, match="check user name, password and key file") as caught:
            call()

        assert "wrong-secret" not in str(caught.value) + repr(caught.value.__cause__)
    assert 1 == password_server.attempts


def test_a_listing_may_take_longer_than_one_answer(
    sftp_server: SFTPServer, open_sftp: OpenSource, root: Root
) -> None:
    """The limit is for each answer: a large folder over a slow line is listed, however many answers that takes."""
    folder = root.path / "large"
    folder.mkdir()
    for number in range(1500):
        (folder / f"{number:04}.txt").touch()
    with Proxy(sftp_server.port) as proxy:
        sftp_server.know(proxy.port)
        source = open_sftp(
            sftp_server.url_at(proxy.port), request_timeout_seconds=0.5, connect_timeout_seconds=30
        )
        source.list_folder("")
        # An answer brings 100 names.
        proxy.delay_seconds = 0.15

        assert 1500 == len(source.list_folder("large"))
        assert 1 == proxy.connections


def test_an_answer_that_never_comes_ends_a_listing(
    sftp_server: SFTPServer, open_sftp: OpenSource, root: Root
) -> None:
    """A server that falls silent is given up after the limit for one answer."""
    root.build({"folder": {"a.txt": b"1"}})
    with Proxy(sftp_server.port) as proxy:
        sftp_server.know(proxy.port)
        source = open_sftp(sftp_server.url_at(proxy.port), request_timeout_seconds=0.5, patience_seconds=0)
        source.list_folder("")
        proxy.delay_seconds = 30

        with pytest.raises(ConnectionLost):
            source.list_folder("folder")


#: Kinds of keys and the formats that ssh-keygen writes them in.
KEYS = {
    "ed25519": ("-t", "ed25519"),
    "rsa": ("-t", "rsa", "-b", "2048"),
    "ecdsa": ("-t", "ecdsa"),
    "pem": ("-t", "rsa", "-b", "2048", "-m", "PEM"),
    "pkcs8": ("-t", "ecdsa", "-m", "PKCS8"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_key_with_a_passphrase_logs_in(
    sftp_server: SFTPServer, root: Root, open_sftp: OpenSource, kind: str
) -> None:
    """As ssh-keygen writes it, whatever its kind and format."""
    passphrase = secrets.token_hex(8)
    key = sftp_server.make_key(f"locked_{kind}_{passphrase}", *KEYS[kind], passphrase=passphrase)
    sftp_server.admit(key)
    (root.path / "a.txt").write_text("a")

    opened = open_sftp(key_file=str(key), key_passphrase=passphrase)

    assert ["a.txt"] == [entry.path for entry in opened.list_folder("")]


@pytest.mark.parametrize("given", ["", "wrong"])
def test_key_with_another_passphrase_is_told(
    sftp_server: SFTPServer, root: Root, open_sftp: OpenSource, given: str
) -> None:
    """Without it, or with a wrong one, one line names the passphrase and does not show it."""
    passphrase = secrets.token_hex(8)
    key = sftp_server.make_key(f"locked_{passphrase}", passphrase=passphrase)
    sftp_server.admit(key)
    options = {"key_passphrase": secrets.token_hex(8)} if given else {}

    with pytest.raises(AuthenticationFailed, match="passphrase") as caught:
        open_sftp(key_file=str(key), **options).connect()

    assert all(word not in str(caught.value) for word in (passphrase, *options.values()))

"""The SMB core on the bare socket: the same as the plain way through smbprotocol, whatever the server negotiates."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.entry import Entry, EntryKind
from connectors.errors import ConnectorError, Locked, NotFound
from connectors.sources.registry import open_source
from connectors.sources.resilient import ResilientSource
from connectors.sources.smb.backup import BackupIntent
from connectors.sources.smb.carrier import PlainCarrier
from connectors.sources.smb.connection import SMBLink
from connectors.sources.smb.listing import FOLDERS_IN_FLIGHT
from connectors.sources.smb.login import LoginGate, SMBAccount
from connectors.sources.smb.raw import RawCarrier
from tests.contract import Root, SourceContract
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba
from tests.trees import UGLY_TREE, read_tree

OpenSource = Callable[..., ResilientSource]


@pytest.fixture
def root(samba: Samba) -> Root:
    """The emptied share."""
    return Root(empty(samba.root))


@pytest.fixture
def open_smb(samba: Samba, root: Root) -> Iterator[OpenSource]:
    """Opens sources on the server, and closes them."""
    opened: list[ResilientSource] = []

    def open_one(share: str = "data", server: Samba = samba, port: int | None = None, **options: Any) -> Any:
        account = {"username": server.username, "password": server.password}
        url = server.url_of(share, port)
        opened.append(open_source(url, **account, options={"patience_seconds": 5, **options}))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


@pytest.fixture
def source(open_smb: OpenSource) -> ResilientSource:
    """A source over the whole share, the plain way."""
    return open_smb(plain=True)


@pytest.fixture
def secrets_of(samba: Samba) -> list[str]:
    """What must not be shown."""
    return [samba.password, samba.username]


class TestPlainSMB(SourceContract):
    """The plain way promises what every source promises."""

    sees_same_size_change = False


def everything(source: ResilientSource) -> dict[str, tuple[Entry, Entry, bytes | None]]:
    """Every entry by its path: as it is listed, as it is looked at, and what a file reads as."""
    found = {}
    waiting = [""]
    while waiting:
        listed = [entry for _, entries in source.list_folders(waiting) for entry in entries]  # type: ignore[union-attr]
        for entry in listed:
            content = None
            if entry.kind is EntryKind.FILE:
                with source.open(entry.path) as file:
                    content = file.read()
            # Samba makes the creation time up from others, which reading moves.
            told = [replace(each, created_ns=None) for each in (entry, source.stat(entry.path))]
            found[entry.path] = (told[0], told[1], content)
        waiting = [entry.path for entry in listed if entry.kind is EntryKind.FOLDER]
    return found


def test_both_ways_say_the_same(open_smb: OpenSource, root: Root) -> None:
    """Listings, looks and contents of the ugly tree are equal to the last field."""
    root.build(UGLY_TREE)
    plain, fast = everything(open_smb(plain=True)), everything(open_smb())

    assert len(plain) >= 30
    assert plain == fast


@pytest.mark.parametrize(
    ("settings", "carrier"),
    [
        ("server max protocol = SMB2_02", PlainCarrier),
        ("server max protocol = SMB2_10", RawCarrier),
        ("server max protocol = SMB3_00", RawCarrier),
        ("server smb3 signing algorithms = aes-128-cmac", RawCarrier),
        ("server smb3 signing algorithms = hmac-sha256", RawCarrier),
        ("server smb3 encryption algorithms = aes-128-ccm", RawCarrier),
        ("server smb3 encryption algorithms = aes-256-gcm", RawCarrier),
    ],
)
@pytest.mark.gate(3)
def test_whatever_is_negotiated(open_smb: OpenSource, settings: str, carrier: type) -> None:
    """Older dialects, every way to sign and to encrypt: all is listed and read, signed and, where it can be, sealed."""
    server = Samba(settings)
    Root(server.root).build(UGLY_TREE)
    try:
        server.start()
        link = SMBLink(account_of(server), LoginGate(), BackupIntent())
        assert carrier is type(link._carrier)
        link.close()
        assert read_tree(open_smb(server=server)) == UGLY_TREE
        if "SMB2" not in settings:
            assert read_tree(open_smb("sealed", server=server)) == UGLY_TREE
            assert read_tree(open_smb(server=server, encryption=True)) == UGLY_TREE
    finally:
        server.stop()


def account_of(server: Samba) -> SMBAccount:
    """The share of this server."""
    return SMBAccount(
        host="127.0.0.1", share="data", port=server.port, username=server.username, password=server.password
    )


def test_no_thread_of_the_library_is_left(samba: Samba) -> None:
    """The socket has one owner: smbprotocol's receiving thread has ended when the link is there, and login was signed.

    This is where a new smbprotocol shows that what is taken from it has other names.
    """
    link = SMBLink(account_of(samba), LoginGate(), BackupIntent())
    try:
        assert [] == [thread for thread in threading.enumerate() if f":{samba.port}" in thread.name]
        assert link.usable
        assert link.query("").is_folder
    finally:
        link.close()
    assert not link.usable


def test_the_thread_that_ends_disturbs_nobody(samba: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes through the requests without an answer while the last one's is taken: no error of it is printed."""
    failed: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(25):
            SMBLink(account_of(samba), LoginGate(), BackupIntent()).close()
    finally:
        sys.setswitchinterval(interval)

    assert [] == failed


def test_folders_asked_for_together(
    samba: Samba, open_smb: OpenSource, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is listed together is what is listed one by one: empty and large folders, files, what is not there; and no
    more of them are listed by the same call once it has brought entries enough."""
    tree: dict[str, Any] = {f"{n}": {f"{m:04} {'x' * 60}": b"" for m in range(n * 400)} for n in range(6)}
    root.build({**tree, "file": b"1"})
    wanted = [*tree, "file", "gone", "5/0000"]
    source = open_smb()
    found = dict(source.list_folders(wanted))

    assert sorted(wanted) == sorted(found)
    for path in wanted:
        try:
            expected: Any = source.list_folder(path)
        except ConnectorError as error:
            assert (type(error), str(error)) == (type(found[path]), str(found[path]))
        else:
            assert expected == found[path]

    for place in ("resilient", "smb.source"):
        monkeypatch.setattr(f"connectors.sources.{place}.MOST_ENTRIES", 1_000)
    monkeypatch.setattr("connectors.sources.smb.listing.FOLDERS_IN_FLIGHT", 2)
    assert ["4", "5", "file", "gone", "5/0000"] == source._list_batch(wanted).left  # type: ignore[attr-defined]
    assert found.keys() == dict(source.list_folders(wanted)).keys()


def test_many_folders_cost_few_messages(
    samba: Samba, open_smb: OpenSource, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight folders at once are four requests each on two connections, as many as one by one."""
    monkeypatch.setattr("connectors.sources.ancestry.FRESH_SECONDS", 300.0)  # however slow this machine is
    root.build({f"folder {n:02}": {f"{m:03}.txt": b"" for m in range(50)} for n in range(40)})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port)
        source.list_folder("")
        source.stat("folder 00")
        proxy.reset()
        listed = dict(source.list_folders([f"folder {n:02}" for n in range(40)]))

        assert 2_000 == sum(len(entries) for entries in listed.values())  # type: ignore[arg-type]
        counted = {name: proxy.commands[name] for name in ("CREATE", "QUERY_DIRECTORY")}
        assert {"CREATE": 40, "QUERY_DIRECTORY": 80} == counted
        assert proxy.connections <= 2
        source.close()


def test_a_stop_asks_for_no_more_folders(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """Those that the server was asked for come; whoever does not mind the stop gets the others, too, each once."""
    names = [f"folder {n:02}" for n in range(40)]
    root.build({name: {"file": b""} for name in names})
    with Proxy(samba.port) as proxy:
        source, stop = open_smb(port=proxy.port), threading.Event()
        source.list_folder("")
        source.stop_with(stop)
        proxy.reset()

        def say_stop(data: bytes) -> bytes:
            if proxy.commands["CREATE"] > 1:
                stop.set()
            return data

        proxy.alter_request = say_stop
        listings = source.list_folders(names)
        found = [next(listings)[0]]
        assert stop.is_set()
        assert proxy.commands["CREATE"] <= FOLDERS_IN_FLIGHT + 4
        assert sorted(names) == sorted([*found, *(path for path, _ in listings)])


def test_a_sealed_message_that_was_altered(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """Nothing is taken from a message whose seal is broken."""
    root.build({"zeros.bin": bytes(300_000)})

    def alter(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1]) if len(data) > 1_000 else data

    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, encryption=True, patience_seconds=0.5)
        source.connect()
        proxy.alter = alter
        with pytest.raises(ConnectorError):
            source.open("zeros.bin").read()
        source.close()


def test_a_connection_that_ended_while_it_was_idle_costs_nothing(
    samba: Samba, open_smb: OpenSource, root: Root
) -> None:
    """What the server closed meanwhile is noticed before it is used: not even one call is repeated."""
    root.build({"a.txt": b"1"})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, patience_seconds=0)
        with source.open("a.txt") as file:
            file.read()
        proxy.drop()
        time.sleep(0.4)

        assert 1 == source.stat("a.txt").size
        source.close()


def test_a_large_file_into_a_buffer(open_smb: OpenSource, root: Root) -> None:
    """Whatever the size of the buffer, signed, sealed or neither: the bytes of the file, and nothing behind them."""
    content = os.urandom(5_000_001)
    root.build({"large.bin": content})
    for options in ({}, {"share": "sealed"}, {"signing": False}, {"plain": True}):
        for size in (100_000, 1 << 20, 8_000_000):
            buffer, found = bytearray(size), b""
            with open_smb(**options).open("large.bin") as file:
                while count := file.readinto(buffer):
                    found += buffer[:count]

            assert content == found


@pytest.mark.parametrize("size", [0, 1, 60_000, 65_536, 900_000])
def test_a_small_file_is_looked_at_and_read_in_one_message(
    samba: Samba, open_smb: OpenSource, root: Root, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """What it was, what it holds and what it is come by one handle in one round trip."""
    monkeypatch.setattr("connectors.sources.ancestry.FRESH_SECONDS", 300.0)  # however slow this machine is
    content = os.urandom(size)
    root.build({"small.bin": content})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port)
        (listed,) = source.list_folder("")
        source.stat("small.bin")
        proxy.reset()
        whole = source.read_whole("small.bin", size)

        assert whole is not None
        found = (whole.before.fingerprint, whole.content, whole.after.fingerprint, whole.one_handle)
        assert (listed.fingerprint, content, listed.fingerprint, True) == found
        assert 1 == proxy.commands["messages"]
        source.close()


def test_read_whole_leaves_to_others_what_is_not_small_and_plain(open_smb: OpenSource, root: Root) -> None:
    """A file that has grown, a folder and what is not there; and it never fails where opening would not."""
    root.build({"grown.log": b"x" * 101, "folder": {}, "held.docx": b"12"})
    source = open_smb()

    assert source.read_whole("grown.log", 100) is None
    assert source.read_whole("grown.log", 0) is None
    with pytest.raises(NotFound):
        source.read_whole("gone", 10)
    with pytest.raises(ConnectorError):
        source.read_whole("folder", 10)


def test_read_whole_of_what_others_hold(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """What is held exclusively is Locked, what is locked in part left to others; later all of it is read, and nothing
    stayed open."""
    root.build({"held.docx": b"open in Word", "database.mdb": b"x" * 1000})
    source = open_smb()
    with samba.holding("held.docx"), pytest.raises(Locked):
        source.read_whole("held.docx", 12)
    with samba.locking("database.mdb"):
        assert source.read_whole("database.mdb", 1000) is None  # opening it says why
    for name, size in (("held.docx", 12), ("database.mdb", 1000)):
        whole = source.read_whole(name, size)
        assert whole is not None
        assert size == len(whole.content)
    with samba.holding("database.mdb"):
        pass  # nobody else has it open


def test_streams_and_attributes_of_a_file_read_whole(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """It tells its alternate data streams, and the same note as its listing, of extended attributes, too."""
    samba.forget_streams()
    root.build({"tagged": b"t", "plain": b"p", "noted": b"n"})
    os.setxattr(root.path / "noted", "user.comment", b"important")
    samba.put_streams("tagged", {"hidden": b"h"})
    source = open_smb("streams")
    wholes = {name: source.read_whole(name, 1) for name in ("tagged", "plain", "noted")}

    assert {"tagged": 1, "plain": 0, "noted": 0} == {
        name: len(each.streams.found) for name, each in wholes.items() if each
    }
    listed = {entry.name: (entry.fingerprint, entry.note) for entry in source.list_folder("")}
    assert listed == {
        name: (each.before.fingerprint, each.before.note) for name, each in wholes.items() if each
    }

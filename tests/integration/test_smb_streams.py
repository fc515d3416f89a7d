"""Alternate data streams and offline files on a real Samba server: seen on the way, at no round trip of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.entry import NO_STREAMS, NamedStream
from connectors.sources.registry import open_source
from connectors.sources.resilient import ResilientSource
from connectors.sources.smb.connection import STREAMS_BUFFER
from tests.contract import Root
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba

OpenSource = Callable[..., ResilientSource]

MARK = b"[ZoneTransfer]\r\nZoneId=3\r\n"
CREATE, READ, QUERY_INFO = 5, 8, 16


@pytest.fixture
def root(samba: Samba) -> Iterator[Root]:
    """The emptied share."""
    samba.forget_streams()
    yield Root(empty(samba.root))
    empty(samba.root)


@pytest.fixture
def open_smb(samba: Samba, root: Root) -> Iterator[OpenSource]:
    """Opens sources on the share with streams, or another one, and closes them."""
    opened: list[ResilientSource] = []

    def open_one(share: str = "streams", port: int | None = None, **options: Any) -> ResilientSource:
        source = open_source(
            samba.url_of(share, port),
            username=samba.username,
            password=samba.password,
            options={"patience_seconds": 5, **options},
        )
        assert isinstance(source, ResilientSource)
        opened.append(source)
        return source

    yield open_one
    for source in opened:
        source.close()


def read(source: ResilientSource, path: str) -> tuple[bytes, dict[str, int], bool]:
    """A file's content, its named streams with their sizes, and whether there are more of them."""
    with source.open(path) as file:
        return file.read(), dict(file.streams.found), file.streams.more


def test_every_kind_of_file_tells_its_streams(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """Small, empty and large files with streams tell names and sizes, those without tell none; all are read whole."""
    large = os.urandom(3_000_000)
    root.build({"plain": b"p", "none": b"", "empty": b"", "large": large, "sub": {"a ü.txt": b"small"}})
    samba.put_streams("empty", {"hidden": b"h" * 1_000})
    samba.put_streams("large", {"notes": b"n" * 12, "Größe": b""})
    samba.put_streams("sub/a ü.txt", {"Zone.Identifier": MARK})
    source = open_smb()

    assert (b"p", {}, False) == read(source, "plain")
    assert (b"", {}, False) == read(source, "none")
    assert (b"", {"hidden": 1_000}, False) == read(source, "empty")
    assert (large, {"notes": 12, "Größe": 0}, False) == read(source, "large")
    assert (b"small", {"Zone.Identifier": len(MARK)}, False) == read(source, "sub/a ü.txt")


def test_streams_change_neither_listing_nor_fingerprint(
    samba: Samba, open_smb: OpenSource, root: Root
) -> None:
    """A stream is nothing that a listing shows, and the opened file is the listed one."""
    root.build({"plain": b"p", "tagged": b"t"})
    samba.put_streams("tagged", {"hidden": b"h"})
    source = open_smb()
    listed = {entry.name: entry for entry in source.list_folder("")}

    assert {"plain": None, "tagged": None} == {name: entry.note for name, entry in listed.items()}
    with source.open("tagged") as file:
        assert listed["tagged"].fingerprint == file.entry.fingerprint


def test_streams_cost_no_round_trip(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """A small file with streams is one message and its closing, as one without."""
    root.build({"small.txt": b"x" * 60_000})
    samba.put_streams("small.txt", {"hidden": b"h"})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port)
        source.list_folder("")
        source.open("small.txt").close()  # beside open files one connection more is open
        proxy.reset()

        assert (b"x" * 60_000, {"hidden": 1}, False) == read(source, "small.txt")
        assert {"CREATE": 1, "QUERY_INFO": 1, "READ": 1} == {
            name: proxy.commands[name] for name in ("CREATE", "QUERY_INFO", "READ")
        }
        assert proxy.commands["messages"] - proxy.commands["CLOSE"] == 1
        source.close()


def test_more_streams_than_an_answer_holds_are_told(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """Streams that do not fit into the server's answer are told as more, and the file is read."""
    root.build({"many": b"m"})
    names = [f"{number:03} {'x' * 200}" for number in range(STREAMS_BUFFER // 400)]
    samba.put_streams("many", dict.fromkeys(names, b"1"))
    content, found, more = read(open_smb(), "many")

    assert (b"m", True) == (content, more)
    assert set(found) < set(names)


def test_streams_are_known_after_a_dropped_connection(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """A file that is opened again in the middle keeps its streams and its content."""
    content = os.urandom(3_000_000)
    root.build({"large": content})
    samba.put_streams("large", {"hidden": b"h"})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port)
        with source.open("large") as file:
            head = file.read(1_000_000)
            proxy.drop()

            assert content == head + file.read()
            assert (NamedStream("hidden", 1),) == file.streams.found
        source.close()


def refusing(status: int, *, reads_too: bool) -> Callable[[bytes], bytes]:
    """Answers in which the question for streams is refused: alone, as Samba refuses, or with the READ behind it."""

    def refuse(data: bytes) -> bytes:
        chain = _commands(data)
        if [command for command, _, _ in chain] != [CREATE, QUERY_INFO, READ]:
            return data
        altered = bytearray(data)
        for _, start, end in chain[1:] if reads_too else chain[1:2]:
            altered[start + 8 : start + 12] = status.to_bytes(4, "little")
            # An error answer: its size of 9 and nothing else ([MS-SMB2] 2.2.2).
            altered[start + 64 : end] = b"\x09".ljust(end - start - 64, b"\0")
        return bytes(altered)

    return refuse


def _commands(data: bytes) -> list[tuple[int, int, int]]:
    """Command, start and end of every header in a message from the server; none for anything but one message."""
    found, start = [], 4
    while data[start : start + 4] == b"\xfeSMB":
        step = int.from_bytes(data[start + 20 : start + 24], "little")
        end = start + step if step else len(data)
        found.append((int.from_bytes(data[start + 12 : start + 14], "little"), start, end))
        if not step:
            return found
        start = end
    return []


@pytest.mark.parametrize("status", [0xC000_0003, 0xC000_00BB, 0xC000_000D])
@pytest.mark.parametrize("reads_too", [False, True])
def test_a_server_without_streams_fails_no_file(
    samba: Samba, open_smb: OpenSource, root: Root, status: int, reads_too: bool
) -> None:
    """A server that does not know the question gives all files, and is asked once a connection."""
    root.build({"a": b"first", "empty": b"", "large": b"l" * 200_000, "z": b"last"})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, signing=False)
        source.list_folder("")
        proxy.reset()
        proxy.alter = refusing(status, reads_too=reads_too)

        for name, content in (("a", b"first"), ("empty", b""), ("large", b"l" * 200_000), ("z", b"last")):
            assert (content, {}, False) == read(source, name)
        assert 1 == proxy.commands["QUERY_INFO"]
        source.close()


def test_a_refusal_for_one_file_is_for_that_file(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """Streams that may not be seen (access denied) do not fail the file, and the next one is asked for its own."""
    root.build({"closed": b"c", "open": b"o"})
    samba.put_streams("open", {"hidden": b"h"})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, signing=False)
        source.connect()
        proxy.alter = refusing(0xC000_0022, reads_too=True)
        with source.open("closed") as file:
            assert (b"c", NO_STREAMS) == (file.read(), file.streams)
        proxy.alter = bytes

        assert (b"o", {"hidden": 1}, False) == read(source, "open")
        source.close()


def test_offline_files_are_left_where_they_are(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """Files that a server holds on slower storage fail as offline; when told, they are read."""
    samba.require_module("offline")
    root.build({"on tape.txt": b"slow", "folder": {}})
    faults = {entry.name: entry.fault for entry in open_smb("tape").list_folder("")}
    told = open_smb("tape", recall_offline=True)

    assert faults["folder"] is None
    assert "recall_offline" in str(faults["on tape.txt"])
    assert [None, None] == [entry.fault for entry in told.list_folder("")]
    assert b"slow" == read(told, "on tape.txt")[0]

"""Small files of an SMB share, many in flight: the same as the plain way has each by itself; what is wrong with one is
left to its own reading; a server with few credits, or one that goes away in the middle, costs nothing but time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.entry import Entry
from connectors.errors import AccessDenied, Locked, NotFound
from connectors.source import WholeFile
from connectors.sources.registry import open_source
from connectors.sources.smb.small_files import FILES_IN_FLIGHT
from tests.contract import Root
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba

OpenSource = Callable[..., Any]
SIZES = (0, 1, 7, 4_096, 60_000, 65_536, 65_537, 262_144)


@pytest.fixture
def root(samba: Samba) -> Root:
    """The emptied share."""
    return Root(empty(samba.root))


@pytest.fixture
def open_smb(samba: Samba, root: Root) -> Iterator[OpenSource]:
    """Opens sources on the server, and closes them."""
    opened: list[Any] = []

    def open_one(share: str = "data", port: int | None = None, **options: Any) -> Any:
        account = {"username": samba.username, "password": samba.password}
        url = samba.url_of(share, port)
        opened.append(open_source(url, **account, options={"patience_seconds": 5, **options}))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


def many(count: int = 3 * FILES_IN_FLIGHT, size: int = 1_000) -> dict[str, bytes]:
    """So many small files."""
    return {f"{number:03} é": os.urandom(size) for number in range(count)}


def wanted(entries: Sequence[Entry]) -> list[tuple[str, int]]:
    """All of them, with the sizes that they were listed with."""
    return [(entry.path, entry.size) for entry in entries]


def contents(read: dict[str, WholeFile]) -> dict[str, bytes]:
    """What they hold."""
    return {path: whole.content for path, whole in read.items()}


def told(whole: WholeFile | None) -> tuple[Any, ...]:
    """All of it but the time of creation: Samba makes one up of other times, such as that of the last reading."""
    assert whole is not None
    before, after = (replace(entry, created_ns=None) for entry in (whole.before, whole.after))
    return before, whole.content, after, whole.streams, whole.one_handle


@pytest.mark.parametrize("options", [{}, {"share": "sealed"}, {"signing": False}, {"share": "streams"}])
def test_the_same_as_the_plain_way(
    samba: Samba, open_smb: OpenSource, root: Root, options: dict[str, Any]
) -> None:
    """Of any size, in any folder, signed, sealed or neither: the looks, the bytes and the streams of each by itself."""
    samba.forget_streams()
    sized = {f"{size} bytes": os.urandom(size) for size in SIZES}
    root.build({"some": sized, "many": {"deeper": many()}, "noted": b"n", "tagged": b"tagged"})
    os.setxattr(root.path / "noted", "user.comment", b"important")
    samba.put_streams("tagged", {"hidden": b"h"})
    plain, source = open_smb(plain=True, share=options.get("share", "data")), open_smb(**options)
    entries = [entry for folder in ("", "some", "many/deeper") for entry in source.list_folder(folder)]
    files = [(path, size) for path, size in wanted(entries) if path not in ("some", "many")]

    alone = {path: told(plain.read_whole(path, size)) for path, size in files}
    assert alone == {path: told(whole) for path, whole in source.read_together(files).items()}
    assert (True, False) == (source.reads_together, plain.reads_together)


def test_each_is_one_message_and_none_stays_open(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """Opened, read, looked at again and closed: others may hold any of them exclusively right afterwards."""
    tree = many()
    root.build(tree)
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port)
        files = wanted(source.list_folder(""))
        source.stat("")
        proxy.reset()

        assert tree == contents(source.read_together(files))
        assert (
            len(tree) <= proxy.commands["messages"] <= len(tree) + 1
        )  # the root is looked at, once a second
        assert proxy.commands["CREATE"] == proxy.commands["CLOSE"] == proxy.commands["messages"]
        assert len(tree) == proxy.commands["READ"]
        for path, _ in files[::10]:
            with samba.holding(path):
                pass
        source.close()


def test_what_is_wrong_with_some_is_told_of_those_alone(
    samba: Samba, open_smb: OpenSource, root: Root
) -> None:
    """Gone, grown, held, locked in part, a folder by now, no path of ours: left out, and the others are read."""
    tree = {**many(FILES_IN_FLIGHT + 9), "database.mdb": b"x" * 1_000}
    root.build(tree)
    source = open_smb()
    files = wanted(source.list_folder(""))
    gone, grown, held, folder, shrunk, *others = (path for path, _ in files if path != "database.mdb")
    for path in (gone, folder):
        (root.path / path).unlink()
    (root.path / folder).mkdir()
    (root.path / grown).write_bytes(b"x" * 1_001)
    (root.path / shrunk).write_bytes(b"less")
    asked = [*files, ("no folder/no file", 10), ("../outside", 10), ("odd:stream", 10)]
    with samba.holding(held), samba.locking("database.mdb"):
        read = source.read_together(asked)
        with pytest.raises(Locked):
            source.read_whole(held, 1_000)

    assert {shrunk: b"less", **{path: tree[path] for path in others}} == contents(read)
    for path in (gone, "no folder/no file"):
        with pytest.raises(NotFound):
            source.read_whole(path, 1_000)
    assert source.read_whole(grown, 1_000) is None
    assert {path: tree[path] for path in (held, "database.mdb")} == contents(
        source.read_together([(held, 1_000), ("database.mdb", 1_000)])
    )


def test_what_the_account_may_not_read(open_smb: OpenSource, root: Root) -> None:
    """A file, or all of a folder: AccessDenied when it is read by itself, and the others are there."""
    tree = many(10)
    root.build({"closed": {"x": b"1"}, "private": b"1", **tree})
    source = open_smb("guarded")
    files = [
        *((path, size) for path, size in wanted(source.list_folder("")) if path != "closed"),
        ("closed/x", 1),
    ]
    for name in ("private", "closed"):
        (root.path / name).chmod(0)

    assert tree == contents(source.read_together(files))
    with pytest.raises(AccessDenied):
        source.read_whole("private", 1)


@pytest.mark.parametrize("after", [1, 20_000, 90_000])
def test_a_connection_that_is_lost_in_the_middle(
    samba: Samba, open_smb: OpenSource, root: Root, after: int
) -> None:
    """What came is what it is, the rest is left out, nothing is raised, and the server has nothing open."""
    tree = many()
    root.build(tree)
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port)
        files = wanted(source.list_folder(""))
        source.stat("")
        proxy.drop_after(after)
        read = contents(source.read_together(files))

        assert 1 == proxy.cuts
        assert len(read) < len(tree)
        assert read.items() <= tree.items()
        assert tree == contents(source.read_together(files))
        for path, _ in files[::20]:
            with samba.holding(path):
                pass
        proxy.refusing = True
        proxy.drop()
        assert {} == source.read_together(files)
        source.close()


def test_nothing_more_is_read_after_the_stop(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """What is on its way comes, no other file is asked for, and all is closed."""
    tree = many()
    root.build(tree)
    stop = threading.Event()
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port)
        source.stop_with(stop)
        files = wanted(source.list_folder(""))
        source.stat("")

        def stop_it(data: bytes) -> bytes:
            stop.set()
            return data

        proxy.alter = stop_it
        read = source.read_together(files)

        assert FILES_IN_FLIGHT <= len(read) < len(tree)
        assert contents(read).items() <= tree.items()
        assert {} == source.read_together(files)
        source.close()

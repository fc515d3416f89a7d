"""Reading one file of a share for sending: a small one is one look, and what moves meanwhile is noticed (P1, P5)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.entry import Entry
from connectors.errors import ChangedWhileReading, ItemError, Locked, NotFound, Stopped
from connectors.source import WholeFile
from connectors.sources.local import LocalSource
from connectors.sources.registry import open_source
from connectors.sources.reopening import OpenedFile
from connectors.sources.resilient import ResilientSource
from flows.run.ahead import ReadAhead, Room
from flows.run.stop import StopSignal
from flows.transfer.sending import WHOLE_BYTES, Reading
from state.records import ClaimedItem
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba
from tests.trees import build_tree


class Moving(LocalSource):
    """A folder in which something happens when a file has been opened, or a small one has been read."""

    act: Callable[[], object] = staticmethod(lambda: None)
    _reads_whole = False

    def _read_whole(self, path: str, limit: int) -> WholeFile | None:
        self._reads_whole = True
        try:
            return super()._read_whole(path, limit)
        finally:
            self._reads_whole = False

    def _look_below(self, root: int, path: str) -> Entry:
        if self._reads_whole:
            self.act()
        return super()._look_below(root, path)

    def _open(self, path: str) -> OpenedFile:
        opened = super()._open(path)
        self.act()
        return opened


def claimed(entry: Entry) -> ClaimedItem:
    """A file as the walk saw it."""
    return ClaimedItem(
        id=1,
        tree_id=1,
        folder_id=1,
        path=entry.path,
        box_name=entry.name,
        size=entry.size,
        fingerprint=entry.fingerprint,
        modified_ns=entry.modified_ns,
        created_ns=entry.created_ns,
        box_file_id=None,
        box_etag=None,
        attempts=0,
    )


def grow(file: Path) -> None:
    """One line more."""
    with file.open("ab") as log:
        log.write(b"more")


def replace_alike(file: Path) -> None:
    """Another file of the same size and time in its place."""
    times = file.stat()
    other = file.with_name("other")
    other.write_bytes(bytes(times.st_size))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize("act", [grow, replace_alike, lambda file: os.truncate(file, 3)])
@pytest.mark.parametrize("size", [1_000, WHOLE_BYTES + 1])
def test_a_file_that_moves_while_it_is_read(tmp_path: Path, act: Callable[[Path], object], size: int) -> None:
    """Held in memory or not: what was read while it changed is refused before it is sent."""
    file = tmp_path / "busy.bin"
    file.write_bytes(os.urandom(size))
    with Moving(tmp_path) as source:
        (listed,) = source.list_folder("")
        source.act = lambda: act(file)  # type: ignore[method-assign]
        with pytest.raises(ChangedWhileReading):
            reading = Reading(source, StopSignal(), claimed(listed))
            with reading() as opened:
                opened.read()
            reading.check()


def test_a_small_file_is_held_for_every_attempt(tmp_path: Path) -> None:
    """The bytes that were looked at before and after are those that are sent, however often that is tried."""
    file = tmp_path / "small.txt"
    file.write_bytes(b"as it was")
    stop = StopSignal()
    with LocalSource(tmp_path) as source:
        (listed,) = source.list_folder("")
        reading = Reading(source, stop, claimed(listed))
        file.write_bytes(b"as it is")
        for _ in range(2):
            with reading() as opened:
                assert b"as it was" == opened.read()
            reading.check()
        stop.set()
        with pytest.raises(Stopped):
            reading().read()


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """It is NotFound, as is a folder in its place."""
    (tmp_path / "a.txt").write_bytes(b"1")
    with LocalSource(tmp_path) as source:
        (listed,) = source.list_folder("")
        (tmp_path / "a.txt").unlink()
        with pytest.raises(NotFound):
            Reading(source, StopSignal(), claimed(listed))
        (tmp_path / "a.txt").mkdir()
        with pytest.raises(NotFound):
            Reading(source, StopSignal(), claimed(listed))


@pytest.fixture
def deep(samba: Samba, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Proxy, ResilientSource]]:
    """A source on a share with one file three folders down, all of them just seen, and what counts its messages."""
    monkeypatch.setattr("connectors.sources.ancestry.FRESH_SECONDS", 300.0)  # however slow this machine is
    build_tree(empty(samba.root), {"a": {"b": {"c": {"file.txt": b"content"}}}})
    with Proxy(samba.port) as proxy:
        source: Any = open_source(
            samba.url_of("data", proxy.port), username=samba.username, password=samba.password
        )
        for folder in ("", "a", "a/b", "a/b/c"):
            source.list_folder(folder)
        source.stat("a")  # its answer comes after the closings, which nobody waits for
        proxy.reset()
        yield proxy, source
        source.close()


def test_a_small_file_of_a_share_is_one_message(deep: tuple[Proxy, ResilientSource]) -> None:
    """The id of the open file is the one that the walk saw in the root: nothing else is asked."""
    proxy, source = deep
    (listed,) = source.list_folder("a/b/c")
    source.stat("a")
    proxy.reset()
    reading = Reading(source, StopSignal(), claimed(listed))
    with reading() as opened:
        assert b"content" == opened.read()
    reading.check()

    assert 1 == proxy.commands["messages"]


def test_a_file_that_is_not_the_one_of_the_walk_is_looked_for(deep: tuple[Proxy, ResilientSource]) -> None:
    """Another id, or none to compare: every folder above is looked at after it was read."""
    proxy, source = deep
    (listed,) = source.list_folder("a/b/c")
    source.stat("a")
    for changed in ({"file_id": "1"}, {"file_id": None}, {"modified_ns": 5}):
        proxy.reset()
        item = claimed(replace(listed, **changed))  # type: ignore[arg-type]
        Reading(source, StopSignal(), item)

        assert 1 + len(["", "a", "a/b", "a/b/c"]) == proxy.commands["CREATE"]


def outcome_of(source: ResilientSource, item: ClaimedItem, ahead: ReadAhead | None) -> Any:
    """What a sender has of a file: its bytes and what it is, or an error."""
    try:
        reading = Reading(source, StopSignal(), item, ahead=ahead)
        with reading() as opened:
            content = opened.read()
        reading.check()
    except ItemError as exc:
        return type(exc)
    return content, reading.entry.fingerprint


def test_small_files_of_a_share_are_read_ahead(deep: tuple[Proxy, ResilientSource], samba: Samba) -> None:
    """Together those that are what the walk saw; each of the others, and each error, is that of its own reading."""
    proxy, source = deep
    tree = {f"{number:02}": bytes([number]) * 100 for number in range(12)}
    build_tree(samba.root / "a", tree)
    items = [replace(claimed(entry), id=n) for n, entry in enumerate(source.list_folder("a")[:12])]
    changed, gone, held, link, replaced = items[2:7]
    (samba.root / changed.path).write_bytes(b"other".ljust(100))
    (samba.root / gone.path).unlink()
    (samba.root / link.path).unlink()
    (samba.root / link.path).symlink_to(samba.root / items[0].path)
    replace_alike(samba.root / replaced.path)
    with samba.holding(held.path):
        alone = [outcome_of(source, item, None) for item in items]
        source.stat("a")
        proxy.reset()
        with ReadAhead(source, Room(), items) as ahead:
            first = outcome_of(source, items[0], ahead)
            asked = proxy.commands["CREATE"]
            together = [first, *(outcome_of(source, item, ahead) for item in items[1:])]

    assert alone == together
    assert (b"other".ljust(100), NotFound, Locked) == (together[2][0], *together[3:5])
    assert len(items) == asked
    assert 5 <= proxy.commands["CREATE"] - asked <= 5 + 4 * len(["", "a"])  # those five, and where they are


def test_what_is_read_ahead_is_as_old_as_its_reading(
    deep: tuple[Proxy, ResilientSource], samba: Samba
) -> None:
    """What settled after it was read is not taken for settled, and what changed since then is the next pass's."""
    _, source = deep
    build_tree(samba.root / "a", {"first": b"1", "second": b"2"})
    first, second = (
        replace(claimed(entry), id=n) for n, entry in enumerate(source.list_folder("a")) if entry.size == 1
    )
    with ReadAhead(source, Room(), [first, second]) as ahead:
        assert (b"1", first.fingerprint) == outcome_of(source, first, ahead)
        settles_ns = time.time_ns()
        (samba.root / second.path).write_bytes(b"3")
        late = Reading(source, StopSignal(), replace(second, settles_ns=settles_ns), ahead=ahead)

    with late() as opened:
        assert b"2" == opened.read()
    assert (settles_ns, second.fingerprint) == (late.settles_ns, late.entry.fingerprint)
    assert source.stat(second.path).fingerprint != second.fingerprint

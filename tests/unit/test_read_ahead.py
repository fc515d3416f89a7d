"""Reading ahead: how much, for whom, and what is left to each file's own reading."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from connectors.entry import Entry, EntryKind
from connectors.source import Source, WholeFile
from flows.run.ahead import (
    BYTES_TOGETHER,
    FILES_TOGETHER,
    FRESH_SECONDS,
    LEAST_TOGETHER,
    LOW_PART,
    SMALL_BYTES,
    ReadAhead,
    Room,
)
from state.records import ClaimedItem

FILE = Entry(path="", kind=EntryKind.FILE, modified_ns=1, changed_ns=2, file_id="1")


def items(*sizes: int) -> list[ClaimedItem]:
    """Files of these sizes, as the walk saw them."""
    return [
        ClaimedItem(
            id=number, tree_id=1, folder_id=1, path=f"{number}", box_name=f"{number}", size=size,
            fingerprint=replace(FILE, size=size).fingerprint, modified_ns=1, created_ns=None,
            box_file_id=None, box_etag=None, attempts=0,
        )
        for number, size in enumerate(sizes)
    ]  # fmt: skip


@dataclass
class Share:
    """Reads whatever it is asked for, all together; `odd` says how a file differs from what the walk saw."""

    reads_together: bool = True
    odd: dict[str, WholeFile | None] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def read_together(self, wanted: Sequence[tuple[str, int]]) -> dict[str, WholeFile]:
        """As Source.read_together."""
        self.asked.append([path for path, _ in wanted])
        found = {path: self.odd.get(path, whole(path, size)) for path, size in wanted}
        return {path: each for path, each in found.items() if each is not None}


def whole(path: str, size: int, **after: Any) -> WholeFile:
    """A file that reads as so many zeros."""
    entry = replace(FILE, path=path, size=size)
    return WholeFile(entry, bytes(size), replace(entry, **after), one_handle=True)


def ahead_of(
    share: Share, claimed: Sequence[ClaimedItem], room: Room | None = None, **more: Any
) -> ReadAhead:
    """A batch of these."""
    return ReadAhead(cast(Source, share), room or Room(), claimed, **more)


def test_files_are_read_some_at_a_time() -> None:
    """Each once, in order, never more than are worth it; content that was taken takes no room any more."""
    share, claimed, room = Share(), items(*[100] * 150), Room(1_000_000)
    with ahead_of(share, claimed, room) as ahead:
        for item in claimed:
            held = ahead.take(item)
            assert held is not None
            assert bytes(100) == held.file.content
            assert ahead.take(item) is None

    assert [FILES_TOGETHER, FILES_TOGETHER, 150 - 2 * FILES_TOGETHER] == [len(some) for some in share.asked]
    assert [item.path for item in claimed] == [path for some in share.asked for path in some]
    assert 1_000_000 == room.free


def test_the_next_ones_are_read_before_all_have_been_taken() -> None:
    """Else all senders would wait for them at once; while one of them reads, the others take what is there."""
    claimed = items(*[1] * 2 * FILES_TOGETHER)
    came, go = threading.Event(), threading.Event()

    class Slow(Share):
        def read_together(self, wanted: Sequence[tuple[str, int]]) -> dict[str, WholeFile]:
            if self.asked:
                came.set()
                assert go.wait(30)
            return super().read_together(wanted)

    share, before = Slow(), FILES_TOGETHER - FILES_TOGETHER // LOW_PART
    with ahead_of(share, claimed) as ahead, ThreadPoolExecutor(1) as other:
        assert all(ahead.take(item) is not None for item in claimed[: before - 1])
        assert 1 == len(share.asked)
        reads = other.submit(ahead.take, claimed[before - 1])
        assert came.wait(30)
        assert all(ahead.take(item) is not None for item in claimed[before:FILES_TOGETHER])
        go.set()
        assert reads.result(30) is not None
        assert all(ahead.take(item) is not None for item in claimed[FILES_TOGETHER:])

    assert 2 == len(share.asked)


def test_few_bytes_at_a_time() -> None:
    """Larger files are fewer, the largest are read by themselves, and so is the last one."""
    big = BYTES_TOGETHER // 5
    share, claimed = Share(), items(big, SMALL_BYTES + 1, *[big] * 5)
    with ahead_of(share, claimed) as ahead:
        taken = [ahead.take(item) for item in claimed]

    assert [["0", "2", "3", "4", "5"]] == share.asked
    assert [True, False, True, True, True, True, False] == [held is not None for held in taken]


def test_there_is_only_so_much_room() -> None:
    """Of all batches together; what nobody took is given back with its batch."""
    share, room, claimed = Share(), Room(1_000), items(*[300] * 4)
    first, second = ahead_of(share, claimed, room), ahead_of(share, claimed, room)

    assert first.take(claimed[0]) is not None
    assert 400 == room.free  # two more wait
    assert second.take(claimed[0]) is None  # nothing beside it has room
    first.close()
    first.close()
    assert 1_000 == room.free
    assert first.take(claimed[1]) is None
    assert second.take(claimed[1]) is not None
    second.close()
    assert 1_000 == room.free


@pytest.mark.parametrize(
    "odd",
    [
        None,
        whole("1", 100, changed_ns=3),
        whole("1", 99),
        whole("1", 100)._replace(content=b"short"),
        whole("1", 100)._replace(one_handle=False),
    ],
    ids=["not read", "changed meanwhile", "another size", "cut", "by two handles"],
)
def test_what_is_not_sound_is_read_by_itself(odd: WholeFile | None) -> None:
    """Left out, changed, or not proven to be what the walk saw: and the others are served."""
    share, claimed = Share(odd={"1": odd}), items(100, 100, 100)
    with ahead_of(share, claimed) as ahead:
        assert [True, False, True] == [ahead.take(item) is not None for item in claimed]

    assert 1 == len(share.asked)


def test_nothing_is_read_ahead_in_vain() -> None:
    """Where the source gains nothing, or what is read could not be proven to be what the walk saw."""
    known = items(1, 1, 1)
    nameless = [replace(item, fingerprint=replace(item.fingerprint, file_id=None)) for item in known]
    timeless = [replace(item, fingerprint=replace(item.fingerprint, changed_ns=None)) for item in known]
    for share, claimed in ((Share(reads_together=False), known), (Share(), nameless), (Share(), timeless)):
        assert [None] * 3 == [ahead_of(share, claimed).take(item) for item in claimed]
        assert [] == share.asked


def test_what_waited_long_is_read_again() -> None:
    """By itself, since its file may be another one by now; and fewer are read together from then on."""
    now, share, claimed = [0.0], Share(), items(*[1] * 10 * FILES_TOGETHER)
    ahead = ahead_of(share, claimed, clock=lambda: now[0])

    assert ahead.take(claimed[0]) is not None
    now[0] = FRESH_SECONDS
    assert ahead.take(claimed[1]) is not None
    for item in claimed[2:]:
        now[0] += 0.9 * FRESH_SECONDS / LEAST_TOGETHER
        ahead.take(item)
    sizes = [len(some) for some in share.asked]
    assert (FILES_TOGETHER, LEAST_TOGETHER) == (sizes[0], sizes[-2])
    assert sorted(sizes, reverse=True)[:-1] == sizes[:-1]
    assert len(share.asked) > 10 * FILES_TOGETHER // LEAST_TOGETHER // 2


def test_many_senders_share_what_one_of_them_reads() -> None:
    """Whoever comes while it is read waits for it, and what goes wrong for all goes wrong for each."""
    claimed = items(*[10] * 8)
    came, go = threading.Event(), threading.Event()

    class Slow(Share):
        def read_together(self, wanted: Sequence[tuple[str, int]]) -> dict[str, WholeFile]:
            came.set()
            assert go.wait(30)
            return super().read_together(wanted)

    share, room = Slow(), Room(1_000)
    with ahead_of(share, claimed, room) as ahead, ThreadPoolExecutor(8) as threads:
        taking = [threads.submit(ahead.take, item) for item in claimed]
        assert came.wait(30)
        go.set()
        assert all(each.result(30) is not None for each in taking)

    assert 1 == len(share.asked)
    assert 1_000 == room.free

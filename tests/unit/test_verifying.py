"""Verifying many folders at once: in their order, no more than are needed, and none once something ended it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows.run.senders import Senders
from flows.run.stop import StopSignal
from flows.transfer import verifying
from flows.transfer.migration import Migration
from flows.transfer.verifying import FOLDERS_AT_ONCE, Differences
from state.records import FolderNode


@pytest.fixture
def migration() -> Iterator[Migration]:
    """Of a run that sends with few at once."""
    listers = Senders(8, name="lister")
    senders = SimpleNamespace(width=2)
    yield cast(Migration, SimpleNamespace(listers=listers, senders=senders, stop=StopSignal()))
    listers.shutdown()


def folders(count: int, drawn: list[int]) -> Iterator[FolderNode]:
    """So many, noted as they are asked for."""
    for number in range(count):
        drawn.append(number)
        yield cast(FolderNode, number)


def test_all_are_looked_at_and_few_wait(migration: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder's differences come in the order of the folders, and a tree of any size is never held whole."""
    monkeypatch.setattr(
        verifying, "_verify_or_tell", lambda _, folder: Differences(out_of_sight=[str(folder)])
    )
    drawn: list[int] = []
    ahead = []
    found = []
    for each in verifying._looked_at(migration, folders(1_000, drawn)):
        found += each.out_of_sight
        ahead.append(len(drawn) - len(found))

    assert [str(number) for number in range(1_000)] == found
    assert max(ahead) <= FOLDERS_AT_ONCE


def test_nothing_more_is_asked_once_it_is_over(migration: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    """Box is away, say: what waits in line would wait for it once more each."""
    asked: list[Any] = []
    lock = threading.Lock()

    def look(_: Migration, folder: FolderNode) -> Differences:
        with lock:
            asked.append(folder)
        time.sleep(0.02)
        raise ConnectionError

    monkeypatch.setattr(verifying, "_verify_or_tell", look)
    with pytest.raises(ConnectionError):
        list(verifying._looked_at(migration, folders(1_000, [])))

    assert 1 <= len(asked) <= 16


def test_an_interruption_stops_what_is_under_way(
    migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who wait for a Box that is away would go on waiting, and whoever pressed Ctrl-C with them."""
    stopped: list[bool] = []

    def look(_: Migration, folder: FolderNode) -> Differences:
        if folder == cast(FolderNode, 0):
            raise KeyboardInterrupt
        stopped.append(migration.stop.wait(20))
        return Differences()

    monkeypatch.setattr(verifying, "_verify_or_tell", look)
    with pytest.raises(KeyboardInterrupt):
        list(verifying._looked_at(migration, folders(10, [])))

    assert all(stopped)
    assert migration.stop.is_set()

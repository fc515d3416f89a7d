"""A mount point whose disk is away, with a few things of its own, beside folders that somebody cleaned up."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.entry import Entry, EntryKind, Fault, Fingerprint
from connectors.errors import AccessDenied, NotFound
from connectors.source import Source
from flows.run.stop import StopSignal
from flows.transfer.emptied import Missing, is_below_a_disk_that_is_away, is_mount_point, look_for
from state.records import KnownChild
from state.statuses import ItemStatus

FOLDER, FILE = EntryKind.FOLDER, EntryKind.FILE


class Scripted:
    """A source that lists what it is told, and denies the rest."""

    def __init__(self, listings: dict[str, list[Entry]]) -> None:
        self.listings = listings

    def list_folder(self, path: str) -> list[Entry]:
        """What it holds."""
        if path not in self.listings:
            raise AccessDenied(path)
        return self.listings[path]


def file(name: str, size: int = 7, at: int = 1, file_id: str | None = None) -> Entry:
    """A listed file."""
    return Entry(path=name, kind=FILE, size=size, modified_ns=at, file_id=file_id)


def folder(name: str, file_id: str | None = None) -> Entry:
    """A listed folder."""
    return Entry(path=name, kind=FOLDER, file_id=file_id)


def child(entry: Entry, status: ItemStatus = ItemStatus.UPLOADED, number: int = 0) -> KnownChild:
    """What the checkpoint has of it."""
    modified = None if entry.kind is FOLDER else entry.modified_ns
    fingerprint = Fingerprint(size=entry.size, modified_ns=modified, file_id=entry.file_id)
    return KnownChild(
        id=number,
        name=entry.name,
        kind=entry.kind,
        box_name=entry.name,
        status=status,
        reason=None,
        fingerprint=fingerprint,
    )


def files(count: int, prefix: str = "f", at: int = 1_000) -> list[Entry]:
    """So many files, each with a date and an id of its own."""
    return [file(f"{prefix}{n}", 100 + n, at + n, f"{at + n}") for n in range(count)]


def judged(
    before: Sequence[Entry],
    now: Sequence[Entry],
    *,
    below: dict[str, list[Entry]] | None = None,
    listings: dict[str, list[Entry]] | None = None,
) -> bool:
    """Whether the folder looks emptied; `below`: what was known in its folders, `listings`: what those list now."""
    known = [child(entry, number=number) for number, entry in enumerate(before)]
    names = {each.id: each.name for each in known}

    def children(ids: Sequence[int]) -> dict[int, list[KnownChild]]:
        inside = below or {}
        return {
            number: [child(each, number=-1) for each in inside.get(names.get(number, ""), [])]
            for number in ids
        }

    source = cast(Source, Scripted(listings or {}))
    return is_mount_point(source, children, now, known, excluded=lambda entry: None)


NOTES = [file("READ ME", 3, 5, "5"), file("to do.txt", 4, 6, "6"), file("old.log", 9, 7, "7")]
DEEP = [folder("2023", "50"), folder("2024", "51"), folder("2025", "52")]


@pytest.mark.parametrize(
    ("before", "now", "more"),
    [
        pytest.param(files(20), NOTES, {}, id="three files of its own"),
        pytest.param(files(7), NOTES, {}, id="a small disk"),
        pytest.param(files(1), [], {}, id="nothing"),
        pytest.param(DEEP, NOTES, {"below": {"2024": files(9)}}, id="three folders with much below them"),
        pytest.param(
            [*files(20), folder("lost+found", "11")],
            [*NOTES, folder("lost+found", "11")],
            {"listings": {"lost+found": []}},
            id="what each file system has",
        ),
        pytest.param(files(20), [*NOTES, folder("lost+found", "11")], {}, id="a folder that nobody may list"),
        pytest.param(
            [*files(30), file("READ ME", 99, 99, "99")], NOTES, {}, id="another file of a name that stays"
        ),
        pytest.param(
            files(20),
            [folder("scripts")],
            {"listings": {"scripts": files(2, "s", 9)}},
            id="a folder of its own",
        ),
    ],
)
def test_a_disk_that_is_away(before: list[Entry], now: list[Entry], more: dict[str, Any]) -> None:
    """Nothing that is there was there before, and it is less than half of what is missing."""
    assert judged(before, now, **more)


@pytest.mark.parametrize(
    ("before", "now", "more"),
    [
        pytest.param([], NOTES, {}, id="nothing was known"),
        pytest.param(files(20), files(1), {}, id="one that stays"),
        pytest.param(files(20), [file("f0", 999, 999, "1000")], {}, id="one that stays and was changed"),
        pytest.param(files(20), [file("f0 (kept)", 100, 1_000)], {}, id="one that stays under another name"),
        pytest.param(
            [*files(20), folder("sub", "9")], [folder("Sub", "9")], {}, id="a folder under another name"
        ),
        pytest.param([*files(20), folder("sub")], [folder("sub")], {}, id="a folder of a source without ids"),
        pytest.param(files(4), NOTES[:1], {}, id="a handful"),
        pytest.param(files(9), [file("f0", 5, 5, "5")], {}, id="one that was saved anew"),
        pytest.param(files(20), files(20, "g", 3_000), {}, id="the export of the next day"),
        pytest.param(files(20), [folder("old")], {"listings": {"old": files(20)}}, id="moved into a folder"),
        pytest.param(
            DEEP[:1],
            [folder("Year 2023")],
            {"below": {"2023": files(99)}, "listings": {"Year 2023": files(99)}},
            id="a folder under another name, without ids",
        ),
        pytest.param(
            [*files(20)],
            [Entry(path="f0", kind=FILE, fault=Fault("access_denied", ""))],
            {},
            id="one that nobody may look at",
        ),
    ],
)
def test_a_folder_that_was_cleaned_up(before: list[Entry], now: list[Entry], more: dict[str, Any]) -> None:
    """One thing of before is enough; so is as much as before, and so little that it is deleted every day."""
    assert not judged(before, now, **more)


def test_what_is_below_is_counted_no_further_than_needed() -> None:
    """A disk of a million folders is not read to the end."""
    asked: list[int] = []

    def children(ids: Sequence[int]) -> dict[int, list[KnownChild]]:
        asked.extend(ids)
        return {number: [child(folder(f"{n}"), number=n) for n in range(10)] for number in ids}

    source = cast(Source, Scripted({}))
    known = [child(folder(f"d{n}"), number=n) for n in range(3)]

    assert is_mount_point(source, children, NOTES, known, excluded=lambda entry: None)
    assert len(asked) < 50


def test_what_is_missing_from_many_folders_is_looked_for_once() -> None:
    """All of one was moved, half of another; a third had a folder, too, and of a fourth only ids are seen."""
    moved, half, with_folder, other_dates = (files(2, at=at) for at in (10, 20, 30, 40))
    looks: list[Sequence[int]] = []

    def seen_anew(pass_id: int, tree_ids: Sequence[int], sizes: Sequence[int]) -> object:
        looks.append(sizes)
        seen = [*moved, half[0], *with_folder]
        yield from ((each.file_id, each.size, each.modified_ns) for each in seen)
        yield from ((each.file_id, each.size, 1) for each in other_dates)

    migration: Any = SimpleNamespace(
        checkpoint=SimpleNamespace(seen_anew=seen_anew), pass_id=1, tree_ids=[1], stop=StopSignal()
    )
    listed = [moved, half, [*with_folder, folder("F")], other_dates]
    missing = [Missing([], [child(each) for each in entries]) for entries in listed]

    look_for(migration, missing)

    assert [True, False, False, False] == [each.was_moved for each in missing]
    assert [[100, 101]] == looks
    look_for(migration, missing[2:3])
    assert 1 == len(looks)


def test_what_is_not_there_is_asked_for_once() -> None:
    """Of many folders that went with the one above them each one above is listed once, whether it is there or not."""
    asked: list[str] = []

    def list_folder(path: str) -> list[Entry]:
        asked.append(path)
        raise NotFound(path)

    def chain(folder_id: int) -> list[Any]:
        return [SimpleNamespace(id=number, path="/".join("rab"[: number + 1])) for number in range(3)] + [
            gone
        ]

    gone: Any = SimpleNamespace(id=9, parent_id=2)
    migration: Any = SimpleNamespace(
        checkpoint=SimpleNamespace(folder_chain=chain), source=SimpleNamespace(list_folder=list_folder)
    )
    judged: dict[int, bool | None] = {}

    assert not any(is_below_a_disk_that_is_away(migration, gone, judged) for _ in range(5))
    assert ["r/a/b", "r/a", "r"] == asked

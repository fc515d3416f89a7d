"""What waits in a share: one look's differences, told as what was done."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.entry import Entry, EntryKind
from flows.foresight.waiting import NAMED, Differences, Done, Waiting, together
from state.records import KnownChild, TreeRecord
from state.statuses import ItemStatus, TreeState

TREE = TreeRecord(
    id=7, name="T", source="T", folder="T", root_folder_id=1, box_folder_id="1", state=TreeState.COMPLETE,
    incomplete_reason=None, detail=None, verified=True,
)  # fmt: skip
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def entry(path: str, file_id: str, *, size: int = 1, kind: EntryKind = EntryKind.FILE) -> Entry:
    """As the source lists it; each id has a date of its own."""
    return Entry(path=path, kind=kind, size=size, modified_ns=int(file_id) * 10**9 + 5, file_id=file_id)


def row(
    entry_: Entry, *, status: ItemStatus = ItemStatus.UPLOADED, settles_ns: int | None = None
) -> KnownChild:
    """As the checkpoint has it."""
    return KnownChild(
        id=int(entry_.file_id or 0), name=entry_.name, kind=entry_.kind, box_name=entry_.name, status=status,
        reason=None, fingerprint=entry_.fingerprint, in_box=status is ItemStatus.UPLOADED, placed=True,
        settles_ns=settles_ns,
    )  # fmt: skip


def found(*folders: tuple[str, list[Entry], list[Entry]]) -> set[tuple[Done, str, str]]:
    """(deed, path, new path) of folders, each with what is there and what was."""
    differences = Differences()
    for folder, now, before in folders:
        differences.compare(TREE, folder, now, [row(each) for each in before], lambda entry: None)
    return {(each.what, each.path, each.now) for each in differences.waiting()}


def test_deeds() -> None:
    """Created, changed, deleted, renamed and moved; a folder moves with all that is in it."""
    sub = entry("T/sub", "9", kind=EntryKind.FOLDER)
    moved = entry("T/b/sub", "9", kind=EntryKind.FOLDER)
    here = [entry("T/a.txt", "1", size=2), entry("T/new.txt", "2"), entry("T/three.txt", "3")]
    before = [entry("T/a.txt", "1"), entry("T/gone.txt", "4"), entry("T/3.txt", "3"), sub]

    assert {
        (Done.CHANGED, "T/a.txt", ""), (Done.CREATED, "T/new.txt", ""), (Done.DELETED, "T/gone.txt", ""),
        (Done.RENAMED, "T/3.txt", "T/three.txt"), (Done.MOVED, "T/sub", "T/b/sub"),
    } == found(("T", here, before), ("T/b", [moved], []))  # fmt: skip


def test_a_swap_is_two_renames() -> None:
    """Of files and of folders; neither is gone, or new."""
    for kind in (EntryKind.FILE, EntryKind.FOLDER):
        before = [entry("T/a", "1", kind=kind), entry("T/b", "2", kind=kind)]
        now = [entry("T/a", "2", kind=kind), entry("T/b", "1", kind=kind)]
        assert {(Done.RENAMED, "T/a", "T/b"), (Done.RENAMED, "T/b", "T/a")} == found(("T", now, before))


def test_an_id_alone_proves_nothing() -> None:
    """A new file may have the id of one that is gone: size and date must be its, too."""
    now = [entry("T/new.txt", "1", size=5)]

    assert {(Done.CREATED, "T/new.txt", ""), (Done.DELETED, "T/old.txt", "")} == found(
        ("T", now, [entry("T/old.txt", "1")])
    )


def test_what_nobody_did() -> None:
    """What a pass reads once more to be sure of it, and what failed, waits without anybody's doing."""
    same = entry("T/a.txt", "1")
    differences = Differences()
    differences.compare(TREE, "T", [same], [row(same, settles_ns=9)], lambda entry: None)
    differences.compare(TREE, "T", [same], [row(same, status=ItemStatus.FAILED)], lambda entry: None)

    assert [] == differences.waiting()


def test_together() -> None:
    """One finding for each deed, with the first names; what was told is left out."""
    many = [Waiting("T", 7, Done.CREATED, f"T/{number}") for number in range(NAMED + 2)]
    one = Waiting("T", 7, Done.RENAMED, "T/a", "T/b")
    created, renamed = together([*many, one], {many[0].mark}, NOW)

    assert (NAMED + 1, "T/1") == (created.count, created.path)
    assert created.detail.startswith("6 entries: T/1, ") and created.detail.endswith(", …")
    assert (1, "T/a", "now T/b", ["T/a → T/b"]) == (
        renamed.count,
        renamed.path,
        renamed.detail,
        renamed.names,
    )
    assert [] == together([one], {one.mark}, NOW)

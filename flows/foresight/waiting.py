"""Waiting: what of a share differs from the checkpoint, and what was done to it as far as one look tells. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from connectors.entry import Entry, EntryKind
from flows.words import counted
from state.diff import Change, ChangeKind, diff_folder
from state.records import KnownChild, TreeRecord
from state.watch_records import ShareFinding

#: Entries that a finding names.
NAMED = 5


class Done(StrEnum):
    """What was done in the share, as it is told."""

    CREATED = "created"
    CHANGED = "changed"
    RENAMED = "renamed"
    MOVED = "moved"
    DELETED = "deleted"


class Waiting(NamedTuple):
    """One entry that the next pass sees to."""

    tree: str
    tree_id: int | None
    what: Done
    path: str
    #: Where a renamed or moved one is now.
    now: str = ""

    @property
    def mark(self) -> str:
        """One word for it; another deed, or another place, has another one."""
        words = f"{self.what}\0{self.path}\0{self.now}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(words, digest_size=16).hexdigest()

    @property
    def words(self) -> str:
        """For a person."""
        return f"{self.path} → {self.now}" if self.now else self.path


class _Seen(NamedTuple):
    tree: TreeRecord
    folder: str
    change: Change

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.change.name}".lstrip("/")


@dataclass
class Differences:
    """What one look found; what left one place and came to another is told as one."""

    seen: list[_Seen] = field(default_factory=list)
    #: What no folder of a known tree has: trees that are new, or gone.
    others: list[Waiting] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.seen) + len(self.others)

    def compare(
        self,
        tree: TreeRecord,
        folder: str,
        listing: Sequence[Entry],
        known: Sequence[KnownChild],
        excluded: Callable[[Entry], str | None],
    ) -> None:
        """Take a folder, or some of its entries with the rows of the same names."""
        changes = diff_folder(listing, known, box_names={}, excluded=excluded)
        self.seen += [_Seen(tree, folder, each) for each in changes if _counts(each)]

    def waiting(self) -> list[Waiting]:
        """Everything that the next pass sees to, by paths."""
        left = {found: each for each in self.seen if (found := _left(each.change)) is not None}
        told, moved = list(self.others), set[int]()
        for each in self.seen:
            before = left.get(_came(each.change) or "")
            if before is None or before is each or not _is_same(before.change, each.change):
                continue
            what = Done.RENAMED if before.folder == each.folder else Done.MOVED
            told.append(Waiting(each.tree.name, each.tree.id, what, before.path, each.path))
            moved |= {id(each), *([id(before)] if before.change.kind is ChangeKind.MISSING else [])}
        told += [
            Waiting(each.tree.name, each.tree.id, _ALONE[each.change.kind], each.path)
            for each in self.seen
            if id(each) not in moved and each.change.kind in _ALONE
        ]
        return sorted(set(told), key=lambda one: (one.path, one.what))


_ALONE = {ChangeKind.NEW: Done.CREATED, ChangeKind.CHANGED: Done.CHANGED, ChangeKind.MISSING: Done.DELETED}


def together(waiting: Sequence[Waiting], told: Collection[str], now: datetime) -> list[ShareFinding]:
    """Return a finding for each tree and deed of what was not told yet."""
    fresh: dict[tuple[str, Done], list[Waiting]] = {}
    for each in waiting:
        if each.mark not in told:
            fresh.setdefault((each.tree, each.what), []).append(each)
    return [
        ShareFinding(
            marks=[each.mark for each in some],
            at=now,
            tree_id=some[0].tree_id,
            tree=tree,
            what=what.value,
            path=some[0].path,
            count=len(some),
            names=[each.words for each in some[:NAMED]],
            detail=_detail(some),
        )
        for (tree, what), some in fresh.items()
    ]


def _detail(some: Sequence[Waiting]) -> str:
    if len(some) == 1:
        return f"now {some[0].now}" if some[0].now else ""
    more = ["…"] if len(some) > NAMED else []
    return f"{counted(len(some), 'entry', 'entries')}: {', '.join([*(each.words for each in some[:NAMED]), *more])}"


def _counts(change: Change) -> bool:
    """Nobody did anything to what a pass reads again to be sure of it."""
    if change.kind is ChangeKind.CHANGED and change.known is not None and change.entry is not None:
        return not change.known.fingerprint.same_content_as(change.entry.fingerprint)
    return change.kind in _ALONE or change.kind is ChangeKind.IDENTIFIED


def _left(change: Change) -> str | None:
    """The id of what was here before and is not any more."""
    if change.known is None or change.kind is ChangeKind.NEW:
        return None
    found = change.known.fingerprint.file_id
    return found if found and found != _came(change) else None


def _came(change: Change) -> str | None:
    return change.entry.file_id if change.entry is not None else None


def _is_same(before: Change, after: Change) -> bool:
    """Never by the id alone: it may be another file's by now."""
    known, entry = before.known, after.entry
    if known is None or entry is None or known.kind is not entry.kind:
        return False
    if entry.kind is EntryKind.FOLDER:
        return True
    return (known.fingerprint.size, known.fingerprint.modified_ns) == (entry.size, entry.modified_ns)

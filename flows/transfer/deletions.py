"""Deletions: what is gone from the source, and what becomes of it in Box as the plan says. Never purges anything.

Only what this plan put into Box and nobody changed since goes to the trash, and only from trees of which this very
pass listed every folder, and once everything that the share has is in Box: what is gone here may be what failed there,
or what was moved to a tree that this run did not walk (elsewhere.py).
A folder goes as a whole, by one call, once Box's listings show that everything below it is of that kind; else what is
goes piece by piece, and the folder stays for the rest.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.box.types import BoxChild, BoxFile, BoxFolder, Known
from connectors.entry import EntryKind
from connectors.errors import OF_ONE_ENTRY, ChangedInBox, DestinationGone
from flows.errors import TooManyDeletions
from flows.plan.changes import Deletions
from flows.transfer.elsewhere import HeldBack, held_back
from flows.transfer.migration import Migration
from flows.words import counted
from state.change_records import GoneEntry
from state.records import TreeRecord
from state.statuses import EventKind

log = logging.getLogger(__name__)

#: Entries that an event of a tree names.
NAMED = 3

NOT_OURS = "this plan did not put it there"
OTHER_CONTENT = "somebody put another version over it in Box"
ELSEWHERE = "somebody moved or renamed it in Box"


@dataclass
class _Told:
    """What became of one tree's entries, for its events."""

    counts: Counter[EventKind] = field(default_factory=Counter)
    names: dict[EventKind, list[str]] = field(default_factory=dict)

    def add(self, kind: EventKind, words: str, count: int = 1) -> None:
        """So many entries, one of them by name."""
        self.counts[kind] += count
        named = self.names.setdefault(kind, [])
        if len(named) < NAMED:
            named.append(words)


def follow_deletions(migration: Migration) -> dict[str, Any]:
    """Do with what is gone from the source what the plan says; return its part of the run's summary.

    TooManyDeletions before the first deletion when more is gone than the plan allows. What Box refuses for now stays
    and is tried again by the next pass.
    """
    policy = migration.plan.changes.deletions
    if policy is Deletions.KEEP:
        return {}
    trees = _walked_whole(migration)
    gone = {tree.id: migration.checkpoint.count_gone(tree.id) for tree in trees}
    held = HeldBack()
    if policy is Deletions.TRASH and any(gone.values()):
        held = held_back(migration, trees)
        if held.everything is None:  # else nothing is about to be deleted
            _require_few(migration, trees, sum(gone.values()), held)
        if (why := _nothing_goes(migration, held)) is not None:
            log.warning("%s: nothing goes to the trash in this run", why)
            policy = Deletions.REPORT
        elif held.files:
            log.warning(
                "%s gone from one tree may be in another that has it not in Box yet (%s): not put into the trash",
                counted(len(held.files), "file"),
                next(iter(held.files.values())),
            )
    sums: Counter[EventKind] = Counter()
    for tree in trees:
        if gone[tree.id]:
            sums += _follow(migration, tree, gone[tree.id], policy, held)
    return {
        "deletions": {
            "gone": sum(gone.values()),
            "trashed": sums[EventKind.GONE_AND_TRASHED],
            "kept": sums[EventKind.GONE_AND_KEPT],
            "held": sums[EventKind.GONE_AND_HELD],
        }
    }


def deletion_words(summary: Mapping[str, Any]) -> str:
    """Say what became of entries that are gone from the share; "" where there are none, or the plan does not ask."""
    found = summary.get("deletions", {"gone": 0})
    if not found["gone"]:
        return ""
    left = found["gone"] - found["trashed"] - found["kept"] - found["held"]
    parts = (
        (found["trashed"], "put into Box's trash"),
        (found["kept"], "kept in Box, where they were changed or refused"),
        (found["held"], "held back, since they may be in another tree"),
        (left, "still in Box"),
    )
    told = ", ".join(f"{count:,} {words}" for count, words in parts if count > 0)
    gone = counted(found["gone"], "entry is", "entries are")
    return f"{gone} gone from the share: {told}"


def tells_all(summary: Mapping[str, Any], gone: Mapping[str, int]) -> bool:
    """Whether what a status says of gone entries is what `deletion_words` say of this run, and nothing besides."""
    found = summary.get("deletions", {"gone": 0})
    return bool(found["gone"]) and (found["trashed"], found["gone"] - found["trashed"]) == (
        gone["trashed"],
        gone["in_box"],
    )


def _follow(
    migration: Migration, tree: TreeRecord, gone: int, policy: Deletions, held: HeldBack
) -> Counter[EventKind]:
    """What is gone from one tree: trashed, or told."""
    told = _Told()
    for entry in would_trash(migration, tree):
        migration.stop.raise_if_stopped()
        if policy is Deletions.TRASH:
            _trash(migration, entry, told, held)
        else:
            told.add(EventKind.GONE_STILL_IN_BOX, entry.path)
    if policy is Deletions.REPORT:
        told.counts[EventKind.GONE_STILL_IN_BOX] = gone
    for kind, count in told.counts.items():
        detail = {"path": tree.source, "count": count, "names": told.names[kind]}
        migration.record_event(kind, detail, tree=tree)
    return told.counts


def would_trash(migration: Migration, tree: TreeRecord) -> Iterator[GoneEntry]:
    """What `trash` would try to put into Box's trash: files, and folders with all that is below them; asks nobody."""
    return migration.checkpoint.gone_at_the_top(tree.id)


def _walked_whole(migration: Migration) -> list[TreeRecord]:
    whole = set(migration.checkpoint.trees_walked_whole(migration.pass_id, migration.tree_ids))
    return [tree for tree in migration.trees if tree.id in whole]


def _not_in_box(migration: Migration) -> int:
    reports = migration.checkpoint.tree_reports(migration.tree_ids)
    return sum(report.items.failed + report.items.pending for report in reports)


def _nothing_goes(migration: Migration, held: HeldBack) -> str | None:
    """Why no entry is safe to be trashed in this run; None when some are."""
    if missing := _not_in_box(migration):
        are = counted(missing, "entry of the share is", "entries of the share are")
        return f"{are} not in Box yet, and what is gone may be one of them"
    if held.everything is not None:
        return f"what is gone may be in a tree that this run did not walk ({held.everything})"
    return None


def _require_few(migration: Migration, trees: Sequence[TreeRecord], gone: int, held: HeldBack) -> None:
    reports = migration.checkpoint.tree_reports([tree.id for tree in trees])
    in_box = gone + sum(report.items.uploaded for report in reports)
    changes = migration.plan.changes
    if gone - len(held.files) > changes.most_deletions(in_box):
        raise TooManyDeletions(
            f"{gone:,} of {counted(in_box, 'entry', 'entries')} in Box are gone from the share, and changes:"
            f" max_delete: {changes.max_delete} allows fewer; nothing was trashed. Look at the report; if they really"
            " were deleted, raise max_delete in the plan and run it again"
        )


def _trash(migration: Migration, entry: GoneEntry, told: _Told, held: HeldBack) -> None:
    """One entry, as a whole or piece by piece; whatever Box refuses stops nothing else (P11)."""
    if not _is_folder(entry) and entry.row_id in held.files:
        told.add(EventKind.GONE_AND_HELD, f"{entry.path} (it may be {held.files[entry.row_id]})")
        return
    if _is_folder(entry) and entry.row_id in held.folders:
        _trash_below(migration, entry, told, held)
        return
    try:
        known = _proven_folder(migration, entry) if _is_folder(entry) else _proven_file(migration, entry)
        migration.box.items.trash(known)
    except DestinationGone:
        pass  # deleted in Box already, perhaps by the call whose answer was lost
    except _Mixed as exc:
        _trash_below(migration, entry, told, held)
        _keep(migration, entry, told, str(exc))
        return
    except ChangedInBox as exc:
        _keep(migration, entry, told, str(exc))
        return
    except OF_ONE_ENTRY as exc:
        told.add(EventKind.GONE_AND_KEPT, f"{entry.path} ({exc})")
        return
    count = migration.checkpoint.record_trashed(
        entry, detail=f"; in Box's trash, id {entry.box_id}", worker=migration.worker
    )
    told.add(EventKind.GONE_AND_TRASHED, entry.path, count)


def _trash_below(migration: Migration, folder: GoneEntry, told: _Told, held: HeldBack) -> None:
    for child in migration.checkpoint.children_in_box(folder.row_id):
        migration.stop.raise_if_stopped()
        if child.is_gone:
            _trash(migration, child, told, held)


def _keep(migration: Migration, entry: GoneEntry, told: _Told, why: str) -> None:
    migration.checkpoint.record_kept(entry, why=f"; kept in Box: {why}", worker=migration.worker)
    told.add(EventKind.GONE_AND_KEPT, f"{entry.path} ({why})")


class _Mixed(ChangedInBox):
    """A folder holds something that is not to be trashed."""


def _is_folder(entry: GoneEntry) -> bool:
    return entry.kind is EntryKind.FOLDER


def _proven_file(migration: Migration, entry: GoneEntry) -> Known:
    """The file with the etag that it has if nobody changed it; looked at only where that does not say enough."""
    if entry.is_ours and entry.etag is not None:
        return _known(entry, entry.etag)
    stored = migration.box.file_info(entry.box_id)
    if stored.trashed:
        raise DestinationGone
    if not entry.is_ours and stored.created_by_id not in migration.our_user_ids:
        raise ChangedInBox(NOT_OURS)
    if entry.version_id not in (None, stored.version_id) or stored.sha1 != entry.sha1:
        raise ChangedInBox(OTHER_CONTENT)
    require_place(entry, stored)
    return _known(entry, stored.etag)


def _proven_folder(migration: Migration, entry: GoneEntry) -> Known:
    """The folder with its etag, once everything below it was looked at."""
    stored = migration.box.folder_info(entry.box_id)
    require_place(entry, stored)
    if not entry.is_ours:
        raise _Mixed(NOT_OURS)
    if (foreign := _foreign_below(migration, entry)) is not None:
        raise _Mixed(f"{foreign!r} in it is not, or not any more, what this plan put there")
    return _known(entry, stored.etag)


def require_place(entry: GoneEntry, stored: BoxFile | BoxFolder) -> None:
    """ChangedInBox when it has another name or lies elsewhere in Box than is written down."""
    moved = entry.parent_box_id is not None and stored.parent_id not in (None, entry.parent_box_id)
    if moved or stored.name != entry.box_name:
        raise ChangedInBox(ELSEWHERE)


def _foreign_below(migration: Migration, folder: GoneEntry) -> str | None:
    """The name of something in this folder of Box, or below, that is not to be trashed; None when all of it is."""
    known = {child.box_id: child for child in migration.checkpoint.children_in_box(folder.row_id)}
    below: list[GoneEntry] = []
    for child in migration.box.list_folder(folder.box_id):
        migration.stop.raise_if_stopped()
        entry = known.get(child.id)
        if entry is None or not _is_as_it_was(entry, child):
            return child.name
        if _is_folder(entry):
            below.append(entry)
    return next(
        (found for each in below if (found := _foreign_below(migration, each)) is not None),
        None,
    )


def _is_as_it_was(entry: GoneEntry, child: BoxChild) -> bool:
    if not (entry.is_gone and entry.is_ours and child.name == entry.box_name):
        return False
    return _is_folder(entry) or (child.sha1 == entry.sha1 and entry.etag in (None, child.etag))


def _known(entry: GoneEntry, etag: str | None) -> Known:
    return Known(kind=entry.kind, box_id=entry.box_id, name=entry.box_name, etag=etag)

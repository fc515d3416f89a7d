"""Listings that change little: those of nothing but new entries, and those of nothing new; written together."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from state.database.models import Folder
from state.diff import Compared
from state.records import FolderNode, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, in_chunks
from state.statements.bulk import Prepared, checked, is_postgresql, one_of
from state.statements.digests import remembered
from state.statements.listing_rows import listing_writes
from state.statements.listing_updates import NEW_FOLDERS, NEW_ITEMS
from state.statuses import ItemStatus

#: A folder of which a listing heals nothing, and ends no waiver.
_PLAIN = (ItemStatus.PENDING, ItemStatus.UPLOADED)

_FOLDERS = {
    postgresql: select(
        Folder.id, Folder.tree_id, Folder.depth, Folder.status, Folder.unlisted, Folder.listing_digest
    )
    .where(one_of(Folder.id, postgresql=postgresql))
    .order_by(Folder.id)
    .with_for_update()
    for postgresql in (False, True)
}

_WALKED: dict[str, Any] = {
    "walked_pass": bindparam("new_pass"),
    "digest_pass": bindparam("new_pass"),
    "walk_claimed_by": None,
    "walk_claim": None,
}

_MARK_WALKED = {
    postgresql: update(Folder)
    .where(one_of(Folder.id, postgresql=postgresql))
    .values(**_WALKED, listing_digest=None)
    for postgresql in (False, True)
}

_MARK_REMEMBERED = Prepared(
    lambda _: (
        update(Folder)
        .where(Folder.id == bindparam("row_id"))
        .values(**_WALKED, listing_digest=bindparam("new_digest"))
    )
)

_MARK_UNCHANGED = {
    postgresql: update(Folder)
    .where(one_of(Folder.id, postgresql=postgresql))
    .where(checked(Folder.walk_claimed_by == bindparam("worker")), Folder.listing_digest.is_not(None))
    .values(_WALKED)
    for postgresql in (False, True)
}

_STILL_CLAIMED = {
    postgresql: select(Folder.id).where(
        one_of(Folder.id, postgresql=postgresql), checked(Folder.walk_claimed_by == bindparam("worker"))
    )
    for postgresql in (False, True)
}


def record_plain(
    connection: Connection, pass_id: int, found: Sequence[Compared]
) -> tuple[list[Compared], set[int]]:
    """Record those of these folders of which nothing but new entries is to be written.

    Returns the others, of which nothing is written, and the trees in which something is new.
    """
    folders = _locked(connection, [each.folder_id for each in found])
    others: list[Compared] = []
    items: list[dict[str, Any]] = []
    subfolders: list[dict[str, Any]] = []
    trees: set[int] = set()
    walked: dict[int, str | None] = {}
    for each in found:
        folder = folders[each.folder_id]
        if not _is_plain(folder, each) or folder.id in walked:
            others.append(each)
            continue
        writes = listing_writes(folder.id, folder.tree_id, folder.depth, each.changes, now_ns=time.time_ns())
        items += writes.new_items
        subfolders += writes.new_folders
        if each.changes:
            trees.add(folder.tree_id)
        walked[folder.id] = None if each.changes else remembered(folder, each.digest, seen=each.seen)
    NEW_ITEMS.run(connection, items)
    NEW_FOLDERS.run(connection, subfolders)
    _mark_walked(connection, pass_id, walked)
    return others, trees


def mark_unchanged(
    connection: Connection, worker: WorkerLease, pass_id: int, folders: Sequence[FolderNode]
) -> list[FolderNode]:
    """Mark these folders, claimed by this worker, as walked; return those whose digest was forgotten."""
    forgotten: set[int] = set()
    kind = is_postgresql(connection)
    for chunk in in_chunks([folder.id for folder in folders], IDS_PER_STATEMENT):
        which = {"ids": list(chunk), "worker": worker.id}
        marked = connection.execute(_MARK_UNCHANGED[kind], {**which, "new_pass": pass_id}).rowcount
        if marked < len(chunk):
            forgotten.update(connection.execute(_STILL_CLAIMED[kind], which).scalars())
    return [folder for folder in folders if folder.id in forgotten]


def _locked(connection: Connection, folder_ids: Sequence[int]) -> dict[int, Any]:
    statement = _FOLDERS[is_postgresql(connection)]
    return {
        row.id: row
        for chunk in in_chunks(sorted(folder_ids), IDS_PER_STATEMENT)
        for row in connection.execute(statement, {"ids": list(chunk)})
    }


def _is_plain(folder: Any, found: Compared) -> bool:
    return (
        folder.status in _PLAIN
        and not folder.unlisted
        and all(change.known is None and change.entry is not None for change in found.changes)
    )


def _mark_walked(connection: Connection, pass_id: int, walked: dict[int, str | None]) -> None:
    by_memory: dict[bool, list[int]] = defaultdict(list)
    for folder_id, digest in walked.items():
        by_memory[digest is not None].append(folder_id)
    for chunk in in_chunks(by_memory[False], IDS_PER_STATEMENT):
        which = {"ids": list(chunk), "new_pass": pass_id}
        connection.execute(_MARK_WALKED[is_postgresql(connection)], which)
    rows = [
        {"row_id": folder_id, "new_pass": pass_id, "new_digest": walked[folder_id]}
        for folder_id in by_memory[True]
    ]
    _MARK_REMEMBERED.run(connection, rows)

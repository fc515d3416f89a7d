"""Sums: how many entries of a tree are where."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from connectors.entry import EntryKind
from state.database.models import FOLDER_FAILED, ITEM_FAILED, Folder, Item, Tree
from state.records import Counts, TreeReport
from state.statements.base import Statements
from state.statements.people import collaborations_of
from state.statements.plans import TREES, tree_record
from state.statuses import ItemStatus


class SumStatements(Statements):
    """Counts by status."""

    def tree_report(self, tree_id: int) -> TreeReport:
        """One tree with its sums; costs a scan of the tree's part of an index."""

        def report(connection: Connection) -> TreeReport:
            files, others = _count_items(connection, tree_id)
            folders = _count_folders(connection, tree_id)
            return TreeReport(
                tree=tree_record(connection.execute(TREES.where(Tree.id == tree_id)).one()),
                items=_add(_add(files, others), folders),
                files=files,
                folders=folders,
                collaborations=tuple(collaborations_of(connection, tree_id)),
                failures_by_reason=_failures(connection, tree_id),
            )

        return self.database.read(report)

    def largest_open_file(self, tree_ids: Sequence[int]) -> int:
        """Bytes of the largest file that is pending or failed; 0 when there is none."""

        def largest(connection: Connection) -> int:
            sizes = [
                connection.execute(
                    select(func.max(Item.size)).where(
                        Item.tree_id == tree_id, Item.status == status, Item.kind == EntryKind.FILE
                    )
                ).scalar()
                for tree_id in tree_ids
                for status in (ItemStatus.PENDING, ItemStatus.FAILED)
            ]
            return max((int(size) for size in sizes if size is not None), default=0)

        return self.database.read(largest)


def _count_items(connection: Connection, tree_id: int) -> tuple[Counts, Counts]:
    """Files, and the other things that are no folders."""
    query = select(Item.kind, Item.status, func.count(), func.sum(Item.size)).where(Item.tree_id == tree_id)
    rows = connection.execute(query.group_by(Item.status, Item.kind)).all()
    files = [(status, count, size) for kind, status, count, size in rows if kind == EntryKind.FILE]
    others = [(status, count, 0) for kind, status, count, _ in rows if kind != EntryKind.FILE]
    return _counts(files), _counts(others)


def _count_folders(connection: Connection, tree_id: int) -> Counts:
    query = select(Folder.status, func.count()).where(
        Folder.tree_id == tree_id, Folder.parent_id.is_not(None)
    )
    return _counts(
        [(status, count, 0) for status, count in connection.execute(query.group_by(Folder.status))]
    )


def _counts(rows: Sequence[tuple[str, int, int]]) -> Counts:
    numbers = dict.fromkeys(Counts.__dataclass_fields__, 0)
    for name, count, size in rows:
        status = ItemStatus(name)
        numbers[status.word] += count
        if status is ItemStatus.GONE:
            continue
        numbers["total"] += count
        if status not in (ItemStatus.EXCLUDED, ItemStatus.WAIVED):
            numbers["bytes_total"] += int(size)
        if status is ItemStatus.UPLOADED:
            numbers["bytes_uploaded"] += int(size)
    return Counts(**numbers)


def _add(one: Counts, other: Counts) -> Counts:
    return Counts(**{name: getattr(one, name) + getattr(other, name) for name in Counts.__dataclass_fields__})


def _failures(connection: Connection, tree_id: int) -> dict[str, int]:
    """How many failed for which reason, the most frequent first."""
    sums: dict[str, int] = {}
    for table, failed in ((Item, ITEM_FAILED), (Folder, FOLDER_FAILED)):
        query = select(table.reason, func.count()).where(table.tree_id == tree_id, failed)
        for reason, count in connection.execute(query.group_by(table.reason)):
            sums[reason or ""] = sums.get(reason or "", 0) + count
    return dict(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])))

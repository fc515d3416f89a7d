"""Sums: how many entries of a tree are where."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection, func, or_, select

from connectors.entry import EntryKind
from state.database.models import FOLDER_FAILED, ITEM_FAILED, Folder, Item, Tree
from state.records import Counts, TreeReport
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks
from state.statements.people import collaborations_by_tree
from state.statements.plans import TREES, tree_record
from state.statuses import TOLD_OF_ROOTS, ItemStatus

#: By tree: status, how many entries have it, and their bytes.
StatusSums = dict[int, list[tuple[str, int, int]]]


class SumStatements(Statements):
    """Counts by status."""

    def tree_report(self, tree_id: int) -> TreeReport:
        """One tree with its sums; costs a scan of the tree's part of an index."""
        [report] = self.tree_reports([tree_id])
        return report

    def tree_reports(self, tree_ids: Sequence[int]) -> list[TreeReport]:
        """These trees with their sums, in their order: a few statements for each 500 of them."""
        reports: list[TreeReport] = []
        for chunk in in_chunks(tree_ids, IDS_PER_STATEMENT):
            reports += self.database.read(partial(_reports, tree_ids=chunk))
        return reports

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


def _reports(connection: Connection, tree_ids: Sequence[int]) -> list[TreeReport]:
    trees = {row.id: tree_record(row) for row in connection.execute(TREES.where(Tree.id.in_(tree_ids)))}
    files, others = _count_items(connection, tree_ids)
    folders = _count_folders(connection, tree_ids)
    people = collaborations_by_tree(connection, tree_ids)
    failures = _failures(connection, tree_ids)
    reports = []
    for tree_id in tree_ids:
        counts = [_counts(rows[tree_id]) for rows in (files, others, folders)]
        reports.append(
            TreeReport(
                tree=trees[tree_id],
                items=add_counts(counts),
                files=counts[0],
                folders=counts[2],
                collaborations=tuple(people[tree_id]),
                failures_by_reason=failures[tree_id],
            )
        )
    return reports


def _count_items(connection: Connection, tree_ids: Sequence[int]) -> tuple[StatusSums, StatusSums]:
    """Files, and the other things that are no folders."""
    query = select(Item.tree_id, Item.kind, Item.status, func.count(), func.sum(Item.size))
    query = query.where(Item.tree_id.in_(tree_ids)).group_by(Item.tree_id, Item.status, Item.kind)
    files: StatusSums = defaultdict(list)
    others: StatusSums = defaultdict(list)
    for tree_id, kind, status, count, size in connection.execute(query):
        if kind == EntryKind.FILE:
            files[tree_id].append((status, count, size))
        else:
            others[tree_id].append((status, count, 0))
    return files, others


def _count_folders(connection: Connection, tree_ids: Sequence[int]) -> StatusSums:
    """Folders; a tree's own, which is no entry of it, where there is something to tell of it."""
    query = select(Folder.tree_id, Folder.status, func.count())
    tells = or_(Folder.parent_id.is_not(None), Folder.status.in_(TOLD_OF_ROOTS))
    query = query.where(Folder.tree_id.in_(tree_ids), tells)
    folders: StatusSums = defaultdict(list)
    for tree_id, status, count in connection.execute(query.group_by(Folder.tree_id, Folder.status)):
        folders[tree_id].append((status, count, 0))
    return folders


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


def add_counts(counts: Sequence[Counts]) -> Counts:
    """All of them together."""
    return Counts(
        **{name: sum(getattr(each, name) for each in counts) for name in Counts.__dataclass_fields__}
    )


def _failures(connection: Connection, tree_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """By tree: how many failed for which reason, the most frequent first."""
    sums: dict[int, Counter[str]] = {tree_id: Counter() for tree_id in tree_ids}
    for table, failed in ((Item, ITEM_FAILED), (Folder, FOLDER_FAILED)):
        query = select(table.tree_id, table.reason, func.count()).where(table.tree_id.in_(tree_ids), failed)
        for tree_id, reason, count in connection.execute(query.group_by(table.tree_id, table.reason)):
            sums[tree_id][reason or ""] += count
    return {
        tree_id: dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])))
        for tree_id, reasons in sums.items()
    }

"""Sums over a plan: its trees together, failures by reason, its biggest and its slowest folders."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, func, select

from connectors.entry import EntryKind
from state.checkpoint import Checkpoint
from state.database.models import Folder, Item
from state.records import Counts, TreeReport
from state.statements.base import stream
from state.statements.sums import add_counts
from state.statuses import ItemStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderSums:
    """One folder of the source and the files directly in it."""

    tree: str
    path: str
    files: int
    #: Bytes.
    size: int
    #: From the first file that arrived to the last one; None while nothing has.
    upload_time: timedelta | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """Several trees together."""

    #: Every entry: files, folders, and what is neither.
    items: Counts
    #: Files alone.
    files: Counts
    #: How many entries FAILED for which reason, the most frequent first.
    failures_by_reason: dict[str, int]


def add_up(reports: Sequence[TreeReport]) -> Sums:
    """The one place where trees are summed: terminal, status, pages of runs and report have their numbers from here."""
    failures: Counter[str] = Counter()
    for report in reports:
        failures.update(report.failures_by_reason)
    return Sums(
        items=add_counts([report.items for report in reports]),
        files=add_counts([report.files for report in reports]),
        failures_by_reason=dict(sorted(failures.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def failures_by_reason(checkpoint: Checkpoint, plan_id: int) -> dict[str, int]:
    """How many FAILED for which reason in the whole plan, the most frequent first."""
    trees = [tree.id for tree in checkpoint.trees(plan_id)]
    return add_up(checkpoint.tree_reports(trees)).failures_by_reason


def biggest_folders(checkpoint: Checkpoint, plan_id: int, *, limit: int = 20) -> list[FolderSums]:
    """The folders with the most bytes directly in them. Reads every item of the plan once."""
    return heapq.nlargest(limit, _folder_sums(checkpoint, plan_id), key=lambda sums: (sums.size, sums.files))


def slowest_folders(checkpoint: Checkpoint, plan_id: int, *, limit: int = 20) -> list[FolderSums]:
    """The folders whose files took longest from the first to the last. Reads every item of the plan once."""
    timed = (sums for sums in _folder_sums(checkpoint, plan_id) if sums.upload_time is not None)
    return heapq.nlargest(limit, timed, key=lambda sums: sums.upload_time or timedelta())


def _folder_sums(checkpoint: Checkpoint, plan_id: int) -> Iterator[FolderSums]:
    in_sight = and_(Item.kind == EntryKind.FILE, Item.status != ItemStatus.GONE)
    for tree in checkpoint.trees(plan_id):
        sums = (
            select(
                Item.folder_id,
                func.count().label("files"),
                func.sum(Item.size).label("size"),
                func.min(Item.uploaded_at).label("first"),
                func.max(Item.uploaded_at).label("last"),
            )
            .where(Item.tree_id == tree.id, in_sight)
            .group_by(Item.folder_id)
            .subquery()
        )
        query = select(Folder.path, sums).join(sums, sums.c.folder_id == Folder.id)
        with checkpoint.database.reading() as connection:
            for row in stream(connection, query):
                time = None if row.first is None else row.last - row.first
                size = int(row.size)
                yield FolderSums(tree=tree.name, path=row.path, files=row.files, size=size, upload_time=time)

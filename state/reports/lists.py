"""Lists: the first lines of each kind that a report tells of, in the report's order, and how many there are of it.

What is read are the rows of that kind alone, and what is kept are as many as are asked for, whatever the plan's size.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select, true

from state.checkpoint import Checkpoint
from state.database.models import (
    FOLDER_FAILED,
    FOLDER_IS_IN_BOX,
    FOLDER_IS_RENAMED,
    ITEM_FAILED,
    ITEM_IS_IN_BOX,
    ITEM_IS_RENAMED,
    Folder,
    Item,
)
from state.records import ItemLine
from state.reports.files import of_trees
from state.reports.lines import has_content, lines_of, stored
from state.statements.base import stream
from state.statuses import TOLD_OF_ROOTS, ItemStatus, Listed

_WHICH: dict[Listed, tuple[Any, Any]] = {
    Listed.FAILED: ((FOLDER_FAILED,), (ITEM_FAILED,)),
    Listed.RENAMED: (
        (FOLDER_IS_RENAMED, FOLDER_IS_IN_BOX, Folder.status != ItemStatus.GONE),
        (ITEM_IS_RENAMED, ITEM_IS_IN_BOX, Item.status != ItemStatus.GONE),
    ),
    Listed.EXCLUDED_IN_BOX: (
        (Folder.status == ItemStatus.EXCLUDED, FOLDER_IS_IN_BOX),
        (Item.status == ItemStatus.EXCLUDED, ITEM_IS_IN_BOX),
    ),
    Listed.WAIVED: ((Folder.status == ItemStatus.WAIVED,), (Item.status == ItemStatus.WAIVED,)),
    Listed.GONE: ((Folder.status == ItemStatus.GONE,), (Item.status == ItemStatus.GONE,)),
}

#: A tree's own folder has a line only where there is something to tell of it.
_HAS_A_LINE = or_(Folder.parent_id.is_not(None), Folder.status.in_(TOLD_OF_ROOTS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Whose lines: those of a plan, or of one tree, without those of some trees (their ids)."""

    plan_id: int
    tree_id: int | None = None
    without: Collection[int] = frozenset()


def first_lines(
    checkpoint: Checkpoint, scope: Scope, kind: Listed, *, limit: int
) -> tuple[int, list[ItemLine]]:
    """How many lines of this kind there are, and the first of them as `item_lines` has them."""
    found = 0

    def counted() -> Iterator[tuple[int, str, bool, int]]:
        nonlocal found
        for key in _keys(checkpoint, scope, kind):
            found += 1
            yield key

    first = heapq.nsmallest(limit, counted())
    lines = lines_of(
        checkpoint,
        folder_ids=[row_id for *_, is_item, row_id in first if not is_item],
        item_ids=[row_id for *_, is_item, row_id in first if is_item],
    )
    places = [(is_item, row_id) for *_, is_item, row_id in first]
    return found, [lines[place] for place in places if place in lines]


def not_moved(checkpoint: Checkpoint, scope: Scope) -> Iterator[tuple[str, str | None, bool, int]]:
    """Status (FAILED, EXCLUDED), reason, whether Box has it all the same, and how many; some of them more than once."""
    for table, box_id, tells in (
        (Item, Item.box_file_id, true()),
        (Folder, Folder.box_folder_id, _HAS_A_LINE),
    ):
        in_box = box_id.is_not(None)
        columns: tuple[Any, ...] = (table.tree_id, table.status, table.reason, in_box)
        query = (
            select(*columns, func.count())
            .where(
                of_trees(table.tree_id, scope.plan_id, scope.tree_id),
                table.status.in_((ItemStatus.FAILED, ItemStatus.EXCLUDED)),
                tells,
            )
            .group_by(*columns)
        )
        with checkpoint.database.reading() as connection:
            for tree_id, status, reason, is_in_box, count in stream(connection, query):
                if tree_id not in scope.without:
                    yield status, reason, bool(is_in_box), count


def never_seen(checkpoint: Checkpoint, scope: Scope) -> int:
    """How many waived folders could never be listed."""
    query = (
        select(Folder.tree_id, func.count())
        .where(
            of_trees(Folder.tree_id, scope.plan_id, scope.tree_id),
            Folder.status == ItemStatus.WAIVED,
            Folder.unlisted,
            ~has_content(),
        )
        .group_by(Folder.tree_id)
    )
    rows = checkpoint.database.read(lambda connection: connection.execute(query).all())
    return sum(count for tree_id, count in rows if tree_id not in scope.without)


def _keys(checkpoint: Checkpoint, scope: Scope, kind: Listed) -> Iterator[tuple[int, str, bool, int]]:
    """What sorts the lines as `item_lines` does (tree, place), whether it is an item, and the row's id."""
    folder_is, item_is = _WHICH[kind]
    whose = (scope.plan_id, scope.tree_id)
    folders = select(Folder.tree_id, stored(Folder.path), Folder.id)
    folders = folders.where(of_trees(Folder.tree_id, *whose), *folder_is, _HAS_A_LINE)
    items = select(Item.tree_id, stored(Folder.path), stored(Item.name), Item.id)
    items = items.join(Folder, Folder.id == Item.folder_id).where(of_trees(Item.tree_id, *whose), *item_is)
    with checkpoint.database.reading() as connection:
        for tree_id, path, row_id in stream(connection, folders):
            if tree_id not in scope.without:
                yield tree_id, _place(path), False, row_id
    with checkpoint.database.reading() as connection:
        for tree_id, path, name, row_id in stream(connection, items):
            if tree_id not in scope.without:
                yield tree_id, f"{_place(path)}\0000{name}", True, row_id


def _place(path: str) -> str:
    """A folder's place among all lines: what is in a folder comes after it, its items before its subfolders.

    No name holds U+0000, so that what it separates is compared name by name.
    """
    return "1" + path.replace("/", "\0001") if path else ""

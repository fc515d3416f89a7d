"""In sight: files that a tree shows by id in the source, some hundred looked up at once. What is GONE is out of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, select

from connectors.entry import EntryKind
from state.database.models import Item
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks
from state.statuses import ItemStatus

#: Names of one file that are looked at, at most: two are one too many.
MANY_NAMES = 1_000


class SightStatements(Statements):
    """Files by what the source shows of them."""

    def files_in_sight(
        self, tree_id: int, seen: Iterable[tuple[str, int]]
    ) -> dict[tuple[str, int], list[int]]:
        """Row ids of the files of this tree, not GONE, by id in the source and size, for those of `seen`.

        One look for some hundred of them: each goes through every file of such a size. Of the names that one file has
        some are enough.
        """
        wanted = sorted(set(seen))

        def find(connection: Connection) -> dict[tuple[str, int], list[int]]:
            found: dict[tuple[str, int], list[int]] = {each: [] for each in wanted}
            for chunk in in_chunks(wanted, IDS_PER_STATEMENT):
                these = set(chunk)
                ids, sizes = {source_id for source_id, _ in chunk}, {size for _, size in chunk}
                query = in_sight(Item.source_file_id, tree_id, sizes, ids).add_columns(Item.size, Item.id)
                for source_id, size, row_id in connection.execute(query):
                    if (source_id, size) in these and len(found[source_id, size]) < MANY_NAMES:
                        found[source_id, size].append(row_id)
            return found

        return self.database.read(find)


def in_sight(what: Any, tree_id: int, sizes: Collection[int], source_ids: Collection[str]) -> Any:
    """Files of these sizes and ids that are in sight; the statuses are said one by one, as the index has them."""
    return (
        select(what)
        .where(Item.tree_id == tree_id, Item.kind == EntryKind.FILE, Item.size.in_(sizes))
        .where(Item.source_file_id.in_(source_ids))
        .where(
            Item.status.in_((ItemStatus.UPLOADED, ItemStatus.PENDING, ItemStatus.FAILED, ItemStatus.WAIVED))
        )
    )

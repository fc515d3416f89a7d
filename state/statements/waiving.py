"""Waiving: what a person decided about entries that do not move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from state.database.models import Folder, Item
from state.statements.base import Statements
from state.statements.events import add_event
from state.statements.listing import below
from state.statements.plans import plan_trees
from state.statuses import EventKind, ItemStatus

_OPEN = (ItemStatus.PENDING, ItemStatus.FAILED)


class WaivingStatements(Statements):
    """Waivers."""

    def waive(self, plan_id: int, path: str, *, who: str, why: str) -> int:
        """FAILED/PENDING items at this path or below → WAIVED; how many. Recorded as an event.

        `path` as Entry.path; "" is the whole source. Folders count too, a tree's root does not.
        """

        def waive(connection: Connection) -> int:
            values = {"waived_by": who, "waived_why": why, "waived_at": self.now(connection)}
            values |= {"status": ItemStatus.WAIVED}
            waived = 0
            for tree in plan_trees(connection, plan_id):
                item_ids, folder_ids = _at_path(connection, tree.root_folder_id, tree.source, path)
                items = or_(Item.id.in_(item_ids), _inside(Item.folder_id, folder_ids))
                released = {"claimed_by": None, "claim": None, "overtaken": False}
                chosen = and_(items, Item.status.in_(_OPEN))
                waived += connection.execute(update(Item).where(chosen).values(values | released)).rowcount
                folders = and_(
                    _inside(Folder.id, folder_ids), Folder.status.in_(_OPEN), Folder.parent_id.is_not(None)
                )
                waived += connection.execute(update(Folder).where(folders).values(values)).rowcount
            detail = {"path": path, "who": who, "why": why, "items": waived}
            add_event(connection, self.now(connection), plan_id, EventKind.WAIVED, detail)
            return waived

        return self.database.write(waive)


def _inside(column: Any, folder_ids: Sequence[int]) -> Any:
    return or_(column.in_(folder_ids), column.in_(select(below(folder_ids).c.id)))


def _at_path(
    connection: Connection, root_id: int, tree_source: str, path: str
) -> tuple[list[int], list[int]]:
    """Ids of the items and of the folders that this tree has at exactly this path; the root when it lies below."""
    if path in ("", tree_source) or tree_source.startswith(f"{path}/"):
        return [], [root_id]
    prefix = f"{tree_source}/" if tree_source else ""
    if not path.startswith(prefix):
        return [], []
    *parents, name = path.removeprefix(prefix).split("/")
    folder_id: int | None = root_id
    for parent in parents:
        query = select(Folder.id).where(Folder.parent_id == folder_id, Folder.name == parent)
        folder_id = connection.execute(query).scalar_one_or_none()
        if folder_id is None:
            return [], []
    items = select(Item.id).where(Item.folder_id == folder_id, Item.name == name)
    folders = select(Folder.id).where(Folder.parent_id == folder_id, Folder.name == name)
    return list(connection.execute(items).scalars()), list(connection.execute(folders).scalars())

"""Waiving: what a person decided about entries that do not move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, and_, case, or_, select, update

from state.database.models import Folder, Item
from state.statements.base import Statements
from state.statements.digests import forget_listings_of_folders, forget_listings_of_items
from state.statements.events import add_event
from state.statements.listing import below, unverify
from state.statements.passes import HEALED_FOLDER
from state.statements.plans import plan_trees
from state.statuses import EventKind, ItemStatus

#: What a waiver that is taken back leaves: the entry is tried again as if nobody had decided.
_UNDECIDED: dict[str, Any] = {"waived_by": None, "waived_why": None, "waived_at": None}
_UNDECIDED |= {"reason": None, "detail": None}


class WaivingStatements(Statements):
    """Waivers."""

    def waive(self, plan_id: int, path: str, *, who: str, why: str, pending_too: bool = False) -> int:
        """FAILED entries at this path or below → WAIVED; how many. Recorded as an event.

        `path` as Entry.path. `pending_too`: also what was never tried. Folders count, a tree's root does not.
        """
        chosen = (ItemStatus.FAILED, ItemStatus.PENDING) if pending_too else (ItemStatus.FAILED,)

        def waive(connection: Connection) -> int:
            now = self.now(connection)
            values = {"waived_by": who, "waived_why": why, "waived_at": now, "status": ItemStatus.WAIVED}
            released = {"claimed_by": None, "claim": None, "overtaken": False}
            waived = 0
            for _, items, folders in _trees_at(connection, plan_id, path, chosen):
                forget_listings_of_items(connection, items)
                forget_listings_of_folders(connection, folders)
                waived += connection.execute(update(Item).where(items).values(values | released)).rowcount
                waived += connection.execute(update(Folder).where(folders).values(values)).rowcount
            detail = {"path": path, "who": who, "why": why, "items": waived}
            add_event(connection, now, plan_id, EventKind.WAIVED, detail)
            return waived

        return self.database.write(waive)

    def unwaive(self, plan_id: int, path: str, *, who: str) -> int:
        """WAIVED entries at this path or below → PENDING, with all their attempts; how many. Recorded as an event.

        Their trees are not verified any more; who is in stays in.
        """

        def unwaive(connection: Connection) -> int:
            now, taken_back = self.now(connection), 0
            again: dict[str, Any] = {"status": ItemStatus.PENDING, "attempts": 0, **_UNDECIDED}
            # A folder that could not be listed is listed again, in this very pass.
            walked_pass = case((Folder.unlisted, 0), else_=Folder.walked_pass)
            healed: dict[str, Any] = {"status": HEALED_FOLDER, "walked_pass": walked_pass, **_UNDECIDED}
            for tree_id, items, folders in _trees_at(connection, plan_id, path, (ItemStatus.WAIVED,)):
                forget_listings_of_items(connection, items)
                forget_listings_of_folders(connection, folders)
                back = connection.execute(update(Item).where(items).values(again)).rowcount
                back += connection.execute(update(Folder).where(folders).values(healed)).rowcount
                if back:
                    unverify(connection, tree_id)
                taken_back += back
            if taken_back:
                detail = {"path": path, "who": who, "items": taken_back}
                add_event(connection, now, plan_id, EventKind.UNWAIVED, detail)
            return taken_back

        return self.database.write(unwaive)


def _trees_at(
    connection: Connection, plan_id: int, path: str, statuses: Sequence[ItemStatus]
) -> Iterator[tuple[int, Any, Any]]:
    """Each tree of the plan, with conditions for its items and for its folders of these statuses at this path or
    below."""
    for tree in plan_trees(connection, plan_id):
        item_ids, folder_ids = _at_path(connection, tree.root_folder_id, tree.source, path)
        items = and_(
            or_(Item.id.in_(item_ids), _inside(Item.folder_id, folder_ids)), Item.status.in_(statuses)
        )
        folders = and_(
            _inside(Folder.id, folder_ids), Folder.status.in_(statuses), Folder.parent_id.is_not(None)
        )
        yield tree.id, items, folders


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

"""What Box may have got though nobody wrote it down: what a process that died held, and is not there to be sent again.

What is still to be sent finds it by its name. What left the share, or its name, meanwhile is looked for in its folder.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from state.database.history import Event
from state.database.models import Folder, Item, Tree
from state.records import FolderNode
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks
from state.statements.walking import NODE_COLUMNS, folder_node
from state.statuses import EventKind, ItemStatus

_OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)


class DoubtStatements(Statements):
    """Folders of Box that may hold what nobody wrote down."""

    def folders_in_doubt(self, tree_id: int) -> list[FolderNode]:
        """The folders that a dead process was putting something new into, since the tree was proven last, and where
        something of it left the share before it was sent again. Those that are gone from the share as well."""

        def in_doubt(connection: Connection) -> list[FolderNode]:
            ids = sorted(_left_in_flight(connection, tree_id))
            found: list[FolderNode] = []
            for chunk in in_chunks(ids, IDS_PER_STATEMENT):
                query = select(*NODE_COLUMNS).where(Folder.id.in_(chunk), _HOLDS_DOUBT).order_by(Folder.id)
                found += [folder_node(row) for row in connection.execute(query)]
            return found

        return self.database.read(in_doubt)


def _left_in_flight(connection: Connection, tree_id: int) -> set[int]:
    of_tree = and_(Event.tree_id == tree_id, Event.plan_id == _plan_of(tree_id))
    proven = select(func.max(Event.id)).where(of_tree, Event.kind == EventKind.PROVEN)
    since = connection.execute(proven).scalar_one_or_none() or 0
    query = select(Event.detail).where(of_tree, Event.kind == EventKind.LEFT_IN_FLIGHT, Event.id > since)
    return {folder_id for detail in connection.execute(query).scalars() for folder_id in detail["folders"]}


def _plan_of(tree_id: int) -> Any:
    return select(Tree.plan_id).where(Tree.id == tree_id).scalar_subquery()


_Below = aliased(Folder)

_HOLDS_DOUBT = or_(
    exists().where(Item.folder_id == Folder.id, Item.status.in_(_OUT_OF_SIGHT), Item.box_file_id.is_(None)),
    exists().where(
        _Below.parent_id == Folder.id, _Below.status.in_(_OUT_OF_SIGHT), _Below.box_folder_id.is_(None)
    ),
)

"""What a process that died was putting into Box: written down before what it held is free again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from state.database.models import FOLDER_CREATION_IS_CLAIMED, ITEM_IS_CLAIMED, Folder, Item, Worker
from state.statements.events import add_event
from state.statuses import EventKind


def note_what_was_in_flight(connection: Connection, worker_ids: Sequence[int], now: datetime) -> None:
    """Write down into which folders these workers, which are dead, were putting something that Box had nothing of."""
    files = (
        select(Worker.plan_id, Item.tree_id, Item.folder_id)
        .join(Worker, Worker.id == Item.claimed_by)
        .where(Item.claimed_by.in_(worker_ids), ITEM_IS_CLAIMED, Item.box_file_id.is_(None))
    )
    folders = (
        select(Worker.plan_id, Folder.tree_id, Folder.parent_id)
        .join(Worker, Worker.id == Folder.create_claimed_by)
        .where(Folder.create_claimed_by.in_(worker_ids), FOLDER_CREATION_IS_CLAIMED)
        .where(Folder.parent_id.is_not(None))
    )
    by_tree: dict[tuple[int, int], set[int]] = {}
    queries: tuple[Any, ...] = (files, folders)
    for query in queries:
        for plan_id, tree_id, folder_id in connection.execute(query.distinct()):
            by_tree.setdefault((plan_id, tree_id), set()).add(int(folder_id))
    for (plan_id, tree_id), ids in by_tree.items():
        detail = {"folders": sorted(ids)}
        add_event(connection, now, plan_id, EventKind.LEFT_IN_FLIGHT, detail, tree_id=tree_id)

"""The plan's events, streamed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from state.checkpoint import Checkpoint
from state.database.history import Event
from state.records import EventLine
from state.statements.base import stream
from state.statuses import EventKind


def events(checkpoint: Checkpoint, plan_id: int, *, kind: EventKind | None = None) -> Iterator[EventLine]:
    """The plan's events, or those of this kind, streamed, oldest first."""
    query = select(Event.at, Event.kind, Event.tree_id, Event.detail).where(Event.plan_id == plan_id)
    if kind is not None:
        query = query.where(Event.kind == kind)
    with checkpoint.database.reading() as connection:
        for row in stream(connection, query.order_by(Event.at, Event.id)):
            yield EventLine(at=row.at, kind=row.kind, tree_id=row.tree_id, detail=row.detail)

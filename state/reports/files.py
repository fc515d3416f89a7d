"""Files: what pictures of a share are made of: a few values of every file, and the bytes of folders below trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, func, literal, select, type_coerce

from connectors.entry import EntryKind
from state.checkpoint import Checkpoint
from state.database.columns import SourceText
from state.database.models import Folder, Item, Tree
from state.records import FileFacts
from state.statements.base import IDS_PER_STATEMENT, in_chunks, stream

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


#: The time as it is stored: it is more quickly read from its text than by way of an object.
_FACTS: tuple[Any, ...] = (
    Item.tree_id,
    Item.folder_id,
    Item.status,
    Item.size,
    Item.modified_ns,
    type_coerce(Item.uploaded_at, Text),
)


def files(checkpoint: Checkpoint, plan_id: int, *, tree_id: int | None = None) -> Iterator[FileFacts]:
    """Every file of the plan, or of one tree, streamed; those of a folder come one after the other."""
    names = {tree.id: tree.name for tree in checkpoint.trees(plan_id)}
    query = select(*_FACTS).where(of_trees(Item.tree_id, plan_id, tree_id), Item.kind == EntryKind.FILE)
    seconds = _Seconds()
    with checkpoint.database.reading() as connection:
        for tree, folder, status, size, modified_ns, arrived in stream(
            connection, query.order_by(Item.folder_id)
        ):
            at = None if arrived is None else seconds.of(arrived)
            yield names[tree], folder, status, size, modified_ns, at


def of_trees(column: Any, plan_id: int, tree_id: int | None) -> ColumnElement[bool]:
    """The condition that a row belongs to the plan, or to one tree of it."""
    if tree_id is not None:
        return column == tree_id  # type: ignore[no-any-return]
    return column.in_(select(Tree.id).where(Tree.plan_id == plan_id))  # type: ignore[no-any-return]


def folder_sums(
    checkpoint: Checkpoint, plan_id: int, sources: Mapping[str, str]
) -> Iterator[tuple[str, str, str, int]]:
    """Tree, folder right below it ("" for what lies in the tree's own), status and bytes of the files in and below it.

    Streamed, a folder's sums one after the other. `sources`: which trees, and where each begins.
    """
    for tree in checkpoint.trees(plan_id):
        if tree.name not in sources:
            continue
        sums = (
            select(Item.folder_id, Item.status, func.sum(Item.size).label("size"))
            .where(Item.tree_id == tree.id, Item.kind == EntryKind.FILE)
            .group_by(Item.folder_id, Item.status)
            .subquery()
        )
        query = (
            select(_top(checkpoint, sources[tree.name].strip("/")).label("top"), sums.c.status)
            .add_columns(func.sum(sums.c.size))
            .join(Folder, Folder.id == sums.c.folder_id)
            .group_by("top", sums.c.status)
            .order_by("top")
        )
        with checkpoint.database.reading() as connection:
            for folder, status, size in stream(connection, query):
                yield tree.name, folder, status, int(size)


def _top(checkpoint: Checkpoint, source: str) -> ColumnElement[str]:
    """The name that a folder's path has right below this place."""
    position = func.instr if checkpoint.database.is_sqlite else func.strpos
    path = type_coerce(Folder.path, Text)
    prefix = literal(f"{source}/" if source else "", SourceText())
    below = func.substr(path, func.length(prefix) + 1).op("||")("/")
    return type_coerce(func.substr(below, 1, position(below, "/") - 1), SourceText())


def folder_paths(checkpoint: Checkpoint, folder_ids: Sequence[int]) -> dict[int, str]:
    """Where these folders are."""

    def paths(connection: Connection) -> dict[int, str]:
        found: dict[int, str] = {}
        for chunk in in_chunks(folder_ids, IDS_PER_STATEMENT):
            query = select(Folder.id, Folder.path).where(Folder.id.in_(chunk))
            found.update({row.id: row.path for row in connection.execute(query)})
        return found

    return checkpoint.database.read(paths)


class _Seconds:
    """Reads times as the database keeps them: seconds since 1970, as datetime.timestamp() has them."""

    def __init__(self) -> None:
        #: What the time before this began with, without its fraction, and how many seconds that is.
        self._text, self._whole = "", 0

    def of(self, stored: Any) -> float:
        """A text on SQLite, a datetime on PostgreSQL."""
        if stored.__class__ is not str:
            return float(stored.timestamp())
        if len(stored) != 26:
            return _aware(stored).timestamp()
        text = stored[:19]
        if text != self._text:
            self._text, self._whole = text, round((_aware(text) - _EPOCH).total_seconds()) * 10**6
        return (self._whole + int(stored[20:])) / 10**6


def _aware(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

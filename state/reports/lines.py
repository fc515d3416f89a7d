"""Lines: every entry of a plan, or those that failed or were renamed, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import and_, case, exists, or_, select
from sqlalchemy.orm import aliased

from connectors.entry import EntryKind
from state.checkpoint import Checkpoint
from state.database.models import (
    FOLDER_FAILED,
    FOLDER_IS_RENAMED,
    ITEM_FAILED,
    ITEM_IS_RENAMED,
    Folder,
    Item,
    Tree,
)
from state.records import ItemLine
from state.statements.base import ROWS_PER_STATEMENT, stream
from state.statuses import TOLD_OF_ROOTS, ItemStatus

#: What is said of a folder that could not be listed, and that a person waived: nobody knows what stayed behind.
NEVER_SEEN = "its content was never seen"

#: Folders whose items are read, and sorted, by one query: SQLite sorts in this process's memory.
FOLDERS_PER_QUERY = 10


def item_lines(
    checkpoint: Checkpoint, plan_id: int, *, with_gone: bool = True, tree_id: int | None = None
) -> Iterator[ItemLine]:
    """Every entry of the plan, or of one tree, streamed: tree by tree; in each, a folder's own line, then what is in it
    by name, then its subfolders by name in the same way.

    What is GONE stays in it, unless `with_gone` is False. A tree's root, which is no entry of it, has a line only
    when it FAILED, is WAIVED or GONE. Memory: a group of folders and the path to them, whatever the size of the share.
    Each group is read at another moment, so a plan that runs meanwhile may show an entry as it was or as it is.
    """
    unwanted = () if with_gone else (ItemStatus.GONE,)
    for tree in checkpoint.trees(plan_id):
        if tree_id not in (None, tree.id):
            continue
        folders = _folders_in_order(checkpoint, tree.root_folder_id)
        while group := [folder for _, folder in zip(range(FOLDERS_PER_QUERY), folders, strict=False)]:
            yield from _lines_of_group(checkpoint, tree.name, group, unwanted)


def failures(checkpoint: Checkpoint, plan_id: int) -> Iterator[ItemLine]:
    """What FAILED, streamed: tree by tree, folders first, then in no particular order.

    Trees without a failure cost one look at an index, all in one statement.
    """
    some = or_(
        exists().where(Item.tree_id == Tree.id, ITEM_FAILED),
        exists().where(Folder.tree_id == Tree.id, FOLDER_FAILED),
    )
    query = select(Tree.id).where(Tree.plan_id == plan_id, some)
    concerned = set(checkpoint.database.read(lambda connection: connection.execute(query).scalars().all()))
    if not concerned:
        return
    for tree in checkpoint.trees(plan_id):
        if tree.id not in concerned:
            continue
        folders = select(*_FOLDER_COLUMNS).where(Folder.tree_id == tree.id, FOLDER_FAILED)
        items = _items_with_folder().where(Item.tree_id == tree.id, ITEM_FAILED)
        yield from _stream_lines(checkpoint, tree.name, folders, items)


def renames(checkpoint: Checkpoint, plan_id: int) -> Iterator[ItemLine]:
    """What Box has, or will get, under another name than the source, streamed: tree by tree, folders first."""
    in_sight = Item.status.not_in((ItemStatus.GONE, ItemStatus.EXCLUDED))
    for tree in checkpoint.trees(plan_id):
        folders = select(*_FOLDER_COLUMNS).where(
            Folder.tree_id == tree.id,
            FOLDER_IS_RENAMED,
            Folder.parent_id.is_not(None),
            Folder.status.not_in((ItemStatus.GONE, ItemStatus.EXCLUDED)),
        )
        items = _items_with_folder().where(Item.tree_id == tree.id, ITEM_IS_RENAMED, in_sight)
        yield from _stream_lines(
            checkpoint, tree.name, folders.order_by(Folder.id), items.order_by(Item.folder_id, Item.id)
        )


def _has_content() -> Any:
    """Whether something of what is in the folder is known."""
    below = aliased(Folder)
    inside = exists().where(below.parent_id == Folder.id)
    return or_(exists().where(Item.folder_id == Folder.id), inside)


_FOLDER_COLUMNS = (
    Folder.id,
    Folder.parent_id,
    Folder.name,
    Folder.path,
    Folder.box_name,
    Folder.status,
    Folder.reason,
    Folder.detail,
    Folder.box_folder_id,
    Folder.walked_pass,
    Folder.waived_by,
    Folder.waived_why,
    Folder.waived_at,
    case(
        (and_(Folder.status == ItemStatus.WAIVED, Folder.unlisted, ~_has_content()), True), else_=False
    ).label("unseen"),
)

_ITEM_COLUMNS = (
    Item.folder_id,
    Item.name,
    Item.kind,
    Item.box_name,
    Item.status,
    Item.reason,
    Item.detail,
    Item.size,
    Item.sha1,
    Item.box_file_id,
    Item.box_version_id,
    Item.note,
    Item.modified_ns,
    Item.created_ns,
    Item.changed_ns,
    Item.source_file_id,
    Item.uploaded_at,
    Item.uploaded_by,
    Item.adopted,
    Item.attempts,
    Item.waived_by,
    Item.waived_why,
    Item.waived_at,
)


def _items_with_folder() -> Any:
    return select(*_ITEM_COLUMNS, Folder.path.label("folder_path"), Folder.walked_pass).join(
        Folder, Folder.id == Item.folder_id
    )


def _folders_in_order(checkpoint: Checkpoint, root_id: int) -> Iterator[Any]:
    """The root and every folder below it, depth first, siblings by name; memory: one page of siblings per level."""
    root = select(*_FOLDER_COLUMNS).where(Folder.id == root_id)
    stack = [iter(checkpoint.database.read(lambda connection: connection.execute(root).all()))]
    while stack:
        folder = next(stack[-1], None)
        if folder is None:
            stack.pop()
            continue
        yield folder
        stack.append(_subfolders(checkpoint, folder.id))


def _subfolders(checkpoint: Checkpoint, parent_id: int) -> Iterator[Any]:
    after: str | None = None
    while True:
        query = select(*_FOLDER_COLUMNS).where(Folder.parent_id == parent_id)
        query = query if after is None else query.where(Folder.name > after)
        page = query.order_by(Folder.name).limit(ROWS_PER_STATEMENT)
        rows = checkpoint.database.read(lambda connection, page=page: connection.execute(page).all())  # type: ignore[misc]
        yield from rows
        if len(rows) < ROWS_PER_STATEMENT:
            return
        after = rows[-1].name


def _lines_of_group(
    checkpoint: Checkpoint, tree: str, group: Sequence[Any], unwanted: Sequence[ItemStatus]
) -> Iterator[ItemLine]:
    """The lines of these folders and of what is in them; the database sorts, so that nothing piles up here."""
    position = case({folder.id: number for number, folder in enumerate(group)}, value=Item.folder_id)
    wanted = and_(Item.folder_id.in_([folder.id for folder in group]), Item.status.not_in(unwanted))
    query = _items_with_folder().where(wanted).order_by(position, Item.name)
    waiting = list(reversed(group))
    written: int | None = None
    with checkpoint.database.reading() as connection:
        for row in stream(connection, query):
            while written != row.folder_id:
                written = waiting[-1].id
                yield from _own_line(tree, waiting.pop(), unwanted)
            yield _item_line(tree, row)
    for folder in reversed(waiting):
        yield from _own_line(tree, folder, unwanted)


def _own_line(tree: str, folder: Any, unwanted: Sequence[ItemStatus]) -> Iterator[ItemLine]:
    is_quiet_root = folder.parent_id is None and folder.status not in TOLD_OF_ROOTS
    if not is_quiet_root and folder.status not in unwanted:
        yield _folder_line(tree, folder)


def _stream_lines(checkpoint: Checkpoint, tree: str, folders: Any, items: Any) -> Iterator[ItemLine]:
    with checkpoint.database.reading() as connection:
        for row in stream(connection, folders):
            yield _folder_line(tree, row)
    with checkpoint.database.reading() as connection:
        for row in stream(connection, items):
            yield _item_line(tree, row)


def _detail(row: Any, box_id: str | None) -> str | None:
    detail: str | None = row.detail
    if row.status != ItemStatus.GONE:
        return detail
    return f"{detail or 'was there in an earlier pass'}; Box {'has it' if box_id else 'does not have it'}"


def _folder_line(tree: str, row: Any) -> ItemLine:
    return ItemLine(
        tree=tree,
        path=row.path,
        kind=EntryKind.FOLDER,
        status=ItemStatus(row.status),
        reason=row.reason,
        detail=_detail(row, row.box_folder_id),
        note=NEVER_SEEN if row.unseen else None,
        size=0,
        sha1=None,
        box_id=row.box_folder_id,
        box_version_id=None,
        box_name=row.box_name,
        renamed=row.box_name != row.name,
        modified_ns=None,
        uploaded_at=None,
        attempts=0,
        waived_by=row.waived_by,
        waived_why=row.waived_why,
        waived_at=row.waived_at,
        walked_pass=row.walked_pass,
    )


def _item_line(tree: str, row: Any) -> ItemLine:
    return ItemLine(
        tree=tree,
        path=f"{row.folder_path}/{row.name}" if row.folder_path else row.name,
        kind=EntryKind(row.kind),
        status=ItemStatus(row.status),
        reason=row.reason,
        detail=_detail(row, row.box_file_id),
        size=row.size,
        sha1=row.sha1,
        box_id=row.box_file_id,
        box_version_id=row.box_version_id,
        note=row.note,
        box_name=row.name if row.box_name is None else row.box_name,
        renamed=row.box_name is not None,
        modified_ns=row.modified_ns,
        uploaded_at=row.uploaded_at,
        attempts=row.attempts,
        waived_by=row.waived_by,
        waived_why=row.waived_why,
        waived_at=row.waived_at,
        created_ns=row.created_ns,
        changed_ns=row.changed_ns,
        source_file_id=row.source_file_id,
        uploaded_by=row.uploaded_by,
        adopted=row.adopted,
        walked_pass=row.walked_pass,
    )

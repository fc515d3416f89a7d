"""Lines: every entry of a plan, or those that failed or were renamed, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Text, and_, bindparam, case, exists, or_, select, type_coerce
from sqlalchemy.orm import aliased

from connectors.entry import EntryKind
from state.checkpoint import Checkpoint
from state.database.columns import unescape_name
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
from state.statements.base import IDS_PER_STATEMENT, ROWS_PER_STATEMENT, in_chunks, stream
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
        items = _ITEMS_WITH_FOLDER.where(Item.tree_id == tree.id, ITEM_FAILED)
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
        items = _ITEMS_WITH_FOLDER.where(Item.tree_id == tree.id, ITEM_IS_RENAMED, in_sight)
        yield from _stream_lines(
            checkpoint, tree.name, folders.order_by(Folder.id), items.order_by(Item.folder_id, Item.id)
        )


def lines_of(
    checkpoint: Checkpoint, *, folder_ids: Sequence[int], item_ids: Sequence[int]
) -> dict[tuple[bool, int], ItemLine]:
    """(is an item, row's id) → its line; nothing for what is not there any more."""
    found: dict[tuple[bool, int], ItemLine] = {}
    for chunk in in_chunks(folder_ids, IDS_PER_STATEMENT):
        folders = select(Tree.name.label("tree"), *_FOLDER_COLUMNS).join(Tree, Tree.id == Folder.tree_id)
        for row in _rows(checkpoint, folders.where(Folder.id.in_(chunk)), {}):
            found[False, row.id] = _folder_line(row.tree, row)
    for chunk in in_chunks(item_ids, IDS_PER_STATEMENT):
        items = select(Item.id, Tree.name, Folder.path, Folder.walked_pass, *_ITEM_COLUMNS)
        items = items.join(Folder, Folder.id == Item.folder_id).join(Tree, Tree.id == Item.tree_id)
        for row_id, tree, path, walked_pass, *columns in _rows(
            checkpoint, items.where(Item.id.in_(chunk)), {}
        ):
            found[True, row_id] = _item_line(tree, path, walked_pass, columns)
    return found


def has_content() -> Any:
    """The condition that something of what is in the folder is known."""
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
        (and_(Folder.status == ItemStatus.WAIVED, Folder.unlisted, ~has_content()), True), else_=False
    ).label("unseen"),
)


def stored(column: Any) -> Any:
    """The column as it is stored: `_text` gives back what was escaped, where there is anything."""
    return type_coerce(column, Text)


#: In the order in which `_item_line` takes them.
_ITEM_COLUMNS = (
    stored(Item.name),
    Item.kind,
    stored(Item.box_name),
    Item.status,
    stored(Item.reason),
    stored(Item.detail),
    Item.size,
    Item.sha1,
    Item.box_file_id,
    Item.box_version_id,
    stored(Item.note),
    Item.modified_ns,
    Item.created_ns,
    Item.changed_ns,
    Item.source_file_id,
    Item.uploaded_at,
    Item.uploaded_by,
    Item.adopted,
    Item.attempts,
    stored(Item.waived_by),
    stored(Item.waived_why),
    Item.waived_at,
)

_ITEMS_WITH_FOLDER = select(Folder.path, Folder.walked_pass, *_ITEM_COLUMNS).join(
    Folder, Folder.id == Item.folder_id
)

_GROUP = [bindparam(f"folder_{number}", type_=Item.folder_id.type) for number in range(FOLDERS_PER_QUERY)]

#: Made once: it is asked for every few folders of a share.
_ITEMS_OF_GROUP = (
    select(Item.folder_id, *_ITEM_COLUMNS)
    .where(Item.folder_id.in_(_GROUP))
    .order_by(case(*((Item.folder_id == folder, number) for number, folder in enumerate(_GROUP))), Item.name)
)

_SUBFOLDERS = {
    goes_on: select(*_FOLDER_COLUMNS)
    .where(
        Folder.parent_id == bindparam("parent"),
        *([Folder.name > bindparam("after", type_=Folder.name.type)] if goes_on else []),
    )
    .order_by(Folder.name)
    .limit(ROWS_PER_STATEMENT)
    for goes_on in (False, True)
}

_KINDS = {kind.value: kind for kind in EntryKind}
_STATUSES = {status.value: status for status in ItemStatus}


def _folders_in_order(checkpoint: Checkpoint, root_id: int) -> Iterator[Any]:
    """The root and every folder below it, depth first, siblings by name; memory: one page of siblings per level."""
    root = select(*_FOLDER_COLUMNS).where(Folder.id == root_id)
    stack = [iter(_rows(checkpoint, root, {}))]
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
        which = {"parent": parent_id, "after": after}
        rows = _rows(checkpoint, _SUBFOLDERS[after is not None], which)
        yield from rows
        if len(rows) < ROWS_PER_STATEMENT:
            return
        after = rows[-1].name


def _rows(checkpoint: Checkpoint, query: Any, parameters: dict[str, Any]) -> Sequence[Any]:
    return checkpoint.database.read(lambda connection: connection.execute(query, parameters).all())


def _lines_of_group(
    checkpoint: Checkpoint, tree: str, group: Sequence[Any], unwanted: Sequence[ItemStatus]
) -> Iterator[ItemLine]:
    """The lines of these folders and of what is in them; the database sorts, so that nothing piles up here."""
    # There is no folder of the ids that fill the places of a smaller group.
    which = {each.key: -1 - number for number, each in enumerate(_GROUP)}
    which |= {f"folder_{number}": folder.id for number, folder in enumerate(group)}
    waiting = list(reversed(group))
    folder: Any = None
    with checkpoint.database.reading() as connection:
        for folder_id, *columns in stream(connection, _ITEMS_OF_GROUP, which):
            while folder is None or folder.id != folder_id:
                folder = waiting.pop()
                yield from _own_line(tree, folder, unwanted)
            line = _item_line(tree, folder.path, folder.walked_pass, columns)
            if line.status not in unwanted:
                yield line
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
        for path, walked_pass, *columns in stream(connection, items):
            yield _item_line(tree, path, walked_pass, columns)


def _text(stored: str | None) -> str | None:
    return stored if stored is None or "\x1a" not in stored else unescape_name(stored)


def _detail(status: str, detail: str | None, box_id: str | None) -> str | None:
    if status != ItemStatus.GONE:
        return detail
    return f"{detail or 'was there in an earlier pass'}; Box {'has it' if box_id else 'does not have it'}"


def _folder_line(tree: str, row: Any) -> ItemLine:
    return ItemLine(
        tree=tree,
        path=row.path,
        kind=EntryKind.FOLDER,
        status=ItemStatus(row.status),
        reason=row.reason,
        detail=_detail(row.status, row.detail, row.box_folder_id),
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


def _item_line(tree: str, folder_path: str, walked_pass: int, columns: Sequence[Any]) -> ItemLine:
    """One line of `_ITEM_COLUMNS`. All at once, without a look at a column's name: there are millions of these."""
    stored, kind, box_name, status, reason, detail, size, sha1, box_id, version, note, modified, *rest = (
        columns
    )
    created, changed, source_id, uploaded_at, uploaded_by, adopted, attempts, *waived, waived_at = rest
    name = stored if "\x1a" not in stored else unescape_name(stored)
    return ItemLine(
        tree,
        f"{folder_path}/{name}" if folder_path else name,
        _KINDS[kind],
        _STATUSES[status],
        _text(reason),
        _detail(status, _text(detail), box_id),
        size,
        sha1,
        box_id,
        version,
        name if box_name is None else _text(box_name) or "",
        box_name is not None,
        modified,
        uploaded_at,
        attempts,
        _text(waived[0]),
        _text(waived[1]),
        _text(note),
        waived_at,
        created,
        changed,
        source_id,
        uploaded_by,
        adopted,
        walked_pass,
    )

"""Contents: what of a tree lies in Box by the checkpoint, folder by folder, for a comparison with Box or the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from connectors.entry import EntryKind, Fingerprint
from state.checkpoint import Checkpoint
from state.database.models import FOLDER_IS_IN_BOX, ITEM_IS_IN_BOX, Folder, Item
from state.kept_records import KeptChild, KeptPlace
from state.records import FolderNode
from state.statements.base import IDS_PER_STATEMENT, ROWS_PER_STATEMENT, in_chunks
from state.statements.walking import NODE_COLUMNS, folder_node
from state.statuses import ItemStatus

_OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)


def folders_in_box(checkpoint: Checkpoint, tree_id: int) -> Iterator[FolderNode]:
    """Every folder of the tree that is in Box and has to be there, in pages; in the source it was there, too."""

    def page(connection: Connection) -> list[FolderNode]:
        which = {"tree": tree_id, "after": after}
        return [folder_node(row) for row in connection.execute(_FOLDERS_IN_BOX, which)]

    after = 0
    while folders := checkpoint.database.read(page):
        yield from folders
        after = folders[-1].id


def folder_count(checkpoint: Checkpoint, tree_id: int) -> int:
    """How many folders `folders_in_box` has."""
    query = select(func.count()).select_from(_FOLDERS_IN_BOX.limit(None).subquery())
    which = {"tree": tree_id, "after": 0}
    return checkpoint.database.read(lambda connection: int(connection.execute(query, which).scalar_one()))


def kept_children(checkpoint: Checkpoint, folder_id: int) -> list[KeptChild]:
    """Everything directly in this folder that has an id in Box; memory: one folder."""

    def kept(connection: Connection) -> list[KeptChild]:
        which = {"folder": folder_id}
        found = [_kept_file(row) for row in connection.execute(_KEPT_FILES, which)]
        return found + [_kept_folder(row) for row in connection.execute(_KEPT_FOLDERS, which)]

    return checkpoint.database.read(kept)


def places_of(
    checkpoint: Checkpoint, plan_id: int, box_ids: Sequence[str]
) -> dict[tuple[bool, str], KeptPlace]:
    """(is a folder, Box id) → where it belongs to; nothing for what the plan does not know."""

    def places(connection: Connection) -> dict[tuple[bool, str], KeptPlace]:
        found: dict[tuple[bool, str], KeptPlace] = {}
        for chunk in in_chunks(box_ids, IDS_PER_STATEMENT):
            folders = select(Folder.tree_id, Folder.box_folder_id, Folder.path).where(
                Folder.box_folder_id.in_(chunk), Folder.box_plan_id == plan_id, FOLDER_IS_IN_BOX
            )
            for row in connection.execute(folders):
                found[True, row.box_folder_id] = KeptPlace(tree_id=row.tree_id, path=row.path)
            files = (
                select(Item.tree_id, Item.box_file_id, Item.name, Folder.path)
                .join(Folder, Folder.id == Item.folder_id)
                .where(Item.box_file_id.in_(chunk), Item.box_plan_id == plan_id, ITEM_IS_IN_BOX)
            )
            for file in connection.execute(files):
                path = f"{file.path}/{file.name}".lstrip("/")
                found[False, file.box_file_id] = KeptPlace(tree_id=file.tree_id, path=path)
        return found

    return checkpoint.database.read(places)


_FOLDERS_IN_BOX = (
    select(*NODE_COLUMNS)
    .where(Folder.tree_id == bindparam("tree"), FOLDER_IS_IN_BOX, Folder.status.not_in(_OUT_OF_SIGHT))
    .where(Folder.id > bindparam("after"))
    .order_by(Folder.id)
    .limit(ROWS_PER_STATEMENT)
)

_KEPT_FILES = select(
    Item.name,
    Item.box_name,
    Item.box_file_id,
    Item.box_version_id,
    Item.status,
    Item.size,
    Item.sha1,
    Item.modified_ns,
    Item.changed_ns,
    Item.source_file_id,
    Item.uploaded_at,
).where(Item.folder_id == bindparam("folder"), ITEM_IS_IN_BOX)

_KEPT_FOLDERS = select(Folder.name, Folder.box_name, Folder.box_folder_id, Folder.status).where(
    Folder.parent_id == bindparam("folder"), FOLDER_IS_IN_BOX
)


def _kept_file(row: Any) -> KeptChild:
    return KeptChild(
        name=row.name,
        kind=EntryKind.FILE,
        box_name=row.name if row.box_name is None else row.box_name,
        box_id=row.box_file_id,
        required=row.status == ItemStatus.UPLOADED,
        size=row.size,
        sha1=row.sha1,
        version_id=row.box_version_id,
        modified_ns=row.modified_ns,
        uploaded_at=row.uploaded_at,
        fingerprint=Fingerprint(
            size=row.size,
            modified_ns=row.modified_ns,
            changed_ns=row.changed_ns,
            file_id=row.source_file_id,
        ),
    )


def _kept_folder(row: Any) -> KeptChild:
    return KeptChild(
        name=row.name,
        kind=EntryKind.FOLDER,
        box_name=row.box_name,
        box_id=row.box_folder_id,
        required=row.status not in _OUT_OF_SIGHT,
    )

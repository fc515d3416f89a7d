"""What is gone from the source and still in Box: found, counted, and what became of it. Deletes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, not_, or_, select, tuple_, update
from sqlalchemy.orm import aliased

from connectors.entry import EntryKind, Fingerprint
from state.change_records import GoneEntry
from state.database.models import FOLDER_IS_WALKED, Folder, Item, Tree
from state.records import WorkerLease
from state.statements.base import ROWS_PER_STATEMENT, Statements
from state.statements.digests import forget_listings
from state.statements.listing import below
from state.statements.recording import NOT_IN_BOX
from state.statements.walking import walk_is_done
from state.statuses import KEPT_IN_BOX, TRASHED, ItemStatus


class GoneStatements(Statements):
    """Deletions at the source."""

    def trees_walked_whole(self, pass_id: int, tree_ids: Sequence[int]) -> list[int]:
        """Those of these trees of which this pass listed every folder, and of none failed to."""

        def whole(connection: Connection) -> list[int]:
            return [
                tree_id
                for tree_id in tree_ids
                if walk_is_done(connection, pass_id, tree_id)
                and connection.execute(_UNLISTED, {"tree": tree_id}).first() is None
            ]

        return self.database.read(whole)

    def count_gone(self, tree_id: int) -> int:
        """How many entries of this tree are GONE, still in Box, and not known to be kept there."""
        return self.database.read(
            lambda connection: sum(
                connection.execute(query, {"tree": tree_id}).scalar_one() for query in _COUNTS
            )
        )

    def gone_at_the_top(self, tree_id: int) -> Iterator[GoneEntry]:
        """What of this tree is GONE and in Box, streamed: folders, then files; nothing of what is in such a folder.

        What was found to be kept is left out. A tree's own folder never is among them.
        """
        after = 0
        while rows := self.database.read(_page(_TOP_FOLDERS, tree_id, after)):
            yield from map(_gone_folder, rows)
            after = rows[-1].id
        yield from map(_gone_file, self._by_size(_TOP_FILES, tree_id))

    def gone_files(self, tree_id: int) -> Iterator[GoneEntry]:
        """Every file of this tree that is GONE and in Box, wherever it was, streamed; not those found to be kept."""
        yield from map(_gone_file, self._by_size(_ALL_FILES, tree_id))

    def waived_files(self, plan_id: int) -> Iterator[tuple[str, Fingerprint]]:
        """Path, and what was seen, of every file that a person waived and that Box does not have; streamed."""
        trees = select(Tree.id).where(Tree.plan_id == plan_id).order_by(Tree.id)
        for tree_id in self.database.read(lambda connection: connection.execute(trees).scalars().all()):
            for row in self._by_size(_WAIVED_FILES, tree_id):
                if row.kind != EntryKind.FILE:
                    continue
                seen = Fingerprint(size=row.size, modified_ns=row.modified_ns, file_id=row.source_file_id)
                yield f"{row.path}/{row.name}".lstrip("/"), seen

    def _by_size(self, query: Any, tree_id: int) -> Iterator[Any]:
        """Rows of one status, page by page in the order of their index: sorted by ids, each page would go
        through all of them."""
        which = {"tree": tree_id, "kind": "", "size": -1, "after": 0}
        while rows := self.database.read(_page_of(query, which)):
            yield from rows
            which |= {"kind": rows[-1].kind, "size": rows[-1].size, "after": rows[-1].id}

    def children_in_box(self, folder_id: int) -> list[GoneEntry]:
        """Everything of this folder that is in Box, whatever its status."""

        def children(connection: Connection) -> list[GoneEntry]:
            which = {"folder": folder_id}
            folders = [_gone_folder(row) for row in connection.execute(_CHILD_FOLDERS, which)]
            return folders + [_gone_file(row) for row in connection.execute(_CHILD_FILES, which)]

        return self.database.read(children)

    def gone_folders_above(self, folder_id: int) -> list[GoneEntry]:
        """This folder and those above it that are GONE and in Box, as far up as each is; empty when this one is not."""

        def above(connection: Connection) -> list[GoneEntry]:
            found: list[GoneEntry] = []
            which = folder_id
            while (row := connection.execute(_THIS_FOLDER, {"folder": which}).one_or_none()) is not None:
                if row.status != ItemStatus.GONE or row.box_folder_id is None:
                    break
                found.append(_gone_folder(row))
                which = row.parent_id
            return found

        return self.database.read(above)

    def record_trashed(self, entry: GoneEntry, *, detail: str, worker: WorkerLease) -> int:
        """It lies in Box's trash with all below it, and comes back as something new. Return how many entries."""

        def trashed(connection: Connection) -> int:
            told: dict[str, Any] = {"reason": TRASHED, "detail": func.coalesce(Item.detail, "") + detail}
            forget_listings(connection, [entry.folder_id])
            if entry.kind is not EntryKind.FOLDER:
                values = {**NOT_IN_BOX, **told}
                return connection.execute(update(Item).where(Item.id == entry.row_id).values(values)).rowcount
            inside = or_(Folder.id == entry.row_id, Folder.id.in_(select(below([entry.row_id]).c.id)))
            files = Item.folder_id.in_(select(Folder.id).where(inside))
            in_box = and_(files, Item.box_file_id.is_not(None))
            count = connection.execute(update(Item).where(in_box).values({**NOT_IN_BOX, **told})).rowcount
            lost: dict[str, Any] = {
                "box_folder_id": None,
                "box_etag": None,
                "created_by_plan": False,
                "listing_digest": None,
            }
            lost |= {"reason": TRASHED, "detail": func.coalesce(Folder.detail, "") + detail}
            folders = and_(inside, Folder.box_folder_id.is_not(None))
            return count + connection.execute(update(Folder).where(folders).values(lost)).rowcount

        return self.write_as(worker, trashed)

    def record_kept(self, entry: GoneEntry, *, why: str, worker: WorkerLease) -> None:
        """It is GONE and stays in Box, since somebody changed it there; no later pass asks again."""
        row = Folder if entry.kind is EntryKind.FOLDER else Item
        values = {"reason": KEPT_IN_BOX, "detail": func.coalesce(row.detail, "") + why}
        still = and_(row.id == entry.row_id, row.status == ItemStatus.GONE)
        self.write_as(worker, lambda connection: connection.execute(update(row).where(still).values(values)))


_TREE: Any = bindparam("tree")
_NOT_KEPT_FILE = or_(Item.reason.is_(None), Item.reason != KEPT_IN_BOX)
_NOT_KEPT_FOLDER = or_(Folder.reason.is_(None), Folder.reason != KEPT_IN_BOX)
_GONE_FILE = and_(
    Item.tree_id == _TREE, Item.status == ItemStatus.GONE, Item.box_file_id.is_not(None), _NOT_KEPT_FILE
)
_GONE_FOLDER = and_(
    Folder.tree_id == _TREE,
    Folder.status == ItemStatus.GONE,
    Folder.box_folder_id.is_not(None),
    Folder.parent_id.is_not(None),
    _NOT_KEPT_FOLDER,
)

_COUNTS = (
    select(func.count()).select_from(Item).where(_GONE_FILE),
    select(func.count()).select_from(Folder).where(_GONE_FOLDER),
)

_UNLISTED = (
    select(Folder.id).where(Folder.tree_id == _TREE, Folder.unlisted.is_(True), FOLDER_IS_WALKED).limit(1)
)

_Above = aliased(Folder)
#: What goes to the trash with the folder above it.
_GOES_WITH_IT = and_(
    _Above.status == ItemStatus.GONE,
    _Above.box_folder_id.is_not(None),
    _Above.parent_id.is_not(None),
    or_(_Above.reason.is_(None), _Above.reason != KEPT_IN_BOX),
)

_FOLDERS = select(
    Folder.id,
    Folder.parent_id,
    Folder.path,
    Folder.box_name,
    Folder.box_folder_id,
    Folder.status,
    Folder.created_by_plan,
    _Above.box_folder_id.label("parent_box_id"),
).join(_Above, _Above.id == Folder.parent_id)

_FILES = select(
    Item.id,
    Item.kind,
    Item.folder_id,
    _Above.path,
    Item.name,
    Item.box_name,
    Item.box_file_id,
    Item.box_etag,
    Item.box_version_id,
    Item.sha1,
    Item.size,
    Item.modified_ns,
    Item.source_file_id,
    Item.status,
    Item.adopted,
    _Above.box_folder_id.label("parent_box_id"),
).join(_Above, _Above.id == Item.folder_id)

_TOP_FOLDERS = (
    _FOLDERS.where(_GONE_FOLDER, not_(_GOES_WITH_IT), Folder.id > bindparam("after"))
    .order_by(Folder.id)
    .limit(ROWS_PER_STATEMENT)
)
_BY_SIZE = (Item.kind, Item.size, Item.id)
_NEXT_BY_SIZE = tuple_(*_BY_SIZE) > tuple_(bindparam("kind"), bindparam("size"), bindparam("after"))
_ALL_FILES = _FILES.where(_GONE_FILE, _NEXT_BY_SIZE).order_by(*_BY_SIZE).limit(ROWS_PER_STATEMENT)
_WAIVED_FILES = (
    select(Item.id, Item.kind, Item.name, Item.size, Item.modified_ns, Item.source_file_id, _Above.path)
    .join(_Above, _Above.id == Item.folder_id)
    .where(Item.tree_id == bindparam("tree"), Item.status == ItemStatus.WAIVED)
    .where(Item.box_file_id.is_(None), _NEXT_BY_SIZE)
    .order_by(*_BY_SIZE)
    .limit(ROWS_PER_STATEMENT)
)
_TOP_FILES = _ALL_FILES.where(not_(_GOES_WITH_IT))
_THIS_FOLDER = _FOLDERS.where(Folder.id == bindparam("folder"))
_CHILD_FOLDERS = _FOLDERS.where(Folder.parent_id == bindparam("folder"), Folder.box_folder_id.is_not(None))
_CHILD_FILES = _FILES.where(Item.folder_id == bindparam("folder"), Item.box_file_id.is_not(None))


def _page(query: Any, tree_id: int, after: int) -> Any:
    return lambda connection: connection.execute(query, {"tree": tree_id, "after": after}).all()


def _page_of(query: Any, which: dict[str, Any]) -> Any:
    return lambda connection: connection.execute(query, which).all()


def _gone_folder(row: Any) -> GoneEntry:
    return GoneEntry(
        kind=EntryKind.FOLDER,
        row_id=row.id,
        folder_id=row.parent_id,
        path=row.path,
        box_id=row.box_folder_id,
        box_name=row.box_name,
        parent_box_id=row.parent_box_id,
        is_gone=row.status == ItemStatus.GONE,
        is_ours=row.created_by_plan,
    )


def _gone_file(row: Any) -> GoneEntry:
    return GoneEntry(
        kind=EntryKind.FILE,
        row_id=row.id,
        folder_id=row.folder_id,
        path=f"{row.path}/{row.name}".lstrip("/"),
        box_id=row.box_file_id,
        box_name=row.box_name or row.name,
        parent_box_id=row.parent_box_id,
        etag=row.box_etag,
        version_id=row.box_version_id,
        sha1=row.sha1,
        seen=Fingerprint(size=row.size, modified_ns=row.modified_ns, file_id=row.source_file_id),
        is_gone=row.status == ItemStatus.GONE,
        is_ours=not row.adopted,
    )

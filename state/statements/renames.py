"""Renames in one folder: files that Box has, by their rows, and rows that get another name. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, literal_column, select, tuple_, update
from sqlalchemy.orm import aliased

from connectors.entry import EntryKind, Fingerprint
from state.change_records import PlacedFile, RenamedEntry
from state.database.models import (
    FOLDER_IS_RENAMED,
    ITEM_IS_GONE_FROM_SOURCE,
    ITEM_IS_RENAMED,
    Folder,
    Item,
    Pass,
)
from state.records import WorkerLease
from state.statements.base import IDS_PER_STATEMENT, ROWS_PER_STATEMENT, Statements, in_chunks
from state.statements.digests import forget_listings
from state.statements.listing import unverify
from state.statements.moves import known_since
from state.statuses import ItemStatus

#: Files of one size in a tree among which one is looked for by its id.
MANY_OF_A_SIZE = 1_000


class RenameStatements(Statements):
    """Files that were renamed where they are."""

    def placed_files(self, item_ids: Sequence[int]) -> dict[int, PlacedFile]:
        """Those of these files that Box has, by their ids."""

        def find(connection: Connection) -> dict[int, PlacedFile]:
            found = {}
            for chunk in in_chunks(item_ids, IDS_PER_STATEMENT):
                for row in connection.execute(_PLACED.where(Item.id.in_(chunk))):
                    found[row.id] = _placed_file(row)
            return found

        return self.database.read(find)

    def placed_files_seen_as(self, tree_id: int, seen: Fingerprint) -> list[PlacedFile]:
        """Files of the tree that are UPLOADED and had this id, size and date; two at most.

        None where more files than MANY_OF_A_SIZE have that size: no index finds the one among them, and where a whole
        share got new ids this is asked for each of its files.
        """
        of_the_size = and_(
            Item.tree_id == tree_id,
            Item.status == ItemStatus.UPLOADED,
            Item.kind == EntryKind.FILE,
            Item.size == seen.size,
        )
        too_many = select(Item.id).where(of_the_size).offset(MANY_OF_A_SIZE).limit(1)
        query = _PLACED.where(of_the_size, Item.source_file_id == seen.file_id)
        query = query.where(Item.modified_ns == seen.modified_ns).limit(2)

        def find(connection: Connection) -> list[PlacedFile]:
            if connection.execute(too_many).first() is not None:
                return []
            return [_placed_file(row) for row in connection.execute(query).all()]

        return self.database.read(find)

    def gone_files_seen_as(self, tree_id: int, seen: Fingerprint) -> list[PlacedFile]:
        """Files of the tree that are GONE, and of which Box has this id, size and date of the source; two at most."""
        query = _PLACED.where(ITEM_IS_GONE_FROM_SOURCE, Item.source_file_id == seen.file_id, Item.in_box)
        # "+ 0": as for what moved, only the index of what is gone is of use here.
        query = query.where(Item.tree_id + 0 == tree_id, Item.kind == EntryKind.FILE, Item.size == seen.size)
        query = query.where(Item.modified_ns == seen.modified_ns).limit(2)
        return self.database.read(
            lambda connection: [_placed_file(row) for row in connection.execute(query).all()]
        )

    def placed_file_of(self, tree_id: int, box_id: str) -> PlacedFile | None:
        """The file of the tree that has this id in Box."""
        query = _PLACED.where(Item.box_file_id == box_id, Item.tree_id == tree_id).limit(1)
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return _placed_file(rows[0]) if rows else None

    def record_file_exchanged(
        self,
        item_id: int,
        *,
        folder_id: int,
        name: str,
        box_name: str,
        box_etag: str | None,
        worker: WorkerLease,
    ) -> None:
        """This file has another place in its tree, in the source as in Box; no other row has it. Was it GONE, it is
        back."""

        def exchange(connection: Connection) -> None:
            row = connection.execute(select(Item.folder_id, Item.tree_id).where(Item.id == item_id)).one()
            values = {"folder_id": folder_id, "name": name, "box_etag": box_etag}
            values["box_name"] = None if box_name == name else box_name
            connection.execute(update(Item).where(Item.id == item_id).values(values))
            was_gone = (Item.id == item_id, Item.status == ItemStatus.GONE)
            back = {"status": ItemStatus.UPLOADED, "reason": None, "detail": None}
            connection.execute(update(Item).where(*was_gone).values(back))
            folders = [row.folder_id, folder_id]
            forget_listings(connection, folders)
            connection.execute(update(Folder).where(Folder.id.in_(folders)).values(unproven=True))
            unverify(connection, row.tree_id)

        self.write_as(worker, exchange)

    def seen_anew(
        self, pass_id: int, tree_ids: Sequence[int], sizes: Sequence[int]
    ) -> Iterator[tuple[str, int, int | None]]:
        """Id in the source, size and date of files that these trees did not have before this pass; streamed.

        Of those that were sent meanwhile only the ones of these sizes.
        """
        for tree_id in tree_ids:
            for row in self._seen_anew(tree_id, {"pass": pass_id, "sizes": list(sizes)}):
                yield row.source_file_id, row.size, row.modified_ns

    def _seen_anew(self, tree_id: int, sent: dict[str, Any]) -> Iterator[Any]:
        for status in (ItemStatus.PENDING, ItemStatus.FAILED):
            which: dict[str, Any] = {"tree": tree_id, "status": status, "size": -1, "after": 0}
            while rows := self.database.read(_page(_NEW_FILES, which)):
                yield from rows
                which |= {"size": rows[-1].size, "after": rows[-1].id}
        which = {"tree": tree_id, **sent, "after": 0}
        while rows := self.database.read(_page(_SENT_SINCE, which)):
            yield from rows
            which |= {"after": rows[-1].id}

    def entries_with_other_names(self, tree_ids: Sequence[int]) -> Iterator[RenamedEntry]:
        """Files and folders of these trees, in sight and free, with a "~" in their name in Box, which is not their own;
        streamed, files folder by folder."""
        for tree_id in sorted(tree_ids):
            which: dict[str, Any] = {"tree": tree_id, "folder": 0, "after": 0}
            while rows := self.database.read(_page(_OTHER_FILE_NAMES, which)):
                for row in rows:
                    if row.kind == EntryKind.FILE and row.status in _IN_SIGHT and row.claimed_by is None:
                        yield _renamed_entry(row, EntryKind.FILE)
                which |= {"folder": rows[-1].folder_id, "after": rows[-1].id}
        for chunk in in_chunks(sorted(tree_ids), IDS_PER_STATEMENT):
            which = {"trees": list(chunk), "after": 0}
            while rows := self.database.read(_page(_OTHER_FOLDER_NAMES, which)):
                for row in rows:
                    yield _renamed_entry(row, EntryKind.FOLDER)
                which |= {"after": rows[-1].id}

    def record_name_to_come(self, entry: RenamedEntry, *, box_name: str, worker: WorkerLease) -> None:
        """What is not in Box yet will have this name there, unless somebody is about to put it there, or has by now."""

        def rename(connection: Connection) -> None:
            named: Any
            if entry.kind is EntryKind.FOLDER:
                waits = (Folder.box_folder_id.is_(None), Folder.create_claimed_at.is_(None))
                named = update(Folder).where(Folder.id == entry.row_id, *waits).values(box_name=box_name)
            else:
                waits = (Item.box_file_id.is_(None), Item.claimed_by.is_(None))
                name = None if box_name == entry.name else box_name
                named = update(Item).where(Item.id == entry.row_id, *waits).values(box_name=name)
            connection.execute(named)
            forget_listings(connection, [entry.folder_id])

        self.write_as(worker, rename)

    def record_folder_renamed(
        self, folder_id: int, *, box_name: str, box_etag: str | None, worker: WorkerLease
    ) -> None:
        """This folder has another name in Box, and the same place."""

        def rename(connection: Connection) -> None:
            values = {"box_name": box_name, "box_etag": box_etag}
            connection.execute(update(Folder).where(Folder.id == folder_id).values(values))
            row = connection.execute(
                select(Folder.parent_id, Folder.tree_id).where(Folder.id == folder_id)
            ).one()
            forget_listings(connection, [row.parent_id])
            connection.execute(update(Folder).where(Folder.id == row.parent_id).values(unproven=True))
            unverify(connection, row.tree_id)

        self.write_as(worker, rename)

    def record_file_renamed(
        self, item_id: int, *, name: str, box_name: str, box_etag: str | None, worker: WorkerLease
    ) -> None:
        """This file has another name in its folder, in the source or in Box; all that is known of its content stays.

        No other row of its folder has the name.
        """
        values = {"name": name, "box_name": None if box_name == name else box_name, "box_etag": box_etag}
        self.write_as(worker, lambda connection: _rename(connection, item_id, values))

    def record_file_let_go(self, item_id: int, *, name: str, worker: WorkerLease) -> None:
        """Somebody has this file in Box under another name or in another place: it is no file of the source any more.

        No entry of its folder has the name, in the source or in Box; the next listing makes it GONE.
        """
        values = {"name": name, "box_name": None, "source_file_id": None}
        self.write_as(worker, lambda connection: _rename(connection, item_id, values))


def _rename(connection: Connection, item_id: int, values: dict[str, Any]) -> None:
    connection.execute(update(Item).where(Item.id == item_id).values(values))
    row = connection.execute(select(Item.folder_id, Item.tree_id).where(Item.id == item_id)).one()
    forget_listings(connection, [row.folder_id])
    connection.execute(update(Folder).where(Folder.id == row.folder_id).values(unproven=True))
    unverify(connection, row.tree_id)


_Of = aliased(Folder)
_PLACED = select(
    Item.id,
    Item.folder_id,
    _Of.path.label("folder_path"),
    Item.source_file_id,
    Item.name,
    Item.box_name,
    Item.box_file_id,
    Item.box_etag,
    Item.box_version_id,
    Item.adopted,
    Item.claimed_by,
    Item.size,
    Item.modified_ns,
    Item.created_ns,
    known_since(Item).label("known_since"),
).where(Item.box_file_id.is_not(None), _Of.id == Item.folder_id)


_NEW = (
    select(Item.id, Item.source_file_id, Item.size, Item.modified_ns)
    .where(Item.tree_id == bindparam("tree"), Item.kind == EntryKind.FILE, Item.source_file_id.is_not(None))
    .limit(ROWS_PER_STATEMENT)
)
_NEW_FILES = (
    _NEW.where(Item.status == bindparam("status"), Item.box_file_id.is_(None))
    .where(tuple_(Item.size, Item.id) > tuple_(bindparam("size"), bindparam("after")))
    .order_by(
        Item.size, Item.id
    )  # as the index has them: sorted by ids, each page would go through all of them
)
_PASS_BEGAN = select(Pass.started_at).where(Pass.id == bindparam("pass")).scalar_subquery()
_SENT_SINCE = (
    _NEW.where(Item.status == ItemStatus.UPLOADED, Item.size.in_(bindparam("sizes", expanding=True)))
    .where(Item.uploaded_at >= _PASS_BEGAN, Item.id > bindparam("after"))
    .order_by(Item.id)
)


_Above = aliased(Folder)
_IN_SIGHT = (ItemStatus.UPLOADED, ItemStatus.PENDING)
# Asked for a status, SQLite would go through all files of the tree that have it, in place of the few with other names.
_OTHER_FILE_NAMES = (
    select(
        Item.id,
        Item.folder_id,
        _Above.path,
        Item.name,
        Item.box_name,
        Item.box_file_id.label("box_id"),
        Item.box_etag,
        Item.box_version_id,
        Item.kind,
        Item.status,
        Item.claimed_by,
    )
    .join(_Above, _Above.id == Item.folder_id)
    .where(Item.tree_id == bindparam("tree"), ITEM_IS_RENAMED, Item.box_name.like("%~%"))
    .where(tuple_(Item.folder_id, Item.id) > tuple_(bindparam("folder"), bindparam("after")))
    .order_by(Item.folder_id, Item.id)
    .limit(ROWS_PER_STATEMENT)
)
_OTHER_FOLDER_NAMES: Any = (
    select(
        Folder.id,
        Folder.parent_id.label("folder_id"),
        _Above.path,
        Folder.name,
        Folder.box_name,
        Folder.box_folder_id.label("box_id"),
        Folder.box_etag,
        literal_column("NULL").label("box_version_id"),
    )
    .join(_Above, _Above.id == Folder.parent_id)
    .where(
        Folder.tree_id.in_(bindparam("trees", expanding=True)), FOLDER_IS_RENAMED, Folder.box_name.like("%~%")
    )
    .where(Folder.status.in_(_IN_SIGHT), Folder.create_claimed_at.is_(None))
    .where(Folder.id > bindparam("after"))
    .order_by(Folder.id)
    .limit(ROWS_PER_STATEMENT)
)


def _renamed_entry(row: Any, kind: EntryKind) -> RenamedEntry:
    return RenamedEntry(
        kind=kind,
        row_id=row.id,
        folder_id=row.folder_id,
        path=f"{row.path}/{row.name}".lstrip("/"),
        name=row.name,
        box_name=row.box_name,
        box_id=row.box_id,
        box_etag=row.box_etag,
        box_version_id=row.box_version_id,
    )


def _page(query: Any, which: dict[str, Any]) -> Any:
    return lambda connection: connection.execute(query, which).all()


def _placed_file(row: Any) -> PlacedFile:
    return PlacedFile(
        id=row.id,
        name=row.name,
        box_name=row.box_name or row.name,
        box_id=row.box_file_id,
        box_etag=row.box_etag,
        box_version_id=row.box_version_id,
        adopted=row.adopted,
        is_claimed=row.claimed_by is not None,
        size=row.size,
        modified_ns=row.modified_ns,
        created_ns=row.created_ns,
        source_file_id=row.source_file_id,
        folder_id=row.folder_id,
        folder_path=row.folder_path,
        known_since=row.known_since,
    )

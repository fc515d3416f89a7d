"""Moves at the source: rows found by the ids that the source gives, and rows that follow. Asks nobody."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, literal_column, or_, select, tuple_, update
from sqlalchemy.orm import aliased

from connectors.entry import EntryKind, Fingerprint
from state.change_records import MovedFile, PlacedFolder
from state.database.models import FOLDER_HAS_SOURCE_ID, ITEM_FAILED, Folder, Item, Pass, Tree, UploadSession
from state.records import WorkerLease
from state.statements.base import IDS_PER_STATEMENT, ROWS_PER_STATEMENT, Statements, in_chunks
from state.statements.digests import FORGOTTEN, forget_listings
from state.statements.in_sight import in_sight
from state.statements.listing import below, unverify
from state.statements.recording import NOT_IN_BOX
from state.statuses import MOVED, NOT_FOUND, ItemStatus

_OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)


class MoveStatements(Statements):
    """Moves and renames."""

    def folders_by_source_id(self, plan_id: int, ids: Sequence[str]) -> dict[str, list[PlacedFolder]]:
        """Every folder of the plan that had one of these ids in the source when it was seen last, gone or not."""

        def find(connection: Connection) -> dict[str, list[PlacedFolder]]:
            found: dict[str, list[PlacedFolder]] = defaultdict(list)
            for chunk in in_chunks(sorted(set(ids)), IDS_PER_STATEMENT):
                query = _BY_SOURCE_ID.where(Folder.source_file_id.in_(chunk), Tree.plan_id == plan_id)
                for row in connection.execute(query):
                    found[row.source_file_id].append(_placed_folder(row))
            return dict(found)

        return self.database.read(find)

    def folder_in_box(self, plan_id: int, box_id: str) -> PlacedFolder | None:
        """The folder of the plan that has this id in Box, with its place by the checkpoint."""
        query = _PLACED_FOLDER.where(Folder.box_plan_id == plan_id, Folder.box_folder_id == box_id)
        row = self.database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _placed_folder(row)

    def is_void(self, folder_id: int) -> bool:
        """True when nothing of this folder and of what is below it is in Box, or on its way there."""
        return self.database.read(lambda connection: _is_void(connection, folder_id))

    def record_folder_moved(
        self,
        folder_id: int,
        *,
        parent_id: int,
        name: str,
        path: str,
        box_name: str,
        box_etag: str | None,
        worker: WorkerLease,
    ) -> None:
        """This folder has another name or place, in the source as in Box, and everything below it came along.

        The rows of files below it are not touched, except that what was GONE together with it is back, and that what
        was not found under its old path, or will not be by whoever holds it, is tried under the new one. It is walked
        again in this pass, with all that is below it. A row that has the name there is void, and ends.
        """

        def move(connection: Connection) -> None:
            row = connection.execute(_FOLDER, {"folder": folder_id}).one()
            depth = connection.execute(_FOLDER, {"folder": parent_id}).one().depth + 1
            place = and_(Folder.parent_id == parent_id, Folder.name == name, Folder.id != folder_id)
            for void in connection.execute(select(Folder.id).where(place)).scalars().all():
                _remove(connection, void)
            inside = select(below([folder_id]).c.id)
            cut = func.length(select(Folder.path).where(Folder.id == folder_id).scalar_subquery()) + 1
            anew = {"walked_pass": 0, "walk_claimed_by": None, "walk_claim": None, **FORGOTTEN}
            start = bindparam("new_path", path, type_=Folder.path.type)
            deeper = update(Folder).where(Folder.id.in_(inside))
            deeper = deeper.values(
                path=start.op("||")(func.substr(Folder.path, cut)), depth=Folder.depth + (depth - row.depth)
            )
            connection.execute(deeper.values(anew))
            if row.status == ItemStatus.GONE:
                _bring_back(connection, folder_id, row.detail)
            values = {"parent_id": parent_id, "name": name, "path": path, "depth": depth}
            values |= {"box_name": box_name, "box_etag": box_etag, **anew}
            connection.execute(update(Folder).where(Folder.id == folder_id).values(values))
            _try_anew(connection, folder_id)
            forget_listings(connection, [row.parent_id, parent_id])
            connection.execute(update(Folder).where(Folder.id == parent_id).values(unproven=True))
            unverify(connection, row.tree_id)

        self.write_as(worker, move)

    def moved_files(self, tree_id: int) -> Iterator[MovedFile]:
        """Pairs of a file that is GONE and one that is new, of one id in the source, streamed.

        Only of ids that no other GONE file, and no other file in sight of that size, has in this tree.
        """
        for rows in self._pages(_PAIRS, tree_id):
            for chunk in in_chunks(rows, IDS_PER_STATEMENT):
                alone = self.database.read(_seen_once(tree_id, chunk))
                for row in chunk:
                    if row.gone_of_id == 1 and (row.source_file_id, row.size) in alone:
                        yield _moved_file(row)

    def files_from_other_trees(self, tree_id: int) -> Iterator[MovedFile]:
        """Pairs of a file that is new in this tree, and one of its id, size and date that is GONE from another tree of
        the plan; streamed."""
        yield from map(_moved_file, chain.from_iterable(self._pages(_PAIRS_OF_TREES, tree_id)))

    def gone_files_by_source_id(self, tree_id: int, ids: Sequence[str]) -> list[tuple[str, int, int]]:
        """Files of this tree that are GONE and in Box: id in the source, one of `ids`; row id; id of the folder."""

        def find(connection: Connection) -> list[tuple[str, int, int]]:
            return [
                (row.source_file_id, row.id, row.folder_id)
                for chunk in in_chunks(sorted(set(ids)), IDS_PER_STATEMENT)
                for row in connection.execute(
                    _GONE_BY_ID.where(_Old.source_file_id.in_(chunk)), {"tree": tree_id}
                )
            ]

        return self.database.read(find)

    def _pages(self, query: Any, tree_id: int) -> Iterator[Sequence[Any]]:
        after = 0
        while rows := self.database.read(_page(query, tree_id, after)):
            after = rows[-1].new_id
            yield rows

    def forget_moved_files(self, tree_id: int, *, worker: WorkerLease) -> list[int]:
        """Forget files found now and never tried that have id, size and date of one that this tree has in Box.

        Returns their sizes. The next whole walk finds them again, and knows then whether the other one is gone.
        """

        def forget(connection: Connection) -> list[int]:
            rows = connection.execute(_NEW_OF_A_KNOWN_ID, {"tree": tree_id}).all()
            for chunk in in_chunks([row.id for row in rows], IDS_PER_STATEMENT):
                connection.execute(delete(Item).where(Item.id.in_(chunk)))
            forget_listings(connection, sorted({row.folder_id for row in rows}))
            return [row.size for row in rows]

        return self.write_as(worker, forget)

    def record_file_moved(
        self, move: MovedFile, *, box_name: str, box_etag: str | None, detail: str, worker: WorkerLease
    ) -> None:
        """What Box has of the old row is the new one's from now on; it is read, and sent where it differs."""

        def record(connection: Connection) -> None:
            old = connection.execute(select(*_IN_BOX).where(Item.id == move.old_id)).one()
            date = old.modified_ns if old.box_modified_ns is None else old.box_modified_ns
            taken = {name: getattr(old, name) for name in _TAKEN} | {"box_modified_ns": date}
            taken |= {"box_etag": box_etag, "box_name": None if box_name == move.name else box_name}
            left = {**NOT_IN_BOX, "reason": MOVED, "detail": detail}
            connection.execute(update(Item).where(Item.id == move.old_id).values(left))
            connection.execute(update(Item).where(Item.id == move.new_id).values(taken))
            forget_listings(connection, [move.old_folder_id, move.folder_id])
            connection.execute(update(Folder).where(Folder.id == move.folder_id).values(unproven=True))

        self.write_as(worker, record)


_FOLDER = (
    select(Folder.tree_id, Folder.parent_id, Folder.depth, Folder.status, Folder.detail)
    .where(Folder.id == bindparam("folder"))
    .with_for_update()
)

_Above = aliased(Folder)
_PLACED_FOLDER = (
    select(
        Folder.id,
        Folder.tree_id,
        Folder.parent_id,
        Folder.name,
        Folder.path,
        Folder.box_name,
        Folder.box_folder_id,
        Folder.box_etag,
        Folder.status,
        Folder.source_file_id,
        _Above.box_folder_id.label("parent_box_id"),
        Pass.started_at.label("known_since"),
    )
    .join(Tree, Tree.id == Folder.tree_id)
    .outerjoin(_Above, _Above.id == Folder.parent_id)
    .outerjoin(Pass, Pass.id == Folder.walked_pass)
)
_BY_SOURCE_ID = _PLACED_FOLDER.where(FOLDER_HAS_SOURCE_ID)


def _placed_folder(row: Any) -> PlacedFolder:
    return PlacedFolder(
        id=row.id,
        tree_id=row.tree_id,
        parent_id=row.parent_id,
        name=row.name,
        path=row.path,
        box_name=row.box_name,
        box_id=row.box_folder_id,
        box_etag=row.box_etag,
        parent_box_id=row.parent_box_id,
        is_gone=row.status == ItemStatus.GONE,
        in_sight=row.status not in _OUT_OF_SIGHT,
        known_since=row.known_since,
    )


def _within(folder_id: int) -> Any:
    return or_(Folder.id == folder_id, Folder.id.in_(select(below([folder_id]).c.id)))


def _is_void(connection: Connection, folder_id: int) -> bool:
    folders = select(Folder.id).where(_within(folder_id))
    busy = or_(Item.box_file_id.is_not(None), Item.claimed_by.is_not(None))
    sessions = select(UploadSession.item_id).join(Item, Item.id == UploadSession.item_id)
    queries = (
        select(Folder.id).where(
            _within(folder_id), or_(Folder.box_folder_id.is_not(None), Folder.create_claimed_at.is_not(None))
        ),
        select(Item.id).where(Item.folder_id.in_(folders), busy),
        sessions.where(Item.folder_id.in_(folders)),
    )
    return all(connection.execute(query.limit(1)).first() is None for query in queries)


def _remove(connection: Connection, folder_id: int) -> None:
    """The rows of a void folder: what they stood for is what the moved one holds, and is walked again."""
    ids = list(
        connection.execute(
            select(Folder.id).where(_within(folder_id)).order_by(Folder.depth.desc())
        ).scalars()
    )
    for chunk in in_chunks(ids, IDS_PER_STATEMENT):
        connection.execute(delete(Item).where(Item.folder_id.in_(chunk)))
    for each in ids:  # children before their parents
        connection.execute(delete(Folder).where(Folder.id == each))


def _bring_back(connection: Connection, folder_id: int, detail: str | None) -> None:
    """What went out of sight with this folder is in Box as it was; the walk says what of it is there still."""
    back = {"status": ItemStatus.UPLOADED, "reason": None, "detail": None}
    inside = select(Folder.id).where(_within(folder_id))
    files = and_(
        Item.folder_id.in_(inside), Item.status == ItemStatus.GONE, Item.in_box, Item.detail == detail
    )
    connection.execute(update(Item).where(files).values(back))
    folders = and_(Folder.id.in_(inside), Folder.status == ItemStatus.GONE, Folder.box_folder_id.is_not(None))
    connection.execute(update(Folder).where(folders, Folder.detail == detail).values(back))


def _try_anew(connection: Connection, folder_id: int) -> None:
    """What was missed under the old path is PENDING; of what somebody is about to miss, that is no failure."""
    below_it = Item.folder_id.in_(select(Folder.id).where(_within(folder_id)))
    missed = and_(below_it, ITEM_FAILED, Item.reason == NOT_FOUND)
    anew = {"status": ItemStatus.PENDING, "attempts": 0, "reason": None, "detail": None}
    connection.execute(update(Item).where(missed).values(anew))
    held = and_(below_it, Item.claimed_by.is_not(None))
    connection.execute(update(Item).where(held).values(overtaken=True))


def known_since(item: Any) -> Any:
    """When the walk began in which this file was sent, or compared with what Box has of it: it was there by then.

    A subquery; NULL where nothing says so.
    """
    begun = select(func.max(Pass.started_at)).join(Tree, Tree.plan_id == Pass.plan_id)
    return begun.where(Tree.id == item.tree_id, Pass.started_at <= item.uploaded_at).scalar_subquery()


_New, _Old, _NewFolder, _OldFolder = aliased(Item), aliased(Item), aliased(Folder), aliased(Folder)
_Other = aliased(Item)

#: As the partial indexes have them: a bound parameter proves nothing to the planner.
_GONE: Any = literal_column(f"'{ItemStatus.GONE.value}'")
_PENDING: Any = literal_column(f"'{ItemStatus.PENDING.value}'")
_IS_GONE = and_(_Old.status == _GONE, _Old.box_file_id.is_not(None))
_GONE_OF_ID = (
    select(func.count())
    .where(_Other.source_file_id == _New.source_file_id, _Other.tree_id == _New.tree_id)
    .where(_Other.status == _GONE, _Other.box_file_id.is_not(None))
    .scalar_subquery()
)
_IS_NEW = and_(
    Item.tree_id == bindparam("tree"),
    Item.status == _PENDING,
    Item.box_file_id.is_(None),
    Item.claimed_by.is_(None),
    Item.attempts == 0,
    Item.source_file_id.is_not(None),
)
#: An id alone proves nothing: disks give it anew. What moved has its size and date as well.
_SEEN = (Item.source_file_id, Item.size, Item.modified_ns)
_SEEN_ELSEWHERE = select(_Other.source_file_id, _Other.size, _Other.modified_ns).where(
    _Other.tree_id == bindparam("tree"),
    _Other.status == ItemStatus.UPLOADED,
    _Other.source_file_id.in_(select(Item.source_file_id).where(_IS_NEW)),
)
_NEW_OF_A_KNOWN_ID = select(Item.id, Item.folder_id, Item.size).where(
    _IS_NEW, tuple_(*_SEEN).in_(_SEEN_ELSEWHERE)
)
_GONE_AND_NEW = (
    select(
        _New.id.label("new_id"),
        _New.folder_id,
        _New.name,
        _New.box_name,
        _New.size,
        _New.modified_ns,
        _New.created_ns,
        _New.source_file_id,
        _NewFolder.path.label("folder_path"),
        _Old.id.label("old_id"),
        _Old.folder_id.label("old_folder_id"),
        _Old.name.label("old_name"),
        _Old.box_name.label("old_box_name"),
        _Old.size.label("old_size"),
        _Old.modified_ns.label("old_modified_ns"),
        _Old.created_ns.label("old_created_ns"),
        _Old.box_file_id,
        _Old.box_etag,
        _Old.adopted,
        _Old.box_version_id,
        known_since(_Old).label("known_since"),
        _OldFolder.path.label("old_folder_path"),
        _OldFolder.box_folder_id.label("old_parent_box_id"),
        _GONE_OF_ID.label("gone_of_id"),
    )
    .join(_Old, _Old.source_file_id == _New.source_file_id)
    .join(_NewFolder, _NewFolder.id == _New.folder_id)
    .join(_OldFolder, _OldFolder.id == _Old.folder_id)
    .where(_New.tree_id == bindparam("tree"), _New.status == _PENDING, _New.claimed_by.is_(None))
    .where(_New.kind == EntryKind.FILE, _New.box_file_id.is_(None), _New.id > bindparam("after"))
    .where(_IS_GONE, _Old.kind == EntryKind.FILE)
    .order_by(_New.id)
    .limit(ROWS_PER_STATEMENT)
)
# "+ 0": only the index of what is gone is of use here; SQLite takes one that names the tree for a better one.
_PAIRS = _GONE_AND_NEW.where(_Old.tree_id + 0 == _New.tree_id)
_OldTree, _NewTree = aliased(Tree), aliased(Tree)
_PAIRS_OF_TREES = (
    _GONE_AND_NEW.join(_OldTree, _OldTree.id == _Old.tree_id + 0)
    .join(_NewTree, _NewTree.id == _New.tree_id)
    .where(_OldTree.plan_id == _NewTree.plan_id, _OldTree.id != _NewTree.id)
    .where(_Old.size == _New.size, _Old.modified_ns == _New.modified_ns)
)


_GONE_BY_ID = select(_Old.source_file_id, _Old.id, _Old.folder_id).where(
    _IS_GONE, _Old.kind == EntryKind.FILE, _Old.tree_id + 0 == bindparam("tree")
)

_TAKEN = ("box_file_id", "box_plan_id", "box_version_id", "sha1", "uploaded_at", "uploaded_by", "adopted")
_IN_BOX = [getattr(Item, name) for name in _TAKEN] + [Item.modified_ns, Item.box_modified_ns]


def _page(query: Any, tree_id: int, after: int) -> Any:
    return lambda connection: connection.execute(query, {"tree": tree_id, "after": after}).all()


def _seen_once(tree_id: int, rows: Sequence[Any]) -> Callable[[Connection], set[tuple[str, int]]]:
    """Ids, with sizes, that the new file alone has. One look for all: it goes through every file of such a size."""
    ids, sizes = {row.source_file_id for row in rows}, {row.size for row in rows}
    query = in_sight(Item.source_file_id, tree_id, sizes, ids).add_columns(Item.size)

    def find(connection: Connection) -> set[tuple[str, int]]:
        found = Counter(tuple(row) for row in connection.execute(query))
        return {(source_id, size) for (source_id, size), count in found.items() if count == 1}

    return find


def _moved_file(row: Any) -> MovedFile:
    def seen(size: int, modified_ns: int | None, created_ns: int | None) -> tuple[Fingerprint, int | None]:
        return Fingerprint(size=size, modified_ns=modified_ns), created_ns

    return MovedFile(
        old_id=row.old_id,
        old_folder_id=row.old_folder_id,
        old_path=f"{row.old_folder_path}/{row.old_name}".lstrip("/"),
        old_box_name=row.old_box_name or row.old_name,
        old_parent_box_id=row.old_parent_box_id,
        old_seen=seen(row.old_size, row.old_modified_ns, row.old_created_ns),
        new_id=row.new_id,
        folder_id=row.folder_id,
        name=row.name,
        path=f"{row.folder_path}/{row.name}".lstrip("/"),
        box_name=row.box_name or row.name,
        seen=seen(row.size, row.modified_ns, row.created_ns),
        box_id=row.box_file_id,
        box_etag=row.box_etag,
        adopted=row.adopted,
        box_version_id=row.box_version_id,
        known_since=row.known_since,
    )

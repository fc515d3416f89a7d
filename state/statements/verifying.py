"""Verifying: is a tree settled, what must Box's listing show, and what it showed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, exists, or_, select, update

from connectors.entry import EntryKind
from state.database.history import Event
from state.database.models import FOLDER_IS_UNPROVEN, FOLDER_IS_WALKED, Collaboration, Folder, Item, Tree
from state.records import ExpectedChild, FolderNode, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, ROWS_PER_STATEMENT, Statements, in_chunks
from state.statements.digests import forget_listings_of_folders, forget_listings_of_items
from state.statements.listing import below, unverify
from state.statements.walking import NODE_COLUMNS, folder_node, walk_is_done
from state.statuses import GONE_FROM_BOX, CollaborationStatus, EventKind, ItemStatus, TreeState

_OPEN = (ItemStatus.PENDING, ItemStatus.FAILED)


class VerifyingStatements(Statements):
    """Settled, expected, verified."""

    def tree_is_settled(self, pass_id: int, tree_id: int, *, needs_folder: bool = True) -> bool:
        """Walked in this pass, nothing pending, nothing failed.

        The tree's root folder counts too: it could be listed and, if the tree `needs_folder` without a file, is in Box.
        """
        return self.database.read(
            lambda connection: (
                not _is_open(connection, tree_id, root_too=needs_folder)
                and walk_is_done(connection, pass_id, tree_id)
            )
        )

    def was_verified(self, tree_id: int) -> bool:
        """Whether this tree was verified once, whatever became of it since."""
        plan_id = select(Tree.plan_id).where(Tree.id == tree_id).scalar_subquery()
        query = select(
            exists().where(Event.plan_id == plan_id, Event.tree_id == tree_id, Event.kind == EventKind.PROVEN)
        )
        return self.database.read(lambda connection: bool(connection.execute(query).scalar_one()))

    def proven_trees(self, plan_id: int) -> set[int]:
        """Those of the plan's trees that were verified once."""
        query = select(Event.tree_id).where(Event.plan_id == plan_id, Event.kind == EventKind.PROVEN)
        found = self.database.read(lambda connection: connection.execute(query.distinct()).scalars().all())
        return {tree_id for tree_id in found if tree_id is not None}

    def folders_to_verify(self, tree_id: int) -> Iterator[FolderNode]:
        """Every folder of the tree into which something was put since Box's listing was last compared, streamed.

        Those that are not in the source any more are left out.
        """

        def page(connection: Connection) -> list[FolderNode]:
            which = {"tree": tree_id, "after": after}
            return [folder_node(row) for row in connection.execute(_TO_VERIFY, which)]

        after = 0
        while folders := self.database.read(page):
            yield from folders
            after = folders[-1].id

    def expected_children(self, folder_id: int) -> dict[str, ExpectedChild]:
        """box id → what Box's listing of this folder must show."""

        def expected(connection: Connection) -> dict[str, ExpectedChild]:
            which = {"folder": folder_id}
            found = [_expected_file(row) for row in connection.execute(_EXPECTED_FILES, which)]
            found += [_expected_folder(row) for row in connection.execute(_EXPECTED_FOLDERS, which)]
            children: dict[str, ExpectedChild] = {}
            for child in found:
                # One thing in Box is one child: another row that claims it has nothing there (P7).
                key = child.box_id if child.box_id not in children else f"{child.box_id} of {child.row_id}"
                children[key] = child
            return children

        return self.database.read(expected)

    def record_verified(
        self, tree_id: int, *, by_listing: bool = True, worker: WorkerLease | None = None
    ) -> None:
        """Box's listing, or every receipt, agrees: VERIFIED, unless the tree was COMPLETE before and still is.

        Nothing happens to a tree of which something is open again by now. What was out of sight was not listed, and
        is not proven; nor is anything without `by_listing`. LostLease when the worker was taken over.
        """
        state = case((Tree.state == TreeState.COMPLETE.value, Tree.state), else_=TreeState.VERIFIED.value)
        values = {"verified": True, "state": state, "incomplete_reason": None, "detail": None}

        def verified(connection: Connection) -> None:
            if _is_open(connection, tree_id, root_too=False):
                return
            proven = and_(Folder.tree_id == tree_id, FOLDER_IS_UNPROVEN, FOLDER_IS_WALKED)
            if by_listing:
                connection.execute(update(Folder).where(proven).values(unproven=False))
            connection.execute(update(Tree).where(Tree.id == tree_id).values(values))

        self.write_as(worker, verified)

    def record_verification_mismatch(
        self,
        tree_id: int,
        *,
        item_ids_by_reason: Mapping[str, Sequence[int]],
        detail: str,
        folders_gone: Mapping[int, str] = MappingProxyType({}),
        worker: WorkerLease | None = None,
    ) -> None:
        """Items that Box lost or holds differently become PENDING again (without box ids when they are gone).

        Reason GONE_FROM_BOX means gone; every other one, that Box holds something else under the same id.
        `folders_gone`: row id → Box id of folders that Box lost, and with them everything below; with the tree's own,
        its people. One that lies in another folder of Box by now is left alone: who says so is late. LostLease
        when the worker was taken over.
        """

        def mismatch(connection: Connection) -> None:
            for reason, item_ids in item_ids_by_reason.items():
                for chunk in in_chunks(item_ids, IDS_PER_STATEMENT):
                    _send_again(connection, tree_id, Item.id.in_(chunk), reason=reason, detail=detail)
            for chunk in in_chunks(_still_there(connection, tree_id, folders_gone), IDS_PER_STATEMENT):
                _create_again(connection, tree_id, chunk, detail=detail)
            unverify(connection, tree_id)

        self.write_as(worker, mismatch)


_TO_VERIFY = (
    select(*NODE_COLUMNS)
    .where(Folder.tree_id == bindparam("tree"), FOLDER_IS_UNPROVEN)
    .where(Folder.status.not_in((ItemStatus.GONE, ItemStatus.EXCLUDED)), Folder.id > bindparam("after"))
    .order_by(Folder.id)
    .limit(ROWS_PER_STATEMENT)
)

_EXPECTED_FILES = (
    select(Item.id, Item.name, Item.box_name, Item.box_file_id, Item.box_version_id, Item.size, Item.sha1)
    .where(Item.folder_id == bindparam("folder"), Item.status == ItemStatus.UPLOADED)
    .order_by(Item.id)
)

_EXPECTED_FOLDERS = (
    select(Folder.id, Folder.box_name, Folder.box_folder_id)
    .where(Folder.parent_id == bindparam("folder"), Folder.box_folder_id.is_not(None))
    .where(Folder.status.not_in((ItemStatus.GONE, ItemStatus.EXCLUDED)))
    .order_by(Folder.id)
)

_OPEN_ITEMS = select(Item.id).where(Item.tree_id == bindparam("tree"), Item.status.in_(_OPEN)).limit(1)
_OPEN_FOLDERS = (
    select(Folder.id).where(Folder.tree_id == bindparam("tree"), Folder.status.in_(_OPEN)).limit(1)
)
_OPEN_BUT_THE_ROOT = _OPEN_FOLDERS.where(
    or_(Folder.parent_id.is_not(None), Folder.status == ItemStatus.FAILED)
)


def _is_open(connection: Connection, tree_id: int, *, root_too: bool) -> bool:
    """Tell whether a file or folder is pending or failed; a pending root counts where `root_too` says so."""
    queries = (_OPEN_ITEMS, _OPEN_FOLDERS if root_too else _OPEN_BUT_THE_ROOT)
    return any(connection.execute(query, {"tree": tree_id}).first() is not None for query in queries)


def _send_again(connection: Connection, tree_id: int, which: Any, *, reason: str, detail: str) -> None:
    """UPLOADED → PENDING. What Box lost needs a new file, and what it holds differently a new version."""
    values: dict[str, Any] = {"status": ItemStatus.PENDING, "in_box": False, "attempts": 0, "sha1": None}
    values |= {"reason": reason, "detail": detail}
    forget_listings_of_items(connection, Item.tree_id == tree_id, which)
    if reason == GONE_FROM_BOX:
        no_file = {"box_file_id": None, "box_version_id": None, "box_etag": None, "sha1": None}
        values |= no_file
        waiting = and_(Item.tree_id == tree_id, Item.status.in_(_OPEN), which)
        connection.execute(update(Item).where(waiting).values(no_file))
    uploaded = and_(Item.tree_id == tree_id, Item.status == ItemStatus.UPLOADED, which)
    connection.execute(update(Item).where(uploaded).values(values))


def _still_there(connection: Connection, tree_id: int, folders: Mapping[int, str]) -> list[int]:
    """Those of these folders that lie, as far as the checkpoint knows, in this very folder of Box; locked."""
    found: list[int] = []
    for chunk in in_chunks(sorted(folders), IDS_PER_STATEMENT):
        query = select(Folder.id, Folder.box_folder_id).where(Folder.id.in_(chunk), Folder.tree_id == tree_id)
        rows = connection.execute(query.order_by(Folder.id).with_for_update())
        found += [row.id for row in rows if row.box_folder_id == folders[row.id]]
    return found


def _create_again(connection: Connection, tree_id: int, folder_ids: Sequence[int], *, detail: str) -> None:
    inside = select(below(folder_ids).c.id)
    gone = or_(Item.folder_id.in_(folder_ids), Item.folder_id.in_(inside))
    _send_again(connection, tree_id, gone, reason=GONE_FROM_BOX, detail=detail)
    folders = and_(Folder.tree_id == tree_id, or_(Folder.id.in_(folder_ids), Folder.id.in_(inside)))
    lost = {"box_folder_id": None, "created_by_plan": False, "create_claimed_by": None}
    forget_listings_of_folders(connection, folders)
    connection.execute(update(Folder).where(folders).values(lost))
    uploaded = and_(folders, Folder.status == ItemStatus.UPLOADED)
    pending = {"status": ItemStatus.PENDING, "reason": GONE_FROM_BOX, "detail": detail}
    connection.execute(update(Folder).where(uploaded).values(pending))
    root = and_(Folder.id.in_(folder_ids), Folder.tree_id == tree_id, Folder.parent_id.is_(None))
    if connection.execute(select(Folder.id).where(root)).first() is not None:
        _let_in_again(connection, tree_id)


def _let_in_again(connection: Connection, tree_id: int) -> None:
    """The tree's own folder was lost: its next one has no people and no link. Who was mailed, or declined, was."""
    declined = Collaboration.status == CollaborationStatus.REJECTED
    planned = case((declined, Collaboration.status), else_=CollaborationStatus.PLANNED.value)
    nobody = {"status": planned, "box_collaboration_id": None, "detail": None}
    connection.execute(update(Collaboration).where(Collaboration.tree_id == tree_id).values(nobody))
    connection.execute(update(Tree).where(Tree.id == tree_id).values(shared_link=None))


def _expected_file(row: Any) -> ExpectedChild:
    return ExpectedChild(
        kind=EntryKind.FILE,
        box_name=row.name if row.box_name is None else row.box_name,
        box_id=row.box_file_id,
        size=row.size,
        sha1=row.sha1,
        version_id=row.box_version_id,
        row_id=row.id,
    )


def _expected_folder(row: Any) -> ExpectedChild:
    return ExpectedChild(
        kind=EntryKind.FOLDER, box_name=row.box_name, box_id=row.box_folder_id, row_id=row.id
    )

"""Completing a tree: is it settled, does Box hold it, who gets it, and what a person decided about the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select, update

from connectors.entry import EntryKind
from state.database.models import (
    FOLDER_FAILED,
    FOLDER_IS_UNPROVEN,
    FOLDER_IS_WALKED,
    ITEM_FAILED,
    CallCount,
    Collaboration,
    Folder,
    Item,
    Tree,
)
from state.records import (
    CollaborationRecord,
    CollaboratorSpec,
    Counts,
    ExpectedChild,
    TreeReport,
)
from state.statements.base import IDS_PER_STATEMENT, in_chunks, insert_into
from state.statements.plans import TREES, PlanStatements, tree_record
from state.statements.walking import WalkStatements, below, unverify
from state.statuses import GONE_FROM_BOX, CollaborationStatus, ItemStatus, TreeState

_OPEN = (ItemStatus.PENDING, ItemStatus.FAILED)


class CompletingStatements(PlanStatements, WalkStatements):
    """Verification, collaborations, waivers, counters."""

    def tree_report(self, tree_id: int) -> TreeReport:
        """One tree with its sums; costs a scan of the tree's part of an index."""

        def report(connection: Connection) -> TreeReport:
            files, others = _count_items(connection, tree_id)
            folders = _count_folders(connection, tree_id)
            return TreeReport(
                tree=tree_record(connection.execute(TREES.where(Tree.id == tree_id)).one()),
                items=_add(_add(files, others), folders),
                files=files,
                folders=folders,
                collaborations=tuple(_collaborations(connection, tree_id)),
                failures_by_reason=_failures(connection, tree_id),
            )

        return self._database.read(report)

    def tree_is_settled(self, pass_id: int, tree_id: int, *, needs_folder: bool = True) -> bool:
        """Walked in this pass, nothing pending, nothing failed.

        The tree's root folder counts too: it could be listed and, if the tree `needs_folder` without a file, is in Box.
        """
        awaited = or_(Folder.parent_id.is_not(None), Folder.status == ItemStatus.FAILED)

        def is_settled(connection: Connection) -> bool:
            items = select(Item.id).where(Item.tree_id == tree_id, Item.status.in_(_OPEN))
            folders = select(Folder.id).where(Folder.tree_id == tree_id, Folder.status.in_(_OPEN))
            for query in (items, folders if needs_folder else folders.where(awaited)):
                if connection.execute(query.limit(1)).first() is not None:
                    return False
            return self._walk_is_done(connection, pass_id, tree_id)

        return self._database.read(is_settled)

    def expected_children(self, folder_id: int) -> dict[str, ExpectedChild]:
        """box id → what Box's listing of this folder must show."""

        def expected(connection: Connection) -> dict[str, ExpectedChild]:
            in_box = and_(Item.folder_id == folder_id, Item.status == ItemStatus.UPLOADED)
            items = select(Item.id, Item.name, Item.box_name, Item.box_file_id, Item.size, Item.sha1)
            found = [_expected_file(row) for row in connection.execute(items.where(in_box).order_by(Item.id))]
            folders = select(Folder.id, Folder.box_name, Folder.box_folder_id).where(
                Folder.parent_id == folder_id,
                Folder.box_folder_id.is_not(None),
                Folder.status.not_in((ItemStatus.MISSING, ItemStatus.EXCLUDED)),
            )
            found += [_expected_folder(row) for row in connection.execute(folders.order_by(Folder.id))]
            children: dict[str, ExpectedChild] = {}
            for child in found:
                # One thing in Box is one child: another row that claims it has nothing there (P7).
                key = child.box_id if child.box_id not in children else f"{child.box_id} of {child.row_id}"
                children[key] = child
            return children

        return self._database.read(expected)

    def record_verified(self, tree_id: int) -> None:
        """Box's listing agrees: VERIFIED, unless the tree was COMPLETE before and still is.

        What was out of sight was not listed, and is not proven.
        """
        state = case((Tree.state == TreeState.COMPLETE.value, Tree.state), else_=TreeState.VERIFIED.value)
        values = {"verified": True, "state": state, "incomplete_reason": None, "detail": None}

        def verified(connection: Connection) -> None:
            proven = and_(Folder.tree_id == tree_id, FOLDER_IS_UNPROVEN, FOLDER_IS_WALKED)
            connection.execute(update(Folder).where(proven).values(unproven=False))
            connection.execute(update(Tree).where(Tree.id == tree_id).values(values))

        self._database.write(verified)

    def record_verification_mismatch(
        self,
        tree_id: int,
        *,
        item_ids_by_reason: Mapping[str, Sequence[int]],
        detail: str,
        folder_ids_gone: Sequence[int] = (),
    ) -> None:
        """Items that Box lost or holds differently become PENDING again (without box ids when they are gone).

        Reason GONE_FROM_BOX means gone; every other one, that Box holds something else under the same id.
        `folder_ids_gone`: folders that Box lost, and with them everything below; with the tree's own, its people.
        """

        def mismatch(connection: Connection) -> None:
            for reason, item_ids in item_ids_by_reason.items():
                for chunk in in_chunks(item_ids, IDS_PER_STATEMENT):
                    _send_again(connection, tree_id, Item.id.in_(chunk), reason=reason, detail=detail)
            for chunk in in_chunks(folder_ids_gone, IDS_PER_STATEMENT):
                _create_again(connection, tree_id, chunk, detail=detail)
            unverify(connection, tree_id)

        self._database.write(mismatch)

    # --- collaborations ---

    def ensure_collaborations(
        self, tree_id: int, specs: Sequence[CollaboratorSpec]
    ) -> list[CollaborationRecord]:
        """The plan's collaborators of this tree, PLANNED where new; a changed role goes back to PLANNED.

        Those that the plan names no more are kept, and neither returned nor reported.
        """

        def ensure(connection: Connection) -> list[CollaborationRecord]:
            known = {
                record.spec.key: record for record in _collaborations(connection, tree_id, all_of_them=True)
            }
            connection.execute(
                update(Collaboration).where(Collaboration.tree_id == tree_id).values(wanted=False)
            )
            for spec in specs:
                values = {**_spec_values(spec), "wanted": True}
                before = known.get(spec.key)
                if before is None or before.spec != spec:
                    values |= {"status": CollaborationStatus.PLANNED, "detail": None}
                if before is None:
                    place = {"tree_id": tree_id, "key": spec.key}
                    connection.execute(insert_into(connection, Collaboration), {**place, **values})
                else:
                    connection.execute(
                        update(Collaboration).where(Collaboration.id == before.id).values(values)
                    )
            return _collaborations(connection, tree_id)

        return self._database.write(ensure)

    def record_collaboration(
        self,
        collaboration_id: int,
        *,
        status: CollaborationStatus,
        box_collaboration_id: str | None,
        detail: str | None = None,
    ) -> None:
        """What Box said of this collaborator."""
        values = {"status": status, "box_collaboration_id": box_collaboration_id, "detail": detail}
        self._database.write(
            lambda connection: connection.execute(
                update(Collaboration).where(Collaboration.id == collaboration_id).values(values)
            )
        )

    # --- people ---

    def waive(self, plan_id: int, path: str, *, who: str, why: str) -> int:
        """FAILED/PENDING items at this path or below → WAIVED; how many. Recorded as an event.

        `path` as Entry.path; "" is the whole source. Folders count too, a tree's root does not.
        """

        def waive(connection: Connection) -> int:
            values = {"waived_by": who, "waived_why": why, "waived_at": self._now(connection)}
            values |= {"status": ItemStatus.WAIVED}
            waived = 0
            for tree in self._trees(connection, plan_id):
                item_ids, folder_ids = _at_path(connection, tree.root_folder_id, tree.source, path)
                items = or_(Item.id.in_(item_ids), _inside(Item.folder_id, folder_ids))
                released = {"claimed_by": None, "claim": None, "overtaken": False}
                chosen = and_(items, Item.status.in_(_OPEN))
                waived += connection.execute(update(Item).where(chosen).values(values | released)).rowcount
                folders = and_(
                    _inside(Folder.id, folder_ids), Folder.status.in_(_OPEN), Folder.parent_id.is_not(None)
                )
                waived += connection.execute(update(Folder).where(folders).values(values)).rowcount
            detail = {"path": path, "who": who, "why": why, "items": waived}
            self._record_event(connection, plan_id, "waived", detail)
            return waived

        return self._database.write(waive)

    # --- counters ---

    def call_counts(self, plan_id: int) -> dict[str, int]:
        """Calls to Box by route, since the plan began."""
        query = select(CallCount.route, CallCount.count).where(CallCount.plan_id == plan_id)
        rows = self._database.read(
            lambda connection: connection.execute(query.order_by(CallCount.route)).all()
        )
        return {row.route: int(row[1]) for row in rows}

    def add_call_counts(self, plan_id: int, by_route: Mapping[str, int]) -> None:
        """These calls were made, too."""

        def add(connection: Connection) -> None:
            insert = insert_into(connection, CallCount)
            insert = insert.on_conflict_do_update(
                index_elements=["plan_id", "route"], set_={"count": CallCount.count + insert.excluded.count}
            )
            # In one order everywhere, so that two processes never wait for each other.
            for route, count in sorted(by_route.items()):
                connection.execute(insert, {"plan_id": plan_id, "route": route, "count": count})

        self._database.write(add)


def _inside(column: Any, folder_ids: Sequence[int]) -> Any:
    return or_(column.in_(folder_ids), column.in_(select(below(folder_ids).c.id)))


def _at_path(
    connection: Connection, root_id: int, tree_source: str, path: str
) -> tuple[list[int], list[int]]:
    """Ids of the items and of the folders that this tree has at exactly this path; the root when it lies below."""
    if path in ("", tree_source) or tree_source.startswith(f"{path}/"):
        return [], [root_id]
    prefix = f"{tree_source}/" if tree_source else ""
    if not path.startswith(prefix):
        return [], []
    *parents, name = path.removeprefix(prefix).split("/")
    folder_id: int | None = root_id
    for parent in parents:
        query = select(Folder.id).where(Folder.parent_id == folder_id, Folder.name == parent)
        folder_id = connection.execute(query).scalar_one_or_none()
        if folder_id is None:
            return [], []
    items = select(Item.id).where(Item.folder_id == folder_id, Item.name == name)
    folders = select(Folder.id).where(Folder.parent_id == folder_id, Folder.name == name)
    return list(connection.execute(items).scalars()), list(connection.execute(folders).scalars())


def _send_again(connection: Connection, tree_id: int, which: Any, *, reason: str, detail: str) -> None:
    """UPLOADED → PENDING. What Box lost needs a new file, and what it holds differently a new version."""
    values: dict[str, Any] = {"status": ItemStatus.PENDING, "in_box": False, "attempts": 0, "sha1": None}
    values |= {"reason": reason, "detail": detail}
    if reason == GONE_FROM_BOX:
        no_file = {"box_file_id": None, "box_version_id": None, "box_etag": None, "sha1": None}
        values |= no_file
        waiting = and_(Item.tree_id == tree_id, Item.status.in_(_OPEN), which)
        connection.execute(update(Item).where(waiting).values(no_file))
    uploaded = and_(Item.tree_id == tree_id, Item.status == ItemStatus.UPLOADED, which)
    connection.execute(update(Item).where(uploaded).values(values))


def _create_again(connection: Connection, tree_id: int, folder_ids: Sequence[int], *, detail: str) -> None:
    inside = select(below(folder_ids).c.id)
    gone = or_(Item.folder_id.in_(folder_ids), Item.folder_id.in_(inside))
    _send_again(connection, tree_id, gone, reason=GONE_FROM_BOX, detail=detail)
    folders = and_(Folder.tree_id == tree_id, or_(Folder.id.in_(folder_ids), Folder.id.in_(inside)))
    lost = {"box_folder_id": None, "created_by_plan": False, "create_claimed_by": None}
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
        row_id=row.id,
    )


def _expected_folder(row: Any) -> ExpectedChild:
    return ExpectedChild(
        kind=EntryKind.FOLDER, box_name=row.box_name, box_id=row.box_folder_id, row_id=row.id
    )


def _count_items(connection: Connection, tree_id: int) -> tuple[Counts, Counts]:
    """Files, and the other things that are no folders."""
    query = select(Item.kind, Item.status, func.count(), func.sum(Item.size)).where(Item.tree_id == tree_id)
    rows = connection.execute(query.group_by(Item.status, Item.kind)).all()
    files = [(status, count, size) for kind, status, count, size in rows if kind == EntryKind.FILE]
    others = [(status, count, 0) for kind, status, count, _ in rows if kind != EntryKind.FILE]
    return _counts(files), _counts(others)


def _count_folders(connection: Connection, tree_id: int) -> Counts:
    query = select(Folder.status, func.count()).where(
        Folder.tree_id == tree_id, Folder.parent_id.is_not(None)
    )
    return _counts(
        [(status, count, 0) for status, count in connection.execute(query.group_by(Folder.status))]
    )


def _counts(rows: Sequence[tuple[str, int, int]]) -> Counts:
    numbers = dict.fromkeys(("total", *ItemStatus, "bytes_total", "bytes_uploaded"), 0)
    for status, count, size in rows:
        if status == ItemStatus.MISSING:
            continue
        numbers["total"] += count
        numbers[status] += count
        if status not in (ItemStatus.EXCLUDED, ItemStatus.WAIVED):
            numbers["bytes_total"] += int(size)
        if status == ItemStatus.UPLOADED:
            numbers["bytes_uploaded"] += int(size)
    return Counts(**{str(name): number for name, number in numbers.items() if name != ItemStatus.MISSING})


def _add(one: Counts, other: Counts) -> Counts:
    return Counts(**{name: getattr(one, name) + getattr(other, name) for name in Counts.__dataclass_fields__})


def _failures(connection: Connection, tree_id: int) -> dict[str, int]:
    """How many failed for which reason, the most frequent first."""
    sums: dict[str, int] = {}
    for table, failed in ((Item, ITEM_FAILED), (Folder, FOLDER_FAILED)):
        query = select(table.reason, func.count()).where(table.tree_id == tree_id, failed)
        for reason, count in connection.execute(query.group_by(table.reason)):
            sums[reason] = sums.get(reason, 0) + count
    return dict(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])))


def _spec_values(spec: CollaboratorSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in CollaboratorSpec.__dataclass_fields__}


def _collaborations(
    connection: Connection, tree_id: int, *, all_of_them: bool = False
) -> list[CollaborationRecord]:
    query = select(Collaboration.__table__).where(Collaboration.tree_id == tree_id).order_by(Collaboration.id)
    rows = connection.execute(query if all_of_them else query.where(Collaboration.wanted)).all()
    return [collaboration_record(row) for row in rows]


def collaboration_record(row: Any) -> CollaborationRecord:
    """A row of collaborations as others see it."""
    return CollaborationRecord(
        id=row.id,
        tree_id=row.tree_id,
        spec=CollaboratorSpec(**{name: getattr(row, name) for name in CollaboratorSpec.__dataclass_fields__}),
        status=CollaborationStatus(row.status),
        box_collaboration_id=row.box_collaboration_id,
        detail=row.detail,
    )

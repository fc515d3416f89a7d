"""What became of files that were sent, with the fence: results, and the one holder of each file of Box."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from connectors.entry import Fingerprint
from state.database.models import ITEM_IS_IN_BOX, Folder, Item, Tree
from state.records import Failed, HeldFile, Holder, Uploaded, WorkerLease
from state.statements.arrivals import record_arrivals
from state.statements.base import IDS_PER_STATEMENT, Statements, execute_many, in_chunks
from state.statements.bulk import is_postgresql, one_of
from state.statements.digests import forget_listings, forget_listings_of_items
from state.statuses import NAME_IN_USE, ItemStatus

#: What the walk, or a person, took out of the senders' hands meanwhile; a result does not bring it back.
_WITHDRAWN = (ItemStatus.GONE, ItemStatus.EXCLUDED)


#: Who waives what the plan's own words settle.
THE_PLAN = "the plan"


class RecordingStatements(Statements):
    """Results of files, and who holds which file of Box."""

    def record_results(
        self, worker: WorkerLease, results: Sequence[Uploaded | Failed], *, max_attempts: int = 3
    ) -> list[HeldFile]:
        """Record all of them in one transaction. `Failed(retry=True)` goes back to PENDING until max_attempts, then
        FAILED. Raises LostLease and writes nothing when the worker's lease was taken over.

        Of an item that the walk has seen change since it was claimed, the older content's upload is noted and the
        item stays PENDING; one that is GONE, EXCLUDED or WAIVED by now is not FAILED any more. A result for an
        item that another worker holds is dropped: that one will say.

        Returns the uploads whose file of Box is another entry's, in whatever tree of the plan: they are not
        uploaded, and are tried again under another name (P7).
        """

        def record(connection: Connection) -> list[HeldFile]:
            self.require_alive(connection, worker)
            now = self.now(connection)
            writes = _ResultWrites()
            others, writes.touched = record_arrivals(connection, worker, results, now)
            for chunk in in_chunks(others, IDS_PER_STATEMENT):
                items = _items_of(connection, worker, [result.item_id for result in chunk])
                known = [result for result in chunk if result.item_id in items]
                uploads = [result for result in known if isinstance(result, Uploaded)]
                rows = _holding(connection, worker.plan_id, [upload.box_file_id for upload in uploads])
                held = _held(connection, uploads, rows)
                writes.take_over(rows, besides={upload.item_id for upload in uploads})
                for result in known:
                    item = items[result.item_id]
                    writes.changed.add(item.folder_id)
                    if isinstance(result, Failed) and result.settled_by is not None:
                        writes.add_settled(item, result, now)
                    elif isinstance(result, Failed):
                        writes.failed.append(_failed(item, result, max_attempts))
                    elif (other := held.get(item.id)) is not None:
                        writes.held.append(other)
                        writes.failed.append(_failed(item, _as_failure(other), max_attempts))
                    else:
                        writes.add_uploaded(item, result, now, worker.plan_id)
            writes.apply(connection)
            return writes.held

        return self.database.write(record)

    def other_holders_of_box_file(self, plan_id: int, box_file_id: str, *, besides: int) -> list[Holder]:
        """Other items of the plan that hold this Box file: it is not to be adopted, nor overwritten (P7).

        One that is GONE is none of them: a file that got another name in the source lies in Box as it was.
        """
        return self.database.read(
            lambda connection: [
                _holder(row)
                for row in _holding(connection, plan_id, [box_file_id])
                if row.id != besides and row.status != ItemStatus.GONE
            ]
        )

    def knows_box_file(self, plan_id: int, box_file_id: str) -> bool:
        """Tell whether any item of the plan holds this Box file, or did before it was GONE."""
        return self.database.read(lambda connection: bool(_holding(connection, plan_id, [box_file_id])))

    def remember_box_file(
        self, item_id: int, *, box_file_id: str, box_etag: str | None, worker: WorkerLease | None = None
    ) -> Holder | None:
        """This Box file is this item's (an unrecorded upload of ours was found); the next send makes a version.

        Returns who holds it, in whatever tree of the plan, when another item does: then nothing is written (P7).
        LostLease when the worker was taken over: its successor may have recorded the item by now.
        """

        def remember(connection: Connection) -> Holder | None:
            plan_id = connection.execute(_PLAN_OF_ITEM, {"item": item_id}).scalar_one()
            for row in _holding(connection, plan_id, [box_file_id]):
                if row.id != item_id and row.status != ItemStatus.GONE:
                    return _holder(row)
                if row.id != item_id:
                    forget_listings(connection, [row.folder_id])
                    connection.execute(update(Item).where(Item.id == row.id).values(NOT_IN_BOX))
            values = {"box_file_id": box_file_id, "box_etag": box_etag, "box_plan_id": plan_id}
            values |= {"in_box": False, "sha1": None}
            forget_listings_of_items(connection, Item.id == item_id)
            connection.execute(update(Item).where(Item.id == item_id).values(values))
            return None

        return self.write_as(worker, remember)


@dataclass(kw_only=True, slots=True)
class _ResultWrites:
    """Parameters of each statement of one batch of results."""

    as_seen: list[dict[str, Any]] = field(default_factory=list)
    uploaded: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    settled: list[dict[str, Any]] = field(default_factory=list)
    #: Folders into which something was put.
    touched: set[int] = field(default_factory=set)
    #: Folders of which some row changes.
    changed: set[int] = field(default_factory=set)
    held: list[HeldFile] = field(default_factory=list)
    #: Items that are GONE, and whose files of Box are other items' from now on.
    taken_over: list[int] = field(default_factory=list)

    def take_over(self, rows: Sequence[Any], *, besides: Container[int]) -> None:
        """What an item took over is no other's any more: one that was GONE and comes back is sent anew."""
        gone = [row for row in rows if row.status == ItemStatus.GONE and row.id not in besides]
        self.taken_over += [row.id for row in gone]
        self.changed.update(row.folder_id for row in gone)

    def add_uploaded(self, item: Any, result: Uploaded, now: datetime, plan_id: int) -> None:
        """A file of Box is this item's."""
        proof = _proof(item, result, now) | {"new_box_plan_id": plan_id}
        if not _is_what_was_there(item, result):
            self.touched.add(item.folder_id)
        if _is_as_seen(item, result):
            self.as_seen.append(proof)
        else:
            self.uploaded.append(proof | _uploaded(item, result))

    def add_settled(self, item: Any, result: Failed, now: datetime) -> None:
        """The plan itself says that it does not move; what the walk, or a person, said meanwhile counts more."""
        row = _failed(item, result, max_attempts=0)
        if row["new_status"] is not ItemStatus.FAILED:
            self.failed.append(row)
            return
        why = {"new_why": result.settled_by, "new_at": now}
        self.settled.append(row | {"new_status": ItemStatus.WAIVED} | why)

    def apply(self, connection: Connection) -> None:
        """Write all of it; what an item takes over, it takes before it has it."""
        for chunk in in_chunks(self.taken_over, IDS_PER_STATEMENT):
            connection.execute(update(Item).where(Item.id.in_(chunk)).values(NOT_IN_BOX))
        execute_many(connection, _RECORD_AS_SEEN, self.as_seen)
        execute_many(connection, _RECORD_UPLOADED, self.uploaded)
        execute_many(connection, _RECORD_FAILED, self.failed)
        execute_many(connection, _RECORD_SETTLED, self.settled)
        forget_listings(connection, self.changed | self.touched)
        _unprove(connection, self.touched)


_HOLDING = {
    postgresql: select(
        Item.id,
        Item.tree_id,
        Item.folder_id,
        Item.status,
        Item.box_file_id,
        Item.name,
        Item.box_name,
        Folder.path,
    )
    .join(Folder, Folder.id == Item.folder_id)
    .where(one_of(Item.box_file_id, postgresql=postgresql), ITEM_IS_IN_BOX)
    .where(Item.box_plan_id == bindparam("plan"))
    for postgresql in (False, True)
}


def _holding(connection: Connection, plan_id: int, box_file_ids: Sequence[str]) -> list[Any]:
    """Every item of the plan that holds one of these files of Box, at most so many as an IN list takes."""
    if not box_file_ids:
        return []
    which = {"ids": list(box_file_ids), "plan": plan_id}
    return list(connection.execute(_HOLDING[is_postgresql(connection)], which).all())


def _holder(row: Any) -> Holder:
    path, box_name = f"{row.path}/{row.name}".lstrip("/"), row.box_name or row.name
    return Holder(tree_id=row.tree_id, path=path, box_name=box_name)


def _held(connection: Connection, uploads: Sequence[Uploaded], rows: Sequence[Any]) -> dict[int, HeldFile]:
    """By item id: the uploads whose file of Box another item holds (`rows`), or an earlier one of these uploads."""
    owners = {row.box_file_id: row.id for row in rows if row.status != ItemStatus.GONE}
    held = {}
    for upload in uploads:
        owner = owners.setdefault(upload.box_file_id, upload.item_id)
        if owner != upload.item_id:
            holder = _holder(connection.execute(_ITEM, {"item": owner}).one())
            held[upload.item_id] = HeldFile(
                item_id=upload.item_id, box_file_id=upload.box_file_id, holder=holder
            )
    return held


def _as_failure(held: HeldFile) -> Failed:
    detail = f"the file of Box with this name holds {held.holder.path!r} of the share"
    return Failed(item_id=held.item_id, reason=NAME_IN_USE, detail=detail, retry=True)


_ITEMS = {
    postgresql: select(
        Item.id,
        Item.folder_id,
        Item.name,
        Item.status,
        Item.reason,
        Item.detail,
        Item.overtaken,
        Item.attempts,
        Item.size,
        Item.modified_ns,
        Item.changed_ns,
        Item.source_file_id,
        Item.created_ns,
        Item.box_name,
        Item.note,
        Item.settles_ns,
        Item.sha1,
        Item.box_file_id,
        Item.box_version_id,
    )
    .where(one_of(Item.id, postgresql=postgresql))
    .where(or_(Item.claimed_by == bindparam("worker"), Item.claimed_by.is_(None)))
    .order_by(Item.id)
    .with_for_update()
    for postgresql in (False, True)
}


def _items_of(connection: Connection, worker: WorkerLease, item_ids: Sequence[int]) -> dict[int, Any]:
    """The rows of these items that are not in another worker's hands, locked."""
    which = {"ids": list(item_ids), "worker": worker.id}
    return {row.id: row for row in connection.execute(_ITEMS[is_postgresql(connection)], which)}


_ITEM = (
    select(Item.tree_id, Folder.path, Item.name, Item.box_name)
    .join(Folder, Folder.id == Item.folder_id)
    .where(Item.id == bindparam("item"))
)

_PLAN_OF_ITEM = (
    select(Tree.plan_id).join(Item, Item.tree_id == Tree.id).where(Item.id == bindparam("item"))
).with_for_update(of=Item)

_FREE = {"claimed_by": None, "claim": None, "overtaken": False}

_PROOF: dict[str, Any] = {
    **_FREE,
    "sha1": bindparam("new_sha1"),
    "settles_ns": bindparam("new_settles_ns"),
    "box_modified_ns": bindparam("new_box_modified_ns"),
    "box_file_id": bindparam("new_box_file_id"),
    "box_plan_id": bindparam("new_box_plan_id"),
    "box_version_id": bindparam("new_box_version_id"),
    "box_etag": bindparam("new_box_etag"),
    "attempts": Item.attempts + 1,
    "uploaded_at": bindparam("new_uploaded_at"),
    "uploaded_by": bindparam("new_uploaded_by"),
    "adopted": bindparam("new_adopted"),
}

#: The usual case, which writes half as much: what was read is what the walk saw, under the name that was asked for.
_RECORD_AS_SEEN = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .values(**_PROOF, status=ItemStatus.UPLOADED, reason=None, detail=None, in_box=True)
)

_RECORD_UPLOADED = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .values(
        **_PROOF,
        status=bindparam("new_status"),
        reason=bindparam("new_reason"),
        detail=None,
        size=bindparam("new_size"),
        modified_ns=bindparam("new_modified_ns"),
        created_ns=bindparam("new_created_ns"),
        changed_ns=bindparam("new_changed_ns"),
        source_file_id=bindparam("new_source_file_id"),
        note=bindparam("new_note"),
        in_box=bindparam("new_in_box"),
        box_name=bindparam("new_box_name"),
    )
)

NOT_IN_BOX = {"box_file_id": None, "box_version_id": None, "box_etag": None, "sha1": None, "in_box": False}
_RECORD_FAILED = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .values(
        **_FREE,
        status=bindparam("new_status"),
        reason=bindparam("new_reason"),
        detail=bindparam("new_detail"),
        attempts=Item.attempts + 1,
    )
)
_RECORD_SETTLED = _RECORD_FAILED.values(
    waived_by=THE_PLAN, waived_why=bindparam("new_why"), waived_at=bindparam("new_at")
)


def _is_as_seen(item: Any, result: Uploaded) -> bool:
    entry = result.entry
    return (
        not item.overtaken
        and item.status not in _WITHDRAWN
        and result.box_name == (item.name if item.box_name is None else item.box_name)
        and (item.size, item.modified_ns, item.created_ns, item.changed_ns, item.source_file_id, item.note)
        == (entry.size, entry.modified_ns, entry.created_ns, entry.changed_ns, entry.file_id, entry.note)
    )


def _is_what_was_there(item: Any, result: Uploaded) -> bool:
    """True when it was only read again: nothing was put into its folder in Box."""
    same_version = result.adopted or result.box_version_id == item.box_version_id
    return same_version and (result.box_file_id, result.sha1) == (item.box_file_id, item.sha1)


def _proof(item: Any, result: Uploaded, now: datetime) -> dict[str, Any]:
    return {
        "row_id": item.id,
        "new_sha1": result.sha1,
        "new_settles_ns": result.settles_ns,
        "new_box_modified_ns": result.box_modified_ns,
        "new_box_file_id": result.box_file_id,
        "new_box_version_id": result.box_version_id,
        "new_box_etag": result.box_etag,
        "new_uploaded_at": now,
        "new_uploaded_by": result.identity,
        "new_adopted": result.adopted,
    }


def _uploaded(item: Any, result: Uploaded) -> dict[str, Any]:
    entry = result.entry
    seen = Fingerprint(
        size=item.size, modified_ns=item.modified_ns, changed_ns=item.changed_ns, file_id=item.source_file_id
    )
    row = {
        "new_box_name": None if result.box_name == item.name else result.box_name,
        "new_status": item.status if item.status in _WITHDRAWN else ItemStatus.UPLOADED,
        "new_reason": item.reason if item.status in _WITHDRAWN else None,
    }
    if item.overtaken and not seen.same_content_as(entry.fingerprint):
        # The walk saw a newer content than the one that was read: that one is still to come.
        return (
            row
            | _content(item, item.source_file_id)
            | {
                "new_status": item.status,
                "new_in_box": False,
                "new_settles_ns": item.settles_ns,
                "new_box_modified_ns": _date_in_box(result),
            }
        )
    return row | _content(entry, entry.file_id) | {"new_in_box": True}


def _date_in_box(result: Uploaded) -> int | None:
    return result.entry.modified_ns if result.box_modified_ns is None else result.box_modified_ns


def _content(source: Any, file_id: str | None) -> dict[str, Any]:
    return {
        "new_size": source.size,
        "new_modified_ns": source.modified_ns,
        "new_created_ns": source.created_ns,
        "new_changed_ns": source.changed_ns,
        "new_source_file_id": file_id,
        "new_note": source.note,
    }


def _failed(item: Any, result: Failed, max_attempts: int) -> dict[str, Any]:
    row = {"row_id": item.id, "new_reason": result.reason, "new_detail": result.detail}
    if item.status in (*_WITHDRAWN, ItemStatus.WAIVED):
        return row | {"new_status": item.status, "new_reason": item.reason, "new_detail": item.detail}
    # What failed was another content than the walk has seen since: the newer one gets its own attempts.
    again = item.overtaken or (result.retry and item.attempts + 1 < max_attempts)
    return row | {"new_status": ItemStatus.PENDING if again else ItemStatus.FAILED}


_UNPROVE = {
    postgresql: update(Folder)
    .where(one_of(Folder.id, postgresql=postgresql), Folder.unproven.is_(False))
    .values(unproven=True)
    for postgresql in (False, True)
}


def _unprove(connection: Connection, folder_ids: set[int]) -> None:
    """Something was put into these folders: Box's listing of them is compared (again) before people are let in."""
    for chunk in in_chunks(sorted(folder_ids), IDS_PER_STATEMENT):
        connection.execute(_UNPROVE[is_postgresql(connection)], {"ids": list(chunk)})

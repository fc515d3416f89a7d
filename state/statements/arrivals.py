"""First arrivals: results of files that Box did not hold before, written down by the claim that they carry.

One conditional update says both that the claim still holds and what became of the file, so that nothing is read first.
Whatever is not this usual case is left to the plain way (recording.py), which reads the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, column, select, table, update

from state.database.models import ITEM_IS_IN_BOX, Item
from state.records import ClaimedItem, Failed, Uploaded, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, in_chunks
from state.statements.bulk import Prepared, checked, copied, copies, is_postgresql, one_of
from state.statuses import ItemStatus

#: What a result says of its file, in the names of the columns.
_SAID = (
    "sha1",
    "settles_ns",
    "box_file_id",
    "box_plan_id",
    "box_version_id",
    "box_etag",
    "uploaded_at",
    "uploaded_by",
    "adopted",
)

#: What the row is, since it was claimed under this number: nobody else held it, and the walk saw no other content.
_AS_CLAIMED = checked(
    and_(
        Item.claimed_by == bindparam("worker"),
        Item.status == ItemStatus.PENDING,
        Item.overtaken.is_(False),
        Item.box_file_id.is_(None),
    )
)

_ARRIVED: dict[str, Any] = {
    "claimed_by": None,
    "claim": None,
    "overtaken": False,
    "attempts": Item.attempts + 1,
    "status": ItemStatus.UPLOADED,
    "reason": None,
    "detail": None,
    "in_box": True,
    "box_modified_ns": None,
}

_RECORD = Prepared(
    lambda _: (
        update(Item)
        .where(Item.id == bindparam("row_id"), Item.claim == bindparam("claim_number"), _AS_CLAIMED)
        .values(**_ARRIVED, **{name: bindparam(f"new_{name}") for name in _SAID})
    )
)

_COPIED = table(
    "boxhaul_items", *(column(name, Item.__table__.c[name].type) for name in ("id", "claim", *_SAID))
)

_RECORD_COPIED = (
    update(Item)
    .where(Item.id == _COPIED.c.id, Item.claim == _COPIED.c.claim, _AS_CLAIMED)
    .values({**_ARRIVED, **{name: _COPIED.c[name] for name in _SAID}})
    .returning(Item.id)
)

_HELD = {
    postgresql: select(Item.box_file_id).where(
        one_of(Item.box_file_id, postgresql=postgresql),
        ITEM_IS_IN_BOX,
        Item.box_plan_id == bindparam("plan"),
    )
    for postgresql in (False, True)
}

_BOX_FILES = {
    postgresql: select(Item.id, Item.box_file_id).where(one_of(Item.id, postgresql=postgresql))
    for postgresql in (False, True)
}


@dataclass(frozen=True, slots=True)
class _Arrival:
    result: Uploaded
    claimed: ClaimedItem


def record_arrivals(
    connection: Connection, worker: WorkerLease, results: Sequence[Uploaded | Failed], now: datetime
) -> tuple[list[Uploaded | Failed], set[int]]:
    """Write down those of these results that are first arrivals and whose claim holds.

    Returns the others, in their order, and the folders into which something was put.
    """
    arrivals = _arrivals(connection, worker.plan_id, results)
    written = _write(connection, worker, arrivals, now)
    others = [result for result in results if result.item_id not in written]
    return others, {each.claimed.folder_id for each in arrivals if each.result.item_id in written}


def _arrivals(connection: Connection, plan_id: int, results: Sequence[Uploaded | Failed]) -> list[_Arrival]:
    """Those that are the only word of their item and of their file of Box, which no entry of the plan holds (P7)."""
    items = Counter(result.item_id for result in results)
    files = Counter(result.box_file_id for result in results if isinstance(result, Uploaded))
    usual = [
        _Arrival(result, result.claimed)
        for result in results
        if isinstance(result, Uploaded)
        and result.claimed is not None
        and _is_as_claimed(result, result.claimed)
        and items[result.item_id] == 1
        and files[result.box_file_id] == 1
    ]
    held: set[str | None] = set()
    for chunk in in_chunks([each.result.box_file_id for each in usual], IDS_PER_STATEMENT):
        which = {"ids": list(chunk), "plan": plan_id}
        held.update(connection.execute(_HELD[is_postgresql(connection)], which).scalars())
    return [each for each in usual if each.result.box_file_id not in held]


def _is_as_claimed(result: Uploaded, claimed: ClaimedItem) -> bool:
    """What was read is what was claimed, under the name that was asked for, and Box had nothing of it before."""
    entry, seen = result.entry, claimed.fingerprint
    return (
        claimed.claim is not None
        and claimed.id == result.item_id
        and claimed.box_file_id is None
        and result.box_name == claimed.box_name
        and (entry.size, entry.modified_ns, entry.created_ns, entry.changed_ns, entry.file_id, entry.note)
        == (
            seen.size,
            seen.modified_ns,
            claimed.created_ns,
            seen.changed_ns,
            seen.file_id,
            claimed.note,
        )
    )


def _write(
    connection: Connection, worker: WorkerLease, arrivals: Sequence[_Arrival], now: datetime
) -> set[int]:
    """Ids of the items whose claim still held, and which are UPLOADED now."""
    said = [_said(each.result, worker.plan_id, now) for each in arrivals]
    keys = [(each.claimed.id, each.claimed.claim) for each in arrivals]
    if copies(connection, said):
        rows = [
            {"id": row_id, "claim": claim, **row} for (row_id, claim), row in zip(keys, said, strict=True)
        ]
        with copied(connection, Item, ("id", "claim", *_SAID), rows):
            return set(connection.execute(_RECORD_COPIED, {"worker": worker.id}).scalars())
    changed = _RECORD.run(
        connection,
        [
            {"row_id": row_id, "claim_number": claim, "worker": worker.id}
            | {f"new_{name}": value for name, value in row.items()}
            for (row_id, claim), row in zip(keys, said, strict=True)
        ],
    )
    if changed == len(arrivals):
        return {each.claimed.id for each in arrivals}
    return _written(connection, arrivals)


def _written(connection: Connection, arrivals: Sequence[_Arrival]) -> set[int]:
    """No entry held these files of Box before: an item that holds its own now has it by this very update."""
    expected = {each.claimed.id: each.result.box_file_id for each in arrivals}
    written: set[int] = set()
    for chunk in in_chunks(sorted(expected), IDS_PER_STATEMENT):
        for row in connection.execute(_BOX_FILES[is_postgresql(connection)], {"ids": list(chunk)}):
            if row.box_file_id == expected[row.id]:
                written.add(row.id)
    return written


def _said(result: Uploaded, plan_id: int, now: datetime) -> dict[str, Any]:
    return {
        "sha1": result.sha1,
        "settles_ns": result.settles_ns,
        "box_file_id": result.box_file_id,
        "box_plan_id": plan_id,
        "box_version_id": result.box_version_id,
        "box_etag": result.box_etag,
        "uploaded_at": now,
        "uploaded_by": result.identity,
        "adopted": result.adopted,
    }

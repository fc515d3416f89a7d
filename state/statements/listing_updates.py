"""The statements that a listing's changes become, each built once; parameters are `row_id` and `new_…`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, and_, bindparam, case, false, func, not_, or_, text, true, update

from state.database.models import Folder, Item
from state.statements.bulk import BulkInsert
from state.statements.digests import FORGOTTEN
from state.statements.passes import HEALED_FOLDER
from state.statuses import ItemStatus

#: What moves after all is nobody's to answer for; that it was waived stays an event.
NO_WAIVER: dict[str, Any] = {"waived_by": None, "waived_why": None, "waived_at": None}

_SEEN: dict[str, Any] = {
    "kind": bindparam("new_kind"),
    "box_name": bindparam("new_box_name"),
    "size": bindparam("new_size"),
    "modified_ns": bindparam("new_modified_ns"),
    "created_ns": bindparam("new_created_ns"),
    "changed_ns": bindparam("new_changed_ns"),
    "source_file_id": bindparam("new_source_file_id"),
    "settles_ns": bindparam("new_settles_ns"),
    # What Box has keeps the date that it was sent with.
    "box_modified_ns": case(
        (Item.box_file_id.is_not(None), func.coalesce(Item.box_modified_ns, Item.modified_ns)), else_=None
    ),
}

#: Of content that Box holds, sending has noted more than a listing shows.
_NOTE_OF_THE_SAME = case(
    (bindparam("new_in_box", type_=Boolean()), Item.note),
    else_=bindparam("new_note", type_=Item.note.type),
)

#: A sender may have uploaded this very content since `known_children` was read; then there is nothing to do.
_ALREADY_IN_BOX = and_(
    Item.status == ItemStatus.UPLOADED,
    Item.in_box,
    Item.kind == bindparam("new_kind"),
    Item.size == bindparam("new_size"),
    Item.modified_ns.is_not_distinct_from(bindparam("new_modified_ns")),
    Item.changed_ns.is_not_distinct_from(bindparam("new_changed_ns")),
    Item.source_file_id.is_not_distinct_from(bindparam("new_source_file_id")),
)

PENDING_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .where(or_(bindparam("unsettled", type_=Boolean()), not_(_ALREADY_IN_BOX)))
    .values(
        **_SEEN,
        note=bindparam("new_note"),
        status=ItemStatus.PENDING,
        reason=None,
        detail=None,
        attempts=0,
        in_box=False,
        overtaken=Item.claimed_by.is_not(None),
        **NO_WAIVER,
    )
)

RESTORED_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .values(**_SEEN, status=ItemStatus.UPLOADED, reason=None, detail=None, overtaken=False, **NO_WAIVER)
)

EXCLUDED_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .values(
        **_SEEN,
        note=_NOTE_OF_THE_SAME,
        status=ItemStatus.EXCLUDED,
        reason=bindparam("new_reason"),
        detail=None,
        in_box=bindparam("new_in_box"),
    )
)

FAILED_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"), Item.status != ItemStatus.WAIVED)
    .values(
        box_name=bindparam("new_box_name"),
        status=ItemStatus.FAILED,
        reason=bindparam("new_reason"),
        detail=bindparam("new_detail"),
        in_box=and_(Item.in_box, bindparam("same_name", type_=Boolean())),
    )
)

MISSING_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .values(status=ItemStatus.GONE, reason=None, detail=bindparam("new_detail"))
)

RESTORED_FOLDER = (
    update(Folder)
    .where(Folder.id == bindparam("row_id"))
    .values(
        status=HEALED_FOLDER,
        box_name=bindparam("new_box_name"),
        source_file_id=bindparam("new_source_file_id"),
        walked_pass=0,
        **FORGOTTEN,
        unlisted=False,
        # Verified out of sight, it was compared with nothing.
        unproven=True,
        reason=None,
        detail=None,
        **NO_WAIVER,
    )
)

IDENTIFIED_FOLDER = (
    update(Folder)
    .where(Folder.id == bindparam("row_id"))
    .values(source_file_id=bindparam("new_source_file_id"))
)

EXCLUDED_FOLDER = (
    update(Folder)
    .where(Folder.id == bindparam("row_id"))
    .values(status=ItemStatus.EXCLUDED, reason=bindparam("new_reason"), detail=None, **FORGOTTEN)
)

MISSING_FOLDER = (
    update(Folder)
    .where(Folder.id == bindparam("row_id"))
    .values(status=ItemStatus.GONE, reason=None, detail=bindparam("new_detail"), **FORGOTTEN)
)


MARK_WALKED = (
    update(Folder)
    .where(Folder.id == bindparam("row_id"))
    .values(
        walked_pass=bindparam("new_pass"),
        walk_claimed_by=None,
        walk_claim=None,
        listing_digest=bindparam("new_digest"),
        digest_pass=bindparam("new_pass"),
        unlisted=False,
        status=bindparam("new_status"),
        reason=bindparam("new_reason"),
        detail=bindparam("new_detail"),
    )
)

NEW_ITEMS = BulkInsert(
    Item,
    (
        "folder_id",
        "tree_id",
        "name",
        "kind",
        "box_name",
        "status",
        "reason",
        "detail",
        "note",
        "size",
        "modified_ns",
        "created_ns",
        "changed_ns",
        "source_file_id",
        "settles_ns",
    ),
    in_box=false(),
    overtaken=false(),
    adopted=false(),
    attempts=text("0"),
)

NEW_FOLDERS = BulkInsert(
    Folder,
    ("tree_id", "parent_id", "depth", "name", "path", "box_name", "status", "reason", "source_file_id"),
    walked_pass=text("0"),
    unlisted=false(),
    created_by_plan=false(),
    unproven=true(),
)

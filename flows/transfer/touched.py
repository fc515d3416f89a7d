"""Touched files: new times and the same bytes. Box gets the new date by one call, and never a version."""

from __future__ import annotations

from connectors.box.types import Known
from connectors.box.values import box_date
from connectors.entry import Entry, EntryKind
from connectors.errors import ChangedInBox, DestinationGone, ItemError
from flows.plan.changes import Touched
from flows.transfer.conflicts import without_others_file
from flows.transfer.migration import Migration
from state.records import ClaimedItem
from state.statuses import EventKind


def keep_date(migration: Migration, item: ClaimedItem, entry: Entry) -> tuple[str | None, int | None]:
    """See that Box has the date of this file, whose content it has; return the etag, and Box's date where it differs.

    No call where both are the same second (rights, owner or name changed), or where the plan says so. What somebody
    changed in Box, or a file of somebody's own, keeps its date. DestinationGone when it is not there any more.
    """
    in_box, wanted = item.box_modified_ns, entry.modified_ns
    if wanted is None or (in_box is not None and box_date(in_box) == box_date(wanted)):
        return item.box_etag, None
    if migration.plan.changes.touched is Touched.IGNORE:
        return item.box_etag, in_box
    if without_others_file(migration, item).box_file_id is None:
        return item.box_etag, in_box
    try:
        return migration.box.items.set_date(_known(item), wanted).etag, None
    except DestinationGone:
        raise
    except ChangedInBox:
        _tell(migration, item, EventKind.CHANGED_IN_BOX)
    except ItemError as exc:
        _tell(migration, item, EventKind.NOT_KEPT, note=f"has a new date, which Box did not take: {exc}")
    return item.box_etag, in_box


def _known(item: ClaimedItem) -> Known:
    return Known(
        kind=EntryKind.FILE,
        box_id=item.box_file_id or "",
        name=item.box_name,
        etag=item.box_etag,
        version_id=item.box_version_id,
        sha1=item.sha1,
    )


def _tell(migration: Migration, item: ClaimedItem, kind: EventKind, **more: str) -> None:
    folder, _, name = item.path.rpartition("/")
    migration.record_event(kind, {"path": folder, "count": 1, "names": [name], **more})

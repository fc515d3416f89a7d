"""What an event of Box means for what was moved: a finding, or nothing. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from connectors.box.types import BoxEvent
from state.statuses import EventKind
from state.watch_records import InBox, WatchFinding

#: ("file" or "folder", Box id) → the entry of the source.
Found = Mapping[tuple[str, str], InBox]

#: Box's id of whoever is not logged in.
NOT_LOGGED_IN = "2"


class What(StrEnum):
    """What somebody did, as it is told."""

    ADDED = "added"
    EDITED = "edited"
    RENAMED = "renamed"
    MOVED = "moved"
    DELETED = "deleted"
    RESTORED = "restored"
    INVITED = "let in"
    ROLE_CHANGED = "role changed"
    REMOVED = "access ended"
    LINKED = "link"
    UNLINKED = "link taken away"
    DOWNLOADED = "downloaded"


#: Box's words, of the enterprise's stream and of a user's. That somebody accepts is no finding: who let him in is one.
MEANINGS: Mapping[str, What] = {
    "UPLOAD": What.ADDED, "ITEM_UPLOAD": What.ADDED, "ITEM_CREATE": What.ADDED,
    "COPY": What.ADDED, "ITEM_COPY": What.ADDED,
    "EDIT": What.EDITED, "FILE_VERSION_RESTORE": What.EDITED, "ITEM_MAKE_CURRENT_VERSION": What.EDITED,
    "RENAME": What.RENAMED, "ITEM_RENAME": What.RENAMED,
    "MOVE": What.MOVED, "ITEM_MOVE": What.MOVED,
    "DELETE": What.DELETED, "ITEM_TRASH": What.DELETED,
    "UNDELETE": What.RESTORED, "ITEM_UNDELETE_VIA_TRASH": What.RESTORED,
    "COLLABORATION_INVITE": What.INVITED, "COLLAB_INVITE_COLLABORATOR": What.INVITED,
    "COLLABORATION_ROLE_CHANGE": What.ROLE_CHANGED, "COLLAB_ROLE_CHANGE": What.ROLE_CHANGED,
    "COLLABORATION_REMOVE": What.REMOVED, "COLLAB_REMOVE_COLLABORATOR": What.REMOVED,
    "COLLABORATION_EXPIRATION": What.REMOVED,
    "SHARE": What.LINKED, "ITEM_SHARED": What.LINKED, "ITEM_SHARED_CREATE": What.LINKED,
    "ITEM_SHARED_UPDATE": What.LINKED,
    "UNSHARE": What.UNLINKED, "ITEM_SHARED_UNSHARE": What.UNLINKED,
    "DOWNLOAD": What.DOWNLOADED, "ITEM_DOWNLOAD": What.DOWNLOADED,
}  # fmt: skip

#: Those of them that Box's enterprise stream has, which filters by them.
ASKED_FOR = frozenset(kind for kind in MEANINGS if not kind.startswith(("ITEM_", "COLLAB_"))) | {
    "ITEM_SHARED_UPDATE"
}

#: Words of which a new content is one for a file that is known, and a new file otherwise.
_UPLOADS = frozenset({"UPLOAD", "ITEM_UPLOAD"})

_ACCESS = frozenset({What.INVITED, What.ROLE_CHANGED, What.REMOVED, What.LINKED, What.UNLINKED})


def box_ids(events: Collection[BoxEvent]) -> set[str]:
    """Return every id that has to be looked up before these events have a meaning."""
    return {box_id for event in events for box_id in (event.item_id, *event.folder_ids) if box_id}


def finding_of(event: BoxEvent, found: Found, ours: Collection[str]) -> WatchFinding | None:
    """Return what is to be told of an event, as far as the event itself says it; None for nothing.

    ours: Box user ids of the accounts that this plan works with, whose doings are the program's own; but it takes
    nothing out of the trash, which is the owner's: a person did that in the account's name. What lies below
    a folder that people made is told as far as Box names a folder of the plan above it.
    """
    if event.at is None or event.item_kind is None:
        return None
    itself = found.get((event.item_kind, event.item_id))
    around = itself or _folder_around(event, found)
    what = _what(event, is_known=itself is not None)
    if around is None or what is None or _was_before(event, around):
        return None
    if event.by_id in ours and what is not What.RESTORED:
        return None
    return WatchFinding(
        event_id=event.id,
        kind=_kind(what),
        at=event.at,
        tree_id=around.tree_id,
        tree=around.tree,
        what=what.value,
        path=around.path if itself else "/".join(part for part in (around.path, event.item_name) if part),
        box_id=event.item_id,
        by=event.by,
        by_id=event.by_id,
        detail=_detail(event, what, found),
    )


def _what(event: BoxEvent, *, is_known: bool) -> What | None:
    what = MEANINGS.get(event.kind)
    if what is not What.ADDED or not is_known:
        return what
    # A copy of something that is known says nothing of it.
    return What.EDITED if event.kind in _UPLOADS else None


def _folder_around(event: BoxEvent, found: Found) -> InBox | None:
    return next((found[key] for each in event.folder_ids if (key := ("folder", each)) in found), None)


def _was_before(event: BoxEvent, around: InBox) -> bool:
    """Tell whether it happened before the entry was this plan's: people worked on what a run found there and took."""
    begun = around.adopted_at or around.begun_at
    # Box's dates have no fractions.
    return begun is not None and event.at is not None and event.at < begun.replace(microsecond=0)


def _kind(what: What) -> EventKind:
    if what is What.DOWNLOADED:
        return EventKind.DOWNLOADED
    return EventKind.ACCESS_CHANGED if what in _ACCESS else EventKind.PEOPLE_CHANGED


def _detail(event: BoxEvent, what: What, found: Found) -> str:
    if what is What.RENAMED:
        return f"to {event.item_name}"
    if what is What.MOVED:
        folder = _folder_around(event, found)
        return f"into {folder.path or folder.tree}" if folder is not None else "out of the trees of the plan"
    return ""

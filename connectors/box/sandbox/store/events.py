"""The event streams: what happened, kept small, and paged by position. Rendering is in `http/routes/events`."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from connectors.box.sandbox.store.records import User

#: What the enterprise stream calls it → what the user stream calls it (None: not in that stream).
KINDS: dict[str, tuple[str | None, str | None]] = {
    "upload": ("UPLOAD", "ITEM_UPLOAD"),
    "edit": ("EDIT", "ITEM_UPLOAD"),
    "create": (None, "ITEM_CREATE"),
    "copy": ("COPY", "ITEM_COPY"),
    "move": ("MOVE", "ITEM_MOVE"),
    "rename": ("RENAME", "ITEM_RENAME"),
    "modify": (None, "ITEM_MODIFY"),
    "delete": ("DELETE", "ITEM_TRASH"),
    "undelete": ("UNDELETE", "ITEM_UNDELETE_VIA_TRASH"),
    "promote": ("FILE_VERSION_RESTORE", "ITEM_MAKE_CURRENT_VERSION"),
    "download": ("DOWNLOAD", "ITEM_DOWNLOAD"),
    "share": ("ITEM_SHARED_CREATE", "ITEM_SHARED_CREATE"),
    "unshare": ("ITEM_SHARED_UNSHARE", "ITEM_SHARED_UNSHARE"),
    "lock": ("LOCK", "LOCK_CREATE"),
    "unlock": ("UNLOCK", "LOCK_DESTROY"),
    "invite": ("COLLABORATION_INVITE", "COLLAB_INVITE_COLLABORATOR"),
    "accept": ("COLLABORATION_ACCEPT", "COLLAB_ADD_COLLABORATOR"),
    "role_change": ("COLLABORATION_ROLE_CHANGE", "COLLAB_ROLE_CHANGE"),
    "remove": ("COLLABORATION_REMOVE", "COLLAB_REMOVE_COLLABORATOR"),
    "metadata_create": ("METADATA_INSTANCE_CREATE", None),
    "metadata_update": ("METADATA_INSTANCE_UPDATE", None),
    "metadata_delete": ("METADATA_INSTANCE_DELETE", None),
    "new_user": ("NEW_USER", None),
    "edit_user": ("EDIT_USER", None),
    "delete_user": ("DELETE_USER", None),
    "group_create": ("GROUP_CREATION", None),
    "group_edit": ("GROUP_EDITED", None),
    "group_delete": ("GROUP_DELETION", None),
    "member_add": ("GROUP_ADD_USER", None),
    "member_remove": ("GROUP_REMOVE_USER", None),
}

MAX_EVENTS = 500_000


class Event(NamedTuple):
    """One happening. `source` is the item, user, group or collaboration; the rest is how it was then."""

    position: int
    at: float
    kind: str
    actor: User
    source: Any
    name: str
    parent_id: str
    parent_name: str
    #: Sequence id of the item at that moment.
    sequence: int


class Events:
    """The newest `MAX_EVENTS` events; positions count up from 1."""

    def __init__(self) -> None:
        self.entries: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.last_position = 0

    def record(self, at: float, kind: str, actor: User, source: Any) -> None:
        """Append one event about `source`."""
        self.last_position += 1
        parent = getattr(source, "parent", None)
        self.entries.append(
            Event(
                self.last_position,
                at,
                kind,
                actor,
                source,
                getattr(source, "name", ""),
                "0" if parent is None else parent.id,
                "" if parent is None else parent.name,
                getattr(source, "sequence", 0),
            )
        )

    def after(self, position: int, limit: int) -> list[Event]:
        """Up to `limit` events later than the position, oldest first."""
        if not self.entries:
            return []
        start = max(0, position - self.entries[0].position + 1)
        return [self.entries[i] for i in range(start, min(start + limit, len(self.entries)))]

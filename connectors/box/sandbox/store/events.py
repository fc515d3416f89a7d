"""The event streams: what happened, kept small, and paged by position. Rendering is in `http/routes/events`.

`entries` is the history, in order and each event once. `live` is what the streams of live events hand out: at least
once and only roughly in order, as Box says of them. The two have positions of their own.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence
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
    "share": ("SHARE", "ITEM_SHARED_CREATE"),
    "reshare": ("ITEM_SHARED_UPDATE", "ITEM_SHARED_UPDATE"),
    "unshare": ("UNSHARE", "ITEM_SHARED_UNSHARE"),
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

#: What changes a tree of files, for the stream `changes`.
TREE_CHANGES = frozenset(
    {
        "upload", "edit", "create", "copy", "move", "rename", "delete", "undelete", "promote",
        "invite", "accept", "role_change", "remove",
    }
)  # fmt: skip

MAX_EVENTS = 500_000

#: Each so many-th event comes after its successor in the live streams, and each so many-th comes once more, later.
LATE, AGAIN = 4, 7


class Event(NamedTuple):
    """One happening. `source` is the item, user, group or collaboration; the rest is how it was then."""

    position: int
    at: float
    kind: str
    #: None: somebody who is not logged in.
    actor: User | None
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
        self.live: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.last_live = 0
        #: Marks the ids: after a restart positions begin anew, ids never repeat.
        self.mark = secrets.token_hex(4)
        self._handed_out = 0
        self._again: list[Event] = []

    def record(self, at: float, kind: str, actor: User | None, source: Any) -> None:
        """Append one event about `source`."""
        self.last_position += 1
        item = getattr(source, "item", source)
        parent = getattr(item, "parent", None)
        self.entries.append(
            Event(
                self.last_position,
                at,
                kind,
                actor,
                source,
                getattr(item, "name", ""),
                "0" if parent is None else parent.id,
                "" if parent is None else parent.name,
                getattr(item, "sequence", 0),
            )
        )

    def after(self, position: int, limit: int) -> list[Event]:
        """Up to `limit` events later than the position, oldest first."""
        return _page(self.entries, self.last_position, position, limit)

    def hand_out(self, *, orderly: bool) -> None:
        """Bring to the live streams what happened since the last look; not `orderly`: some late, and some twice.

        What comes twice comes the second time at a later look, so that it meets a client in another page.
        """
        fresh = self.after(self._handed_out, MAX_EVENTS)
        self._handed_out = self.last_position
        handed = self._again + (fresh if orderly else _roughly(fresh))
        self._again = [] if orderly else [event for event in fresh if event.position % AGAIN == 0]
        self.live.extend(handed)
        self.last_live += len(handed)

    def after_live(self, position: int, limit: int) -> list[Event]:
        """Up to `limit` events of the live streams later than the position."""
        return _page(self.live, self.last_live, position, limit)

    def has_news(self, position: int) -> bool:
        """Tell whether a live stream has more than up to this position."""
        return self.last_live > position or self._handed_out < self.last_position


def _page(entries: Sequence[Event] | deque[Event], last: int, position: int, limit: int) -> list[Event]:
    start = max(0, position - (last - len(entries)))
    return [entries[i] for i in range(start, min(start + limit, len(entries)))]


def _roughly(events: list[Event]) -> list[Event]:
    """The events with some behind their successors."""
    late = [index for index, event in enumerate(events[:-1]) if event.position % LATE == 0]
    for index in late:
        events[index], events[index + 1] = events[index + 1], events[index]
    return events

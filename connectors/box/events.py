"""Box's events: what happened to files, folders and who may see them, page by page. What it means is not decided here.

Box tells live events at least once and only roughly in order (facts §9): whoever reads them compares ids and dates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from connectors.box.client.connection import BoxConnection
from connectors.box.client.refusal import status_of
from connectors.box.types import BoxEvent, EventPage
from connectors.box.values import id_of, json_object, moment_of, object_of, text_of
from connectors.errors import ItemError, NotPermitted, PermissionMissing, Rejected, ServerBusy

#: All of the enterprise, for a service account with "Manage enterprise properties"; two weeks of it.
ENTERPRISE_STREAM = "admin_logs_streaming"
#: What concerns the account itself: what it owns, and what it was let into.
OWN_STREAM = "all"
#: Everything that Box still has.
FROM_THE_BEGINNING = "0"
#: The HTTP status of a stream that this account may not read.
FORBIDDEN = 403
#: The most that Box gives at once.
PAGE_SIZE = 500


class BoxEvents:
    """The event streams as one account sees them, and the two questions that an event leaves open."""

    def __init__(self, connection: BoxConnection) -> None:
        self._connection = connection

    def best_stream(self) -> str:
        """Return the stream that tells most of what this account may read. One call."""
        try:
            self.page(ENTERPRISE_STREAM, "now")
        except (PermissionMissing, NotPermitted):
            return OWN_STREAM
        except Rejected as exc:
            if status_of(exc) != FORBIDDEN:
                raise
            return OWN_STREAM
        return ENTERPRISE_STREAM

    def page(self, stream: str, position: str, kinds: Collection[str] = ()) -> EventPage:
        """Return the next events of a stream and the position behind them. One call.

        kinds: only these, where Box filters (the enterprise's stream). A page may be empty though more follows; nothing
        does when its position is the one that was asked for. PermissionMissing, NotPermitted or Rejected without the
        right to read the stream.
        """
        params = {"stream_type": stream, "stream_position": position, "limit": str(PAGE_SIZE)}
        if kinds and stream == ENTERPRISE_STREAM:
            params["event_type"] = ",".join(sorted(kinds))
        route = "GET /events"
        answer = json_object(self._connection.ask(route, "/events", params=params).data, route)
        entries, following = answer.get("entries"), text_of(answer.get("next_stream_position"))
        if not isinstance(entries, list) or following is None:
            raise ServerBusy(f"{route}: the answer has no entries, or no position.")
        return EventPage(position=following, events=tuple(event_of(entry) for entry in entries))

    def who_was_invited(self, collaboration_id: str) -> str | None:
        """Return whom a collaboration lets in, for people; None where that cannot be seen. One call."""
        route, fields = "GET /collaborations/:id", "accessible_by,invite_email"
        path = f"/collaborations/{collaboration_id}"
        try:
            answer = json_object(self._connection.ask(route, path, params={"fields": fields}).data, route)
        except ItemError:
            return None
        return text_of(answer.get("invite_email")) or _name_of(answer.get("accessible_by"))

    def link_access(self, kind: str, item_id: str) -> str | None:
        """Return who may use an item's shared link now: open, company or collaborators; None without one.

        One call. None as well for an item that is out of sight.
        """
        place = "folders" if kind == "folder" else "files"
        route = f"GET /{place}/:id"
        try:
            asked = self._connection.ask(route, f"/{place}/{item_id}", params={"fields": "shared_link"})
        except ItemError:
            return None
        return text_of(object_of(json_object(asked.data, route).get("shared_link")).get("access"))


def event_of(entry: Mapping[str, Any]) -> BoxEvent:
    """Return an event, whichever of Box's shapes its source has: an audit record, an item, a collaboration."""
    source, details = object_of(entry.get("source")), object_of(entry.get("additional_details"))
    who = object_of(entry.get("created_by"))
    item = object_of(source.get("item")) if source.get("type") == "collaboration" else source
    kind = text_of(item.get("item_type") or item.get("type"))
    kind = kind or next((name for name in ("file", "folder") if f"{name}_id" in item), None)
    above = object_of(item.get("path_collection")).get("entries") or []
    parents = [id_of(item.get("parent")), *(id_of(each) for each in reversed(above))]
    return BoxEvent(
        id=str(entry.get("event_id") or ""),
        kind=text_of(entry.get("event_type")) or "",
        at=moment_of(entry.get("created_at")),
        by_id=id_of(who) or "",
        by=_name_of(who) or "somebody unknown",
        item_kind=kind if kind in ("file", "folder") else None,
        item_id=text_of(item.get("item_id") or item.get(f"{kind}_id") or item.get("id")) or "",
        item_name=text_of(item.get("item_name") or item.get(f"{kind}_name") or item.get("name")) or "",
        folder_ids=tuple(dict.fromkeys(each for each in parents if each)),
        link_access=text_of(object_of(item.get("shared_link")).get("access")),
        collaboration_id=text_of(details.get("collab_id")) or _collaboration_id(source),
        role=text_of(details.get("role") or source.get("role")),
        invited=_name_of(entry.get("accessible_by")) or _name_of(source.get("accessible_by")),
    )


def _collaboration_id(source: Mapping[str, Any]) -> str | None:
    return text_of(source.get("id")) if source.get("type") == "collaboration" else None


def _name_of(user: object) -> str | None:
    found = object_of(user)
    return text_of(found.get("login")) or text_of(found.get("name")) or None

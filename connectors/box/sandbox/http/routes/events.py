"""The event streams over HTTP: admin_logs, admin_logs_streaming, and the user's own stream."""

from __future__ import annotations

import asyncio
from typing import Any

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.errors import bad_request
from connectors.box.sandbox.http import views
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.mini import JSON, user_mini
from connectors.box.sandbox.store.dates import format_date, parse_date
from connectors.box.sandbox.store.events import KINDS, TREE_CHANGES, Event
from connectors.box.sandbox.store.records import Collaboration, File, Folder, Group, User
from connectors.box.sandbox.wire import Request, Response, json_response, parse_limit, parse_number

_ADMIN = {"admin_logs", "admin_logs_streaming"}
_USER = {"all", "changes", "sync"}
#: Events read per call while looking for matching ones, so that one call stays short.
_SCAN = 20_000
_POLL_SECONDS = 30.0
_POLL_STEP = 0.02

#: Whom Box names where nobody was logged in.
NOBODY: JSON = {"type": "user", "id": "2", "name": "Unknown User", "login": ""}


def events(core: Core, request: Request) -> Response:
    """GET /events. `stream_position` is 0, "now", or what the last answer gave."""
    query = request.query
    stream = query.get("stream_type", "all")
    if stream not in _ADMIN | _USER:
        raise bad_request("Invalid stream_type", "stream_type")
    admin = stream in _ADMIN
    if admin:
        core.people.require_admin(request.user, "manage_enterprise_properties", enterprise=False)
    limit = parse_limit(query, 100, 500, 0)
    log, live = core.store.events, stream != "admin_logs"
    if live:
        log.hand_out(orderly=core.settings.orderly_events)
    last = log.last_live if live else log.last_position
    text = query.get("stream_position", "0") or "0"
    if text == "now":
        return _answer([], last, admin)
    asked = parse_number(text)
    if asked is None or asked < 0:
        raise bad_request("Invalid stream_position", "stream_position")
    wanted = _filter(core, request.user, query, stream)
    # What is older than the newest `MAX_EVENTS` is not there any more.
    position = max(min(asked, last), last - len(log.live if live else log.entries))
    entries: list[JSON] = []
    for event in log.after_live(position, _SCAN) if live else log.after(position, _SCAN):
        if len(entries) >= limit:
            break
        position += 1
        if wanted(event):
            entries.append(_view(log.mark, event, admin))
    return _answer(entries, position, admin)


def realtime(core: Core, request: Request) -> Response:
    """OPTIONS /events: where to long-poll."""
    server = {
        "type": "realtime_server",
        "url": f"{request.base_url}/realtime/subscribe?channel=sandbox",
        "ttl": "10",
        "max_retries": "10",
        "retry_timeout": 610,
    }
    return json_response({"chunk_size": 1, "entries": [server]})


def _filter(core: Core, user: User, query: dict[str, str], stream: str) -> Any:
    if stream == "sync":
        return lambda event: False  # nothing is marked for the old sync program
    if stream not in _ADMIN:
        kinds = TREE_CHANGES if stream == "changes" else KINDS.keys()
        return lambda event: (
            event.kind in kinds and KINDS[event.kind][1] is not None and _concerns(user, event)
        )
    types = {name for name in query.get("event_type", "").split(",") if name}
    # For the history alone; the live stream ignores them.
    times = query if stream == "admin_logs" else {}
    after, before = times.get("created_after"), times.get("created_before")
    start = parse_date(after, "created_after") if after else 0
    stop = parse_date(before, "created_before") if before else 1 << 62

    def wanted(event: Event) -> bool:
        name = KINDS[event.kind][0]
        return name is not None and (not types or name in types) and start <= event.at < stop

    return wanted


def _concerns(user: User, event: Event) -> bool:
    source = event.source
    if event.actor is user:
        return True
    item = source.item if isinstance(source, Collaboration) else source
    return isinstance(item, File | Folder) and permissions.sees(user, item)


def _answer(entries: list[JSON], position: int, admin: bool) -> Response:
    # The admin streams give their position as text, the user streams as a number.
    following: str | int = str(position) if admin else position
    return json_response({"chunk_size": len(entries), "next_stream_position": following, "entries": entries})


def _view(mark: str, event: Event, admin: bool) -> JSON:
    kind = KINDS[event.kind][0 if admin else 1]
    # One event has one id in both streams of the enterprise; whether a user's stream has the same is UNKNOWN.
    view = {
        "type": "event",
        "event_id": f"{mark}{'e' if admin else 'f'}{event.position:015x}",
        "created_by": NOBODY if event.actor is None else user_mini(event.actor),
        "event_type": kind,
        "created_at": format_date(int(event.at)),
        "session_id": None,
        "source": _admin_source(event) if admin else _user_source(event),
    }
    if admin:
        view["additional_details"] = _details(event)
        view["ip_address"] = "127.0.0.1"
    else:
        view["recorded_at"] = format_date(int(event.at))
    return view


def _admin_source(event: Event) -> JSON:
    source = event.source
    item = source.item if isinstance(source, Collaboration) else source
    if isinstance(item, File | Folder):
        parent = {"type": "folder", "id": event.parent_id, "name": event.parent_name or "All Files"}
        return {
            "item_type": item.kind,
            "item_id": item.id,
            "item_name": event.name or item.name,
            "parent": parent,
            "owned_by": user_mini(item.owner),
        }
    if isinstance(item, Group):
        return {"type": "group", "id": item.id, "group_name": item.name}
    return user_mini(item)


def _user_source(event: Event) -> JSON:
    source = event.source
    item = source.item if isinstance(source, Collaboration) else source
    if not isinstance(item, File | Folder):
        return user_mini(item)
    view = views.full(item, item.owner)
    view["sequence_id"] = str(event.sequence)
    view.pop("item_collection", None)
    return view


def _details(event: Event) -> JSON:
    source = event.source
    by_app = event.actor is not None and event.actor.kind in {"service", "app"}
    service = {"service_name": "Sandbox Application" if by_app else "Box Web Application"}
    if isinstance(source, File):
        return {"size": source.size, "version_id": source.version_id} | service
    if isinstance(source, Collaboration):
        return {"role": source.role, "collab_id": source.id} | service
    return service


async def subscribe(core: Core, request: Request) -> Response:
    """The long poll: answers `new_change` once there is an event after the position, else `reconnect`."""
    text = request.query.get("stream_position", "now")
    asked = parse_number(text)
    position = core.store.events.last_live if asked is None else asked
    for _ in range(int(_POLL_SECONDS / _POLL_STEP)):
        if core.store.events.has_news(position):
            return json_response({"message": "new_change", "version": 1})
        await asyncio.sleep(_POLL_STEP)
    return json_response({"message": "reconnect", "version": 1})


REALTIME = {"GET /subscribe": subscribe}

ROUTES = {
    "GET /events": events,
    "OPTIONS /events": realtime,
}

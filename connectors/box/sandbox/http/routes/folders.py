"""Folder calls: HTTP in and out, no rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.errors import not_found
from connectors.box.sandbox.http import views
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.listing import item_key, marker_page, offset_page
from connectors.box.sandbox.rules.mini import JSON
from connectors.box.sandbox.store.records import Folder
from connectors.box.sandbox.wire import (
    Request,
    Response,
    json_response,
    parse_bool,
    parse_limit,
    require_child_id,
)


def create(core: Core, request: Request) -> Response | Awaitable[Response]:
    """POST /folders."""
    body = request.json()
    parent_id = require_child_id(body, "parent")
    if core.settings.duplicate_folders_under_race:
        core.items.check_folder(request.user, parent_id, body.get("name"))
        return _create_late(core, request, parent_id, body.get("name"))
    folder = core.items.create_folder(request.user, parent_id, body.get("name"))
    return json_response(views.full(folder, request.user, request.fields()), 201)


async def _create_late(core: Core, request: Request, parent_id: str, name: object) -> Response:
    # The check is done; whoever else is between check and creation now makes the duplicate.
    await asyncio.sleep(core.settings.race_window_seconds)
    with core.store.lock:
        folder = core.items.create_folder(request.user, parent_id, name, checked=True)
        core.store.flush()
        return json_response(views.full(folder, request.user, request.fields()), 201)


def get(core: Core, request: Request) -> Response:
    """GET /folders/:id; 304 when If-None-Match names the current etag."""
    folder = core.items.folder(request.user, request.params[0])
    permissions.require(request.user, folder, "list")
    if request.header(b"if-none-match") == str(folder.etag) and folder.parent is not None:
        return Response(304)
    return json_response(views.full(folder, request.user, request.fields()))


def items(core: Core, request: Request) -> Response:
    """GET /folders/:id/items."""
    folder = core.items.folder(request.user, request.params[0])
    query = request.query
    fields = request.fields(query)
    page, rest = core.listings.folder(request.user, folder, query)
    user = request.user
    return json_response(rest | {"entries": [views.entry(item, user, fields) for item in page]})


def update(core: Core, request: Request) -> Response:
    """PUT /folders/:id."""
    folder = core.changes.update_folder(
        request.user, request.params[0], request.json(), request.header(b"if-match")
    )
    return json_response(views.full(folder, request.user, request.fields()))


def delete(core: Core, request: Request) -> Response:
    """DELETE /folders/:id."""
    recursive = parse_bool(request.query, "recursive")
    core.trash.delete_folder(request.user, request.params[0], recursive, request.header(b"if-match"))
    return Response(204)


def copy(core: Core, request: Request) -> Response:
    """POST /folders/:id/copy."""
    body = request.json()
    folder = core.items.folder(request.user, request.params[0])
    made = core.copying.copy(request.user, folder, require_child_id(body, "parent"), body.get("name"))
    return json_response(views.full(made, request.user, request.fields()), 201)


def trash_items(core: Core, request: Request) -> Response:
    """GET /folders/trash/items."""
    query = request.query
    fields = request.fields(query)
    entries = core.trash.entries(request.user)
    if parse_bool(query, "usemarker"):
        limit = parse_limit(query, 100)
        page, rest = marker_page(entries, query.get("marker"), limit, item_key)
    else:
        page, rest = offset_page(entries, query)
    return json_response(rest | {"entries": [views.entry(item, request.user, fields) for item in page]})


def get_trashed(core: Core, request: Request) -> Response:
    """GET /folders/:id/trash."""
    folder = core.trash.find(request.user, "folder", request.params[0])
    return json_response(_without_items(views.full(folder, request.user, request.fields())))


def restore(core: Core, request: Request) -> Response:
    """POST /folders/:id: out of the trash."""
    folder = core.trash.restore(request.user, "folder", request.params[0], request.json())
    return json_response(_without_items(views.full(folder, request.user, request.fields())), 201)


def purge(core: Core, request: Request) -> Response:
    """DELETE /folders/:id/trash."""
    core.trash.purge(request.user, "folder", request.params[0])
    return Response(204)


def shared_items(core: Core, request: Request) -> Response:
    """GET /shared_items with the BoxApi header: what a shared link points at."""
    header = request.header(b"boxapi") or ""
    link = dict(pair.partition("=")[::2] for pair in header.split("&"))
    for item in core.store.items():
        known = item.shared_link
        if known is None or known["url"] != link.get("shared_link") or item.trashed is not None:
            continue
        if known.get("password") and known["password"] != link.get("shared_link_password"):
            break
        if known["access"] == "collaborators" and not permissions.sees(request.user, item):
            break
        view = views.full(item, request.user, request.fields())
        if isinstance(item, Folder) and "item_collection" in view:
            view["item_collection"] = views.item_collection(item, request.user)
        return json_response(view)
    raise not_found("shared_link")


def _without_items(view: JSON) -> JSON:
    """Folders in and out of the trash come without their items."""
    return {name: value for name, value in view.items() if name != "item_collection"}


ROUTES = {
    "POST /folders": create,
    "GET /folders/:id": get,
    "PUT /folders/:id": update,
    "DELETE /folders/:id": delete,
    "POST /folders/:id": restore,
    "GET /folders/:id/items": items,
    "POST /folders/:id/copy": copy,
    "GET /folders/trash/items": trash_items,
    "GET /folders/:id/trash": get_trashed,
    "DELETE /folders/:id/trash": purge,
    "GET /shared_items": shared_items,
}

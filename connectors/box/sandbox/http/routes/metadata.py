"""Calls about metadata: HTTP in and out, no rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.errors import BoxError
from connectors.box.sandbox.store.records import Item
from connectors.box.sandbox.wire import Request, Response, json_response

Finder: TypeAlias = Callable[[Core, Request], Item]
Handler: TypeAlias = Callable[[Core, Request], Response]

_PATCH_TYPE = "application/json-patch+json"


def _folder(core: Core, request: Request) -> Item:
    return core.items.folder(request.user, request.params[0])


def _file(core: Core, request: Request) -> Item:
    return core.items.file(request.user, request.params[0])


def _list(find: Finder) -> Handler:
    def instances(core: Core, request: Request) -> Response:
        found = core.metadata.instances(request.user, find(core, request))
        return json_response({"entries": found, "limit": 100})

    return instances


def _get(find: Finder) -> Handler:
    def instance(core: Core, request: Request) -> Response:
        _, scope, key = request.params
        return json_response(core.metadata.get(request.user, find(core, request), scope, key))

    return instance


def _create(find: Finder) -> Handler:
    def create(core: Core, request: Request) -> Response:
        _, scope, key = request.params
        made = core.metadata.create(request.user, find(core, request), scope, key, request.json())
        return json_response(made, 201)

    return create


def _patch(find: Finder) -> Handler:
    def patch(core: Core, request: Request) -> Response:
        kind = (request.header(b"content-type") or "").partition(";")[0].strip()
        if kind != _PATCH_TYPE:
            raise BoxError(415, "unsupported_media_type", f"The content type should be {_PATCH_TYPE}")
        _, scope, key = request.params
        operations = request.json_any()
        return json_response(core.metadata.patch(request.user, find(core, request), scope, key, operations))

    return patch


def _delete(find: Finder) -> Handler:
    def delete(core: Core, request: Request) -> Response:
        _, scope, key = request.params
        core.metadata.delete(request.user, find(core, request), scope, key)
        return Response(204)

    return delete


def create_template(core: Core, request: Request) -> Response:
    """POST /metadata_templates/schema."""
    return json_response(core.metadata.create_template(request.user, request.json()), 201)


def get_template(core: Core, request: Request) -> Response:
    """GET /metadata_templates/:scope/:key/schema."""
    return json_response(core.metadata.template(*request.params))


def delete_template(core: Core, request: Request) -> Response:
    """DELETE /metadata_templates/:scope/:key/schema."""
    core.metadata.delete_template(request.user, *request.params)
    return Response(204)


def enterprise_templates(core: Core, request: Request) -> Response:
    """GET /metadata_templates/enterprise."""
    found = list(core.store.templates.values())
    return json_response({"entries": found, "limit": 1000, "next_marker": None, "prev_marker": None})


ROUTES: dict[str, Handler] = {
    "POST /metadata_templates/schema": create_template,
    "GET /metadata_templates/enterprise": enterprise_templates,
    "GET /metadata_templates/:id/:id/schema": get_template,
    "DELETE /metadata_templates/:id/:id/schema": delete_template,
}
for _kind, _find in (("files", _file), ("folders", _folder)):
    ROUTES[f"GET /{_kind}/:id/metadata"] = _list(_find)
    ROUTES[f"GET /{_kind}/:id/metadata/:id/:id"] = _get(_find)
    ROUTES[f"POST /{_kind}/:id/metadata/:id/:id"] = _create(_find)
    ROUTES[f"PUT /{_kind}/:id/metadata/:id/:id"] = _patch(_find)
    ROUTES[f"DELETE /{_kind}/:id/metadata/:id/:id"] = _delete(_find)

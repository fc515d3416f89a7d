"""The table of Box's calls: method and path template → function. No rules; those are behind `Core`.

Templates leave out host and version: `/2.0` on the API host, `/api/2.0` on the upload host. The trailing slash
that one client sends is forgiven.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.http.routes import collaborations as routes_collaborations
from connectors.box.sandbox.http.routes import events as routes_events
from connectors.box.sandbox.http.routes import files as routes_files
from connectors.box.sandbox.http.routes import folders as routes_folders
from connectors.box.sandbox.http.routes import metadata as routes_metadata
from connectors.box.sandbox.http.routes import people as routes_people
from connectors.box.sandbox.http.routes import uploads as routes_uploads
from connectors.box.sandbox.wire import REGION, Request, Response

Handler: TypeAlias = Callable[[Core, Request], "Response | Awaitable[Response]"]


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API."""

    #: "GET /folders/:id/items".
    template: str
    handler: Handler
    #: Counts among the 240 uploads a minute.
    is_upload: bool = False
    #: Reachable for a Limited Access ("App Token") application.
    limited: bool = False
    #: Its answer depends on the state but it changes nothing, so nothing has to be saved after it.
    read_only: bool = False


_LIMITED = {
    "POST /folders",
    "POST /files/content",
    "POST /files/:id/content",
    "GET /files/:id",
    "GET /files/:id/content",
    "DELETE /files/:id",
    "PUT /files/:id",
    "GET /folders/:id",
    "GET /folders/:id/items",
}
_UPLOADS = {
    "POST /files/content",
    "POST /files/:id/content",
    "POST /files/upload_sessions",
    "POST /files/:id/upload_sessions",
    "POST /files/upload_sessions/:id/commit",
}
PART = "PUT /files/upload_sessions/:id"

#: A path segment → deeper nodes; None stands for an id, "" holds method → route.
Node: TypeAlias = dict[str | None, "Node | dict[str, Route]"]


class Table:
    """Finds the route of a path by walking its segments."""

    def __init__(self) -> None:
        self.roots: dict[str, Node] = {"/2.0": {}, "/api/2.0": {}, "/realtime": {}}
        # Sessions live on a host of their region; here a path stands for the host.
        self.roots[REGION] = self.roots["/api/2.0"]
        for module, prefix in (
            (routes_folders, "/2.0"),
            (routes_files, "/2.0"),
            (routes_people, "/2.0"),
            (routes_collaborations, "/2.0"),
            (routes_metadata, "/2.0"),
            (routes_events, "/2.0"),
            (routes_uploads, "/api/2.0"),
        ):
            for template, handler in module.ROUTES.items():
                self._add(prefix, template, handler)
        for template, handler in routes_uploads.PREFLIGHTS.items():
            self._add("/2.0", template, handler)
        for template, handler in routes_events.REALTIME.items():
            self._add("/realtime", template, handler)

    def find(self, method: str, path: str) -> tuple[Route | None, list[str], bool]:
        """(route, ids, path known): route is None for an unknown path, or a known one with another method."""
        prefix = next((root for root in self.roots if path.startswith(root + "/")), None)
        if prefix is None:
            return None, [], False
        segments = path[len(prefix) + 1 :].rstrip("/").split("/")
        found = _walk(self.roots[prefix], segments, 0, [])
        if found is None:
            return None, [], False
        methods, ids = found
        return methods.get(method), ids, True

    def routes(self) -> list[Route]:
        """Every route there is."""
        found: list[Route] = []
        stack = [root for prefix, root in self.roots.items() if prefix != REGION]
        while stack:
            node = stack.pop()
            for key, value in node.items():
                if key == "":
                    found.extend(value.values())  # type: ignore[arg-type]
                else:
                    stack.append(value)  # type: ignore[arg-type]
        return found

    def _add(self, prefix: str, template: str, handler: Handler) -> None:
        method, _, path = template.partition(" ")
        node = self.roots[prefix]
        for segment in path.strip("/").split("/"):
            key = None if segment.startswith(":") else segment
            node = node.setdefault(key, {})  # type: ignore[assignment]
        leaf = node.setdefault("", {})
        route = Route(
            template,
            handler,
            is_upload=template in _UPLOADS,
            limited=template in _LIMITED,
            read_only=method in {"GET", "OPTIONS"},
        )
        leaf[method] = route  # type: ignore[assignment]


def _walk(
    node: Any, segments: list[str], at: int, ids: list[str]
) -> tuple[dict[str, Route], list[str]] | None:
    """(method → route, ids) below the node; a literal segment is preferred, an id is tried when that leads nowhere."""
    if at == len(segments):
        methods = node.get("")
        return (methods, ids) if methods else None
    segment = segments[at]
    literal = node.get(segment) if segment else None
    if literal is not None and (found := _walk(literal, segments, at + 1, ids)) is not None:
        return found
    variable = node.get(None) if segment else None
    return None if variable is None else _walk(variable, segments, at + 1, [*ids, segment])

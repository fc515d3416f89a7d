"""Costs: the calls of Box by the names that `status` gives them, and what a run asks beside its files. Pure."""

from __future__ import annotations

from enum import StrEnum

from connectors.box.upload.part_sizes import parts_of
from flows.plan.model import MigrationPlan

#: Entries of one page of Box's listings.
PAGE = 1_000


class Route(StrEnum):
    """Calls that a pass makes, as they are counted."""

    TOKEN = "POST /oauth2/token"  # noqa: S105  (a route, not a password)
    WHO_AM_I = "GET /users/me"
    USER = "GET /users/:id"
    USERS = "GET /users"
    MAKE_USER = "POST /users"
    GROUPS = "GET /groups"
    FOLDER = "GET /folders/:id"
    MAKE_FOLDER = "POST /folders"
    #: Also what gives a folder its shared link.
    MOVE_FOLDER = "PUT /folders/:id"
    TRASH_FOLDER = "DELETE /folders/:id"
    LIST = "GET /folders/:id/items"
    FILE = "POST /files/content"
    VERSION = "POST /files/:id/content"
    MOVE_FILE = "PUT /files/:id"
    TRASH_FILE = "DELETE /files/:id"
    LOOK_AT_FILE = "GET /files/:id"
    SESSION = "POST /files/upload_sessions"
    SESSION_OF_VERSION = "POST /files/:id/upload_sessions"
    PLAN_PART = "POST /files/upload_sessions/:id/plan"
    PART = "PUT /files/upload_sessions/:id"
    COMMIT = "POST /files/upload_sessions/:id/commit"
    GRANTS = "GET /folders/:id/collaborations"
    LET_IN = "POST /collaborations"
    TAKE_OUT = "DELETE /collaborations/:id"


#: Calls that Box counts as uploads, too.
UPLOADS = frozenset({Route.FILE, Route.VERSION, Route.SESSION, Route.SESSION_OF_VERSION, Route.COMMIT})
#: Calls of whoever uploads.
SENDERS = UPLOADS | {Route.PART, Route.PLAN_PART}


def sending_calls(size: int, plan: MigrationPlan, *, is_version: bool) -> dict[str, int]:
    """Return the calls by which a file of so many bytes is sent, as new or over what Box has of it."""
    if size < plan.box.direct_upload_limit_bytes:
        return {Route.VERSION if is_version else Route.FILE: 1}
    parts = parts_of(size)
    calls: dict[str, int] = {Route.PART: parts, Route.COMMIT: 1}
    if is_version:
        return calls | {Route.LOOK_AT_FILE: 1, Route.SESSION_OF_VERSION: 1, Route.PLAN_PART: parts}
    return calls | {Route.SESSION: 1}


def pages_of(entries: int) -> int:
    """How many calls list so many entries in Box."""
    return max(1, -(-entries // PAGE))

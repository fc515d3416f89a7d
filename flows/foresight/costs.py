"""Costs: the calls of Box by the names that `status` gives them, and what a run asks beside its files. Pure."""

from __future__ import annotations

from enum import StrEnum


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

"""What the app may do, found by calls that leave no trace. Nothing here decides whether a plan needs it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from connectors.box.client.connection import UPLOAD_PROBE_PATH, UPLOAD_PROBE_ROUTE, BoxConnection
from connectors.box.client.errors import code_of
from connectors.box.folders import create_folder, delete_folder
from connectors.errors import ItemError, PermissionMissing

PROBE_NAME = "boxhaul check"
#: A person waits for the answer.
PROBE_ATTEMPTS = 3


class Permission(StrEnum):
    """What a probe found."""

    #: Box did it.
    GRANTED = "granted"
    #: The app lacks the scope, or was not authorised anew since it has it.
    NO_SCOPE = "no scope"
    #: The scope is there, but the app's access level or the account's role does not reach so far.
    NO_ACCESS = "no access"


def require_upload_host(connection: BoxConnection) -> None:
    """Raise TransientError when Box's upload host does not answer: a firewall may know only the API's host."""
    address = connection.upload_url(UPLOAD_PROBE_PATH)
    with suppress(ItemError):  # there is no such session: an answer
        connection.ask(UPLOAD_PROBE_ROUTE, address, attempts=PROBE_ATTEMPTS)


def may_list_users(connection: BoxConnection) -> Permission:
    """Try "Manage users" with "App + Enterprise Access": ask for one user of the list."""
    params = {"limit": "1", "fields": "login"}
    return _tried(lambda: connection.ask("GET /users", "/users", params=params))


def may_list_groups(connection: BoxConnection) -> Permission:
    """Try "Manage groups": ask for one group of the list."""
    params = {"limit": "1", "fields": "name"}
    return _tried(lambda: connection.ask("GET /groups", "/groups", params=params))


def may_act_as(connection: BoxConnection, user_id: str) -> Permission:
    """Try "Make API calls using the as-user header": ask as the other user who that is."""
    headers = {"As-User": user_id}
    return _tried(lambda: connection.ask("GET /users/me", "/users/me", headers=headers))


def may_write(connection: BoxConnection, folder_id: str) -> Permission:
    """Try "Write all files and folders": make an empty folder and delete it at once."""

    def make_and_delete() -> None:
        made = create_folder(connection, folder_id, f"{PROBE_NAME} {uuid.uuid4().hex[:8]}")
        with suppress(ItemError):
            delete_folder(connection, made.id)

    return _tried(make_and_delete)


def _tried(call: Callable[[], object]) -> Permission:
    try:
        call()
    except PermissionMissing as exc:
        return Permission.NO_SCOPE if code_of(exc) == "insufficient_scope" else Permission.NO_ACCESS
    return Permission.GRANTED

"""What the app may do, found by calls that leave no trace. Nothing here decides whether a plan needs it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from connectors.box.client.connection import UPLOAD_PROBE_PATH, UPLOAD_PROBE_ROUTE, BoxConnection
from connectors.box.client.errors import code_of
from connectors.box.folders import create_folder, delete_folder, landing_folder
from connectors.errors import ItemError, NotPermitted, PermissionMissing

PROBE_NAME = "boxhaul check"
#: A person waits for the answer.
PROBE_ATTEMPTS = 3
#: What a probe of the whole account found holds for so long: many items may be refused at once.
STANDING_SECONDS = 30.0


class Permission(StrEnum):
    """What a probe found."""

    #: Box did it.
    GRANTED = "granted"
    #: The app lacks the scope, or was not authorised anew since it has it.
    NO_SCOPE = "no scope"
    #: The scope is there, but the app's access level or the account's role does not reach so far.
    NO_ACCESS = "no access"


class Standing:
    """Tells the refusal of one item from one of the whole account. Safe for many threads.

    The landing folder decides: what the service account may not even do there it may do nowhere in this plan.
    """

    def __init__(
        self,
        connection: BoxConnection,
        landing_folder_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._landing_folder_id = landing_folder_id
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: tuple[float, dict[str, bool]] | None = None

    @contextmanager
    def needed(self, ability: str) -> Iterator[None]:
        """Let NotPermitted of one item pass; PermissionMissing instead when the account lacks `ability` as a whole.

        ability: as Box names it in a folder's permissions (can_upload, can_invite_collaborator). A look costs one
        call and holds for half a minute. LandingFolderMissing when that folder is out of sight.
        """
        try:
            yield
        except NotPermitted as exc:
            if self._abilities().get(ability, True):
                raise
            raise PermissionMissing(
                f"The service account has no {ability} on the landing folder {self._landing_folder_id} any more; "
                f"give it back its role there, then run again. {exc}"
            ) from exc

    def _abilities(self) -> dict[str, bool]:
        with self._lock:
            if self._seen is None or self._clock() - self._seen[0] > STANDING_SECONDS:
                try:
                    landing = landing_folder(self._connection, self._landing_folder_id)
                except NotPermitted as exc:
                    raise PermissionMissing(str(exc)) from exc
                self._seen = self._clock(), landing.permissions
            return self._seen[1]


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
    except (PermissionMissing, NotPermitted) as exc:
        return Permission.NO_SCOPE if code_of(exc) == "insufficient_scope" else Permission.NO_ACCESS
    return Permission.GRANTED

"""What the app may do, found by calls that leave no trace. Nothing here decides whether a plan needs it."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from urllib.parse import urlsplit

from connectors.box.client.connection import UPLOAD_PROBE_PATH, UPLOAD_PROBE_ROUTE, BoxConnection
from connectors.box.client.network import is_foreign, not_box
from connectors.box.client.refusal import code_of, refusal_of, status_of
from connectors.box.folders import create_folder, delete_folder, landing_folder
from connectors.errors import (
    BoxUnreachable,
    ItemError,
    NotPermitted,
    PermissionMissing,
    Rejected,
    ServerBusy,
    TransientError,
)
from connectors.on_error import OnError

PROBE_NAME = "boxhaul check"
#: A person waits for the answer.
PROBE_ATTEMPTS = 3
#: What a probe of the whole account found holds for so long: many items may be refused at once.
STANDING_SECONDS = 30.0
#: After so many refusals in a row, with nothing allowed between, the account is probed anew whatever was found before.
REFUSALS_IN_A_ROW = 10
UPLOAD = "can_upload"
#: What Box itself says of an address that is no part of its upload API.
NOT_THE_UPLOAD_API = frozenset({"method_not_allowed"})


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

    The landing folder decides: what the service account may not even do there it may do nowhere in this plan. Its
    permissions come first; they do not know of rules beside the role (policies of the enterprise, classifications),
    so that Box is asked as well whether it would take a file there (preflight, which stores nothing). Nothing is asked
    before something is refused (P6). Whether invitations are refused beside the role cannot be asked without inviting.
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
        #: Ability → when it was probed, and why the account lacks it; None when it does not.
        self._found: dict[str, tuple[float, str | None]] = {}
        self._in_a_row = Counter[str]()

    def needed(self, ability: str) -> OnError:
        """Let the refusal of one item pass; PermissionMissing instead when the account lacks `ability` as a whole.

        ability: as Box names it in a folder's permissions (can_upload, can_invite_collaborator). A probe costs one
        call, for can_upload two, and holds for half a minute, unless ten items in a row are refused.
        LandingFolderMissing when that folder is out of sight.
        """
        return OnError(self._refused, ability, otherwise=self._allowed)

    def _allowed(self, ability: str) -> None:
        self._in_a_row.pop(ability, None)

    def _refused(self, error: BaseException, ability: str) -> bool:
        if not isinstance(error, ItemError):
            return False
        if ability == UPLOAD and is_foreign(error):
            Probes(self._connection).require_upload_host()
        lacking = self._lacking(ability) if is_forbidden(error) else None
        if lacking is not None:
            raise PermissionMissing(f"{lacking} {error}") from error
        return False

    def _lacking(self, ability: str) -> str | None:
        """Return why nothing at all is allowed any more, from a probe that is fresh enough."""
        with self._lock:
            self._in_a_row[ability] += 1
            found = self._found.get(ability)
            if (
                found is None
                or self._clock() - found[0] > STANDING_SECONDS
                or self._in_a_row[ability] >= REFUSALS_IN_A_ROW
            ):
                self._in_a_row[ability] = 0
                found = self._found[ability] = self._clock(), self._probed(ability)
            return found[1]

    def _probed(self, ability: str) -> str | None:
        try:
            landing = landing_folder(self._connection, self._landing_folder_id)
        except NotPermitted as exc:
            raise PermissionMissing(str(exc)) from exc
        if not landing.permissions.get(ability, True):
            return (
                f"The service account has no {ability} on the landing folder {self._landing_folder_id} any more; "
                "give it back its role there, then run again."
            )
        if ability == UPLOAD and not may_upload(self._connection, self._landing_folder_id):
            return (
                "Box takes no file from the service account, not even in the landing folder "
                f"{self._landing_folder_id}, though its role there allows it; ask a Box admin which policy forbids it, "
                "then run again."
            )
        return None


def is_forbidden(error: ItemError) -> bool:
    """Tell whether Box refused this with a bare 403, which may mean this one thing or everything."""
    return isinstance(error, NotPermitted) or (type(error) is Rejected and status_of(error) == 403)


class Probes:
    """What the service account may do, each found by one call or two."""

    def __init__(self, connection: BoxConnection) -> None:
        self._connection = connection

    def require_upload_host(self) -> None:
        """Raise TransientError when Box's upload host does not answer: a firewall may know only the API's host.

        BoxUnreachable when what answers there is not Box.
        """
        address = self._connection.upload_url(UPLOAD_PROBE_PATH)
        host = urlsplit(address).netloc
        try:
            self._connection.ask(UPLOAD_PROBE_ROUTE, address, attempts=PROBE_ATTEMPTS)
        except ItemError as exc:
            # There is no such session, which Box says in its own way.
            if is_foreign(exc) or code_of(exc) in NOT_THE_UPLOAD_API:
                raise BoxUnreachable(not_box(host, str(refusal_of(exc)))) from exc
        except ServerBusy as exc:
            if not is_foreign(exc):
                raise
            raise BoxUnreachable(not_box(host, str(exc))) from exc

    def may_list_users(self) -> Permission:
        """Try "Manage users" with "App + Enterprise Access": ask for one user of the list."""
        params = {"limit": "1", "fields": "login"}
        return _tried(lambda: self._connection.ask("GET /users", "/users", params=params))

    def may_list_groups(self) -> Permission:
        """Try "Manage groups": ask for one group of the list."""
        params = {"limit": "1", "fields": "name"}
        return _tried(lambda: self._connection.ask("GET /groups", "/groups", params=params))

    def may_act_as(self, user_id: str) -> Permission:
        """Try "Make API calls using the as-user header": ask as the other user who that is."""
        headers = {"As-User": user_id}
        return _tried(lambda: self._connection.ask("GET /users/me", "/users/me", headers=headers))

    def may_write(self, folder_id: str) -> Permission:
        """Try "Write all files and folders": make an empty folder and delete it at once."""

        def make_and_delete() -> None:
            made = create_folder(self._connection, folder_id, f"{PROBE_NAME} {uuid.uuid4().hex[:8]}")
            with suppress(ItemError):
                delete_folder(self._connection, made.id)

        return _tried(make_and_delete)


def may_upload(connection: BoxConnection, folder_id: str) -> bool:
    """Ask whether Box would take a small file here; stores nothing. False for a 403; anything else says nothing."""
    file = {"name": f"{PROBE_NAME} {uuid.uuid4().hex[:8]}", "size": 1, "parent": {"id": folder_id}}
    try:
        connection.ask("OPTIONS /files/content", "/files/content", data=file, attempts=PROBE_ATTEMPTS)
    except ItemError as exc:
        return not is_forbidden(exc)
    except TransientError:
        return True
    return True


def _tried(call: Callable[[], object]) -> Permission:
    try:
        call()
    except (PermissionMissing, NotPermitted) as exc:
        return Permission.NO_SCOPE if code_of(exc) == "insufficient_scope" else Permission.NO_ACCESS
    return Permission.GRANTED

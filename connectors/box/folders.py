"""Folders in Box: create or adopt, look at, list. Which folder belongs where is not decided here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.box.client.connection import BoxConnection
from connectors.box.names import collision_key
from connectors.box.types import BoxChild, BoxFolder, SharedLink
from connectors.box.values import id_of, json_object, moment_of, object_of, size_of, text_of
from connectors.errors import DestinationGone, LandingFolderMissing, NameInUse, ServerBusy

LIST_FIELDS = "name,size,sha1,etag,content_modified_at"
#: What a verification compares beyond that.
WHOLE_FIELDS = f"{LIST_FIELDS},file_version,shared_link"
FOLDER_FIELDS = (
    "name,etag,parent,owned_by,created_by,created_at,modified_by,modified_at,permissions,item_status,trashed_at,"
    "is_collaboration_restricted_to_enterprise,can_non_owners_invite,shared_link"
)
PAGE_SIZE = 1000
#: Box keeps whole seconds, and its clock is known to about one.
CLOCK_TOLERANCE = timedelta(seconds=3)

#: For what Box gives no date.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def create_folder(
    connection: BoxConnection, parent_id: str, name: str, *, claimed_at: datetime | None = None
) -> BoxFolder:
    """Create the folder, or adopt the one that has this name: an earlier run's or a person's.

    claimed_at: when a process that died claimed this path. What this account made since then is no adopted folder:
    that claim made it, and Box's answer was lost; nor is one that this very call made at its first attempt.
    NameInUse when what Box has is no folder, or has another name.
    """
    route, began, attempts = "POST /folders", datetime.now(UTC), 0

    def send() -> BoxFolder:
        nonlocal attempts
        attempts += 1
        wanted = {"name": name, "parent": {"id": parent_id}}
        answer = connection.fetch("POST", "/folders", params={"fields": "name,etag"}, data=wanted)
        made = json_object(answer.data, route)
        if (folder_id := text_of(made.get("id"))) is None:
            raise ServerBusy(f"{route}: the answer names no folder; what it did is seen at the next attempt.")
        return BoxFolder(
            id=folder_id,
            name=str(made.get("name") or name),
            etag=text_of(made.get("etag")),
            parent_id=parent_id,
        )

    try:
        return connection.call(route, send)
    except NameInUse as exc:
        found = _adopt(connection, parent_id, name, exc)
        since = claimed_at or (began if attempts > 1 else None)
        return _made_since(since, connection, found) if since else found


def folder_info(connection: BoxConnection, folder_id: str) -> BoxFolder:
    """Return the folder with its owner and what the caller may do. DestinationGone also when it is in the trash."""
    route = "GET /folders/:id"
    answer = json_object(
        connection.ask(route, f"/folders/{folder_id}", params={"fields": FOLDER_FIELDS}).data, route
    )
    if answer.get("trashed_at") or answer.get("item_status") in ("trashed", "deleted"):
        raise DestinationGone(f"The Box folder {folder_id} is in the trash.")
    owner, editor = object_of(answer.get("owned_by")), object_of(answer.get("modified_by"))
    return BoxFolder(
        id=str(answer.get("id") or folder_id),
        name=str(answer.get("name") or ""),
        etag=text_of(answer.get("etag")),
        parent_id=id_of(answer.get("parent")),
        owner_id=id_of(owner),
        created_by_id=id_of(answer.get("created_by")),
        created_at=moment_of(answer.get("created_at")),
        owner_login=text_of(owner.get("login")),
        modified_by=text_of(editor.get("login")) or text_of(editor.get("name")),
        modified_at=moment_of(answer.get("modified_at")),
        enterprise_only=answer.get("is_collaboration_restricted_to_enterprise") is True,
        link_access=text_of(object_of(answer.get("shared_link")).get("access")),
        others_may_invite=answer.get("can_non_owners_invite") is not False,
        permissions={str(name): bool(value) for name, value in object_of(answer.get("permissions")).items()},
    )


def filled_since(connection: BoxConnection, folder_id: str, account_ids: Collection[str]) -> datetime | None:
    """Return when one of these accounts first put something into the folder; None when none of them did.

    Looks at the first 1,000 entries: one call. Who made the folder itself does not matter. DestinationGone.
    """
    params = {"fields": "created_by,created_at", "limit": str(PAGE_SIZE)}
    route = "GET /folders/:id/items"
    page = json_object(connection.ask(route, f"/folders/{folder_id}/items", params=params).data, route)
    ours = (entry for entry in page.get("entries") or () if id_of(entry.get("created_by")) in account_ids)
    # An answer without a date is taken for the oldest: then nobody's files are believed to be ours to write on.
    return min((moment_of(entry.get("created_at")) or LONG_AGO for entry in ours), default=None)


def folder_is_trashed(connection: BoxConnection, folder_id: str) -> bool:
    """Tell whether the folder lies in the trash; False also for one that was deleted for good, or is hidden."""
    try:
        connection.ask("GET /folders/:id/trash", f"/folders/{folder_id}/trash")
    except DestinationGone:
        return False
    return True


def landing_folder(connection: BoxConnection, folder_id: str) -> BoxFolder:
    """Return the folder under which trees arrive, or raise LandingFolderMissing."""
    try:
        return folder_info(connection, folder_id)
    except DestinationGone as exc:
        raise LandingFolderMissing(
            f"The landing folder {folder_id} does not exist or the service account cannot see it; "
            "check landing_folder_id, or invite the service account's login to that folder."
        ) from exc


def list_folder(connection: BoxConnection, folder_id: str, *, whole: bool = False) -> Iterator[BoxChild]:
    """Yield every child once; `whole`: with version and shared link, which makes a page longer by a half.

    Raw JSON: the SDK's models cost thirty times the CPU on a page of 1,000.
    Markers, because offsets end at 10,000; de-duplicated, because marker pages of the root have repeated entries.
    """
    route, marker, seen = "GET /folders/:id/items", "", set[tuple[str, str]]()
    fields = WHOLE_FIELDS if whole else LIST_FIELDS
    while True:
        params = {"fields": fields, "limit": str(PAGE_SIZE), "usemarker": "true"}
        if marker:
            params["marker"] = marker
        page = json_object(connection.ask(route, f"/folders/{folder_id}/items", params=params).data, route)
        entries = page.get("entries")
        if not isinstance(entries, list):
            raise ServerBusy(f"{route}: the answer has no entries.")
        before = len(seen)
        for entry in entries:
            key = (str(entry.get("type")), str(entry.get("id")))
            if key not in seen:
                seen.add(key)
                yield _child(entry)
        following = page.get("next_marker")
        if not following:
            return
        if following == marker or (entries and len(seen) == before):
            raise ServerBusy(f"{route}: the pages of folder {folder_id} do not come to an end.")
        marker = str(following)


def share_folder(
    connection: BoxConnection, folder_id: str, link: SharedLink, password: str | None
) -> SharedLink:
    """Give the folder this link, or change the one it has; a repeat changes nothing, the address stays.

    An open link without a password loses the one that it had. Whether a link keeps an end that is no longer asked for
    is not documented: unshared_at takes no null. Rejected where the enterprise forbids the access
    level, DestinationGone.
    """
    route = "PUT /folders/:id"
    wanted: dict[str, Any] = {"access": link.access}
    if link.access == "open":
        wanted["password"] = password  # null removes one; other access levels take none
    if link.expires_at is not None:
        wanted["unshared_at"] = link.expires_at.isoformat(timespec="seconds")
    answer = connection.ask(
        route,
        f"/folders/{folder_id}",
        params={"fields": "shared_link"},
        data={"shared_link": wanted},
    )
    made = object_of(json_object(answer.data, route).get("shared_link"))
    return SharedLink(
        url=str(made.get("url") or ""),
        access=str(made.get("access") or link.access),
        expires_at=moment_of(made.get("unshared_at")),
        has_password=bool(made.get("is_password_enabled")),
    )


def delete_folder(connection: BoxConnection, folder_id: str) -> None:
    """Delete an empty folder; gone already counts as done."""
    with suppress(DestinationGone):
        connection.call(
            "DELETE /folders/:id", lambda: connection.client.folders.delete_folder_by_id(folder_id)
        )


# --- private ---


def _adopt(connection: BoxConnection, parent_id: str, name: str, error: NameInUse) -> BoxFolder:
    if error.box_id is None:  # Box does not always say what is in the way
        for child in list_folder(connection, parent_id):
            if collision_key(child.name) == collision_key(name):
                error.box_id, error.box_type, error.box_name = child.id, child.type, child.name
                error.etag = child.etag
                break
    if error.box_id is None or error.box_type != "folder":
        raise error
    if error.box_name is not None and collision_key(error.box_name) != collision_key(name):
        raise error  # two names that Box alone takes for the same: what is there belongs to the other one (P7)
    return BoxFolder(
        id=error.box_id, name=error.box_name or name, adopted=True, etag=error.etag, parent_id=parent_id
    )


def _made_since(claimed_at: datetime, connection: BoxConnection, found: BoxFolder) -> BoxFolder:
    """Return the folder as made by this claim when this account made it since then; else as adopted.

    Nothing is put into a folder before its id is written down: what is in it already is somebody else's, perhaps
    another plan's of this account, and so is the folder.
    """
    if connection.user_id is None:
        return found
    folder = folder_info(connection, found.id)
    ahead = timedelta(seconds=connection.transport.clock_skew_seconds or 0.0)
    earliest = claimed_at + ahead - CLOCK_TOLERANCE
    by_us = folder.created_by_id == connection.user_id
    ours = by_us and folder.created_at is not None and folder.created_at >= earliest
    ours = ours and next(list_folder(connection, found.id), None) is None
    return replace(found, adopted=not ours, created_by_id=folder.created_by_id, created_at=folder.created_at)


def _child(entry: Mapping[str, Any]) -> BoxChild:
    return BoxChild(
        type=str(entry.get("type")),
        id=str(entry.get("id")),
        name=str(entry.get("name") or ""),
        size=size_of(entry.get("size")) or 0,
        sha1=str(entry["sha1"]).lower() if entry.get("sha1") else None,
        etag=text_of(entry.get("etag")),
        modified=moment_of(entry.get("content_modified_at")),
        version_id=id_of(entry.get("file_version")),
        link_access=text_of(object_of(entry.get("shared_link")).get("access")),
    )

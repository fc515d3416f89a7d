"""Reads a data folder back into a fresh core: users, tree, grants, sessions, tokens, in that order."""

from __future__ import annotations

import hashlib
from typing import Any

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.store import persistence
from connectors.box.sandbox.store.persistence import SQLiteJournal
from connectors.box.sandbox.store.records import (
    Collaboration,
    File,
    Folder,
    Group,
    Item,
    Membership,
    UploadSession,
    User,
)


def load(core: Core, journal: SQLiteJournal) -> None:
    """Fill the core, whose store is empty, with what the journal holds."""
    store = core.store
    for _, body in journal.rows("User"):
        user = User(**persistence.user_fields(body))
        store.root_of(user)
        store.users[user.id] = user
        store.logins |= dict.fromkeys(user.addresses, user)
    _load_groups(core, journal)
    _load_folders(core, journal)
    for _, body in journal.rows("File"):
        _load_file(core, body)
    for _, body in journal.rows("Collaboration"):
        _load_grant(core, body)
    for _, body in journal.rows("UploadSession"):
        _load_session(core, body)
    for key, body in journal.rows("template"):
        store.templates[key] = body
    for key, body in journal.rows("allowlist"):
        store.allowlist[key] = body
    for key, body in journal.rows("exempt"):
        store.exempt[key] = {**body, "user": store.users[body["user"]]}
    for key, body in journal.rows("ended"):
        store.ended_sessions[key] = body
    core.auth.load(journal)
    numbers = dict(journal.rows("meta"))
    store.last_id = max(store.last_id, numbers.get("last_id", 0))
    store.events.last_position = numbers.get("last_event", 0)


def _load_groups(core: Core, journal: SQLiteJournal) -> None:
    store = core.store
    for _, body in journal.rows("Group"):
        store.groups[body["id"]] = Group(**persistence.group_fields(body))
    for _, body in journal.rows("Membership"):
        user, group = store.users[body.pop("user")], store.groups[body.pop("group")]
        membership = Membership(**body, user=user, group=group)
        group.members[user.id] = membership
        store.memberships[membership.id] = membership


def _load_folders(core: Core, journal: SQLiteJournal) -> None:
    store = core.store
    bodies = [body for _, body in journal.rows("Folder")]
    for body in bodies:
        people = _people(core, body)
        store.folders[body["id"]] = Folder(**persistence.folder_fields(body), parent=None, **people)
    # Parents may be younger than their children (moves), so the links come in a second round.
    for body in bodies:
        folder = store.folders[body["id"]]
        folder.parent = _folder(core, body["parent"])
        _hang(core, folder, folder.parent)


def _load_file(core: Core, body: dict[str, Any]) -> None:
    store = core.store
    parent = _folder(core, body["parent"])
    if parent is None:
        return
    contents = store.contents
    lock = body["lock"]
    versions = [
        persistence.read_version(v, _version_people(core, v), contents.revive(v["blob"]))
        for v in body["versions"]
    ]
    file = File(
        **persistence.file_fields(body),
        **_people(core, body),
        parent=parent,
        # Folders written before versions had authors lack this.
        version_by=_user(core, body.get("version_by", body["modified_by"])),
        blob=contents.revive(body["blob"]),
        lock=None if lock is None else {**lock, "created_by": _user(core, lock["created_by"])},
        versions=versions or None,
    )
    store.files[file.id] = file
    file.owner.space_used += core.items.stored(file)
    _hang(core, file, parent)


def _hang(core: Core, item: Item, parent: Folder | None) -> None:
    if item.trashed is not None:
        core.store.trash.setdefault(item.owner.id, {})[item.id] = item
    elif parent is not None:
        core.items.attach(parent, item)


def _load_grant(core: Core, body: dict[str, Any]) -> None:
    store = core.store
    item = store.folders.get(body["item"]) or store.files.get(body["item"])
    if item is None:
        return
    core.collaborations.restore(
        Collaboration(
            **persistence.grant_fields(body),
            item=item,
            created_by=_user(core, body["created_by"]),
            user=None if body["user"] is None else store.users.get(body["user"]),
            group=None if body["group"] is None else store.groups.get(body["group"]),
        )
    )


def _load_session(core: Core, body: dict[str, Any]) -> None:
    store = core.store
    folder = _folder(core, body["folder"])
    if folder is None:
        return
    session = UploadSession(
        **persistence.session_fields(body),
        user=_user(core, body["user"]),
        folder=folder,
        file=None if body["file"] is None else store.files.get(body["file"]),
        hasher=hashlib.sha1(usedforsecurity=False),
    )
    parts = [persistence.read_part(p, store.contents.revive(p["blob"])) for p in body["parts"]]
    if any(part.blob is None for part in parts):
        # Digests alone cannot continue the hash of the whole file.
        store.ended_sessions[session.id] = "expired"
        return
    store.sessions[session.id] = session
    core.sessions.resume(session, parts)


def _folder(core: Core, link: str) -> Folder | None:
    if link.startswith("root:"):
        user = core.store.users.get(link.removeprefix("root:"))
        return None if user is None else user.root
    return core.store.folders.get(link)


def _user(core: Core, user_id: str) -> User:
    """The user, or a stand-in for one that was deleted and still is somebody's creator."""
    user = core.store.users.get(user_id)
    if user is None:
        user = User(
            id=user_id,
            login=f"deleted_{user_id}@example.com",
            name="Deleted user",
            kind="managed",
            created=0,
            modified=0,
            space_amount=0,
            max_upload_size=0,
            status="inactive",
        )
        core.store.root_of(user)
    return user


def _version_people(core: Core, body: dict[str, Any]) -> dict[str, Any]:
    names = ("modified_by", "trashed_by", "restored_by")
    return {name: None if body[name] is None else _user(core, body[name]) for name in names}


def _people(core: Core, body: dict[str, Any]) -> dict[str, Any]:
    return {name: _user(core, body[name]) for name in ("owner", "created_by", "modified_by")}

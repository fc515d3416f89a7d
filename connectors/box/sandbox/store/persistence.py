"""The data folder: every record as JSON in one SQLite file, contents as files beside it. No rules.

A call is answered after its records are written, so that a killed sandbox has forgotten nothing that it
acknowledged (`synchronous=OFF` is enough for that: it protects against the process dying, not the machine).
Events and counts are not kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from connectors.box.sandbox.store.contents import Blob, Contents
from connectors.box.sandbox.store.records import (
    Collaboration,
    File,
    Folder,
    Group,
    Item,
    Membership,
    Part,
    UploadSession,
    User,
    Version,
)

Row: TypeAlias = tuple[str, str, Any]

_USER = (
    "id", "login", "name", "kind", "created", "modified", "space_amount", "max_upload_size", "status", "language",
    "timezone", "job_title", "phone", "address", "external_app_user_id", "is_external_collab_restricted",
    "aliases", "role",
)  # fmt: skip
_GROUP = (
    "id", "name", "created", "modified", "provenance", "external_sync_identifier", "description",
    "invitability_level", "member_viewability_level",
)  # fmt: skip
_ITEM = (
    "id", "name", "created", "modified", "etag", "sequence", "description", "tags", "trashed", "shared_link",
    "metadata",
)  # fmt: skip
_FOLDER = (
    *_ITEM, "can_non_owners_invite", "is_collaboration_restricted_to_enterprise", "can_non_owners_view_collaborators",
)  # fmt: skip
_FILE = (
    *_ITEM, "content_created", "content_modified", "size", "sha1", "version_id", "version_created", "version_number",
    "disposition_at",
)  # fmt: skip
_VERSION = ("id", "sha1", "size", "name", "created", "trashed", "restored")
_GRANT = (
    "id", "role", "status", "created", "modified", "invite_email", "expires", "acknowledged", "can_view_path",
    "is_access_only",
)  # fmt: skip
_SESSION = (
    "id", "name", "size", "part_size", "created", "expires", "rounds_202", "rounds_mismatch",
)  # fmt: skip
_PART = ("id", "offset", "size", "sha1", "sha512")


class SQLiteJournal:
    """Notes changed records and writes them together, once per call."""

    def __init__(self, folder: Path, contents: Contents) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.contents = contents
        self._changed: dict[tuple[str, str], Any] = {}
        self._connection = sqlite3.connect(
            folder / "box.sqlite", check_same_thread=False, isolation_level=None, timeout=1
        )
        # The file holds the application's private key.
        (folder / "box.sqlite").chmod(0o600)
        # One sandbox per folder: a second one would not see what the first keeps in memory.
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            self._connection.close()
            raise RuntimeError(f"the data folder {folder} is in use by another sandbox") from exc
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS records (kind TEXT, id TEXT, body BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID"
        )

    def save(self, record: Any) -> None:
        """Note a changed record, or a (kind, id, JSON) row."""
        self._changed[_key(record)] = record

    def drop(self, record: Any) -> None:
        """Note a removed record."""
        self._changed[_key(record)] = None

    def flush(self) -> None:
        """Write everything noted, in one transaction."""
        if not self._changed:
            return
        changed, self._changed = self._changed, {}
        rows = [(*key, None if record is None else self._encode(record)) for key, record in changed.items()]
        execute = self._connection.executemany
        self._connection.execute("BEGIN")
        execute(
            "INSERT OR REPLACE INTO records VALUES (?, ?, ?)", [row for row in rows if row[2] is not None]
        )
        execute("DELETE FROM records WHERE kind = ? AND id = ?", [row[:2] for row in rows if row[2] is None])
        self._connection.execute("COMMIT")

    def clear(self) -> None:
        """Remove every record but the application's credentials."""
        self._changed.clear()
        self._connection.execute("DELETE FROM records WHERE kind != 'application'")

    def rows(self, kind: str) -> Iterator[tuple[str, Any]]:
        """(id, JSON) of all records of a kind, oldest first."""
        query = "SELECT id, body FROM records WHERE kind = ? ORDER BY length(id), id"
        for identifier, body in self._connection.execute(query, (kind,)).fetchall():
            yield identifier, orjson.loads(body)

    def close(self) -> None:
        """Write what is noted and close the file."""
        self.flush()
        self._connection.close()

    def _encode(self, record: Any) -> bytes:
        return orjson.dumps(self._body(record))

    def _body(self, record: Any) -> Any:
        match record:
            case tuple():
                return record[2]
            case User():
                return _plain(record, _USER)
            case Group():
                return _plain(record, _GROUP)
            case Membership():
                body = _plain(record, ("id", "role", "created", "modified"))
                return body | {"user": record.user.id, "group": record.group.id}
            case Folder():
                return _plain(record, _FOLDER) | _links(record)
            case File():
                return _plain(record, _FILE) | _links(record) | self._file(record)
            case Collaboration():
                return _plain(record, _GRANT) | _grant_links(record)
            case UploadSession():
                return _plain(record, _SESSION) | self._session(record)
        raise TypeError(f"not a record: {type(record).__name__}")

    def _file(self, file: File) -> dict[str, Any]:
        lock = file.lock
        return {
            "blob": self.contents.describe(file.blob),
            "version_by": file.version_by.id,
            "lock": None if lock is None else {**lock, "created_by": lock["created_by"].id},
            "versions": [
                _plain(v, _VERSION) | _version_links(v) | {"blob": self.contents.describe(v.blob)}
                for v in file.versions or ()
            ],
        }

    def _session(self, session: UploadSession) -> dict[str, Any]:
        return {
            "user": session.user.id,
            "folder": _folder_link(session.folder),
            "file": None if session.file is None else session.file.id,
            "parts": [
                _plain(p, _PART) | {"blob": self.contents.describe(p.blob)} for p in session.parts.values()
            ],
        }


def _key(record: Any) -> tuple[str, str]:
    if isinstance(record, tuple):
        return record[0], record[1]
    return type(record).__name__, record.id


def _plain(record: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _version_links(version: Version) -> dict[str, Any]:
    people = {name: getattr(version, name) for name in ("modified_by", "trashed_by", "restored_by")}
    return {name: None if user is None else user.id for name, user in people.items()}


def _folder_link(folder: Folder) -> str:
    """A folder's id; the roots, which all have id 0, by their owner."""
    return folder.id if folder.parent is not None else f"root:{folder.owner.id}"


def _links(item: Item) -> dict[str, Any]:
    return {
        "parent": "" if item.parent is None else _folder_link(item.parent),
        "owner": item.owner.id,
        "created_by": item.created_by.id,
        "modified_by": item.modified_by.id,
    }


def _grant_links(grant: Collaboration) -> dict[str, Any]:
    return {
        "item": grant.item.id,
        "created_by": grant.created_by.id,
        "user": None if grant.user is None else grant.user.id,
        "group": None if grant.group is None else grant.group.id,
    }


def read_version(body: dict[str, Any], people: dict[str, Any], blob: Blob | None) -> Version:
    """A version out of its JSON; `people` are its users by name."""
    return Version(**_chosen(body, _VERSION), **people, blob=blob)


def read_part(body: dict[str, Any], blob: Blob | None) -> Part:
    """A part out of its JSON."""
    return Part(**_chosen(body, _PART), blob=blob)


def _chosen(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: body[name] for name in names}


def user_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments of `User`."""
    # Folders written before users had secondary addresses lack the last two.
    return _chosen({"aliases": (), "role": "user"} | body, _USER) | {
        "aliases": tuple(body.get("aliases", ()))
    }


def group_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments of `Group`."""
    return _chosen(body, _GROUP)


def folder_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments of `Folder` that are no links."""
    return _chosen(body, _FOLDER) | {"tags": tuple(body["tags"])}


def file_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments of `File` that are no links."""
    return _chosen(body, _FILE) | {"tags": tuple(body["tags"])}


def grant_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments of `Collaboration` that are no links."""
    return _chosen(body, _GRANT)


def session_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments of `UploadSession` that are no links."""
    return _chosen(body, _SESSION)

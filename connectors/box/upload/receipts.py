"""What counts as proof that Box holds a file, and the adopt rule: what is there already need not be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.box.client.connection import BoxConnection
from connectors.box.client.errors import json_object
from connectors.box.types import BoxFile, Receipt, Upload
from connectors.errors import DigestMismatch, NameInUse, ServerBusy

FILE_FIELDS = "name,size,sha1,etag,file_version,parent,created_by,owned_by,trashed_at,item_status"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z; FILETIME goes further


def file_info(connection: BoxConnection, file_id: str) -> BoxFile:
    """GET /files/:id. DestinationGone when it is not there or not visible."""
    route = "GET /files/:id"
    answer = json_object(
        connection.ask(route, f"/files/{file_id}", params={"fields": FILE_FIELDS}).data, route
    )
    return BoxFile(
        id=str(answer.get("id") or file_id),
        name=str(answer.get("name") or ""),
        size=int(float(answer.get("size") or 0)),
        sha1=str(answer.get("sha1") or "").lower(),
        etag=_text(answer.get("etag")),
        version_id=_id(answer.get("file_version")),
        parent_id=_id(answer.get("parent")),
        created_by_id=_id(answer.get("created_by")),
        owner_id=_id(answer.get("owned_by")),
        trashed=bool(answer.get("trashed_at")) or answer.get("item_status") in ("trashed", "deleted"),
    )


def with_etag(connection: BoxConnection, item: Upload) -> Upload:
    """A new version always carries If-Match, so that a repeat after a lost answer makes no second version."""
    if not item.file_id or item.etag:
        return item
    return replace(item, etag=file_info(connection, item.file_id).etag)


def accept(connection: BoxConnection, item: Upload, entry: Mapping[str, Any], sha1: str) -> Receipt:
    """The receipt for Box's answer. An answer that disagrees is checked against the file itself before it counts."""
    file_id = _text(entry.get("id"))
    if file_id is None:
        raise ServerBusy("Box's answer to the upload names no file; what it did is seen at the next attempt.")
    if str(entry.get("sha1") or "").lower() == sha1 and _size(entry.get("size")) == item.size:
        return Receipt(
            file_id=file_id,
            version_id=_id(entry.get("file_version")),
            etag=_text(entry.get("etag")),
            name=str(entry.get("name") or item.name),
            sha1=sha1,
            size=item.size,
            identity=connection.user_id,
        )
    stored = file_info(connection, file_id)
    if stored.sha1 == sha1 and stored.size == item.size:
        return replace(_adopted(connection, stored), adopted=False)
    raise DigestMismatch(
        f"Box stored {stored.size} bytes with sha1 {stored.sha1 or '?'}; sent were {item.size} with {sha1}.",
        box_id=file_id,
        etag=stored.etag,
    )


def adopt_name(connection: BoxConnection, item: Upload, error: NameInUse, sha1: str) -> Receipt:
    """409: the name is taken. The same content is ours (a lost answer, an earlier run); anything else stays an error.

    One GET at most, and only when the conflict does not tell everything.
    """
    if error.box_id is None or error.box_type not in (None, "file"):
        raise error
    if item.file_id not in (None, error.box_id):  # another file has the name that this one was to get
        raise error
    if error.sha1 is not None and error.sha1.lower() != sha1:
        raise error
    if error.sha1 is None or error.etag is None or error.version_id is None or error.box_name is None:
        stored = file_info(connection, error.box_id)
        if stored.sha1 != sha1 or stored.size != item.size:
            error.sha1, error.etag = stored.sha1, stored.etag
            raise error
        return _adopted(connection, stored)
    return Receipt(
        file_id=error.box_id,
        version_id=error.version_id,
        etag=error.etag,
        name=error.box_name,
        sha1=sha1,
        size=item.size,
        adopted=True,
        identity=connection.user_id,
    )


def adopt_version(connection: BoxConnection, item: Upload, sha1: str) -> Receipt:
    """412: the file changed since we looked. If it has our content now, that was us; else somebody works on it."""
    stored = file_info(connection, item.file_id or "")
    if stored.sha1 == sha1 and stored.size == item.size:
        return _adopted(connection, stored)
    raise NameInUse(
        "Somebody changed this file in Box since it was uploaded; move or rename theirs, then retry.",
        box_id=stored.id,
        box_type="file",
        sha1=stored.sha1,
        etag=stored.etag,
        version_id=stored.version_id,
        box_name=stored.name,
    )


def first_entry(answer: Mapping[str, Any], route: str) -> Mapping[str, Any]:
    """The one file of Box's list answer."""
    entries = json_object(answer, route).get("entries")
    return json_object(entries[0] if isinstance(entries, list) and entries else None, route)


def box_dates(item: Upload) -> dict[str, str]:
    """content_created_at and content_modified_at, as far as the source has them."""
    both = {"content_created_at": item.created_ns, "content_modified_at": item.modified_ns}
    return {name: box_date(ns) for name, ns in both.items() if ns is not None}


def box_date(nanoseconds: int) -> str:
    """RFC 3339 in whole seconds, as Box stores them; before 1970 becomes 1970, which is the earliest Box takes."""
    seconds = min(max(0, nanoseconds // 1_000_000_000), LAST_SECOND)
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- private ---


def _adopted(connection: BoxConnection, stored: BoxFile) -> Receipt:
    return Receipt(
        file_id=stored.id,
        version_id=stored.version_id,
        etag=stored.etag,
        name=stored.name,
        sha1=stored.sha1,
        size=stored.size,
        adopted=True,
        identity=connection.user_id,
    )


def _size(value: object) -> int | None:
    try:
        return int(float(str(value)))
    except ValueError:
        return None


def _id(value: object) -> str | None:
    return _text(value.get("id")) if isinstance(value, Mapping) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)

"""What counts as proof that Box holds a file, and the adopt rule: what is there already need not be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.box.client.connection import BoxConnection
from connectors.box.files import file_info
from connectors.box.names import collision_key
from connectors.box.types import BoxFile, Receipt, Upload
from connectors.box.values import box_date, id_of, json_object, object_of, size_of, text_of
from connectors.errors import DigestMismatch, ItemError, NameInUse, ServerBusy


def with_etag(connection: BoxConnection, item: Upload) -> Upload:
    """Return a new version's upload with its etag: sent as If-Match, a repeat makes no second version."""
    if not item.file_id or item.etag:
        return item
    return replace(item, etag=file_info(connection, item.file_id).etag)


def accept(connection: BoxConnection, item: Upload, entry: Mapping[str, Any], sha1: str) -> Receipt:
    """Return the receipt for Box's answer. Where it disagrees, the file itself is looked at before that counts."""
    file_id = text_of(entry.get("id"))
    if file_id is None:
        raise ServerBusy("Box's answer to the upload names no file; what it did is seen at the next attempt.")
    if str(entry.get("sha1") or "").lower() == sha1 and size_of(entry.get("size")) == item.size:
        name = str(entry.get("name") or item.name)
        return Receipt(
            file_id=file_id,
            renamed_from=None if name == item.name else item.name,
            version_id=id_of(entry.get("file_version")),
            etag=text_of(entry.get("etag")),
            name=name,
            sha1=sha1,
            size=item.size,
            identity=connection.user_id,
            above=_folders_above(entry) if item.asks_place else (),
        )
    stored = file_info(connection, file_id)
    if stored.sha1 == sha1 and stored.size == item.size:
        renamed_from = None if stored.name == item.name else item.name
        return replace(_adopted(connection, stored), adopted=False, renamed_from=renamed_from)
    raise DigestMismatch(
        f"Box stored {stored.size} bytes with sha1 {stored.sha1 or '?'}; sent were {item.size} with {sha1}.",
        box_id=file_id,
        etag=stored.etag,
    )


def adopt_name(connection: BoxConnection, item: Upload, error: NameInUse, sha1: str) -> Receipt:
    """Return the receipt of the file that has the name (409) when its content is the same; else raise the error.

    One GET at most, and only when the conflict does not tell everything.
    """
    if error.box_id is None or error.box_type not in (None, "file"):
        raise error
    if error.box_name is not None and not _same_name(error.box_name, item.name):
        raise error
    if item.file_id not in (None, error.box_id):  # another file has the name that this one was to get
        raise error
    if error.sha1 is not None and error.sha1.lower() != sha1:
        raise error
    if error.sha1 is None or error.etag is None or error.version_id is None or error.box_name is None:
        stored = file_info(connection, error.box_id)
        error.box_name = stored.name
        if stored.sha1 != sha1 or stored.size != item.size or not _same_name(stored.name, item.name):
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


def adopt_version(
    connection: BoxConnection, item: Upload, sha1: str, refusal: ItemError | None = None
) -> Receipt:
    """Return the receipt of a file that changed since we looked when it has our content; else NameInUse.

    refusal: Box's 412, whose words the error repeats.
    """
    stored = file_info(connection, item.file_id or "")
    if stored.sha1 == sha1 and stored.size == item.size:
        return _adopted(connection, stored)
    raise NameInUse(
        f"Somebody changed this file in Box since it was uploaded; move or rename theirs, then retry. {refusal or ''}",
        box_id=stored.id,
        box_type="file",
        sha1=stored.sha1,
        etag=stored.etag,
        version_id=stored.version_id,
        box_name=stored.name,
    )


def first_entry(answer: Mapping[str, Any], route: str) -> Mapping[str, Any]:
    """Return the one file of Box's list answer."""
    entries = json_object(answer, route).get("entries")
    return json_object(entries[0] if isinstance(entries, list) and entries else None, route)


def box_dates(item: Upload) -> dict[str, str]:
    """Return content_created_at and content_modified_at, as far as the source has them."""
    both = {"content_created_at": item.created_ns, "content_modified_at": item.modified_ns}
    return {name: box_date(ns) for name, ns in both.items() if ns is not None}


# --- private ---


def _folders_above(entry: Mapping[str, Any]) -> tuple[str, ...]:
    found = object_of(entry.get("path_collection")).get("entries")
    return tuple(text for each in found if (text := id_of(each))) if isinstance(found, list) else ()


def _same_name(in_box: str, asked: str) -> bool:
    """Return False for two names that Box alone takes for the same: that file belongs to the other name (P7)."""
    return collision_key(in_box) == collision_key(asked)


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

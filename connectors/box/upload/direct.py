"""A direct upload: one multipart POST for a whole file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.box.client.connection import BoxConnection
from connectors.box.client.refusal import status_of
from connectors.box.types import CheckSource, OpenFile, Receipt, Upload
from connectors.box.upload.multipart import CONTENT_TYPE, multipart
from connectors.box.upload.reader import HashingReader, opened, sha1_of
from connectors.box.upload.receipts import (
    accept,
    adopt_name,
    adopt_version,
    box_dates,
    first_entry,
    with_etag,
)
from connectors.errors import NameInUse, Rejected

UPLOAD_FIELDS = "fields=name%2Csize%2Csha1%2Cetag%2Cfile_version"
PLACE_FIELD = "%2Cpath_collection"


def put_direct(
    connection: BoxConnection, item: Upload, open_file: OpenFile, check_source: CheckSource | None = None
) -> Receipt:
    """Send the file with one multipart POST, hashed while it streams; or adopt what Box has."""
    reader: HashingReader | None = None

    def send() -> Mapping[str, Any]:
        nonlocal reader
        with opened(open_file) as source:
            reader = HashingReader(source, item.size, check_source)
            reader.finish()
            return first_entry(_post_content(connection, item, reader), route)

    def sha1() -> str:
        return (
            reader.hexdigest() if reader and reader.complete else sha1_of(open_file, item.size, check_source)
        )

    item, route = with_etag(connection, item), _content_route(item)
    try:
        entry = connection.call(route, send)
    except NameInUse as exc:
        return adopt_name(connection, item, exc, sha1())
    except Rejected as exc:
        if item.file_id and status_of(exc) == 412:
            return adopt_version(connection, item, sha1(), exc)
        raise
    connection.transport.count_bytes(item.size)
    return accept(connection, item, entry, sha1())


def _post_content(connection: BoxConnection, item: Upload, reader: HashingReader) -> Any:
    attributes: dict[str, Any] = {"name": item.name, **box_dates(item)}
    path, headers = "/files/content", None
    if item.file_id:
        attributes.pop("content_created_at", None)  # of a file, not of its versions
        path, headers = f"/files/{item.file_id}/content", {"If-Match": item.etag} if item.etag else None
    else:
        attributes["parent"] = {"id": item.folder_id}
    answer = connection.fetch(
        "POST",
        connection.upload_url(f"{path}?{UPLOAD_FIELDS}{PLACE_FIELD if item.asks_place else ''}"),
        body=multipart(attributes, reader),
        content_type=CONTENT_TYPE,
        headers=headers,
    )
    return answer.data


def _content_route(item: Upload) -> str:
    return "POST /files/:id/content" if item.file_id else "POST /files/content"

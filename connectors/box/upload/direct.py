"""A direct upload: one multipart POST for a whole file."""

from __future__ import annotations

import io
from datetime import datetime
from typing import cast

from box_sdk_gen.managers.uploads import (
    UploadFileAttributes,
    UploadFileAttributesParentField,
    UploadFileVersionAttributes,
)
from box_sdk_gen.schemas.files import Files

from connectors.box.client.connection import BoxConnection
from connectors.box.client.refusal import status_of
from connectors.box.types import CheckSource, OpenFile, Receipt, Upload
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

UPLOAD_FIELDS = ["name", "size", "sha1", "etag", "file_version"]


def put_direct(
    connection: BoxConnection, item: Upload, open_file: OpenFile, check_source: CheckSource | None = None
) -> Receipt:
    """Send the file with one multipart POST, hashed while it streams; or adopt what Box has."""
    reader: HashingReader | None = None

    def send() -> Files:
        nonlocal reader
        with opened(open_file) as source:
            reader = HashingReader(source, item.size, check_source)
            reader.finish()
            return _post_content(connection, item, reader)

    def sha1() -> str:
        return (
            reader.hexdigest() if reader and reader.complete else sha1_of(open_file, item.size, check_source)
        )

    item = with_etag(connection, item)
    try:
        answer = connection.call(_content_route(item), send)
    except NameInUse as exc:
        return adopt_name(connection, item, exc, sha1())
    except Rejected as exc:
        if item.file_id and status_of(exc) == 412:
            return adopt_version(connection, item, sha1(), exc)
        raise
    connection.transport.count_bytes(item.size)
    return accept(connection, item, first_entry(answer.to_dict(), _content_route(item)), sha1())


def _post_content(connection: BoxConnection, item: Upload, reader: HashingReader) -> Files:
    uploads = connection.client.uploads
    stream = cast("io.BufferedIOBase", reader)
    dates = {name: cast("datetime", text) for name, text in box_dates(item).items()}
    if item.file_id:
        return uploads.upload_file_version(
            item.file_id,
            UploadFileVersionAttributes(item.name, content_modified_at=dates.get("content_modified_at")),
            stream,
            fields=UPLOAD_FIELDS,
            if_match=item.etag,
        )
    parent = UploadFileAttributesParentField(id=item.folder_id)
    return uploads.upload_file(UploadFileAttributes(item.name, parent, **dates), stream, fields=UPLOAD_FIELDS)


def _content_route(item: Upload) -> str:
    return "POST /files/:id/content" if item.file_id else "POST /files/content"

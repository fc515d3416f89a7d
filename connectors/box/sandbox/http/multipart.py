"""The multipart/form-data body of a direct upload, taken apart by hand: it is the hottest path there is.

Only what Box takes: a part `attributes` with JSON, then a part with a file name; nothing is decoded.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from connectors.box.sandbox.errors import BoxError, bad_request

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_NAME = re.compile(rb'[; ]name="?([^";\r\n]+)"?', re.IGNORECASE)
_FILENAME = re.compile(rb"[; ]filename\*?=", re.IGNORECASE)


class Upload(NamedTuple):
    """The two parts of an upload."""

    attributes: bytes
    content: bytes


def parse_upload(content_type: str | None, body: bytes) -> Upload:
    """Split the body; 400 metadata_after_file_contents when the file comes first, 400 bad_request otherwise."""
    boundary = _boundary(content_type)
    attributes: bytes | None = None
    position = body.find(boundary)
    if position != 0 and body[max(0, position - 2) : position] != b"\r\n":
        raise _malformed()
    delimiter = b"\r\n" + boundary
    while True:
        start = position + len(boundary)
        if body[start : start + 2] == b"--":
            break
        headers_end = body.find(b"\r\n\r\n", start)
        if headers_end < 0:
            raise _malformed()
        headers = body[start:headers_end]
        content_start = headers_end + 4
        position = body.find(delimiter, content_start)
        if position < 0:
            raise _malformed()
        name = _NAME.search(headers)
        if _FILENAME.search(headers):
            if attributes is None:
                raise _wrong_order()
            # The closing delimiter has to be there, or the body was cut short.
            if body[position + len(delimiter) : position + len(delimiter) + 2] != b"--":
                raise _malformed()
            return Upload(attributes, body[content_start:position])
        if name is not None and name.group(1) == b"attributes":
            attributes = body[content_start:position]
        position += 2
    raise bad_request("The file part is missing", "file", "missing_parameter")


def _boundary(content_type: str | None) -> bytes:
    kind, _, rest = (content_type or "").partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise BoxError(415, "unsupported_media_type", "The content type should be multipart/form-data")
    match = _BOUNDARY.search(rest)
    if match is None:
        raise bad_request("The boundary is missing", "content-type")
    return b"--" + (match.group(1) or match.group(2)).encode("latin-1")


def _malformed() -> BoxError:
    return bad_request("The multipart body is malformed")


def _wrong_order() -> BoxError:
    return BoxError(
        400, "metadata_after_file_contents", "The attributes part has to come before the file's contents"
    )

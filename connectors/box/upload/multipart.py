"""The body of a direct upload: attributes and content as multipart/form-data, its frame made once a process."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from connectors.box.client.curl import Body
from connectors.box.upload.reader import PIECE_BYTES, HashingReader

#: No file that was there before this process holds it.
_BOUNDARY = secrets.token_hex(16)
CONTENT_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"
_BEFORE = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="attributes"\r\n\r\n'.encode()
_BETWEEN = (
    f'\r\n--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()
_AFTER = f"\r\n--{_BOUNDARY}--\r\n".encode()


def multipart(attributes: Mapping[str, Any], content: HashingReader) -> Body:
    """Return the body: bytes for a small file, which is read whole here; a reader that hashes as it is sent for others.

    What is wrong with the source comes out as NotBox, here or while the body is read.
    """
    before = _BEFORE + json.dumps(attributes).encode() + _BETWEEN
    if content.len <= PIECE_BYTES:
        return b"".join((before, *iter(content.read, b""), _AFTER))
    return _Framed(before, content, _AFTER)


class _Framed:
    """Some bytes, a reader, and some bytes."""

    def __init__(self, before: bytes, content: HashingReader, after: bytes) -> None:
        self.len = len(before) + content.len + len(after)
        self._before = before
        self._content = content
        self._after = after

    def read(self, size: int, /) -> bytes | memoryview:
        if self._before:
            start, self._before = self._before[:size], self._before[size:]
            return start
        if piece := self._content.read(size):
            return piece
        end, self._after = self._after[:size], self._after[size:]
        return end

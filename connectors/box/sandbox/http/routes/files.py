"""File calls of the API host: HTTP in and out, no rules. Uploads are in `uploads`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.errors import BoxError, bad_request, not_found
from connectors.box.sandbox.http import views
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.items import current_version
from connectors.box.sandbox.rules.listing import offset_page
from connectors.box.sandbox.rules.mini import user_mini
from connectors.box.sandbox.store.dates import format_date
from connectors.box.sandbox.store.downloads import DOWNLOADS, Download
from connectors.box.sandbox.store.records import File
from connectors.box.sandbox.wire import Request, Response, json_response, require_child_id, text_of

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def get(core: Core, request: Request) -> Response:
    """GET /files/:id; 304 when If-None-Match names the current etag."""
    file = core.items.file_or_trashed(request.user, request.params[0])
    permissions.require(request.user, file, "list")
    if request.header(b"if-none-match") == str(file.etag):
        return Response(304)
    return json_response(views.full(file, request.user, request.fields()))


def update(core: Core, request: Request) -> Response:
    """PUT /files/:id."""
    file = core.changes.update_file(
        request.user, request.params[0], request.json(), request.header(b"if-match")
    )
    return json_response(views.full(file, request.user, request.fields()))


def delete(core: Core, request: Request) -> Response:
    """DELETE /files/:id."""
    core.trash.delete_file(request.user, request.params[0], request.header(b"if-match"))
    return Response(204)


def copy(core: Core, request: Request) -> Response:
    """POST /files/:id/copy."""
    body = request.json()
    file = core.items.file(request.user, request.params[0])
    parent = require_child_id(body, "parent")
    made = core.copying.copy(request.user, file, parent, body.get("name"), text_of(body, "version"))
    return json_response(views.full(made, request.user, request.fields()), 201)


def get_trashed(core: Core, request: Request) -> Response:
    """GET /files/:id/trash."""
    file = core.trash.find(request.user, "file", request.params[0])
    return json_response(views.full(file, request.user, request.fields()))


def restore(core: Core, request: Request) -> Response:
    """POST /files/:id: out of the trash."""
    file = core.trash.restore(request.user, "file", request.params[0], request.json())
    return json_response(views.full(file, request.user, request.fields()), 201)


def purge(core: Core, request: Request) -> Response:
    """DELETE /files/:id/trash."""
    core.trash.purge(request.user, "file", request.params[0])
    return Response(204)


def content(core: Core, request: Request) -> Response:
    """GET /files/:id/content: 302 to where the bytes are, for fifteen minutes and without a token.

    503 when only digests are kept.
    """
    file = core.items.file(request.user, request.params[0])
    permissions.require(request.user, file, "download")
    size, sha1, blob = _chosen(file, request.query.get("version"))
    if blob is None and size:
        raise BoxError(503, "unavailable", "This sandbox keeps only the digests of contents")
    core.changes.download(request.user, file.id)
    ticket = core.downloads.issue(Download(blob, size, sha1, file.name))
    location = f"{request.base_url}{DOWNLOADS}/{ticket}/{quote(file.name, safe='')}"
    return Response(302, b"", ((b"location", location.encode()),))


def download(core: Core, request: Request) -> Response:
    """GET on the download host: the bytes, or a range of them."""
    found = core.downloads.find(request.path[len(DOWNLOADS) + 1 :].partition("/")[0])
    if found is None:
        raise not_found("download", request.path)
    start, stop, status = _requested_range(request.header(b"range"), found.size)
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"accept-ranges", b"bytes"),
        (b"etag", f'"{found.sha1}"'.encode()),
        (b"content-disposition", f"attachment;filename*=UTF-8''{quote(found.name, safe='')}".encode()),
    ]
    if status == 206:
        headers.append((b"content-range", f"bytes {start}-{stop - 1}/{found.size}".encode()))
    stream: Iterator[bytes] = iter(()) if found.blob is None else found.blob.read(start, stop)
    return Response(status, b"", tuple(headers), stream, stop - start)


def thumbnail(core: Core, request: Request) -> Response:
    """GET /files/:id/thumbnail.png: never made here, so the answer is 202 with a placeholder's address."""
    file = core.items.file(request.user, request.params[0])
    permissions.require(request.user, file, "preview")
    placeholder = f"{request.base_url}/_sandbox/placeholder.png".encode()
    return Response(202, b"", ((b"location", placeholder),))


def versions(core: Core, request: Request) -> Response:
    """GET /files/:id/versions."""
    found = core.changes.versions(request.user, request.params[0])
    page, rest = offset_page(found, request.query)
    first = len(found) - rest["offset"]
    fields = request.fields()
    entries = [views.version_view(version, first - index, fields) for index, version in enumerate(page)]
    return json_response(rest | {"entries": entries})


def version(core: Core, request: Request) -> Response:
    """GET /files/:id/versions/:id: an older version, or the current one, which the list leaves out."""
    found = core.changes.versions(request.user, request.params[0])
    file = core.items.file(request.user, request.params[0])
    if file.version_id == request.params[1]:
        return json_response(views.version_view(current_version(file), len(found) + 1, request.fields()))
    for index, candidate in enumerate(found):
        if candidate.id == request.params[1]:
            return json_response(views.version_view(candidate, len(found) - index, request.fields()))
    raise not_found("file_version", request.params[1])


def promote(core: Core, request: Request) -> Response:
    """POST /files/:id/versions/current."""
    body = request.json()
    file = core.changes.promote(request.user, request.params[0], text_of(body, "id"))
    view = {
        "type": "file_version",
        "id": file.version_id,
        "sha1": file.sha1,
        "name": file.name,
        "size": file.size,
        "created_at": format_date(file.version_created),
        "modified_at": format_date(file.version_created),
        "modified_by": user_mini(file.version_by),
    }
    return json_response(view, 201)


def delete_version(core: Core, request: Request) -> Response:
    """DELETE /files/:id/versions/:id."""
    file_id, version_id = request.params
    core.changes.delete_version(request.user, file_id, version_id, request.header(b"if-match"))
    return Response(204)


def restore_version(core: Core, request: Request) -> Response:
    """PUT /files/:id/versions/:id with `trashed_at: null`."""
    if request.json().get("trashed_at") is not None:
        raise bad_request("Only null may be given", "trashed_at")
    restored = core.changes.restore_version(request.user, *request.params)
    return json_response(views.version_view(restored, 1))


def _chosen(file: File, version_id: str | None) -> tuple[int, str, Any]:
    if version_id is None or version_id == file.version_id:
        return file.size, file.sha1, file.blob
    for old in file.versions or ():
        if old.id == version_id:
            return old.size, old.sha1, old.blob
    raise not_found("file_version", version_id)


def _requested_range(header: str | None, size: int) -> tuple[int, int, int]:
    """(start, stop, status); a malformed header is ignored, one outside the file answers 416."""
    match = _RANGE.fullmatch(header or "")
    if match is None or match.group(0) == "bytes=-":
        return 0, size, 200
    first, last = match.groups()
    if first == "":
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), size if last == "" else min(int(last) + 1, size)
        if last != "" and int(last) < start:
            return 0, size, 200
    if start >= size or start >= stop:
        headers = ((b"content-range", f"bytes */{size}".encode()),)
        raise BoxError(416, "range_not_satisfiable", "The range is outside the file", None, headers)
    return start, stop, 206


ROUTES = {
    "GET /files/:id": get,
    "PUT /files/:id": update,
    "DELETE /files/:id": delete,
    "POST /files/:id": restore,
    "POST /files/:id/copy": copy,
    "GET /files/:id/trash": get_trashed,
    "DELETE /files/:id/trash": purge,
    "GET /files/:id/content": content,
    "GET /files/:id/thumbnail.png": thumbnail,
    "GET /files/:id/thumbnail.jpg": thumbnail,
    "GET /files/:id/versions": versions,
    "GET /files/:id/versions/:id": version,
    "POST /files/:id/versions/current": promote,
    "DELETE /files/:id/versions/:id": delete_version,
    "PUT /files/:id/versions/:id": restore_version,
}

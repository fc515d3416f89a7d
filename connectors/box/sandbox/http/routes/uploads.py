"""Calls of the upload host, and the preflight of the API host: HTTP in and out, no rules."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.errors import BoxError, bad_request, missing
from connectors.box.sandbox.http import views
from connectors.box.sandbox.http.multipart import Upload, parse_upload
from connectors.box.sandbox.rules.listing import offset_page
from connectors.box.sandbox.rules.sessions import NotReady, spoil
from connectors.box.sandbox.store.dates import format_utc, parse_date
from connectors.box.sandbox.store.records import File, Part, UploadSession
from connectors.box.sandbox.wire import (
    REGION,
    Request,
    Response,
    child_id,
    json_response,
    parse_object,
    require_child_id,
)

_HEX = frozenset("0123456789abcdef")


def upload(core: Core, request: Request) -> Response:
    """POST /files/content."""
    attributes, content, sha1 = _read(request)
    user = request.user
    created, modified = _dates(attributes)
    parent, name = core.items.check_upload(
        user, require_child_id(attributes, "parent"), attributes.get("name"), len(content)
    )
    blob = core.store.contents.keep((content,), len(content))
    file = core.items.add_file(user, parent, name, len(content), sha1, blob, created, modified)
    return _files(file, request)


def upload_version(core: Core, request: Request) -> Response:
    """POST /files/:id/content."""
    attributes, content, sha1 = _read(request)
    user = request.user
    modified = _dates(attributes)[1]
    file = core.items.check_version(user, request.params[0], len(content), request.header(b"if-match"))
    name = attributes.get("name")
    if name is not None:
        core.items.check_rename(user, file, name)
    blob = core.store.contents.keep((content,), len(content))
    core.items.add_version(user, file, len(content), sha1, blob, modified)
    if name is not None:
        core.items.move_or_rename(user, file, name, None)
    # The document says 200 for versions; clients have to take 201 as well.
    return _files(file, request, 200)


def preflight(core: Core, request: Request) -> Response:
    """OPTIONS /files/content: what an upload would answer, or where to send it."""
    body = request.json()
    size = _preflight_size(body)
    parent = child_id(body, "parent", required=False)
    core.items.check_upload(request.user, parent or "0", body.get("name"), size, preflight=True)
    return _upload_url(request, "files/content")


def preflight_version(core: Core, request: Request) -> Response:
    """OPTIONS /files/:id/content."""
    body = request.json()
    file = core.items.check_version(
        request.user, request.params[0], _preflight_size(body), request.header(b"if-match")
    )
    if body.get("name") is not None:
        core.items.check_rename(request.user, file, body["name"])
    return _upload_url(request, f"files/{file.id}/content")


def create_session(core: Core, request: Request) -> Response:
    """POST /files/upload_sessions."""
    session = core.sessions.create(request.user, request.json())
    return json_response(_session(session, request), 201)


def create_version_session(core: Core, request: Request) -> Response:
    """POST /files/:id/upload_sessions."""
    session = core.sessions.create_version(request.user, request.params[0], request.json())
    return json_response(_session(session, request), 201)


def get_session(core: Core, request: Request) -> Response:
    """GET /files/upload_sessions/:id."""
    return json_response(_session(core.sessions.get(request.user, request.params[0]), request))


def put_part(core: Core, request: Request) -> Response:
    """PUT /files/upload_sessions/:id."""
    session = core.sessions.get(request.user, request.params[0])
    kind = request.header(b"content-type")
    if kind is not None and kind.partition(";")[0].strip() != "application/octet-stream":
        raise BoxError(415, "unsupported_media_type", "The content type should be application/octet-stream")
    part = core.sessions.add_part(
        session,
        request.header(b"content-range"),
        request.header(b"digest"),
        request.chunks,
        request.size,
        corrupt=request.corrupt,
    )
    return json_response({"part": _part(part)})


def list_parts(core: Core, request: Request) -> Response:
    """GET /files/upload_sessions/:id/parts."""
    session = core.sessions.get(request.user, request.params[0])
    page, rest = offset_page(core.sessions.list_parts(session), request.query, max_offset=10_000)
    return json_response(rest | {"entries": [_part(part) for part in page]})


def plan(core: Core, request: Request) -> Response:
    """POST /files/upload_sessions/:id/plan."""
    session = core.sessions.get(request.user, request.params[0])
    hits, misses = core.sessions.plan(session, request.json())
    found = [{"offset": p.offset, "size": p.size, "sha512": p.sha512, "part_id": p.id} for p in hits]
    return json_response({"upload_session_id": session.id, "hits": found, "misses": misses})


def commit(core: Core, request: Request) -> Response:
    """POST /files/upload_sessions/:id/commit."""
    body = request.json()
    attributes = body.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise bad_request("'attributes' should be an object", "attributes")
    try:
        file = core.sessions.commit(
            request.user,
            request.params[0],
            body,
            request.header(b"digest"),
            request.header(b"if-match"),
            request.header(b"if-none-match"),
            _dates(attributes),
        )
    except NotReady:
        wait = str(core.settings.commit_retry_after_seconds).encode()
        return Response(202, b"", ((b"retry-after", wait),))
    return _files(file, request)


def abort(core: Core, request: Request) -> Response:
    """DELETE /files/upload_sessions/:id."""
    core.sessions.abort(request.user, request.params[0])
    return Response(204)


def log_event(core: Core, request: Request) -> Response:
    """POST /files/upload_sessions/:id/log: taken and forgotten."""
    core.sessions.get(request.user, request.params[0])
    return Response(204)


def _read(request: Request) -> tuple[dict[str, Any], bytes, str]:
    """(attributes, content, sha1); 400 bad_digest when content-md5, which is SHA-1 in hex, differs."""
    parts: Upload = parse_upload(request.header(b"content-type"), request.body())
    content = parts.content
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    expected = request.header(b"content-md5")
    if expected is not None and expected != sha1:
        if len(expected) != 40 or not _HEX.issuperset(expected.lower()):
            raise bad_request("The content-md5 header should be a SHA-1 in hex", "content-md5")
        if expected.lower() != sha1:
            raise BoxError(400, "bad_digest", "The specified content-md5 did not match what we received")
    if request.corrupt:
        content = spoil(content)
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return parse_object(parts.attributes), content, sha1


def _dates(attributes: dict[str, Any]) -> tuple[int | None, int | None]:
    created, modified = attributes.get("content_created_at"), attributes.get("content_modified_at")
    return (
        None if created is None else parse_date(created, "content_created_at"),
        None if modified is None else parse_date(modified, "content_modified_at"),
    )


def _files(file: File, request: Request, status: int = 201) -> Response:
    view = views.full(file, request.user, request.fields())
    return json_response({"total_count": 1, "entries": [view]}, status)


def _preflight_size(body: dict[str, Any]) -> int | None:
    size = body.get("size")
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise bad_request("'size' should be a number of bytes", "size")
    if body.get("name") is None and "parent" in body:
        raise missing("name")
    return size


def _upload_url(request: Request, path: str) -> Response:
    token = secrets.token_hex(16)
    url = f"{_upload_base(request)}/{path}?upload_session_id={secrets.token_hex(8)}"
    return json_response({"upload_url": url, "upload_token": token})


def _upload_base(request: Request) -> str:
    return request.base_url.replace("//api.box.com", "//upload.box.com") + "/api/2.0"


def _session(session: UploadSession, request: Request) -> dict[str, Any]:
    base = f"{request.base_url}{REGION}/files/upload_sessions/{session.id}"
    return {
        "id": session.id,
        "type": "upload_session",
        "session_expires_at": format_utc(int(session.expires)),
        "part_size": session.part_size,
        "total_parts": session.total_parts,
        "num_parts_processed": len(session.parts),
        "session_endpoints": {
            "upload_part": base,
            "commit": f"{base}/commit",
            "abort": base,
            "list_parts": f"{base}/parts",
            "status": base,
            "log_event": f"{base}/log",
            "plan": f"{base}/plan",
        },
    }


def _part(part: Part) -> dict[str, Any]:
    return {"part_id": part.id, "offset": part.offset, "size": part.size, "sha1": part.sha1}


PREFLIGHTS = {
    "OPTIONS /files/content": preflight,
    "OPTIONS /files/:id/content": preflight_version,
}

ROUTES = {
    "POST /files/content": upload,
    "POST /files/:id/content": upload_version,
    "POST /files/upload_sessions": create_session,
    "POST /files/:id/upload_sessions": create_version_session,
    "GET /files/upload_sessions/:id": get_session,
    "PUT /files/upload_sessions/:id": put_part,
    "DELETE /files/upload_sessions/:id": abort,
    "GET /files/upload_sessions/:id/parts": list_parts,
    "POST /files/upload_sessions/:id/plan": plan,
    "POST /files/upload_sessions/:id/commit": commit,
    "POST /files/upload_sessions/:id/log": log_event,
}

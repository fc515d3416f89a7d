"""Files in Box, looked at one by one. What is sent is the business of upload/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.box.client.connection import BoxConnection
from connectors.box.types import BoxFile, BoxVersion
from connectors.box.values import id_of, json_object, moment_of, object_of, size_of, text_of
from connectors.errors import DestinationGone

CONTENT_FIELDS = "name,size,sha1,etag,file_version,parent,content_modified_at"
PEOPLE_FIELDS = "created_by,owned_by,modified_by,modified_at,trashed_at,item_status"
FILE_FIELDS = f"{CONTENT_FIELDS},{PEOPLE_FIELDS}"


def file_info(connection: BoxConnection, file_id: str) -> BoxFile:
    """Return a file as Box has it now. DestinationGone when it is not there or not visible."""
    route = "GET /files/:id"
    return _file(
        file_id, connection.ask(route, f"/files/{file_id}", params={"fields": FILE_FIELDS}).data, route
    )


def file_in_trash(connection: BoxConnection, file_id: str) -> BoxFile | None:
    """Return a file that lies in the trash; None for one that does not, was deleted for good, or is hidden."""
    route = "GET /files/:id/trash"
    try:
        answer = connection.ask(route, f"/files/{file_id}/trash", params={"fields": FILE_FIELDS}).data
    except DestinationGone:
        return None
    return _file(file_id, answer, route)


def _file(file_id: str, data: object, route: str) -> BoxFile:
    answer = json_object(data, route)
    editor = object_of(answer.get("modified_by"))
    return BoxFile(
        id=str(answer.get("id") or file_id),
        name=str(answer.get("name") or ""),
        size=size_of(answer.get("size")) or 0,
        sha1=str(answer.get("sha1") or "").lower(),
        etag=text_of(answer.get("etag")),
        version_id=id_of(answer.get("file_version")),
        parent_id=id_of(answer.get("parent")),
        created_by_id=id_of(answer.get("created_by")),
        owner_id=id_of(answer.get("owned_by")),
        modified_by_id=id_of(answer.get("modified_by")),
        modified_by=text_of(editor.get("login")) or text_of(editor.get("name")),
        modified_at=moment_of(answer.get("modified_at")),
        content_modified=moment_of(answer.get("content_modified_at")),
        trashed_at=moment_of(answer.get("trashed_at")),
        trashed=bool(answer.get("trashed_at")) or answer.get("item_status") in ("trashed", "deleted"),
    )


def version_info(connection: BoxConnection, file_id: str, version_id: str) -> BoxVersion:
    """Return who wrote this version; nobody where Box does not show it (it is documented for past versions only)."""
    route, fields = "GET /files/:id/versions/:id", "created_at,modified_by"
    path = f"/files/{file_id}/versions/{version_id}"
    try:
        answer = json_object(connection.ask(route, path, params={"fields": fields}).data, route)
    except DestinationGone:
        return BoxVersion(id=version_id)
    return _version(version_id, answer)


def older_versions(connection: BoxConnection, file_id: str) -> list[BoxVersion]:
    """Return the earlier versions of a file with their sha1, the newest first; at most 1,000. DestinationGone.

    The current one is not among them, and Box keeps no more than the account's plan says.
    """
    route, fields = "GET /files/:id/versions", "sha1,created_at,modified_by"
    params = {"fields": fields, "limit": "1000"}
    answer = json_object(connection.ask(route, f"/files/{file_id}/versions", params=params).data, route)
    return [_version(str(entry.get("id")), entry) for entry in answer.get("entries") or ()]


def _version(version_id: str, answer: Mapping[str, Any]) -> BoxVersion:
    author = object_of(answer.get("modified_by"))
    return BoxVersion(
        id=version_id,
        author_id=id_of(answer.get("modified_by")),
        author=text_of(author.get("login")) or text_of(author.get("name")),
        written_at=moment_of(answer.get("created_at")),
        sha1=text_of(answer.get("sha1")),
    )

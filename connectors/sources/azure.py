"""AzureSource: a folder of an Azure blob container, through adlfs and the client of Azure below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fsspec.asyn import sync

from connectors.entry import Entry, EntryKind
from connectors.errors import NotFound
from connectors.sources.filesystem import FilesystemSource, entry_of_info


class AzureSource(FilesystemSource):
    """Lists by the prefix with its slash: adlfs asks without it, and walks into all whose names begin alike."""

    def _list(self, path: str) -> list[Entry]:
        container, _, prefix = self._full(path).partition("/")
        if not container:
            raise NotFound("the URL names no container: az://container/folder")
        found = sync(self._filesystem.loop, self._walked, container, f"{prefix}/" if prefix else "")
        if not found and path and self._stat(path).kind is not EntryKind.FOLDER:
            raise NotFound(f"{path!r} is a file now, not a folder")
        folder = self._full(path)
        return list(
            {entry.path: entry for info in found if (entry := self._child(path, folder, info))}.values()
        )

    async def _walked(self, container: str, prefix: str) -> list[dict[str, Any]]:
        async with self._filesystem.service_client.get_container_client(container) as client:
            blobs = client.walk_blobs(name_starts_with=prefix or None, include=["metadata"], delimiter="/")
            return [_info(container, blob) async for blob in blobs]

    def _entry(self, path: str, info: Mapping[str, Any]) -> Entry:
        return entry_of_info(path, _as_folder(info))


def _info(container: str, blob: Any) -> dict[str, Any]:
    """A line of a listing as fsspec has them; a prefix has no properties."""
    name = f"{container}/{blob.name}"
    if not hasattr(blob, "size") or blob.size is None:
        return {"name": name, "type": "directory", "size": 0}
    return _as_folder(
        {
            "name": name,
            "type": "file",
            "size": blob.size,
            "last_modified": blob.last_modified,
            "creation_time": blob.creation_time,
            "etag": blob.etag,
            "metadata": blob.metadata,
        }
    )


def _as_folder(info: Mapping[str, Any]) -> dict[str, Any]:
    """An account with real folders lists each as an empty blob that says so."""
    metadata = {key.lower(): value for key, value in (info.get("metadata") or {}).items()}
    if metadata.get("hdi_isfolder") == "true":
        return {"name": str(info["name"]).rstrip("/"), "type": "directory", "size": 0}
    return dict(info)

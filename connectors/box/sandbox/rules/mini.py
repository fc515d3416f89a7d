"""Users, files and folders in the short form that Box puts into listings, parents and conflicts."""

from __future__ import annotations

from typing import Any, TypeAlias

from connectors.box.sandbox.store.records import ROOT_ID, File, Folder, Item, User

JSON: TypeAlias = dict[str, Any]

ROOT = {"type": "folder", "id": ROOT_ID, "sequence_id": None, "etag": None, "name": "All Files"}


def user_mini(user: User) -> JSON:
    """type, id, name, login."""
    return {"type": "user", "id": user.id, "name": user.name, "login": user.login}


def mini(item: Item) -> JSON:
    """The shape in listings and conflicts."""
    if isinstance(item, File):
        return {
            "type": "file",
            "id": item.id,
            "file_version": {"type": "file_version", "id": item.version_id, "sha1": item.sha1},
            "sequence_id": str(item.sequence),
            "etag": str(item.etag),
            "sha1": item.sha1,
            "name": item.name,
        }
    return folder_mini(item)


def folder_mini(folder: Folder) -> JSON:
    """The shape of a folder in listings, conflicts, parents and paths."""
    if folder.parent is None:
        return ROOT
    return {
        "type": "folder",
        "id": folder.id,
        "sequence_id": str(folder.sequence),
        "etag": str(folder.etag),
        "name": folder.name,
    }

"""What an SFTP server says of files and folders, as entries. Pure."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import Any

import asyncssh

from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import ReadFailed
from connectors.sources.filesystem import entry_of_info
from connectors.sources.paths import unnameable


def info_of(name: str, attributes: asyncssh.SFTPAttrs) -> dict[str, Any]:
    """SFTP attributes as an fsspec info dictionary; version 3 has whole seconds and no ids."""
    kind = _kind(attributes)
    return {
        "name": name,
        "type": {EntryKind.FILE: "file", EntryKind.FOLDER: "directory"}.get(kind, "other"),
        "kind": kind,
        "size": attributes.size or 0,
        "modified_ns": _nanoseconds(attributes.mtime, attributes.mtime_ns),
        "created_ns": _nanoseconds(attributes.crtime, attributes.crtime_ns),
        "changed_ns": _nanoseconds(attributes.ctime, attributes.ctime_ns),
    }


def child_entry(folder: str, listed: asyncssh.SFTPName) -> Entry:
    """One line of a listing."""
    name = str(listed.filename)
    path = f"{folder}/{name}" if folder else name
    entry = entry_of_info(path, info_of(name, listed.attrs))
    if listed.attrs.permissions is None and listed.attrs.type == asyncssh.FILEXFER_TYPE_UNKNOWN:
        detail = f"{path!r} is there, but the server does not say what it is"
        entry = replace(entry, skip_reason=None, fault=Fault(ReadFailed.reason, detail))
    if "/" in name or "\0" in name or not name:
        return unnameable(folder, name, entry, "this name cannot be part of a path")
    return entry


def _kind(attributes: asyncssh.SFTPAttrs) -> EntryKind:
    mode = attributes.permissions or 0
    if stat.S_ISREG(mode) or (not stat.S_IFMT(mode) and attributes.type == asyncssh.FILEXFER_TYPE_REGULAR):
        return EntryKind.FILE
    if stat.S_ISDIR(mode) or (not stat.S_IFMT(mode) and attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY):
        return EntryKind.FOLDER
    if stat.S_ISLNK(mode) or attributes.type == asyncssh.FILEXFER_TYPE_SYMLINK:
        return EntryKind.SYMLINK
    return EntryKind.SPECIAL


def _nanoseconds(seconds: int | None, fraction: int | None) -> int | None:
    return None if seconds is None else int(seconds) * 10**9 + (fraction or 0)

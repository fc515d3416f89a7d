"""What an SFTP server says of files and folders, as entries. Pure."""

from __future__ import annotations

import stat
from typing import Any

import asyncssh

from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import NotAFile, Unclassified
from connectors.sources.filesystem import entry_of_info
from connectors.sources.paths import unnameable


def info_of(name: str, attributes: asyncssh.SFTPAttrs, *, kind: EntryKind | None = None) -> dict[str, Any]:
    """SFTP attributes as an fsspec info dictionary; version 3 has whole seconds and no ids.

    `kind`: what the file is, where that is known from elsewhere.
    """
    kind = kind or kind_of(attributes)
    return {
        "name": name,
        "type": {EntryKind.FILE: "file", EntryKind.FOLDER: "directory"}.get(kind, "other"),
        "kind": kind,
        "size": attributes.size or 0,
        "modified_ns": _nanoseconds(attributes.mtime, attributes.mtime_ns),
        "created_ns": _nanoseconds(attributes.crtime, attributes.crtime_ns),
        "changed_ns": _nanoseconds(attributes.ctime, attributes.ctime_ns),
        "fault": _fault(name, attributes, kind),
    }


def child_entry(folder: str, listed: asyncssh.SFTPName) -> Entry:
    """One line of a listing."""
    name = str(listed.filename)
    path = f"{folder}/{name}" if folder else name
    entry = entry_of_info(path, info_of(path, listed.attrs))
    if "/" in name or "\0" in name or not name:
        return unnameable(folder, name, entry, "this name cannot be part of a path")
    return entry


def is_unclassified(entry: Entry) -> bool:
    """True where the server said too little of it: it has to be asked for by itself."""
    return entry.fault is not None and entry.fault.reason == Unclassified.reason


def kind_of(attributes: asyncssh.SFTPAttrs) -> EntryKind:
    """By the file-type bits, else by the type that later versions of the protocol have; UNKNOWN without both."""
    kinds = {
        asyncssh.FILEXFER_TYPE_REGULAR: EntryKind.FILE,
        asyncssh.FILEXFER_TYPE_DIRECTORY: EntryKind.FOLDER,
    }
    kinds |= {
        asyncssh.FILEXFER_TYPE_SYMLINK: EntryKind.SYMLINK,
        asyncssh.FILEXFER_TYPE_UNKNOWN: EntryKind.UNKNOWN,
    }
    mode = attributes.permissions or 0
    if stat.S_IFMT(mode):
        modes = {
            stat.S_IFREG: EntryKind.FILE,
            stat.S_IFDIR: EntryKind.FOLDER,
            stat.S_IFLNK: EntryKind.SYMLINK,
        }
        return modes.get(stat.S_IFMT(mode), EntryKind.SPECIAL)
    return kinds.get(attributes.type, EntryKind.SPECIAL)


def _fault(path: str, attributes: asyncssh.SFTPAttrs, kind: EntryKind) -> Fault | None:
    if kind is EntryKind.UNKNOWN:
        return Fault(Unclassified.reason, f"{path!r} is there, but the server does not say what it is")
    if kind is EntryKind.SPECIAL:
        return Fault(NotAFile.reason, f"{path!r}: {NotAFile()}")
    if kind is EntryKind.FILE and attributes.size is None:
        return Fault(Unclassified.reason, f"{path!r} is there, but the server does not say how large it is")
    return None


def _nanoseconds(seconds: int | None, fraction: int | None) -> int | None:
    return None if seconds is None else int(seconds) * 10**9 + (fraction or 0)

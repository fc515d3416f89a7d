"""Paths below a root: which may be asked for, and what stands for a name that no path leads to. Pure."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace

from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import NameRejected, PathForbidden

#: Python itself reads names of files so, whatever is in them: anywhere but under a locale of another encoding.
_SAME_AS_PYTHONS = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()) == (
    "utf-8",
    "surrogateescape",
)


def name_of(listed: str | bytes) -> str:
    """Return the name of a file of this machine: its bytes as UTF-8, others as surrogates, whatever the locale says."""
    if _SAME_AS_PYTHONS and type(listed) is str:
        return listed
    return os.fsencode(listed).decode("utf-8", "surrogateescape")


def bytes_of(name: str) -> bytes:
    """Return the bytes that `name_of` was given."""
    return name.encode("utf-8", "surrogateescape")


def check_path(path: str) -> None:
    """PathForbidden for what is no plain relative path: "..", ".", an empty component, NUL, a leading "/"."""
    if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise PathForbidden(f"{path!r} is not a plain path below the root")
    if "\0" in path:
        raise PathForbidden(f"{path!r} holds a NUL character")


def unnameable(folder: str, name: str, entry: Entry, why: str) -> Entry:
    """What no path leads to: listed under a name that stands for its own, with a fault, so that it is never lost.

    A folder of that sort is not walked: it is UNKNOWN.
    """
    is_folder = entry.kind is EntryKind.FOLDER
    shown = f"({'folder' if is_folder else 'object'} {name!r})".replace("/", "%2F")
    return replace(
        entry,
        path=f"{folder}/{shown}" if folder else shown,
        kind=EntryKind.UNKNOWN if is_folder else entry.kind,
        skip_reason=None,
        fault=Fault(
            NameRejected.reason, f"{name!r} in {folder or 'the root'!r}: {why}; rename it in the source"
        ),
    )


def named_apart(folder: str, entries: Iterable[Entry]) -> list[Entry]:
    """Each entry under a name of its own, folders before all else; what is listed twice and is the same, once.

    In any order.

    A path means one thing here and in the checkpoint: of two different things with one name (a store's object beside
    a folder, a file that was renamed while its folder was listed) one can be asked for, and the other has a fault.
    """
    listed = list(entries)
    if len({entry.path for entry in listed}) == len(listed):
        return listed
    named: dict[str, Entry] = {}
    others = []
    for entry in sorted(dict.fromkeys(listed), key=_rank):
        if named.setdefault(entry.path, entry) is not entry:
            others.append(entry)
    for entry in others:
        if entry.fault is None or entry.fault.reason != NameRejected.reason:
            entry = unnameable(folder, entry.name, entry, "something else has the same name")
        while entry.path in named:
            entry = replace(entry, path=f"{entry.path}~")
        named[entry.path] = entry
    return list(named.values())


def _rank(entry: Entry) -> tuple[bool, bool, str, int]:
    return entry.kind is not EntryKind.FOLDER, entry.fault is not None, entry.path, entry.size

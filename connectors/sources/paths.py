"""Paths below a root: which may be asked for, and what stands for a name that no path leads to. Pure."""

from __future__ import annotations

from dataclasses import replace

from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import AccessDenied, NameRejected


def check_path(path: str) -> None:
    """AccessDenied for what is no plain relative path: "..", ".", an empty component, NUL, a leading "/"."""
    if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise AccessDenied(f"{path!r} is not a plain path below the root")
    if "\0" in path:
        raise AccessDenied(f"{path!r} holds a NUL character")


def unnameable(folder: str, name: str, entry: Entry, why: str) -> Entry:
    """What no path leads to: listed under a name that stands for its own, with a fault, so that it is never lost.

    A folder of that sort is not walked: it is SPECIAL.
    """
    is_folder = entry.kind is EntryKind.FOLDER
    shown = f"({'folder' if is_folder else 'object'} {name!r})".replace("/", "%2F")
    return replace(
        entry,
        path=f"{folder}/{shown}" if folder else shown,
        kind=EntryKind.SPECIAL if is_folder else entry.kind,
        skip_reason=None,
        fault=Fault(
            NameRejected.reason, f"{name!r} in {folder or 'the root'!r}: {why}; rename it in the source"
        ),
    )


def named_apart(folder: str, entries: list[Entry]) -> list[Entry]:
    """Each entry under a name of its own: what an object store has beside a folder of the same name gets another.

    A path means one thing here and in the checkpoint, and so only one of the two can be asked for.
    """
    named = {entry.path: entry for entry in entries if entry.kind is EntryKind.FOLDER}
    others = []
    for entry in entries:
        if entry.fault is not None or (entry.kind is not EntryKind.FOLDER and entry.path in named):
            others.append(entry)
        else:
            named[entry.path] = entry
    for entry in sorted(others, key=lambda entry: (entry.path, entry.size)):
        if entry.fault is None:
            entry = unnameable(folder, entry.name, entry, "something else has the same name")
        while entry.path in named:
            entry = replace(entry, path=f"{entry.path}~")
        named[entry.path] = entry
    return list(named.values())

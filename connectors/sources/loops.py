"""Loops: folders that lead back to a folder above them, as Samba shows a link to a parent. Asks through a callback.

A file id is a hint, never a proof: unrelated folders share one on merged and re-exported file systems. So a folder with
the id of one above it is gone round: what is a loop can be entered again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from connectors.entry import Entry, EntryKind
from connectors.errors import ItemError

#: How often a loop is gone round. Linux follows 40 links in one path.
ROUNDS = 32
#: Paths are kept below what servers take; a loop with long names is gone round less often, but so often at least.
LONGEST_PATH, FEWEST_ROUNDS = 3_000, 4


def without_loops(
    entries: Iterable[Entry], above: Mapping[str, str], look: Callable[[str], Entry]
) -> list[Entry]:
    """The entries of one folder; those that are proven to be one of the folders `above` (path → file id) are links.

    `look` returns what is at a path now, or raises an ItemError.
    """
    return [
        replace(entry, kind=EntryKind.SYMLINK, skip_reason="leads back to a folder above it")
        if any(_leads_to(entry, folder, look) for folder in _candidates(entry, above))
        else entry
        for entry in entries
    ]


def _candidates(entry: Entry, above: Mapping[str, str]) -> list[str]:
    if entry.kind is not EntryKind.FOLDER or entry.file_id is None:
        return []
    return [folder for folder, file_id in above.items() if file_id == entry.file_id]


def _leads_to(entry: Entry, folder: str, look: Callable[[str], Entry]) -> bool:
    """True when the way from `folder` to the entry can be gone from the entry on, each time to the same folder."""
    way = entry.path[len(folder) :].lstrip("/")
    path = entry.path
    for _ in range(max(FEWEST_ROUNDS, min(ROUNDS, LONGEST_PATH // (len(way) + 1)))):
        path = f"{path}/{way}"
        try:
            found = look(path)
        except ItemError:
            return False
        if found.kind is not EntryKind.FOLDER or found.fingerprint != entry.fingerprint:
            return False
    return True

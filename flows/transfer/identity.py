"""Identity: whether what has an id of the source now is the very thing that had it before. Asks the source alone.

An id proves nothing by itself: disks give it anew after a deletion.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from connectors.entry import Entry
from connectors.errors import ItemError
from connectors.source import Source
from state.change_records import PlacedFile


class HasSource(Protocol):
    """Whoever can look at the source."""

    @property
    def source(self) -> Source: ...


class Looked(NamedTuple):
    """What a look at a file told of it, beside its id."""

    size: int
    modified_ns: int | None
    created_ns: int | None

    @classmethod
    def at(cls, seen: Entry | PlacedFile) -> Looked:
        """As an entry or a row has it."""
        return cls(seen.size, seen.modified_ns, seen.created_ns)


def is_one_file(
    looks: HasSource, old: Looked, new: Looked, *, path: str, known_since: datetime | None
) -> bool:
    """Of equal ids: size and date are the same, or it was created at the same moment, or what is at `path` was there
    already when the old one was sent, so that its id was not given out anew."""
    if old[:2] == new[:2] and new.modified_ns is not None:
        return True
    if new.created_ns is not None and new.created_ns == old.created_ns:
        return True
    return was_there(looks, path, known_since)


def was_there(looks: HasSource, path: str, known_since: datetime | None) -> bool:
    """True when what is at this path was made before that moment, when its id was that of a file that is known."""
    if known_since is None:
        return False
    try:
        return looks.source.was_born_before(path, known_since)
    except ItemError:
        return False

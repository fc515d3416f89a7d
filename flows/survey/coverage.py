"""Coverage: what of a share no tree of the plan contains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.box.names import collision_key
from connectors.entry import Entry
from connectors.errors import ConnectorError, NotFound, Stopped
from connectors.source import Source

#: Entries that are named of those that no tree covers.
NAMED_UNCOVERED = 20


@dataclass(frozen=True, kw_only=True)
class Uncovered:
    """What of the share no tree of the plan contains."""

    count: int = 0
    #: The first of them, in the order of their paths.
    paths: tuple[str, ...] = ()
    #: Folders above trees that cannot be listed: what else is in them is unknown.
    unlisted: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it as the plan's event keeps it."""
        return {"path": "", "count": self.count, "names": list(self.paths), "unlisted": list(self.unlisted)}


def uncovered(source: Source, roots: Sequence[str], excluded: Callable[[Entry], str | None]) -> Uncovered:
    """Look at the folders above the trees, and nowhere else, for what no tree covers and no rule excludes (P2).

    Raises FatalError when the share is gone, Stopped when somebody says stop.
    """
    if "" in roots:
        return Uncovered()
    leading: dict[str, set[str]] = {}
    for root in roots:
        names = root.split("/")
        for depth, name in enumerate(names):
            leading.setdefault("/".join(names[:depth]), set()).add(name)
    count, paths, unlisted = 0, list[str](), list[str]()
    for path, listing in source.list_folders(sorted(leading)):
        if isinstance(listing, Stopped):
            raise listing
        if isinstance(listing, ConnectorError):
            unlisted += [] if isinstance(listing, NotFound) else [path or "/"]
            continue
        left = [entry.path for entry in _beside(listing, leading[path]) if excluded(entry) is None]
        count += len(left)
        paths = sorted([*paths, *left])[:NAMED_UNCOVERED]
    return Uncovered(count=count, paths=tuple(paths), unlisted=tuple(sorted(unlisted)[:NAMED_UNCOVERED]))


def _beside(listing: Sequence[Entry], leading: set[str]) -> list[Entry]:
    """The entries that lead to no tree; the plan may spell one otherwise where the share does not mind."""
    elsewhere = {collision_key(name) for name in leading - {entry.name for entry in listing}}
    return [
        entry for entry in listing if entry.name not in leading and collision_key(entry.name) not in elsewhere
    ]

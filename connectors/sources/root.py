"""RootMemory: whether the root of a source is still the folder that it was. Asks through a callback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from itertools import islice

from connectors.errors import ShareUnreachable

#: Of the names at the root; one of them that is still there is enough.
REMEMBERED_NAMES = 100


class RootMemory:
    """A server whose disk is not mounted shows another folder, in which everything would look deleted.

    The root's id is a hint: file systems that are made of several change it when something is saved on another one.
    So where the id changed, the names decide.
    """

    def __init__(self, list_root: Callable[[], Iterable[str]]) -> None:
        """`list_root` is called when the id has changed: the names in the root as it is now."""
        self._list_root = list_root
        self._lock = threading.Lock()
        self._known: Hashable | None = None
        self._names: frozenset[str] = frozenset()

    def require_same(self, identity: Hashable | None) -> None:
        """ShareUnreachable when this identity is another than before, and nothing that was there is there now."""
        with self._lock:
            known, names = self._known, self._names
        if identity != known and known is not None:
            listed = list(self._list_root())
            if not listed or (names and names.isdisjoint(listed)):
                raise ShareUnreachable(
                    "the root is not the folder it was, and nothing of what was in it is there; check what is mounted "
                    "on the server"
                )
        with self._lock:
            self._known = identity

    def saw(self, listing: Iterable[str]) -> None:
        """Take note of what the root lists."""
        names = frozenset(islice(listing, REMEMBERED_NAMES))
        with self._lock:
            self._names = names or self._names

"""AncestorCheck: no path is used whose parents turned into links. Asks through a callback, does no I/O."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from connectors.entry import Entry, EntryKind
from connectors.errors import AccessDenied, NotFound, ShareUnreachable

#: A folder seen as a plain folder this recently is not asked about again.
FRESH_SECONDS = 60.0
#: Bounds the memory on shares with millions of folders (P9).
REMEMBERED_FOLDERS = 10_000


class AncestorCheck:
    """Remembers which folders are plain, so that the check costs nothing during a walk.

    A server resolves links in the middle of a path by itself (SFTP, NTFS junctions): a folder that becomes
    a link after the walk saw it would lead reads out of the root (P5). FRESH_SECONDS is the window.
    """

    def __init__(self, look: Callable[[str], Entry], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._root_id: str | None = None
        self._seen: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    def require_plain(self, folders: Iterable[str]) -> set[str]:
        """The file ids of these folders; AccessDenied when one of them is not an ordinary folder now."""
        ids = {self._file_id(folder) for folder in folders}
        return {file_id for file_id in ids if file_id is not None}

    def saw(self, entries: Iterable[Entry]) -> None:
        """Take note of what a listing just showed."""
        now = self._clock()
        with self._lock:
            for entry in entries:
                if entry.kind is EntryKind.FOLDER:
                    self._remember(entry, now)
                else:
                    self._seen.pop(entry.path, None)

    def _file_id(self, folder: str) -> str | None:
        with self._lock:
            seen = self._seen.get(folder)
        if seen is not None and self._clock() - seen[0] < FRESH_SECONDS:
            return seen[1]
        entry = self._look(folder)
        if entry.kind is EntryKind.FILE:
            raise NotFound(f"{folder!r} is a file now, not a folder")
        if entry.kind is not EntryKind.FOLDER:
            raise AccessDenied(f"{folder!r} is no ordinary folder ({entry.kind}); links are never followed")
        if not folder:
            self._require_same_root(entry)
        self.saw([entry])
        return entry.file_id

    def _require_same_root(self, root: Entry) -> None:
        """A server whose disk is not mounted shows an empty folder, in which everything would look deleted."""
        self._root_id = self._root_id or root.file_id
        if root.file_id != self._root_id:
            raise ShareUnreachable("the root is not the folder it was; check what is mounted on the server")

    def _remember(self, entry: Entry, now: float) -> None:
        self._seen[entry.path] = (now, entry.file_id)
        self._seen.move_to_end(entry.path)
        while len(self._seen) > REMEMBERED_FOLDERS:
            self._seen.popitem(last=False)


def ancestors(path: str) -> Iterator[str]:
    """The folders above a path, the root ("") first; none for the root itself."""
    if path:
        yield ""
    position = path.find("/")
    while position >= 0:
        yield path[:position]
        position = path.find("/", position + 1)


def without_loops(entries: Iterable[Entry], ancestor_ids: set[str]) -> list[Entry]:
    """Folders that are one of their own ancestors, as Samba shows a symlink to a parent, become links."""
    return [
        replace(entry, kind=EntryKind.SYMLINK, skip_reason="leads back to a folder above it")
        if entry.kind is EntryKind.FOLDER and entry.file_id is not None and entry.file_id in ancestor_ids
        else entry
        for entry in entries
    ]

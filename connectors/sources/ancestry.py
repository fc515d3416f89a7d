"""AncestorCheck: no path is used whose parents turned into links. Asks through callbacks, does no I/O."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from connectors.entry import Entry, EntryKind
from connectors.errors import AccessDenied, NotFound
from connectors.sources.root import RootMemory

#: A folder seen as a plain folder this recently is not asked about again before something is listed or opened.
FRESH_SECONDS = 1.0
#: Bounds the memory on shares with millions of folders (P9).
REMEMBERED_FOLDERS = 10_000


class AncestorCheck:
    """Remembers which folders are plain, so that the check costs next to nothing during a walk.

    A server resolves links in the middle of a path by itself (SFTP, NTFS junctions): a folder that becomes a link
    after the walk saw it would lead reads out of the root (P5). What is read is therefore followed by
    `require_plain(…, anew=True)`, before its last bytes are used.
    """

    def __init__(
        self,
        look: Callable[[str], Entry],
        list_root: Callable[[], Iterable[str]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._root = RootMemory(list_root)
        self._seen: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    def require_plain(self, folders: Iterable[str], *, anew: bool = False) -> None:
        """AccessDenied when one of these is not an ordinary folder now, NotFound when it is a file.

        `anew`: whatever was seen before does not count.
        """
        since = self._clock() - (0 if anew else FRESH_SECONDS)
        for folder in folders:
            seen = self._remembered(folder)
            if seen is None or seen[0] < since or anew:
                self._look_at(folder)

    def ids(self, folders: Iterable[str]) -> dict[str, str]:
        """The file ids of those of these folders that have one, as they were seen last."""
        found = {folder: self._id_of(folder) for folder in folders}
        return {folder: file_id for folder, file_id in found.items() if file_id is not None}

    def saw(self, entries: Iterable[Entry], *, folder: str | None = None) -> None:
        """Take note of what a look, or the listing of `folder`, just showed."""
        now = self._clock()
        listed = list(entries)
        if folder == "":
            self._root.saw(entry.name for entry in listed)
        with self._lock:
            for entry in listed:
                if entry.kind is EntryKind.FOLDER:
                    self._remember(entry, now)
                else:
                    self._seen.pop(entry.path, None)

    def _remembered(self, folder: str) -> tuple[float, str | None] | None:
        with self._lock:
            return self._seen.get(folder)

    def _id_of(self, folder: str) -> str | None:
        seen = self._remembered(folder)
        return self._look_at(folder) if seen is None else seen[1]

    def _look_at(self, folder: str) -> str | None:
        entry = self._look(folder)
        if entry.kind is EntryKind.FILE:
            raise NotFound(f"{folder!r} is a file now, not a folder")
        if entry.kind is not EntryKind.FOLDER:
            self.saw([entry])
            fault = entry.fault.detail if entry.fault is not None else ""
            why = entry.skip_reason or fault or entry.kind
            raise AccessDenied(f"{folder!r} is no ordinary folder ({why}); links are never followed")
        if not folder:
            self._root.require_same(entry.file_id)
        self.saw([entry])
        return entry.file_id

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

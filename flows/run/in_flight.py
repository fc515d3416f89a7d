"""InFlight: the files that this process is putting into a folder of Box and has no result of yet."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import islice

from connectors.errors import ServerBusy, Stopped
from flows.run.stop import StopSignal

#: Seconds that a conflict waits for the other files of its folder, at most.
WAIT_SECONDS = 60.0


@dataclass
class OnItsWay:
    """One file that is being sent, for whoever watches. Written by one thread at a time."""

    path: str
    size: int
    #: How far it was read.
    position: int = 0

    def seen(self, position: int) -> None:
        """It was read up to here."""
        self.position = position

    @property
    def percent(self) -> int:
        """Return how much of it was read, of 100; what grew meanwhile has at most so much."""
        return min(100, 100 * self.position // self.size) if self.size else 100


class InFlight:
    """Who else may hold what Box says is in use, although nothing is written down of it yet (P7). Safe for threads."""

    def __init__(self, stop: StopSignal) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        #: Folder → file → whether that one waits for the others itself.
        self._folders: dict[int, dict[int, bool]] = {}
        #: In the order in which they were begun.
        self._files: dict[int, OnItsWay] = {}

    def sending(self, folder_id: int, item_id: int, path: str = "", size: int = 0) -> _Sending:
        """Count this file as on its way into this folder while the body lasts: until its result is handed in."""
        return _Sending(self, folder_id, item_id, OnItsWay(path, size))

    def begin(self, folder_id: int, item_id: int, file: OnItsWay) -> None:
        """It is on its way: for sending() alone."""
        with self._changed:
            self._folders.setdefault(folder_id, {})[item_id] = False
            self._files[item_id] = file

    def end(self, folder_id: int, item_id: int) -> None:
        """Its result is handed in: for sending() alone."""
        with self._changed:
            del self._files[item_id]
            folder = self._folders[folder_id]
            del folder[item_id]
            if not folder:
                del self._folders[folder_id]
            self._changed.notify_all()

    def longest(self, count: int) -> list[OnItsWay]:
        """Return so many files that have been on their way for longest."""
        with self._changed:
            return list(islice(self._files.values(), count))

    def wait_for_others(self, folder_id: int, item_id: int) -> None:
        """Return when the results of all other files on their way into this folder now are handed in.

        Two that wait do not wait for each other. ServerBusy when it takes too long, Stopped when the run ends.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        with self._changed:
            folder = self._folders.get(folder_id, {})
            others = set(folder) - {item_id}
            if item_id in folder:
                folder[item_id] = True
            self._changed.notify_all()
            while any(folder.get(other) is False for other in others):
                if self._stop.is_set():
                    raise Stopped
                if time.monotonic() > deadline:
                    raise ServerBusy(
                        "Another file is on its way under a name that is one to Box; it comes later."
                    )
                self._changed.wait(0.2)


class _Sending:
    """One file on its way while the body runs."""

    __slots__ = ("_file", "_folder_id", "_in_flight", "_item_id")

    def __init__(self, in_flight: InFlight, folder_id: int, item_id: int, file: OnItsWay) -> None:
        self._in_flight = in_flight
        self._folder_id = folder_id
        self._item_id = item_id
        self._file = file

    def __enter__(self) -> OnItsWay:
        self._in_flight.begin(self._folder_id, self._item_id, self._file)
        return self._file

    def __exit__(self, *exc_info: object) -> None:
        self._in_flight.end(self._folder_id, self._item_id)

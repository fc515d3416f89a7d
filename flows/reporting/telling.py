"""Telling: how far the lists of a long report are, as a line now and then; a short one says nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from flows.words import counted, printable
from state.records import ItemLine

#: Seconds between two lines, and entries between two looks at the clock.
LINE_SECONDS, LOOK_EVERY = 10.0, 1_000


def silent(said: object) -> None:
    """Say nothing."""


class Telling:
    """Counts the entries that are written."""

    def __init__(self, plan: str, total: int, say: Callable[[str], object]) -> None:
        self._plan, self._total, self._say = plan, total, say
        self._done = 0
        self._next = time.monotonic() + LINE_SECONDS
        self._said = False

    def take(self, item: ItemLine) -> None:
        """One entry more."""
        self._done += 1
        if self._done % LOOK_EVERY == 0 and time.monotonic() >= self._next:
            self._next += LINE_SECONDS
            if not self._said:
                self._say(printable(f"{self._plan}: the page is written; the lists of every entry follow"))
                self._said = True
            total = counted(max(self._total, self._done), "entry", "entries")
            self._say(printable(f"{self._plan}: {self._done:,} of {total} written"))

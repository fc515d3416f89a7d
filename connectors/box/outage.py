"""Outage: Box, or its upload host, is away. A probe tells it from a call's own failure, and everybody waits.

It sends nothing itself and decides nothing about what is repeated: that is the table in client.py.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from connectors.errors import BoxUnreachable
from connectors.pacer import Backoff

log = logging.getLogger(__name__)

#: The longest pause between two probes, and how many first pauses that is where the plan has shorter ones.
LONGEST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE = 60

#: Those who do not probe look this often whether it is over.
LOOK_SECONDS = 0.25


class Outage:
    """Whether Box is away, for all connections of one transport. Safe for many threads."""

    def __init__(
        self,
        *,
        limit_seconds: float,
        first_pause_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """limit_seconds: how long one outage is waited for, 0: not at all."""
        #: Outages that are over.
        self.ended = 0
        self._limit_seconds = limit_seconds
        self._pauses = Backoff(
            first_seconds=first_pause_seconds,
            max_seconds=min(LONGEST_PAUSE_SECONDS, first_pause_seconds * LONGEST_PAUSE),
        )
        self._clock = clock
        self._wall_clock = wall_clock
        self._probing = threading.Lock()
        self._heard = False
        #: By host: since when no request got an answer that helps.
        self._silent_since: dict[str, datetime] = {}
        self._began: float | None = None
        self._who = "Box"

    def answered(self, host: str) -> None:
        """A request got a good answer of Box."""
        self._heard = True
        self._silent_since.pop(host, None)

    def unanswered(self, host: str) -> None:
        """A request got no answer, or none that helps."""
        self._silent_since.setdefault(host, self._wall_clock())

    def was_waited_out(self, ended: int, probe: Callable[[], str], sleep: Callable[[float], None]) -> bool:
        """For a call whose patience is used up: True when Box was away and is back, so that it begins anew.

        False: Box answers (or never did, or nobody is to wait), so that the failure is the call's own. ended: the
        number of outages when the call began. probe: asks once, and names who does not answer; empty when all do.
        One thread at a time probes. sleep: ends the wait by raising. BoxUnreachable after more than the limit.
        """
        if not self._heard or self._limit_seconds <= 0:
            return False
        while not self._probing.acquire(blocking=False):
            sleep(min(LOOK_SECONDS, self._pauses.max_seconds))
        try:
            return self.ended != ended or self._wait(probe, sleep)
        finally:
            self._probing.release()

    # --- private ---

    def _wait(self, probe: Callable[[], str], sleep: Callable[[float], None]) -> bool:
        failures = 0
        silent_since = min([*self._silent_since.values()], default=self._wall_clock())
        while silent := probe():
            self._who = silent
            failures += 1
            if self._began is None:
                self._began = self._clock()
                log.warning(
                    "%s has not answered since %s UTC; waiting for it, %s at most",
                    silent,
                    f"{silent_since:%H:%M}",
                    _words(self._limit_seconds),
                )
            left = self._began + self._limit_seconds - self._clock()
            if left <= 0:
                raise BoxUnreachable(
                    f"{silent} has not answered for {_words(self._limit_seconds)} (since {silent_since:%H:%M} UTC); "
                    "no file is to blame, and the next run goes on where this one stopped."
                )
            sleep(min(left, self._pauses.seconds(failures)))
        if self._began is None:
            return False
        log.warning("%s answers again after %s; going on", self._who, _words(self._clock() - self._began))
        self._began = None
        self.ended += 1
        return True


def _words(seconds: float) -> str:
    number, unit = (round(seconds), "second") if seconds < 60 else (round(seconds / 60), "minute")
    return f"{number} {unit if number == 1 else unit + 's'}"

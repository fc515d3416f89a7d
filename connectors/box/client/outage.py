"""Outage: Box, or one of its upload hosts, is away. A probe tells it from a call's own failure, and everybody waits.

It sends nothing itself and decides nothing about what is repeated: that is the table in connection.py.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from connectors.box.client.retries import Backoff
from connectors.errors import BoxUnreachable

log = logging.getLogger(__name__)

#: The longest pause between two probes, and how many first pauses that is where the plan has shorter ones.
LONGEST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE = 60

#: Those who do not probe look this often whether it is over.
LOOK_SECONDS = 0.25


class Outage:
    """Whether one host of Box is away, for all connections of one transport. Safe for many threads."""

    def __init__(
        self,
        who: str = "Box",
        *,
        limit_seconds: float,
        first_pause_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """who: as people are told. limit_seconds: how long one outage is waited for, 0: not at all."""
        #: Outages that are over.
        self.ended = 0
        self._who = who
        self._limit_seconds = limit_seconds
        self._pauses = Backoff(
            first_seconds=first_pause_seconds,
            max_seconds=min(LONGEST_PAUSE_SECONDS, first_pause_seconds * LONGEST_PAUSE),
        )
        self._clock = clock
        self._wall_clock = wall_clock
        self._probing = threading.Lock()
        self._silent_since: datetime | None = None
        self._began: float | None = None

    def answered(self) -> None:
        """Note that a request got a good answer."""
        self._silent_since = None

    def unanswered(self) -> None:
        """Note that a request got no answer, or none that helps."""
        if self._silent_since is None:
            self._silent_since = self._wall_clock()

    def was_waited_out(self, ended: int, probe: Callable[[], bool], sleep: Callable[[float], None]) -> bool:
        """Return True when the host was away and is back, so that a call whose patience is used up begins anew.

        False: it answers (or nobody is to wait), so that the failure is the call's own. ended: the number of outages
        when the call began. probe: asks once, whether it answers; one thread at a time does. sleep: ends the wait by
        raising. BoxUnreachable when it stays away for longer than the limit.
        """
        if self._limit_seconds <= 0:
            return False
        while not self._probing.acquire(blocking=False):
            sleep(min(LOOK_SECONDS, self._pauses.max_seconds))
        try:
            return self.ended != ended or self._wait(probe, sleep)
        finally:
            self._probing.release()

    # --- private ---

    def _wait(self, probe: Callable[[], bool], sleep: Callable[[float], None]) -> bool:
        failures = 0
        silent_since = self._silent_since or self._wall_clock()
        while not probe():
            failures += 1
            if self._began is None:
                self._began = self._clock()
                log.warning(
                    "%s has not answered since %s UTC; waiting for it, %s at most",
                    self._who,
                    f"{silent_since:%H:%M}",
                    _words(self._limit_seconds),
                )
            left = self._began + self._limit_seconds - self._clock()
            if left <= 0:
                raise BoxUnreachable(
                    f"{self._who} has not answered for {_words(self._limit_seconds)} (since {silent_since:%H:%M} UTC); "
                    "no file is to blame, and the next run goes on where this one stopped."
                )
            sleep(min(left, self._pauses.seconds(failures)))
        if self._began is None:
            return False
        log.warning("%s answers again after %s; going on", self._who, _words(self._clock() - self._began))
        self._began = None
        self.ended += 1
        return True


class Outages:
    """The outages of every host that a transport talks to. Nobody waits for a Box that never answered."""

    def __init__(self, api_host: str, *, limit_seconds: float, first_pause_seconds: float) -> None:
        self.api_host = api_host
        self.limit_seconds = limit_seconds
        #: Some host gave a good answer once, and which did.
        self.heard = False
        self._heard_of: set[str] = set()
        self._first_pause_seconds = first_pause_seconds
        self._lock = threading.Lock()
        self._by_host: dict[str, Outage] = {}

    def of(self, host: str) -> Outage:
        """Return the outage of one host; messages call Box's API Box."""
        with self._lock:
            if host not in self._by_host:
                self._by_host[host] = Outage(
                    "Box" if host == self.api_host else f"Box's upload host {host}",
                    limit_seconds=self.limit_seconds,
                    first_pause_seconds=self._first_pause_seconds,
                )
            return self._by_host[host]

    def answered(self, host: str) -> None:
        """Note that a request got a good answer."""
        self.heard = True
        if host not in self._heard_of:
            self._heard_of.add(host)
        outage = self._by_host.get(host) or self.of(host)
        outage.answered()

    def has_answered(self, host: str) -> bool:
        """Return True when this host ever gave a good answer."""
        return host in self._heard_of

    def unanswered(self, host: str) -> None:
        """Note that a request got no answer, or none that helps."""
        self.of(host).unanswered()

    def ended(self) -> dict[str, int]:
        """Return how many outages are over, by host."""
        with self._lock:
            return {host: outage.ended for host, outage in self._by_host.items()}


def _words(seconds: float) -> str:
    number, unit = (round(seconds), "second") if seconds < 60 else (round(seconds / 60), "minute")
    return f"{number} {unit if number == 1 else unit + 's'}"

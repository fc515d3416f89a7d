"""The month's allotment of Box's calls, which the whole enterprise has: people are told before it is used up.

Known are the calls of the plans that share this checkpoint; other programs of the enterprise use it, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from connectors.box.config import BoxConfig
from state.checkpoint import Checkpoint

#: Parts of it, in percent, that are told when they are used up: each once a month.
ALARMS = (95, 80)

#: Seconds between two looks, and the part of the allotment after which it is looked at earlier.
LOOK_SECONDS, LOOK_SHARE = 60.0, 0.005

#: Told how much is used up, in percent, the line for people, and what to call when they were told.
Alarm = Callable[[int, str, Callable[[], object]], object]


class Allotment:
    """Looks now and then how much is used up. One thread at a time."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        plan_id: int,
        box: BoxConfig,
        alarm: Callable[[], Alarm | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`alarm`: asked for at each look; while there is none, nobody would hear it, and nothing counts as told."""
        self._checkpoint, self._plan_id = checkpoint, plan_id
        self._box, self._alarm, self._clock = box, alarm, clock
        self._next, self._calls = clock(), 0
        #: Parts that this process has told, or tries to: one whose message is not taken is told by the next one.
        self._tried: set[int] = set()

    def begin(self) -> None:
        """Before this process has written down a call: what was made before the first look ever counts for no month."""
        self._checkpoint.calls_of_month(self._plan_id)

    def beat(self, calls: int) -> None:
        """Look, when it is time to; `calls`: what this process has made so far."""
        if self._clock() < self._next and calls - self._calls < self._box.month_of_calls * LOOK_SHARE:
            return
        self._next, self._calls = self._clock() + LOOK_SECONDS, calls
        self.look()

    def look(self) -> None:
        """Tell people, when more than they were told of is used up."""
        alarm = self._alarm()
        if alarm is None:
            return
        allowed = self._box.month_of_calls
        used = self._checkpoint.calls_of_month(self._plan_id)
        for percent in ALARMS:
            if used * 100 >= allowed * percent:
                if percent not in self._tried and not self._checkpoint.was_told(self._plan_id, percent):
                    self._tried.add(percent)
                    # Sent first and written down then, so that a kill in between loses nothing.
                    alarm(percent, self._words(percent, used, allowed), partial(self._write_down, percent))
                return

    def _write_down(self, percent: int) -> None:
        self._checkpoint.record_told_of_calls(self._plan_id, percent)

    def _words(self, percent: int, used: int, allowed: int) -> str:
        said = "calls_per_month" if self._box.calls_per_month else f"tier: {self._box.tier.value}"
        return (
            f"{percent} % of the month's Box calls are used up: {used:,} of {allowed:,} (box: {said}), without what"
            " other programs of the enterprise call; Box may refuse what is beyond, or have it paid"
        )

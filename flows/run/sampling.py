"""Sampling: now and then a process writes down what it has done, so that a report can show how a migration went."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from state.checkpoint import Checkpoint
from state.history_records import Done
from state.records import WorkerLease

if TYPE_CHECKING:
    from connectors.box.destination import BoxDestination

#: Seconds between two samples: a thirtieth of the time since the process began, so that a short run is a picture,
#: too, and a long one few rows.
SHORTEST, LONGEST, SHARE = 2.0, 60.0, 1 / 30


class Sampling:
    """The samples of this process. For one thread, and `end` for one that comes after it."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        worker: WorkerLease,
        box: BoxDestination,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoint = checkpoint
        self._worker = worker
        self._box = box
        self._clock = clock
        self._began = clock()
        self._next = self._began

    def beat(self) -> None:
        """Write a sample down when it is time for one; the first at once."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + min(LONGEST, max(SHORTEST, (now - self._began) * SHARE))
        self._checkpoint.record_sample(self._worker, self._done())

    def end(self) -> None:
        """Say that the process ends by itself, and what it had done."""
        self._checkpoint.record_sample(self._worker, self._done(), last=True)

    def _done(self) -> Done:
        now = self._box.statistics()
        return Done(calls=now.calls, rate_limited=now.rate_limited, bytes_sent=now.bytes_sent)

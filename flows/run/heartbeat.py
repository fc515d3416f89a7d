"""Heartbeat: prolongs the lease, writes down the calls made and takes samples, while a run lasts."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from connectors.box.destination import BoxDestination
from flows.run.allotment import Allotment
from flows.run.progress import Progress
from flows.run.sampling import Sampling
from flows.run.stop import StopSignal
from state.checkpoint import Checkpoint
from state.records import WorkerLease

#: The calls made are written down this often: a kill can hide no more from the call counts.
CALL_COUNTS_SECONDS = 1.0

#: Of so many of those moments one prolongs the lease.
HEARTBEAT_EVERY = 5


class CallCounts:
    """The calls to Box that this process made, added to the plan's in the checkpoint. Safe for threads."""

    def __init__(self, checkpoint: Checkpoint, plan_id: int, box: BoxDestination, progress: Progress) -> None:
        self._checkpoint = checkpoint
        self._plan_id = plan_id
        self._box = box
        self._progress = progress
        self._saved: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def made(self) -> int:
        """How many are written down."""
        return sum(self._saved.values())

    def save(self) -> None:
        """Add the calls made since the last time."""
        with self._lock:
            counts = self._box.call_counts()
            new = {route: count - self._saved.get(route, 0) for route, count in counts.items()}
            new = {route: count for route, count in new.items() if count}
            self._checkpoint.add_call_counts(self._plan_id, new)
            self._saved = counts
        statistics = self._box.statistics()
        self._progress.called(
            calls=statistics.calls, rate_limited=statistics.rate_limited, bytes_sent=statistics.bytes_sent
        )


@contextmanager
def heartbeat(
    checkpoint: Checkpoint,
    worker: WorkerLease,
    call_counts: CallCounts,
    sampling: Sampling | None,
    stop: StopSignal,
    allotment: Allotment | None = None,
) -> Iterator[None]:
    """While the body lasts: prolong the lease, save the call counts, take samples, look at the month's allotment.

    A lost lease stops the run. Without `sampling` it leaves no trace among the plan's runs.
    """
    done = threading.Event()

    def beat() -> None:
        beats = itertools.count(1)
        while not done.wait(CALL_COUNTS_SECONDS):
            try:
                if next(beats) % HEARTBEAT_EVERY == 0:
                    checkpoint.heartbeat(worker)
                call_counts.save()
                if sampling is not None:
                    sampling.beat()
                if allotment is not None:
                    allotment.beat(call_counts.made)
            except Exception as exc:  # noqa: BLE001  whatever it is, nobody else hears of it in this thread
                stop.fail(exc)
                return

    if sampling is not None:
        sampling.beat()
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

"""Senders: the threads that ask Box, few at first, more while that gets more done. They know nothing else."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flows.run.job import Job

T = TypeVar("T")
S = TypeVar("S")

#: Threads at first, and at least: without latency more of them only take turns, and each turn costs.
FIRST, LEAST = 2, 1
#: Where none of them came to an end of what it does for so long, and there is more to do, at least so many send: small
#: files are not to wait for large ones.
LONG_SECONDS, AT_A_STOP = 3.0, 4
#: Twice the threads must send so much faster to stay, half of them may send so much slower.
FASTER, SLOWER = 1.15, 0.95
#: A measurement takes so long at least, and so many results of each thread; while the first climb goes on, a third of
#: that: over a slow line the start is what is sent slowest.
MEASURE_SECONDS, CLIMB_SECONDS, MEASURE_RESULTS = 0.5, 0.15, 2
#: How many times the threads a try takes, in the first climb and later.
CLIMB, STEP = 8, 2
#: After a try that did not pay, so many measurements pass before the next one; twice as many after each further one.
FIRST_REST, REST = 2, 32


class Width:
    """How many threads send at once: more while that pays, half of them where it costs nothing. Pure.

    A 429 never reaches it: where Box's limits bind, more threads send nothing faster, and stay few by that.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._least = min(LEAST, most)
        #: Threads that may send now.
        self.now = min(FIRST, most)
        self._up = True
        #: True until the first try that does not pay.
        self.climbs = True
        #: Measurements that pass before the next try, and after one that does not pay.
        self._left, self._rest = 0, FIRST_REST
        #: Threads and rate before the try that is under way.
        self._before: tuple[int, float] | None = None

    def begin_with(self, width: int) -> None:
        """So many are known to pay for the like of it; nothing once there is a measurement of one's own."""
        if self.climbs and self._before is None:
            self.now = max(self.now, min(width, self._most))

    def stopped(self) -> None:
        """All who may send are at something that takes long."""
        self.now, self._before = max(self.now, min(AT_A_STOP, self._most)), None

    def measured(self, rate: float) -> None:
        """Take up what the present number of threads achieved, in results a second."""
        if self._before is None:
            self._left -= 1
            if self._left < 0:
                self._try(rate)
            return
        width, before = self._before
        self._before = None
        if rate >= before * (FASTER if self.now > width else SLOWER):
            self._rest = FIRST_REST
            self._try(rate)
        else:
            self.now = width
            self._turn()

    def _try(self, rate: float) -> None:
        times = CLIMB if self.climbs else STEP
        wanted = min(self._most, self.now * times) if self._up else max(self._least, self.now // STEP)
        if wanted == self.now:
            self._turn()
        else:
            self._before, self.now = (self.now, rate), wanted

    def _turn(self) -> None:
        """Rest, then try the other direction."""
        self.climbs = False
        self._up, self._left, self._rest = not self._up, self._rest, min(REST, self._rest * 2)


class Senders:
    """An executor of at most `most` threads; those beyond what pays wait, and keep their connections."""

    def __init__(
        self, most: int, *, name: str = "sender", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._most = name, most
        self._width = Width(most)
        self._clock = clock
        self._lock = threading.Lock()
        #: Who may send waits for a job, each job wakes one of them; who may not waits until more may.
        self._job_came, self._more_may = threading.Condition(self._lock), threading.Condition(self._lock)
        self._jobs: deque[Job[Any]] = deque()
        self._threads: list[threading.Thread] = []
        self._ended = False
        self._began, self._results = clock(), 0
        #: When a job was begun last.
        self._taken = clock()
        #: Results that are not counted: of threads that open their connections, or began before the last change.
        self._passing = self._width.now

    @property
    def width(self) -> int:
        """How many may send at once now."""
        return self._width.now

    def begin_with(self, width: int) -> None:
        """Send with so many at once from the start, where nothing was measured yet."""
        with self._lock:
            self._width.begin_with(width)

    def submit(self, function: Callable[..., T], /, *args: Any) -> Job[T]:
        """Run it in a thread, in its turn. RuntimeError after shutdown()."""
        job = Job(function, args)
        with self._lock:
            if self._ended:
                raise RuntimeError("the senders were shut down")
            self._jobs.append(job)
            self._start_threads()
            self._job_came.notify()
        return job

    def map(self, function: Callable[[S], T], items: Iterable[S]) -> list[T]:
        """Run it for each of them, and return what they returned; raises the first error in their order."""
        return [job.result() for job in [self.submit(function, item) for item in items]]

    def shutdown(self) -> None:
        """Begin nothing more, cancel what waits for its turn, and wait until all threads have ended."""
        with self._lock:
            self._ended = True
            for job in self._jobs:
                job.cancel()
            self._jobs.clear()
            self._job_came.notify_all()
            self._more_may.notify_all()
        for thread in self._threads:
            thread.join()

    # --- private ---

    def _start_threads(self) -> None:
        """Start those that may send and are not there yet, or see to it that it goes on. Holds the lock."""
        wanted = max(self._width.now, min(AT_A_STOP, self._most))
        while len(self._threads) < min(wanted, len(self._threads) + len(self._jobs)):
            number = len(self._threads)
            thread = threading.Thread(target=self._work, args=(number,), name=f"{self._name}_{number}")
            self._threads.append(thread)
            thread.start()

    def _work(self, number: int) -> None:
        while (job := self._next_job(number)) is not None:
            job.run()
            del job
            self._measure()

    def _next_job(self, number: int) -> Job[Any] | None:
        with self._lock:
            while not self._ended:
                if number >= self._width.now:
                    self._job_came.notify()  # what woke this one is for another
                    self._more_may.wait(LONG_SECONDS if number < AT_A_STOP else None)
                    self._go_on()
                elif self._jobs:
                    self._taken = self._clock()
                    return self._jobs.popleft()
                else:
                    self._began, self._results = self._clock(), 0  # a rate without enough to do says nothing
                    self._job_came.wait()
            return None

    def _go_on(self) -> None:
        """More may send, where what there is to do waits for long already. Holds the lock."""
        width = self._width.now
        if width >= AT_A_STOP or not self._jobs or self._clock() - self._taken < LONG_SECONDS:
            return
        self._width.stopped()
        self._grow(width)

    def _grow(self, before: int) -> None:
        """Measure anew, and start or wake up who may send since there are not so few any more. Holds the lock."""
        self._began, self._results = self._clock(), 0
        if self._width.now != before:
            self._passing = max(before, self._width.now)
        if self._width.now > before:
            self._start_threads()
            self._more_may.notify_all()

    def _measure(self) -> None:
        with self._lock:
            if self._passing:
                self._passing -= 1
                self._began, self._results = self._clock(), 0
                return
            self._results += 1
            seconds = self._clock() - self._began
            enough = CLIMB_SECONDS if self._width.climbs else MEASURE_SECONDS
            if seconds < enough or self._results < MEASURE_RESULTS * self._width.now:
                return
            width = self._width.now
            self._width.measured(self._results / seconds)
            self._grow(width)

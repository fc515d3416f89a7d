"""PartSenders: a few threads that send parts of large files, and a bound on the memory that waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from connectors.box.types import PartState
from connectors.tracing import carried


class PartSenders:
    """Threads shared by all large files of one destination.

    One file has at most `threads` parts in memory, all files together at most twice as many: with parts of 64 MiB
    and four threads that is 512 MiB, however many files are under way. Each file has one part more, which is hashed.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._all = threading.BoundedSemaphore(2 * threads)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def file(self) -> FileParts:
        """Return room for the parts of one more file; use it as a context manager."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(2 * self.threads, thread_name_prefix="part")
        return FileParts(self._pool, self._all, self.threads)

    def close(self) -> None:
        """Wait for the running parts and end the threads."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=True, cancel_futures=True)
                self._pool = None


class FileParts:
    """The parts of one file: room() before one is read, then send() it or give the room back()."""

    def __init__(self, pool: ThreadPoolExecutor, everybody: threading.Semaphore, threads: int) -> None:
        self._pool = pool
        self._everybody = everybody
        self._mine = threading.BoundedSemaphore(threads)
        self._futures: list[Future[PartState]] = []

    def room(self) -> None:
        """Wait for memory for one part; raises the error of a part that failed meanwhile."""
        self._mine.acquire()
        self._everybody.acquire()
        try:
            self._raise_failure()
        except BaseException:
            self.back()
            raise

    def back(self, _: object = None) -> None:
        """Give the room of one part back."""
        self._everybody.release()
        self._mine.release()

    def send(self, put: Callable[[], PartState]) -> None:
        """Run put() in a thread; the room is given back when it ends."""
        future = self._pool.submit(carried(put))
        future.add_done_callback(self.back)
        self._futures.append(future)

    def join(self) -> list[PartState]:
        """Wait for all; raises the first failure."""
        wait(self._futures, return_when=FIRST_EXCEPTION)
        self._raise_failure()
        return [future.result() for future in self._futures]

    def __enter__(self) -> FileParts:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Wait until nothing of this file is under way, however the block ends."""
        for future in self._futures:
            future.cancel()
        wait(self._futures)

    def _raise_failure(self) -> None:
        for future in self._futures:
            if future.done() and not future.cancelled() and (error := future.exception()):
                raise error

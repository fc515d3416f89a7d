"""ResultRecorder: the one writer of this process. Senders hand results in; they are committed together, soon."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flows.run.progress import Progress
from flows.run.unforeseen import unforeseen
from state.checkpoint import Checkpoint
from state.errors import StateError
from state.records import Failed, Uploaded, WorkerLease

#: Results of one commit, at most: about what a second of the fastest sending yields.
MAX_RESULTS_PER_COMMIT = 1_000

#: Results that wait to be committed, at most: whoever hands in one more waits.
MOST_WAITING = 10_000

#: Seconds that a result waits for others to share its commit; nobody who waits for the commit waits for this.
LINGER_SECONDS = 0.05


class ResultRecorder:
    """Commits what comes in within a moment together, so that many results share one commit, and at once what somebody
    waits for: the end of a batch or of the run.

    What was not committed when the process dies is in Box and not written down; the next run adopts it there.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        worker: WorkerLease,
        progress: Progress,
        *,
        max_attempts: int,
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._checkpoint = checkpoint
        self._worker = worker
        self._progress = progress
        self._max_attempts = max_attempts
        self._on_error = on_error
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        #: What was handed in and is not taken yet; how many were handed in so far, and how many commits are done with.
        self._handed: deque[Uploaded | Failed] = deque()
        self._came_in, self._done = 0, 0
        #: Something was handed in where nothing was, or so much that it is a commit, or somebody waits for it.
        self._came = threading.Condition(self._lock)
        #: A commit is over, so that there is room again.
        self._over = threading.Condition(self._lock)
        self._waiting = 0
        self._closed = False
        #: By id in Box, what was handed in and is not committed yet.
        self._unrecorded: dict[str, Uploaded] = {}
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, result: Uploaded | Failed) -> None:
        """Hand in a result. Raises what stopped the writer, if something did."""
        if self._error is not None:
            raise self._error
        with self._lock:
            while len(self._handed) >= MOST_WAITING:
                self._over.wait()
            if isinstance(result, Uploaded):
                self._unrecorded[result.box_file_id] = result
            self._handed.append(result)
            self._came_in += 1
            if len(self._handed) in (1, MAX_RESULTS_PER_COMMIT):
                self._came.notify()

    def unrecorded_holder(self, box_file_id: str, *, besides: int) -> Uploaded | None:
        """Return the result of another item that holds this file of Box and is not in the checkpoint yet."""
        with self._lock:
            held = self._unrecorded.get(box_file_id)
        return None if held is None or held.item_id == besides else held

    def flush(self) -> None:
        """Return when everything handed in so far is committed. Raises what stopped the writer."""
        with self._hurrying():
            so_far = self._came_in
            while self._done < so_far:
                self._over.wait()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Commit what is left and end the thread."""
        with self._hurrying():
            self._closed = True
        self._thread.join()

    @contextmanager
    def _hurrying(self) -> Iterator[None]:
        """Let nothing linger while the body lasts, which holds the lock."""
        with self._lock:
            self._waiting += 1
            self._came.notify()
            try:
                yield
            finally:
                self._waiting -= 1

    def _run(self) -> None:
        while taken := self._taken():
            self._commit(taken)
            with self._lock:
                self._done += len(taken)
                self._over.notify_all()

    def _taken(self) -> list[Uploaded | Failed]:
        """Wait for results, and a moment for more of them; none at the end."""
        with self._lock:
            while not self._handed and not self._closed:
                self._came.wait()
            self._came.wait_for(self._is_in_a_hurry, LINGER_SECONDS)
            count = min(len(self._handed), MAX_RESULTS_PER_COMMIT)
            return [self._handed.popleft() for _ in range(count)]

    def _is_in_a_hurry(self) -> bool:
        return bool(self._waiting or self._closed or len(self._handed) >= MAX_RESULTS_PER_COMMIT)

    def _commit(self, results: list[Uploaded | Failed]) -> None:
        if not results or self._error is not None:
            return
        try:
            held = self._checkpoint.record_results(self._worker, results, max_attempts=self._max_attempts)
        except BaseException as exc:  # noqa: BLE001  the thread must live on to empty the queue
            if not self._is_of_one_result(exc, results):
                self._error = exc
                self._on_error(exc)
            return
        self._forget(results)
        # Their file of Box is another entry's: they are not sent, and are tried again.
        again = {each.item_id for each in held}
        self._progress.recorded([result for result in results if result.item_id not in again])

    def _is_of_one_result(self, error: BaseException, results: list[Uploaded | Failed]) -> bool:
        """Write down what can be, one by one, when nobody foresaw the error: it fails one file, and not the run.

        False for what is no file's business: the state database, memory, the end of the program.
        """
        if not isinstance(error, Exception) or isinstance(error, StateError | MemoryError):
            return False
        if len(results) > 1:
            for result in results:
                self._commit([result])
            return True
        [result] = results
        if isinstance(result, Failed):
            return False
        reason, detail = unforeseen(error)
        self._forget(results)
        self._commit([Failed(item_id=result.item_id, reason=reason, detail=detail)])
        return True

    def _forget(self, results: list[Uploaded | Failed]) -> None:
        """They are written down, or never will be."""
        with self._lock:
            for result in results:
                if isinstance(result, Uploaded) and self._unrecorded.get(result.box_file_id) is result:
                    del self._unrecorded[result.box_file_id]

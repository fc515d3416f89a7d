"""ResultRecorder: the one writer of this process. Senders hand results in; they are committed together, soon."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flows.run.progress import Progress
from flows.run.unforeseen import unforeseen
from state.checkpoint import Checkpoint
from state.errors import StateError
from state.records import Failed, Uploaded, WorkerLease

#: Results of one commit, at most: about what a second of the fastest sending yields.
MAX_RESULTS_PER_COMMIT = 1_000

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
        self._queue: queue.Queue[Uploaded | Failed | None] = queue.Queue(maxsize=10_000)
        self._error: BaseException | None = None
        #: Set while somebody waits for what was handed in, and once it is as much as a commit takes.
        self._hurry = threading.Event()
        self._waiting = 0
        self._lock = threading.Lock()
        #: By id in Box, what was handed in and is not committed yet.
        self._unrecorded: dict[str, Uploaded] = {}
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, result: Uploaded | Failed) -> None:
        """Hand in a result. Raises what stopped the writer, if something did."""
        if self._error is not None:
            raise self._error
        if isinstance(result, Uploaded):
            with self._lock:
                self._unrecorded[result.box_file_id] = result
        self._queue.put(result)
        if self._queue.qsize() >= MAX_RESULTS_PER_COMMIT:
            self._hurry.set()

    def unrecorded_holder(self, box_file_id: str, *, besides: int) -> Uploaded | None:
        """Return the result of another item that holds this file of Box and is not in the checkpoint yet."""
        with self._lock:
            held = self._unrecorded.get(box_file_id)
        return None if held is None or held.item_id == besides else held

    def flush(self) -> None:
        """Return when everything handed in so far is committed. Raises what stopped the writer."""
        with self._hurrying():
            self._queue.join()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Commit what is left and end the thread."""
        with self._hurrying():
            self._queue.put(None)
            self._thread.join()

    @contextmanager
    def _hurrying(self) -> Iterator[None]:
        """Let nothing linger while the body lasts."""
        with self._lock:
            self._waiting += 1
            self._hurry.set()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
            self._calm_down()

    def _calm_down(self) -> None:
        with self._lock:
            if not self._waiting:
                self._hurry.clear()

    def _run(self) -> None:
        open_ended = True
        while open_ended:
            taken = [self._queue.get()]
            if self._queue.qsize() < MAX_RESULTS_PER_COMMIT:
                self._hurry.wait(LINGER_SECONDS)
            self._calm_down()
            while len(taken) < MAX_RESULTS_PER_COMMIT:
                try:
                    taken.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            open_ended = None not in taken
            self._commit([result for result in taken if result is not None])
            for _ in taken:
                self._queue.task_done()

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

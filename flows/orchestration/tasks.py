"""Every task: a phase or a batch of thousands of files, never a file. The work is in modules named like the verb."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

from connectors.errors import Stopped
from connectors.tracing import about, carried, span
from flows.errors import Interrupted
from flows.orchestration.endings import announce_tree, called, cancelled, incomplete, returned
from flows.orchestration.on_demand import FlowRunContext, TaskRunContext, get_run_logger, task
from flows.run.log_file import of_tree
from flows.transfer import completing, sending, walking
from flows.transfer.migration import Migration
from flows.transfer.sending import Batch
from flows.words import counted, failed_words, printable, size_words
from state.records import TreeRecord
from state.statuses import TreeState

log = logging.getLogger(__name__)

#: Batches in flight: while the last large files of one are sent, the threads begin the next.
BATCHES_IN_FLIGHT = 2


class Pending(Protocol):
    """What start() gives back: something that will be done."""

    def result(self) -> Any:
        """Wait; raise what the task raised."""
        ...


class _Submitted:
    """A task run on its way."""

    def __init__(self, future: Any) -> None:
        self._future = future

    def result(self) -> Any:
        """As Pending.result, whatever the name of its state."""
        return returned(self._future.result(raise_on_failure=False))


@task(task_run_name="walk")
def walk_share(migration: Migration) -> Any:
    """List the share folder by folder and write down what differs from the checkpoint."""
    with span("walk"):
        walking.walk_trees(migration)
    state = migration.progress.snapshot()
    words = f"walked {counted(state.folders_walked, 'folder')} with {state.entries_seen:,} entries"
    if migration.stop.is_set():
        words += ", then told to stop; the next run goes on"
    run_log().info(words if state.folders_walked or migration.stop.is_set() else "nothing left to walk")
    return cancelled("Cancelled", words, None) if migration.stop.is_set() and in_task_run() else None


@task(task_run_name="upload-{number:05d}")
def upload_batch(migration: Migration, batch: Batch, number: int) -> Any:
    """Send one batch of files."""
    began = time.monotonic()
    unsent = sending.send_batch(migration, batch)
    run_log().info(
        "batch %05d: %s in %.0f s", number, _batch_words(migration, batch), time.monotonic() - began
    )
    if unsent and migration.stop.is_set() and in_task_run():
        words = f"told to stop with {unsent:,} of {counted(len(batch.items), 'file')} not sent; the next run goes on"
        return cancelled("Cancelled", words, None)
    return None


@task(task_run_name="complete-{tree.name}")
def complete_tree(migration: Migration, tree: TreeRecord) -> Any:
    """Verify one tree against Box's listing, then let its people in; return whether it is done with."""
    try:
        with about(tree.name), span("complete tree"):
            done = completing.complete_tree(migration, tree)
    except (Stopped, Interrupted) as exc:
        if not in_task_run():
            raise
        return cancelled(
            "Cancelled", f"told to stop before {tree.name} was complete; the next run goes on", exc
        )
    now = migration.checkpoint.tree(tree.id)
    state = now.state.value + (f": {now.incomplete_reason.value}" if now.incomplete_reason else "")
    with of_tree(now.name):
        run_log().info(
            "tree %s is %s%s", printable(now.name), state, f" ({printable(now.detail)})" if now.detail else ""
        )
    if done:
        announce_tree(migration, now)
    held = migration.holds_people and now.state is TreeState.VERIFIED
    if now.state is not TreeState.COMPLETE and not held and in_task_run():
        again = "" if done else ": Box differs from what was sent, which is sent again"
        return incomplete("Incomplete", printable(f"{now.name} is {state}{again}"), done)
    return done


def task_runner() -> Any:
    """Threads for the tasks of one flow that moves files."""
    from prefect.task_runners import ThreadPoolTaskRunner

    return ThreadPoolTaskRunner(max_workers=BATCHES_IN_FLIGHT + 1)


def settle(pending: Iterable[Pending]) -> None:
    """Let tasks that were told to stop end, before what they use is closed; what they raise has been told already."""
    for each in pending:
        with suppress(Exception):
            each.result()


def _batch_words(migration: Migration, batch: Batch) -> str:
    state = migration.progress.snapshot()
    size = size_words(sum(item.size for item in batch.items))
    return (
        f"{counted(len(batch.items), 'file')}, {size};"
        f" {state.files_uploaded:,} of {state.files_total:,} files in Box, {failed_words(state.failed)} so far"
    )


def run_log() -> Any:
    """Where a line goes that a person reads: the log of the flow run, or the program's own outside of one."""
    return get_run_logger() if in_flow_run() or in_task_run() else log


def in_flow_run() -> bool:
    """True inside a Prefect flow run; False when the very same flow runs without a server."""
    return FlowRunContext.get() is not None


def in_task_run() -> bool:
    """True inside a Prefect task run, in whatever thread it runs."""
    return TaskRunContext.get() is not None


def run(step: Any, *args: Any) -> Any:
    """Call a task: as a task run inside a flow run, as the plain function it is outside."""
    return called(step, *args) if in_flow_run() else step.fn(*args)


def start(threads: ThreadPoolExecutor, step: Any, *args: Any) -> Pending:
    """Begin a task beside the flow: as a task run inside a flow run, as a plain thread outside."""
    if in_flow_run():
        return _Submitted(step.submit(*args))
    function: Callable[..., Any] = step.fn
    future: Future[Any] = threads.submit(carried(function), *args)
    return future

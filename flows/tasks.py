"""Every task: a phase or a batch of thousands of files, never a file. The work is in modules named like the verb."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext

from flows import completing, sending, walking
from flows.open_plan import OpenPlan
from flows.sending import Batch
from state.records import TreeRecord


class Pending(Protocol):
    """What start() gives back: something that will be done."""

    def result(self) -> Any:
        """Wait; raise what the task raised."""
        ...


@task(task_run_name="walk", cache_policy=NO_CACHE, persist_result=False)
def walk_share(opened: OpenPlan) -> None:
    """List the share folder by folder and write down what differs from the checkpoint."""
    walking.walk_trees(opened)


@task(task_run_name="upload-{number:05d}", cache_policy=NO_CACHE, persist_result=False)
def upload_batch(opened: OpenPlan, batch: Batch, number: int) -> None:
    """Send one batch of files."""
    sending.send_batch(opened, batch)


@task(task_run_name="complete-{tree.name}", cache_policy=NO_CACHE, persist_result=False)
def complete_tree(opened: OpenPlan, tree: TreeRecord) -> bool:
    """Verify one tree against Box's listing, then let its people in."""
    return completing.complete_tree(opened, tree)


def in_flow_run() -> bool:
    """True inside a Prefect flow run; False when the very same flow runs without a server."""
    return FlowRunContext.get() is not None


def run(step: Any, *args: Any) -> Any:
    """Call a task: as a task run inside a flow run, as the plain function it is outside."""
    return step(*args) if in_flow_run() else step.fn(*args)


def start(threads: ThreadPoolExecutor, step: Any, *args: Any) -> Pending:
    """Begin a task beside the flow: as a task run inside a flow run, as a plain thread outside."""
    if in_flow_run():
        submitted: Pending = step.submit(*args)
        return submitted
    function: Callable[..., Any] = step.fn
    future: Future[Any] = threads.submit(function, *args)
    return future

"""migrate_share: walk, send, verify, collaborate; each tree that completes is shared at once.

Requires: the plan's environment variables or blocks on the machine that runs it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from prefect import flow

from flows.checks.start import check_before_sending
from flows.errors import PlanError, WindowClosed
from flows.orchestration.endings import already_running, announce_stop, ended
from flows.orchestration.fleet import fanned_out
from flows.orchestration.tasks import (
    BATCHES_IN_FLIGHT,
    Pending,
    complete_tree,
    in_flow_run,
    run,
    settle,
    start,
    task_runner,
    upload_batch,
    walk_share,
)
from flows.orchestration.watching import watched
from flows.plan.model import MigrationPlan
from flows.run.leases import Part
from flows.run.window import Window
from flows.transfer.beginning import begin
from flows.transfer.completing import create_missing_folders
from flows.transfer.ending import finish_pass, give_up, unfinished_pass
from flows.transfer.migration import Migration, open_migration
from flows.transfer.sending import Batch
from state.errors import LeaseHeld
from state.records import TreeRecord

#: Box differs from the checkpoint, it is sent again, and again it differs: then a person has to look.
VERIFY_ROUNDS = 2

#: Seconds between looks at the checkpoint while the walk has found nothing to send yet.
IDLE_SECONDS = 0.2

#: Seconds before a file that failed is tried again; each further try waits so much longer.
RETRY_SECONDS = 2.0


@flow(flow_run_name="{plan.name}-migrate", task_runner=task_runner(), persist_result=False)
def migrate_share(
    plan: MigrationPlan,
    trees: list[str] = [],  # noqa: B006  read by the form
    window: str = "",
    workers: int = 0,
    check: bool = True,
) -> dict[str, Any]:
    """Move what the plan says: walk, send, verify, and let people in as each tree completes.

    Running it again goes on where the last run stopped, whatever stopped it.

    Args:
        plan: What moves from where to where.
        trees: Names of the trees to move; none for all of the plan.
        window: Hours in which files may be sent: `Mon-Fri 20:00-06:00, Sat-Sun Europe/Berlin`; empty: any time.
        workers: How many more processes send, each as one of the plan's identities; 0: this one sends alone.
        check: Begin only when space, sizes, scopes and roles suffice; off to insist.
    """
    summary: dict[str, Any] = move_share(plan, trees=trees, window=window, workers=workers, check=check)
    return summary


def move_share(
    plan: MigrationPlan,
    *,
    trees: Sequence[str] = (),
    window: str = "",
    workers: int = 0,
    check: bool = True,
    first: Callable[[Migration], object] | None = None,
) -> Any:
    """What every flow that moves files does; `first` is called once the plan is open and its trees are known.

    Returns the summary, inside a flow run as a state that says how it ended. Raises what stopped it.
    """
    hours = Window.parse(window)
    if workers > 0 and not plan.box.identities:
        raise PlanError("workers: each needs an identity of its own to upload as; box.identities names none")
    if workers > 0:
        for key in plan.written_secrets():
            raise PlanError(f"{key}: other processes are not told the secret in it; write it as ${{NAME}}")
    plan.require_secrets()
    with ExitStack() as stack:
        part = Part.CONDUCTING if workers > 0 and in_flow_run() else Part.ALONE
        try:
            migration = stack.enter_context(open_migration(plan, part=part))
        except LeaseHeld as exc:
            return already_running(exc)
        stack.enter_context(watched(migration))
        if hours is not None:
            stack.enter_context(hours.enforced(migration.stop))
        try:
            with migration.stop.telling_the_cause():
                begin(migration, kind="migrate", only=trees)
                if first is not None:
                    first(migration)
                if check:
                    check_before_sending(migration)
                with fanned_out(migration, workers):
                    waiting = migration.trees
                    for _ in range(VERIFY_ROUNDS):
                        waiting = move_trees(migration, waiting)
                # A pass that was stopped is not over, whatever became of its trees.
                migration.stop.raise_if_stopped()
        except WindowClosed as exc:
            give_up(migration, exc)
            announce_stop(migration, exc)
            return ended(unfinished_pass(migration), reason="Limit reached")
        except BaseException as exc:
            give_up(migration, exc)
            announce_stop(migration, exc)
            raise
        return ended(finish_pass(migration))


def move_trees(migration: Migration, trees: list[TreeRecord]) -> list[TreeRecord]:
    """Walk and send at the same time and complete each tree as it is all there; those that Box contradicts remain."""
    if not trees:
        return []
    with ThreadPoolExecutor(BATCHES_IN_FLIGHT + 1, thread_name_prefix="task") as threads:
        migration.walking.set()
        migration.progress.enter("walking and sending")
        walk = start(threads, walk_share, migration)
        try:
            waiting = send_files(migration, threads, trees)
        except BaseException:
            migration.stop.set()
            settle([walk])
            raise
        walk.result()
    for tree in waiting:
        # Nothing was left to send, perhaps, and still folders without a file of their own.
        create_missing_folders(migration, tree)
    return [tree for tree in waiting if not run(complete_tree, migration, migration.checkpoint.tree(tree.id))]


def send_files(
    migration: Migration, threads: ThreadPoolExecutor, trees: list[TreeRecord]
) -> list[TreeRecord]:
    """Claim and send batches until nothing is left to find or to send; the trees that are not complete yet."""
    in_flight: deque[Pending] = deque()
    try:
        return _send_files(migration, threads, trees, in_flight)
    except BaseException:
        migration.stop.set()
        settle(in_flight)
        raise


def _send_files(
    migration: Migration, threads: ThreadPoolExecutor, trees: list[TreeRecord], in_flight: deque[Pending]
) -> list[TreeRecord]:
    waiting, number, tried = trees, 0, 0
    while True:
        migration.stop.raise_if_stopped()
        walked = not migration.walking.is_set()
        # In the last round all: an older plan may have allowed more attempts than this one.
        last = tried == migration.plan.transfer.max_attempts
        batch = migration.claims.next_batch(attempts_at_most=None if last else tried)
        if batch:
            number += 1
            in_flight.append(start(threads, upload_batch, migration, Batch(batch), number))
        if in_flight and (not batch or len(in_flight) == BATCHES_IN_FLIGHT):
            in_flight.popleft().result()
            migration.recorder.flush()
            waiting = complete_settled(migration, waiting)
        elif not batch and not walked:
            migration.stop.wait(IDLE_SECONDS)
        elif not batch and not migration.claims.has_pending_files():
            return waiting
        elif not batch:
            tried = min(tried + 1, migration.plan.transfer.max_attempts)
            migration.stop.wait(RETRY_SECONDS * tried)
            if migration.part is Part.CONDUCTING:
                waiting = complete_settled(migration, waiting)


def complete_settled(migration: Migration, trees: list[TreeRecord]) -> list[TreeRecord]:
    """Complete those trees of which everything has arrived, while the others are still sent; the others remain."""
    remaining = []
    for tree in trees:
        settled = migration.claims.tree_has_arrived(tree) and create_missing_folders(migration, tree)
        if not settled or not run(complete_tree, migration, migration.checkpoint.tree(tree.id)):
            remaining.append(tree)
    return remaining

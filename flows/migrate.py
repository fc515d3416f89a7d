"""migrate_share: walk, send, verify, collaborate; each tree that completes is shared at once.

Requires: the plan's environment variables or blocks on the machine that runs it.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.completing import create_missing_folders, finish_pass, give_up
from flows.config import MigrationPlan
from flows.open_plan import OpenPlan, open_plan
from flows.sending import Batch
from flows.tasks import Pending, complete_tree, run, start, upload_batch, walk_share
from flows.watching import watched
from state.records import TreeRecord

#: Batches in flight: while the last large files of one are sent, the threads begin the next.
BATCHES_IN_FLIGHT = 2

#: Box differs from the checkpoint, it is sent again, and again it differs: then a person has to look.
VERIFY_ROUNDS = 2

#: Seconds between looks at the checkpoint while the walk has found nothing to send yet.
IDLE_SECONDS = 0.2

#: Seconds before a file that failed is tried again; each further try waits so much longer.
RETRY_SECONDS = 2.0


@flow(
    flow_run_name="{plan.name}-migrate",
    task_runner=ThreadPoolTaskRunner(max_workers=BATCHES_IN_FLIGHT + 1),  # type: ignore[arg-type]
    persist_result=False,
)
def migrate_share(plan: MigrationPlan, trees: list[str] = []) -> dict[str, Any]:  # noqa: B006  read by the form
    """Move what the plan says: walk, send, verify, and let people in as each tree completes.

    Running it again goes on where the last run stopped, whatever stopped it.

    Args:
        plan: What moves from where to where.
        trees: Names of the trees to move; none for all of the plan.
    """
    with open_plan(plan) as opened, watched(opened):
        try:
            opened.begin(kind="migrate", only=trees)
            waiting = opened.trees
            for _ in range(VERIFY_ROUNDS):
                waiting = move_trees(opened, waiting)
        except BaseException as exc:
            give_up(opened, exc)
            raise
        return finish_pass(opened)


def move_trees(opened: OpenPlan, trees: list[TreeRecord]) -> list[TreeRecord]:
    """Walk and send at the same time and complete each tree as it is all there; those that Box contradicts remain."""
    if not trees:
        return []
    with ThreadPoolExecutor(BATCHES_IN_FLIGHT + 1, thread_name_prefix="task") as threads:
        opened.begin_walk()
        walk = start(threads, walk_share, opened)
        try:
            waiting = send_files(opened, threads, trees)
        except BaseException:
            opened.stop()
            raise
        walk.result()
    return [tree for tree in waiting if not run(complete_tree, opened, _fresh(opened, tree))]


def send_files(opened: OpenPlan, threads: ThreadPoolExecutor, trees: list[TreeRecord]) -> list[TreeRecord]:
    """Claim and send batches until nothing is left to find or to send; the trees that are not complete yet."""
    in_flight: deque[Pending] = deque()
    waiting, number, tried = trees, 0, 0
    while True:
        opened.raise_if_stopped()
        walked = opened.walk_is_over()
        batch = opened.claim_batch(attempts_at_most=tried)
        if batch:
            number += 1
            in_flight.append(start(threads, upload_batch, opened, Batch(batch), number))
        if in_flight and (not batch or len(in_flight) == BATCHES_IN_FLIGHT):
            in_flight.popleft().result()
            opened.recorder.flush()
            waiting = complete_settled(opened, waiting)
        elif not batch and not walked:
            opened.wait(IDLE_SECONDS)
        elif not batch and not opened.has_pending_files():
            return waiting
        elif not batch:
            tried = min(tried + 1, opened.plan.transfer.max_attempts)
            opened.wait(RETRY_SECONDS * tried)


def complete_settled(opened: OpenPlan, trees: list[TreeRecord]) -> list[TreeRecord]:
    """Complete those trees of which everything has arrived, while the others are still sent; the others remain."""
    remaining = []
    for tree in trees:
        settled = opened.tree_has_arrived(tree) and create_missing_folders(opened, tree)
        if not settled or not run(complete_tree, opened, _fresh(opened, tree)):
            remaining.append(tree)
    return remaining


def _fresh(opened: OpenPlan, tree: TreeRecord) -> TreeRecord:
    return next(now for now in opened.refresh_trees() if now.id == tree.id)

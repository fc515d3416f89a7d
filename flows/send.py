"""send_share: one more process that uploads for a migration which another flow run conducts. Walks nothing.

Requires: identities in the plan; a checkpoint on PostgreSQL when the processes are on several machines.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.orchestration.endings import sent
from flows.orchestration.tasks import BATCHES_IN_FLIGHT, Pending, settle, start, task_runner, upload_batch
from flows.orchestration.watching import watched
from flows.plan.model import MigrationPlan
from flows.transfer.migration import OpenPlan, Part, open_plan
from flows.transfer.sending import Batch
from state.errors import LeaseHeld

#: Seconds between looks at the checkpoint while there is nothing to send.
IDLE_SECONDS = 1.0

#: Seconds that it goes on looking when nobody conducts: a run whose machine died is started again in eleven minutes.
ORPHAN_SECONDS = 900.0

#: How the lease of a process that only sends is named, so that those who conduct can be told apart.
LEASE_NAME = "sender"


@flow(flow_run_name="{plan.name}-send", task_runner=task_runner(), persist_result=False)
def send_share(plan: MigrationPlan, account_id: str = "") -> dict[str, Any]:
    """Upload for a migration that is running, as one of the plan's identities, until nothing is left.

    Several of these may run at once, each with the budget of another identity; they come and go as they like.

    Args:
        plan: The plan that is being moved.
        account_id: Box user id of the service account; it is asked for when left out.
    """
    name = f"{LEASE_NAME} {flow_run.get_id() or ''} on {socket.gethostname()}"
    try:
        with open_plan(plan, part=Part.SENDING, account_id=account_id, name=name) as opened, watched(opened):
            send_what_is_found(opened)
            summary: dict[str, Any] = sent(opened)
            return summary
    except LeaseHeld as exc:
        nobody: dict[str, Any] = sent(None, str(exc))
        return nobody


def send_what_is_found(opened: OpenPlan) -> None:
    """Claim and send batches until the pass is over, or nobody has conducted it for a while."""
    in_flight: deque[Pending] = deque()
    try:
        with (
            opened.telling_the_cause(),
            ThreadPoolExecutor(BATCHES_IN_FLIGHT, thread_name_prefix="task") as threads,
        ):
            _send(opened, threads, in_flight)
    except BaseException:
        opened.stop()
        settle(in_flight)
        raise


def _send(opened: OpenPlan, threads: ThreadPoolExecutor, in_flight: deque[Pending]) -> None:
    number, tried, conducted = 0, 0, time.monotonic()
    while True:
        opened.raise_if_stopped()
        there = opened.join()
        if is_conducted(opened):
            conducted = time.monotonic()
        batch = opened.claim_batch(attempts_at_most=tried) if there and opened.trees else []
        if batch:
            number += 1
            in_flight.append(start(threads, upload_batch, opened, Batch(batch), number))
        if in_flight and (not batch or len(in_flight) == BATCHES_IN_FLIGHT):
            in_flight.popleft().result()
            opened.recorder.flush()
        elif not batch:
            if not there or time.monotonic() - conducted > ORPHAN_SECONDS:
                return
            # Whoever conducts tries failures again first, and with patience.
            tried = min(tried + 1, opened.plan.transfer.max_attempts - 1)
            opened.wait(IDLE_SECONDS)


def is_conducted(opened: OpenPlan) -> bool:
    """True while some process does more than send."""
    return any(
        not worker.name.startswith(LEASE_NAME) for worker in opened.checkpoint.live_workers(opened.plan_id)
    )

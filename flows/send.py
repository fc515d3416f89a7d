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
from flows.run.leases import LEASE_NAME, Part
from flows.transfer.beginning import join
from flows.transfer.migration import Migration, open_migration
from flows.transfer.sending import Batch
from state.errors import LeaseHeld

#: Seconds between looks at the checkpoint while there is nothing to send.
IDLE_SECONDS = 1.0

#: Seconds that it goes on looking when nobody conducts: a run whose machine died is started again in eleven minutes.
ORPHAN_SECONDS = 900.0


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
        with (
            open_migration(plan, part=Part.SENDING, account_id=account_id, name=name) as migration,
            watched(migration),
        ):
            send_what_is_found(migration)
            summary: dict[str, Any] = sent(migration)
            return summary
    except LeaseHeld as exc:
        nobody: dict[str, Any] = sent(None, str(exc))
        return nobody


def send_what_is_found(migration: Migration) -> None:
    """Claim and send batches until the pass is over, or nobody has conducted it for a while."""
    in_flight: deque[Pending] = deque()
    try:
        with (
            migration.stop.telling_the_cause(),
            ThreadPoolExecutor(BATCHES_IN_FLIGHT, thread_name_prefix="task") as threads,
        ):
            _send(migration, threads, in_flight)
    except BaseException:
        migration.stop.set()
        settle(in_flight)
        raise


def _send(migration: Migration, threads: ThreadPoolExecutor, in_flight: deque[Pending]) -> None:
    number, tried, conducted = 0, 0, time.monotonic()
    while True:
        migration.stop.raise_if_stopped()
        there = join(migration)
        if is_conducted(migration):
            conducted = time.monotonic()
        batch = migration.claims.next_batch(attempts_at_most=tried) if there and migration.trees else []
        if batch:
            number += 1
            in_flight.append(start(threads, upload_batch, migration, Batch(batch), number))
        if in_flight and (not batch or len(in_flight) == BATCHES_IN_FLIGHT):
            in_flight.popleft().result()
            migration.recorder.flush()
        elif not batch:
            if not there or time.monotonic() - conducted > ORPHAN_SECONDS:
                return
            # Whoever conducts tries failures again first, and with patience.
            tried = min(tried + 1, migration.plan.transfer.max_attempts - 1)
            migration.stop.wait(IDLE_SECONDS)


def is_conducted(migration: Migration) -> bool:
    """True while some process does more than send."""
    return any(
        not worker.name.startswith(LEASE_NAME)
        for worker in migration.checkpoint.live_workers(migration.plan_id)
    )

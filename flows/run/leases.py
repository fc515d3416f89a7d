"""Leases: which part of a plan this process does, the lease that says so, and the Box users whose limits it uses."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from connectors.box.destination import BoxDestination
from connectors.errors import Stopped
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from state.checkpoint import Checkpoint
from state.errors import LeaseHeld
from state.records import BudgetBlock, WorkerLease

log = logging.getLogger(__name__)

#: A dead worker on another machine holds its claims this long; on the same machine its end is seen at once.
LEASE_SECONDS = 60.0

#: Seconds between looks at a lease whose holder may have died.
LOOK_SECONDS = 2.0

#: How the lease of a process that only sends is named, so that those who conduct can be told apart.
LEASE_NAME = "sender"

#: How that of an inventory which fills the checkpoint is named: it shares the plan with nobody.
INVENTORY_NAME = "inventory"


class Part(StrEnum):
    """What a process does of a plan."""

    #: Everything, with every identity's budget.
    ALONE = "alone"
    #: Everything but uploading as the identities, which other processes hold.
    CONDUCTING = "conducting"
    #: Nothing but uploading, as one identity.
    SENDING = "sending"


def worker_name() -> str:
    """Return who works, for people: machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def register(checkpoint: Checkpoint, plan_id: int, *, name: str = "", leases: int = 1) -> WorkerLease:
    """Take the lease of this process on the plan; `leases`: how many of the usual length it lasts."""
    return checkpoint.register_worker(
        plan_id, name=name or worker_name(), lease_seconds=leases * LEASE_SECONDS
    )


def uploading_identities(
    part: Part, plan: MigrationPlan, checkpoint: Checkpoint, worker: WorkerLease
) -> Sequence[str] | None:
    """Return the identities that upload in this process: None for all, none, or the first one that nobody holds.

    LeaseHeld when others hold every identity; PlanError when there is none.
    """
    if part is Part.ALONE:
        return None
    if part is Part.CONDUCTING:
        return ()
    held: LeaseHeld | None = None
    for identity in plan.box.identities:
        try:
            checkpoint.lease_identity(worker, identity)
        except LeaseHeld as exc:
            held = exc
            continue
        return (identity,)
    raise held or PlanError(
        "box.identities: more than one process needs identities to upload as; there are none"
    )


class Budgets:
    """The Box users whose limits this process uses alone, until it releases them (P10). Safe for threads."""

    def __init__(self, checkpoint: Checkpoint, worker: WorkerLease, stop: threading.Event) -> None:
        self._checkpoint = checkpoint
        self._worker = worker
        self._stop = stop
        self._releases = ExitStack()

    def take(self, box: BoxDestination, identity: str) -> None:
        """Hold this identity's budget; wait for a holder that died elsewhere. LeaseHeld when it lives."""
        lease_or_outlast(partial(self._take, box, identity), self._checkpoint, self._worker, self._stop)

    def borrow(self, box: BoxDestination, identity: str) -> None:
        """Hold it without waiting, to go on with an upload session that is this identity's. Stopped when it is held."""
        try:
            self._take(box, identity)
        except LeaseHeld as exc:
            raise Stopped(str(exc)) from exc  # the file is left for whoever holds that identity

    def release(self) -> None:
        """Give back all that are held."""
        self._releases.close()

    def _take(self, box: BoxDestination, identity: str) -> None:
        lease_budget(self._checkpoint, self._worker, box, identity)
        self._releases.callback(release_budget, self._checkpoint, self._worker, box, identity)


def lease_or_outlast(
    lease: Callable[[], None], checkpoint: Checkpoint, worker: WorkerLease, stop: threading.Event
) -> None:
    """Lease, and wait for the lease of a holder that died where this process cannot see it: another machine, another
    container. LeaseHeld at once when the holder is seen to live, in seconds when it prolongs its lease.

    A run that goes on after a crash begins again before that lease ends.
    """
    first: LeaseHeld | None = None
    for _ in range(int(LEASE_SECONDS / LOOK_SECONDS) + 3):
        try:
            return lease()
        except LeaseHeld as exc:
            if exc.lives or (first is not None and exc.lease_until != first.lease_until):
                raise
            if first is None:
                log.warning("%s; waiting at most %.0f s in case it died", exc, LEASE_SECONDS)
                first = exc
        if stop.wait(LOOK_SECONDS):
            break
        checkpoint.heartbeat(worker)
    return lease()


def outlast_inventory(checkpoint: Checkpoint, worker: WorkerLease, stop: threading.Event) -> None:
    """Begin no run beside an inventory that fills the checkpoint: each walk takes folders away from the other one.

    LeaseHeld as lease_or_outlast() has it.
    """
    beside = partial(checkpoint.require_alone, worker, beside=INVENTORY_NAME)
    lease_or_outlast(beside, checkpoint, worker, stop)


def lease_budget(checkpoint: Checkpoint, worker: WorkerLease, box: BoxDestination, identity: str) -> None:
    """Hold this identity's budget alone, and go on where its last holder stopped (P10)."""
    earlier = checkpoint.lease_identity(worker, identity)

    def reserve(uploads: int, calls: int) -> None:
        block = BudgetBlock(reserved_at=datetime.now(UTC), uploads=uploads, calls=calls)
        checkpoint.reserve_budget(worker, identity, block)

    blocks = [(block.reserved_at, block.uploads, block.calls) for block in earlier]
    box.set_budget(identity, reserve=reserve, earlier_blocks=blocks)


def release_budget(checkpoint: Checkpoint, worker: WorkerLease, box: BoxDestination, identity: str) -> None:
    """Let others have it; what was reserved and not used is theirs at once, not in a minute."""
    uploads, calls = box.give_back_budget(identity)
    checkpoint.release_identity(worker, identity, unused_uploads=uploads, unused_calls=calls)

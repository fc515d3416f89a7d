"""Workers and identities: leases with heartbeats, and who is taken for dead."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Update, select, update

from state.database.models import WORKER_IS_ALIVE, Folder, Identity, Item, Worker
from state.errors import LeaseHeld, LostLease
from state.processes import is_gone, is_within_sight, process_identity, this_host
from state.records import BudgetBlock, WorkerLease, WorkingProcess
from state.statements.base import Statements, insert_into
from state.statements.digests import FORGOTTEN
from state.statements.in_flight import note_what_was_in_flight

#: Budget blocks older than this count for no limit any more.
LEDGER_AGE = timedelta(minutes=5)

_LIVENESS = (Worker.id, Worker.host, Worker.pid, Worker.process_identity, Worker.lease_until)


class WorkerStatements(Statements):
    """Workers (leases with heartbeats) and identities (P10)."""

    def register_worker(self, plan_id: int, *, name: str, lease_seconds: float = 60) -> WorkerLease:
        """Also frees everything that dead workers hold: lease expired, or same host and the pid is gone."""
        release_dead_workers(self)
        lease = timedelta(seconds=lease_seconds)

        def register(connection: Connection) -> int:
            now = self.now(connection)
            values = {
                "plan_id": plan_id,
                "name": name,
                "host": this_host(),
                "pid": os.getpid(),
                "process_identity": process_identity(os.getpid()),
                "lease_milliseconds": lease // timedelta(milliseconds=1),
                "lease_until": now + lease,
                "started_at": now,
            }
            insert = insert_into(connection, Worker).values(values).returning(Worker.id)
            return int(connection.execute(insert).scalar_one())

        return WorkerLease(id=self.database.write(register), plan_id=plan_id, name=name)

    def heartbeat(self, worker: WorkerLease) -> None:
        """Prolong; LostLease when it was taken over. Call it at least three times per lease.

        Also frees what dead workers hold, so that the living go on with it.
        """

        def prolong(connection: Connection) -> None:
            mine = (Worker.id == worker.id) & WORKER_IS_ALIVE
            lease = connection.execute(select(Worker.lease_milliseconds).where(mine)).scalar_one_or_none()
            until = self.now(connection) + timedelta(milliseconds=lease or 0)
            if not connection.execute(update(Worker).where(mine).values(lease_until=until)).rowcount:
                raise LostLease(
                    f"the lease of worker {worker.name} ended and its work was taken over; it stops"
                )

        self.database.write(prolong)
        release_dead_workers(self, sparing=worker)

    def release_worker(self, worker: WorkerLease) -> None:
        """The worker is done: everything it holds is free. May be called twice."""
        self.database.write(lambda connection: _release(connection, [worker.id], self.now(connection)))

    def live_workers(self, plan_id: int) -> list[WorkerLease]:
        """Who works on this plan now, in the order in which they came."""
        return [process.lease for process in self.working_processes(plan_id)]

    def working_processes(self, plan_id: int) -> list[WorkingProcess]:
        """Which processes work on this plan now, where and since when, in the order in which they came."""

        def living(connection: Connection) -> list[WorkingProcess]:
            query = select(Worker.name, Worker.started_at, *_LIVENESS)
            query = query.where(Worker.plan_id == plan_id, WORKER_IS_ALIVE)
            rows, now = connection.execute(query.order_by(Worker.id)).all(), self.now(connection)
            return [
                WorkingProcess(
                    lease=WorkerLease(id=row.id, plan_id=plan_id, name=row.name),
                    host=row.host,
                    pid=row.pid,
                    started_at=row.started_at,
                )
                for row in rows
                if not _is_dead(row, now)
            ]

        return self.database.read(living)

    def require_alone(self, worker: WorkerLease, *, beside: str = "") -> None:
        """LeaseHeld while another live worker, whose name begins with `beside`, is at work on the same plan."""

        def look(connection: Connection) -> None:
            query = select(Worker.name, Worker.started_at, *_LIVENESS).order_by(Worker.id)
            query = query.where(Worker.plan_id == worker.plan_id, Worker.id != worker.id, WORKER_IS_ALIVE)
            rows, now = connection.execute(query).all(), self.now(connection)
            for row in rows:
                if row.name.startswith(beside) and not _is_dead(row, now):
                    raise LeaseHeld(
                        f"the plan is in use by {row.name} on {row.host}, pid {row.pid}, "
                        f"since {row.started_at:%Y-%m-%d %H:%M:%S} UTC; wait for it, or stop it",
                        lives=is_within_sight(row.host, row.process_identity),
                        lease_until=row.lease_until,
                    )

        self.database.read(look)

    def lease_identity(self, worker: WorkerLease, box_user_id: str) -> list[BudgetBlock]:
        """LeaseHeld when a live worker has it (message names host, pid, since when). Returns the blocks reserved in
        the last minutes by whoever held it before, and the newest of all, oldest first."""
        release_dead_workers(self, sparing=worker)

        def lease(connection: Connection) -> list[BudgetBlock]:
            self.require_alive(connection, worker)
            connection.execute(
                insert_into(connection, Identity).on_conflict_do_nothing(),
                {"box_user_id": box_user_id, "ledger": []},
            )
            holder, ledger = self._identity(connection, box_user_id)
            if holder not in (None, worker.id):
                raise self._held(connection, box_user_id)
            now = self.now(connection)
            connection.execute(
                update(Identity)
                .where(Identity.box_user_id == box_user_id)
                .values(worker_id=worker.id, leased_at=now)
            )
            return _recent(ledger, now)

        return self.database.write(lease)

    def reserve_budget(self, worker: WorkerLease, box_user_id: str, block: BudgetBlock) -> None:
        """Write a block down before it is used; blocks older than 5 minutes are dropped. LostLease when not ours."""

        def reserve(connection: Connection) -> None:
            self.require_alive(connection, worker)
            holder, ledger = self._identity(connection, box_user_id)
            if holder != worker.id:
                raise LostLease(f"worker {worker.name} does not hold the identity {box_user_id}; it stops")
            if block.reserved_at.tzinfo is None:
                raise ValueError(f"a time without a zone: {block.reserved_at!r}")
            blocks = [*_recent(ledger, self.now(connection)), block]
            connection.execute(
                update(Identity)
                .where(Identity.box_user_id == box_user_id)
                .values(
                    ledger=[[b.reserved_at.astimezone(UTC).isoformat(), b.uploads, b.calls] for b in blocks]
                )
            )

        self.database.write(reserve)

    def release_identity(
        self, worker: WorkerLease, box_user_id: str, *, unused_uploads: int = 0, unused_calls: int = 0
    ) -> None:
        """Another process may have it; its ledger stays, less what was not used of the last block. Nothing happens
        when it is not ours."""

        def release(connection: Connection) -> None:
            holder, ledger = self._identity(connection, box_user_id)
            if holder != worker.id:
                return
            if ledger:
                reserved_at, uploads, calls = ledger[-1]
                left = [reserved_at, max(0, uploads - unused_uploads), max(0, calls - unused_calls)]
                ledger = [*ledger[:-1], left]
            connection.execute(
                update(Identity)
                .where(Identity.box_user_id == box_user_id)
                .values(worker_id=None, leased_at=None, ledger=ledger)
            )

        self.database.write(release)

    def identity_is_held(self, box_user_id: str) -> bool:
        """Tell whether a living process holds this Box user's budget now."""
        query = select(*_LIVENESS).join(Identity, Identity.worker_id == Worker.id)

        def held(connection: Connection) -> bool:
            row = connection.execute(query.where(Identity.box_user_id == box_user_id)).one_or_none()
            return row is not None and not _is_dead(row, self.now(connection))

        return self.database.read(held)

    def _identity(self, connection: Connection, box_user_id: str) -> tuple[int | None, list[Any]]:
        query = select(Identity.worker_id, Identity.ledger).where(Identity.box_user_id == box_user_id)
        row = connection.execute(query.with_for_update()).one_or_none()
        return (None, []) if row is None else (row.worker_id, row.ledger)

    def _held(self, connection: Connection, box_user_id: str) -> LeaseHeld:
        query = (
            select(Worker.name, *_LIVENESS, Identity.leased_at)
            .join(Worker, Worker.id == Identity.worker_id)
            .where(Identity.box_user_id == box_user_id)
        )
        row = connection.execute(query).one()
        return LeaseHeld(
            f"the Box user {box_user_id} is in use by {row.name} on {row.host}, pid {row.pid}, "
            f"since {row.leased_at:%Y-%m-%d %H:%M:%S} UTC; wait for it, stop it, or give this process another identity",
            lives=is_within_sight(row.host, row.process_identity),
            lease_until=row.lease_until,
        )


def release_dead_workers(statements: Statements, *, sparing: WorkerLease | None = None) -> int:
    """Ends the leases of dead workers, of any plan, and frees what they hold; how many.

    `sparing`: the worker that asks. It is alive, even when its machine slept through its lease.
    """

    def find(connection: Connection) -> list[int]:
        rows, now = (
            connection.execute(select(*_LIVENESS).where(WORKER_IS_ALIVE)).all(),
            statements.now(connection),
        )
        return [row.id for row in rows if _is_dead(row, now) and (sparing is None or row.id != sparing.id)]

    def release(connection: Connection) -> int:
        # Looked at again under a lock; a worker that writes at this moment holds its row, and is not dead.
        query = select(*_LIVENESS).where(Worker.id.in_(suspects), WORKER_IS_ALIVE)
        rows, now = (
            connection.execute(query.with_for_update(skip_locked=True)).all(),
            statements.now(connection),
        )
        dead = [row.id for row in rows if _is_dead(row, now)]
        if dead:
            note_what_was_in_flight(connection, dead, statements.now(connection))
        _release(connection, dead, statements.now(connection))
        return len(dead)

    suspects = statements.database.read(find)
    return statements.database.write(release) if suspects else 0


def _release(connection: Connection, worker_ids: Sequence[int], now: datetime) -> None:
    """These workers end: everything that they hold is free."""
    if not worker_ids:
        return
    ended = update(Worker).where(Worker.id.in_(worker_ids), WORKER_IS_ALIVE).values(ended_at=now)
    for statement in (ended, *_releases(worker_ids)):
        connection.execute(statement)


def _is_dead(row: Any, now: datetime) -> bool:
    return row.lease_until < now or is_gone(row.host, row.pid, row.process_identity)


def _recent(ledger: Sequence[Any], now: datetime) -> list[BudgetBlock]:
    blocks = [
        BudgetBlock(reserved_at=datetime.fromisoformat(at), uploads=uploads, calls=calls)
        for at, uploads, calls in ledger
    ]
    # The newest counts until a window after now, however long ago it was reserved.
    return [block for block in blocks[:-1] if now - block.reserved_at <= LEDGER_AGE] + blocks[-1:]


def _releases(worker_ids: Sequence[int]) -> list[Update]:
    # What was put over a file of Box and not recorded contradicts what is known: Box's listing is compared again.
    held = select(Item.folder_id).where(Item.claimed_by.in_(worker_ids), Item.box_file_id.is_not(None))
    return [
        update(Folder).where(Folder.id.in_(held), Folder.unproven.is_(False)).values(unproven=True),
        update(Folder).where(Folder.id.in_(held), Folder.listing_digest.is_not(None)).values(FORGOTTEN),
        update(Item)
        .where(Item.claimed_by.in_(worker_ids))
        .values(claimed_by=None, claim=None, overtaken=False),
        update(Folder)
        .where(Folder.walk_claimed_by.in_(worker_ids))
        .values(walk_claimed_by=None, walk_claim=None),
        update(Folder).where(Folder.create_claimed_by.in_(worker_ids)).values(create_claimed_by=None),
        update(Identity).where(Identity.worker_id.in_(worker_ids)).values(worker_id=None, leased_at=None),
    ]

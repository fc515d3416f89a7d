"""Sampling: what each process had done at which time, in a table that stays small however long a plan lasts."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select

from state.database.history import Sample
from state.history_records import Done
from state.records import WorkerLease
from state.statements.base import Statements

#: Samples of one plan; when there are more, the older half loses every other one. 60 processes with 60 each at least.
SAMPLES_KEPT = 4_000


class SamplingStatements(Statements):
    """Samples of what processes do."""

    def record_sample(self, worker: WorkerLease, done: Done, *, last: bool = False) -> None:
        """The process has done so much until now. `last`: it ends now; not written behind the fence, so that
        what a process did whose lease was taken over is known, too."""

        def write(connection: Connection) -> None:
            row = {
                "plan_id": worker.plan_id,
                "worker_id": worker.id,
                "at": self.now(connection),
                "calls": done.calls,
                "rate_limited": done.rate_limited,
                "bytes_sent": done.bytes_sent,
                "last": last,
            }
            connection.execute(insert(Sample), row)
            _thin(connection, worker.plan_id)

        self.database.write(write)


def _thin(connection: Connection, plan_id: int) -> None:
    """Keep the table small: its sums are cumulative, so that fewer samples are a coarser picture and no wrong one."""
    count = select(func.count()).where(Sample.plan_id == plan_id)
    if connection.execute(count).scalar_one() <= SAMPLES_KEPT:
        return
    middle = select(Sample.id).where(Sample.plan_id == plan_id).order_by(Sample.id)
    until = connection.execute(middle.offset(SAMPLES_KEPT // 2).limit(1)).scalar_one()
    older = (
        select(
            Sample.id,
            func.row_number().over(partition_by=Sample.worker_id, order_by=Sample.id).label("place"),
            func.lead(Sample.id).over(partition_by=Sample.worker_id, order_by=Sample.id).label("next"),
        )
        .where(Sample.plan_id == plan_id, Sample.id < until)
        .subquery()
    )
    # The first of a process and the newest of its older ones stay: they say when it worked, and how much it did.
    halved = select(older.c.id).where(older.c.place % 2 == 0, older.c.next.is_not(None))
    connection.execute(delete(Sample).where(Sample.id.in_(halved)))
    if connection.execute(count).scalar_one() > SAMPLES_KEPT:  # thousands of short runs: the oldest go
        connection.execute(delete(Sample).where(Sample.plan_id == plan_id, Sample.id < until))

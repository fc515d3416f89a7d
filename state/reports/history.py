"""History: what the processes of a plan did over time, as their samples tell it. Bounded, as the samples are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import select

from state.checkpoint import Checkpoint
from state.database.history import Sample as Row
from state.history_records import AtWork, Done, Sample


def samples(checkpoint: Checkpoint, plan_id: int) -> list[Sample]:
    """Every sample that is kept, process by process in the order in which they began, each in its order."""
    query = select(Row.worker_id, Row.at, Row.calls, Row.rate_limited, Row.bytes_sent, Row.last)
    query = query.where(Row.plan_id == plan_id).order_by(Row.worker_id, Row.id)
    rows = checkpoint.database.read(lambda connection: connection.execute(query).all())
    return [
        Sample(
            worker_id=row.worker_id,
            at=row.at,
            done=Done(calls=row.calls, rate_limited=row.rate_limited, bytes_sent=row.bytes_sent),
            last=row.last,
        )
        for row in rows
    ]


def at_work(checkpoint: Checkpoint, plan_id: int, found: Sequence[Sample]) -> list[AtWork]:
    """When each process was at work, by its samples; one that lives still until now."""
    living = {process.lease.id for process in checkpoint.working_processes(plan_id)}
    spans = []
    for worker_id, group in groupby(found, key=lambda sample: sample.worker_id):
        own = list(group)
        runs = worker_id in living and not own[-1].last
        spans.append(
            AtWork(
                began=own[0].at,
                ended=max(own[-1].at, datetime.now(UTC)) if runs else own[-1].at,
                killed=not runs and not own[-1].last,
                running=runs,
            )
        )
    return spans

"""Bandwidth of a plan: its timetable on this machine's clock, and the line that all of its processes share."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from flows.plan.bandwidth import Timetable
from flows.plan.model import MigrationPlan
from state.checkpoint import Checkpoint

if TYPE_CHECKING:
    from connectors.box.client.bandwidth import Bandwidth


def bandwidth_of(
    plan: MigrationPlan, plan_id: int, checkpoint: Checkpoint, stop: threading.Event
) -> Bandwidth | None:
    """Return the line of this plan, None where it has no limit at any time."""
    table = Timetable.parse(plan.transfer.bandwidth)
    if table is None:
        return None
    # Imports libcurl.
    from connectors.box.client.bandwidth import Bandwidth

    def rate() -> int | None:
        return table.rate(datetime.now(UTC).astimezone())

    return Bandwidth(rate, partial(checkpoint.take_bandwidth, plan_id), stop)

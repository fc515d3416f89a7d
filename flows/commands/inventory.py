"""inventory_share: what a share holds and what of it will make trouble, before anything is sent. Asks Box nothing.

Requires: the share; the plan's checkpoint, which is made where there is none yet, to keep what was found.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from flows.errors import PlanError
from flows.foresight.taking import Stocktaking
from flows.orchestration.counting import saying
from flows.orchestration.foreseeing import taken
from flows.orchestration.traces import traced
from flows.plan.model import MigrationPlan
from flows.reporting.files import replacing


def inventory_share(plan: MigrationPlan, hashes: bool = False, csv: str = "") -> Any:
    """Walk the share and list files, sizes, ages, names that Box changes, folders that are too full, and copies.

    Args:
        plan: What moves from where to where.
        hashes: Read the files that share their size with another one, and say which are the same.
        csv: File for all findings; by default none is written.
    """
    try:
        with ExitStack() as stack:
            stack.enter_context(traced(plan.name, "inventory"))
            table = stack.enter_context(replacing([plan.path(csv)]))[0] if csv else None
            stocktaking = Stocktaking(plan, hashes=hashes, table=table)
            stack.enter_context(saying(stocktaking.words))
            document = stocktaking.take()
    except OSError as exc:
        if not csv:
            raise
        raise PlanError(f"--csv: {Path(csv)} cannot be written ({exc.strerror or exc})") from exc
    return taken(document)

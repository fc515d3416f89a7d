"""verify_share: compare Box, and where asked for the share, with the checkpoint; nothing is changed in either.

Requires: the plan's checkpoint and Box; the share for `source` and `deep`. No run of the plan at the same time.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from flows.errors import PlanError
from flows.orchestration.counting import counting
from flows.orchestration.endings import already_running, verified
from flows.orchestration.traces import traced
from flows.plan.model import MigrationPlan
from flows.reconciliation.against_box import verify_manifest_with_box
from flows.reconciliation.differences import Ledger
from flows.reconciliation.sampling import parse_share
from flows.reconciliation.verification import Wanted, verify_plan
from flows.reporting.files import replacing
from state.errors import LeaseHeld


def verify_share(
    plan: MigrationPlan,
    trees: list[str] = [],  # noqa: B006  read by the form
    source: bool = False,
    deep: bool = False,
    sample: str = "",
    dates: bool = True,
    csv: str = "",
) -> Any:
    """Compare what Box has with what was sent: names, sizes, sha1, versions, dates, people and links of the trees.

    Args:
        plan: What moved from where to where.
        trees: Only these trees; empty: all of the plan.
        source: Also walk the share: what is missing there, new or changed since it was sent.
        deep: Also read the share's files again and compare their sha1.
        sample: With `deep`: only so many of the files, chosen at random, such as `1%`.
        dates: Compare the dates in Box, too.
        csv: File for all differences; by default none is written.
    """
    if sample and not deep:
        raise PlanError("--sample: says how many of the files --deep reads; say --deep as well")
    share = parse_share(sample) if sample else 1.0
    wanted = Wanted(trees=trees, source=source, deep=deep, share=share, dates=dates)
    try:
        with ExitStack() as stack:
            stack.enter_context(traced(plan.name, "verify"))
            table = stack.enter_context(replacing([plan.path(csv)]))[0] if csv else None
            ledger = Ledger(table)
            stack.enter_context(counting(plan.name, ledger))
            document = verify_plan(plan, wanted, ledger)
    except LeaseHeld as exc:
        return already_running(exc)
    except OSError as exc:
        if not csv:
            raise
        raise PlanError(f"--csv: {Path(csv)} cannot be written ({exc.strerror or exc})") from exc
    return verified(document)


def verify_manifest(plan: MigrationPlan, manifest: Path, key: Path | None) -> dict[str, Any]:
    """Check a manifest by itself, then compare what it has as uploaded with Box, through the plan's account."""
    ledger = Ledger()
    with traced(plan.name, "verify"), counting(plan.name, ledger):
        return verify_manifest_with_box(plan, manifest, key, ledger)

"""Handing in: at the end of a run its report goes into Box, where the plan says so. No run depends on it."""

from __future__ import annotations

from connectors.errors import ConnectorError
from flows.errors import PlanError
from flows.orchestration.tasks import run_log
from flows.plan.model import MigrationPlan
from flows.words import printable
from state.errors import StateError


def put_report_into_box(plan: MigrationPlan) -> None:
    """Put the plan's report where `report: {upload_to}` says; what keeps it from there is told, and ends no run (P11).

    Whoever began another run of the plan by now is not waited for: that one hands in its own. A tree that was closed
    belongs to its people, and keeps the report that it was closed with.
    """
    # Its pages take a tenth of a run's start to import, and few plans ask for them here.
    from flows.reconciliation.report_in_box import upload_reports

    log = run_log()
    try:
        lines, _ = upload_reports(
            plan, plain=False, say=lambda said: log.warning("%s", printable(said)), spares_closed=True
        )
    except (PlanError, ConnectorError, StateError, OSError) as exc:
        log.warning("the report of this run is not in Box: %s", printable(str(exc)))
        return
    for line in lines:
        log.info("report in Box: %s", printable(line))

"""check_plan: every precondition of a plan, in the order in which a person fixes them; nothing is changed."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.context import FlowRunContext

from flows.checks.checklist import check_everything
from flows.checks.rows import State, sums_words
from flows.orchestration.endings import checked
from flows.plan.model import MigrationPlan
from flows.words import printable, slug


@flow(flow_run_name="{plan.name}-check", persist_result=False)
def check_plan(plan: MigrationPlan, set_space: str = "") -> dict[str, Any]:
    """Check every precondition: login, account, scopes, space, sizes, folders, people, source, state, clock, disk.

    Args:
        plan: What moves from where to where.
        set_space: Raise the service account's space first: `500GB`, `2TB` or `unlimited`; empty: leave it.
    """
    shown = check_everything(plan, set_space=set_space)
    show_rows(shown)
    summary: dict[str, Any] = checked(shown)
    return summary


def show_rows(shown: dict[str, Any]) -> None:
    """The rows as a table on the page of the flow run, the problems first; nothing outside a flow run."""
    if FlowRunContext.get() is None:
        return
    order = [State.PROBLEM.value, State.WARNING.value, State.OK.value]
    rows = sorted(shown["checks"], key=lambda row: order.index(row["state"]))
    table = [
        {
            "check": printable(row["name"]),
            "state": row["state"],
            "found": printable(row["found"]),
            "what to do": printable(row["what_to_do"]),
        }
        for row in rows
    ]
    create_table_artifact(table, f"{slug(shown['plan'])}-check", f"{shown['plan']}: {sums_words(shown)}")

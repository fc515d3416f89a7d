"""Approval: a person says that people may come in, at the terminal, beforehand, or in Prefect by resuming the run."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from flows.errors import NotApproved, PlanError
from flows.orchestration.on_demand import FlowRunContext
from flows.orchestration.tasks import in_flow_run

#: Seconds for which a paused run waits for somebody; then it fails, and its next run asks again.
PATIENCE_SECONDS = 24 * 3600


def require_somebody_to_ask(*, yes: bool) -> None:
    """PlanError, before anything is done, where nobody could be asked later."""
    if not (yes or _at_a_terminal() or in_flow_run()):
        raise PlanError(
            "nobody can be asked here whether people may come in: say --yes, or run it at a terminal or as a flow run"
        )


def approved(question: str, *, yes: bool, who: str) -> dict[str, Any]:
    """Return who approved, and how. NotApproved when somebody says no.

    In a flow run without a terminal the run is paused: who resumes it in Prefect's UI, or through its API, approves,
    and who cancels it does not.
    """
    if yes:
        return {"approved_by": who, "how": "--yes"}
    if _at_a_terminal():
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
            raise NotApproved(
                "not approved: nobody was let in, nothing was closed; the next cutover begins at the freeze"
            )
        return {"approved_by": who, "how": "at the terminal"}
    return _approved_in_prefect(question)


def _approved_in_prefect(question: str) -> dict[str, Any]:
    flow_run = FlowRunContext.get().flow_run
    pausing, logger = import_module("prefect.flow_runs"), import_module("prefect").get_run_logger()
    logger.info("%s Resume this run to let them in; cancel it to leave everything as it is.", question)
    pausing.pause_flow_run(timeout=PATIENCE_SECONDS, poll_interval=2, key="people")
    return {"approved_by": "whoever resumed the flow run", "how": f"Prefect, flow run {flow_run.name}"}


def _at_a_terminal() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # closed
        return False

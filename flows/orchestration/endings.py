"""How a run ends, as Prefect sees it: named states and events that automations listen to. Changes no state of ours.

Outside a flow run every function here does nothing, or gives back what it was given.
"""

from __future__ import annotations

from typing import Any

from connectors.errors import QuotaExceeded
from flows.checks.rows import State, sums_words
from flows.errors import NotComplete, WindowClosed
from flows.orchestration.on_demand import (
    Cancelled,
    Completed,
    Failed,
    FlowRunContext,
    create_table_artifact,
    emit_event,
)
from flows.reconciliation.table import verification_words
from flows.run.progress import Snapshot
from flows.transfer.deletions import deletion_words
from flows.transfer.migration import Migration
from flows.transfer.others import others_words
from flows.transfer.quick import quick_words
from flows.words import counted, failed_words, printable, slug
from state.errors import LeaseHeld
from state.records import TreeRecord
from state.statuses import TreeState

#: Events; the resource is a tree or the plan.
TREE_COMPLETE = "boxhaul.tree.complete"
TREE_INCOMPLETE = "boxhaul.tree.incomplete"
QUOTA_EXCEEDED = "boxhaul.quota.exceeded"
WINDOW_CLOSED = "boxhaul.window.closed"
RUN_STOPPED = "boxhaul.run.stopped"
CALLS_USED_UP = "boxhaul.calls.used_up"

#: Trees that the message of a state names.
NAMED_TREES = 3


def ended(summary: dict[str, Any]) -> Any:
    """What a flow returns: its summary; inside a flow run as a state whose name says how it ended."""
    if FlowRunContext.get() is None:
        return summary
    words = closing_words(summary)
    return (
        Completed(message=words, data=summary)
        if summary["complete"]
        else incomplete("Incomplete", words, summary)
    )


def out_of_hours(summary: dict[str, Any], why: str) -> Any:
    """What a flow returns whose window is over: neither green, since trees are not complete, nor a failure that
    somebody is to be woken up for."""
    if FlowRunContext.get() is None:
        return summary
    return cancelled("Limit reached", f"{why}; the next run goes on. {closing_words(summary)}", summary)


def looked(summary: dict[str, Any], words: str) -> Any:
    """What a flow returns that only looked, as it was asked to."""
    if FlowRunContext.get() is None:
        return summary
    return Completed(name="Dry run", message=words, data=summary)


def incomplete(name: str, words: str, outcome: Any) -> Any:
    """The state of a flow or task at whose end something is left: never green. `returned` gives the outcome back."""
    return Failed(name=name, message=words, data=NotComplete(words, outcome))


def cancelled(name: str, words: str, outcome: Any) -> Any:
    """The state of a flow or task that was stopped before its end: neither green nor red. `returned` gives the outcome
    back, and raises it where it is an exception."""
    kept = outcome if isinstance(outcome, BaseException) else NotComplete(words, outcome)
    return Cancelled(name=name, message=printable(words), data=kept)


def called(function: Any, *args: Any) -> Any:
    """Call a flow or a task as Prefect runs it, and return what it returned, whatever the name of its state.

    Raises what it raised.
    """
    return returned(function(*args, return_state=True).result(raise_on_failure=False))


def returned(value: Any) -> Any:
    """What a flow or task returned, from what Prefect has as the data of its state. Raises what it raised."""
    if isinstance(value, NotComplete):
        return value.outcome
    if isinstance(value, BaseException):
        raise value
    return value


def sent(migration: Migration | None, why_not: str = "") -> Any:
    """What a process that only sends returns; `why_not` when it had nothing to send as."""
    state = migration.progress.snapshot() if migration is not None else Snapshot()
    summary = {"sent": state.files_uploaded}
    if FlowRunContext.get() is None:
        return summary
    if migration is None:
        return cancelled("No identity free", why_not, summary)
    # What is complete is said by the run that conducts; what failed here may arrive through another process.
    words = f"{counted(state.files_uploaded, 'file')} sent, {failed_words(state.failed)} here."
    return Completed(name="Sent", message=words, data=summary)


def checked(document: dict[str, Any]) -> Any:
    """What a check returns: its rows; inside a flow run as a state that says how many of them are bad, and which."""
    if FlowRunContext.get() is None:
        return document
    _show_rows(document)
    sums = f"{counted(document['problems'], 'problem')}, {counted(document['warnings'], 'warning')}"
    named = [row["name"] for row in document["checks"] if row["state"] == "problem"]
    words = printable(f"{sums}{': ' if named else ''}{', '.join(named)}.")
    if document["problems"]:
        return incomplete("Problems", words, document)
    return Completed(message=words, data=document)


def verified(document: dict[str, Any]) -> Any:
    """What a verification returns: its document; inside a flow run as a state that says whether everything agrees."""
    if FlowRunContext.get() is None:
        return document
    words = "; ".join(verification_words(document))
    if not document["agrees"]:
        return incomplete("Differs", words, document)
    return Completed(name="Agrees", message=words, data=document)


def handed_over(document: dict[str, Any]) -> Any:
    """What a cutover, or its rehearsal, returns; inside a flow run as a state that says whether the share is closed."""
    if FlowRunContext.get() is None:
        return document
    words = printable("; ".join(document["words"]) or "every step is done")
    if document["rehearsal"]:
        if document["ready"]:
            return Completed(name="Rehearsed", message=words, data=document)
        return incomplete("Not ready", words, document)
    if document["closed"]:
        return Completed(name="Closed", message=words, data=document)
    if document.get("given_up"):
        return Completed(name="Given up", message=words, data=document)
    return incomplete("Not closed", words, document)


def _show_rows(shown: dict[str, Any]) -> None:
    """The rows as a table on the page of the flow run, the problems first."""
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


def already_running(exc: LeaseHeld) -> Any:
    """How a deployment's run ends whose plan is being run already: cancelled, which nobody need be told of, with a line
    that says by whom. Raises the error for everybody else."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.deployment_id is None:
        raise exc
    return Cancelled(name="Already running", message=printable(str(exc)))


def closing_words(summary: dict[str, Any]) -> str:
    """One line about how a run ended: what is in Box, or which trees are not complete, and why."""
    trees = summary["trees"]
    if "quick" in summary:
        whole = {name: value for name, value in summary.items() if name != "quick"}
        return f"{closing_words(whole)} {quick_words(summary['quick'])}."
    files = sum(tree["files"]["uploaded"] for tree in trees)
    left = [tree for tree in trees if tree["state"] != TreeState.COMPLETE.value]
    others = others_words(summary)
    if not left:
        words = f"{counted(len(trees), 'tree')} complete, {counted(files, 'file')} in Box"
        return f"{'; '.join(filter(None, (words, deletion_words(summary), others)))}."
    named = "; ".join(
        f"{tree['name']}: {tree['incomplete_reason'] or tree['state']}" for tree in left[:NAMED_TREES]
    )
    more = f"; and {len(left) - NAMED_TREES} more" if len(left) > NAMED_TREES else ""
    failed = failed_words(sum(tree["items"]["failed"] for tree in trees))
    return printable(f"{len(left)} of {counted(len(trees), 'tree')} not complete: {named}{more}; {failed}.")


def announce_tree(migration: Migration, tree: TreeRecord) -> None:
    """Tell that a tree is complete, or ended incomplete."""
    if FlowRunContext.get() is None or tree.state not in (TreeState.COMPLETE, TreeState.INCOMPLETE):
        return
    emit_event(
        event=TREE_COMPLETE if tree.state is TreeState.COMPLETE else TREE_INCOMPLETE,
        resource={
            "prefect.resource.id": f"boxhaul.tree.{slug(migration.plan.name)}.{slug(tree.name)}",
            "prefect.resource.name": printable(tree.name),
            "boxhaul.plan": migration.plan.name,
        },
        payload={
            "plan": migration.plan.name,
            "tree": printable(tree.name),
            "state": tree.state.value,
            "reason": tree.incomplete_reason.value if tree.incomplete_reason else None,
            "detail": printable(tree.detail) if tree.detail else None,
            "box_folder_id": tree.box_folder_id,
        },
    )


def announce_calls(plan: str, percent: int, words: str) -> None:
    """Tell that so much of the month's calls is used up, from whatever thread of a flow run."""
    emit_event(
        event=CALLS_USED_UP,
        resource={"prefect.resource.id": f"boxhaul.plan.{slug(plan)}", "prefect.resource.name": plan},
        payload={"plan": plan, "percent": percent, "message": printable(words)},
    )


def announce_stop(migration: Migration, cause: BaseException) -> None:
    """Tell why the run ends early."""
    if FlowRunContext.get() is None:
        return
    if isinstance(cause, QuotaExceeded):
        event = QUOTA_EXCEEDED
    elif isinstance(cause, WindowClosed):
        event = WINDOW_CLOSED
    else:
        event = RUN_STOPPED
    # The kind alone: foreign text might hold a secret (P8), and the run's state has our own.
    emit_event(
        event=event,
        resource={
            "prefect.resource.id": f"boxhaul.plan.{slug(migration.plan.name)}",
            "prefect.resource.name": migration.plan.name,
        },
        payload={"plan": migration.plan.name, "reason": type(cause).__name__},
    )

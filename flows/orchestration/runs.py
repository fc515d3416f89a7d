"""One run from open to end: moving, trying again, only looking, only sending; each returns how it ended.

Outside a flow run the very same functions return plain summaries.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any

from connectors.errors import ConnectorError, ItemError, TransientError
from flows.checks.start import check_before_sending
from flows.closing.steps import refuse_closed, refuse_in_cutover
from flows.errors import PlanError, WindowClosed
from flows.orchestration.dispatch import move_trees, send_what_is_found
from flows.orchestration.endings import already_running, announce_stop, ended, looked, out_of_hours, sent
from flows.orchestration.handing_in import put_report_into_box
from flows.orchestration.notifying import notifying, tell_by, tell_end, tell_limit
from flows.orchestration.tasks import in_flow_run, run, run_log, walk_share
from flows.orchestration.traces import traced
from flows.orchestration.watching import watched
from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.filters import FilterPlan
from flows.plan.model import MigrationPlan
from flows.plan.since import since as parse_since
from flows.run.forecast import forecast_words, seconds_at_least
from flows.run.leases import LEASE_NAME, Part
from flows.run.window import Window
from flows.transfer.beginning import DRY_RUN, begin
from flows.transfer.choosing import (
    choose,
    left_out,
    require_alone,
    require_no_way_refused,
    revive_chosen,
)
from flows.transfer.completing import VERIFY_ROUNDS
from flows.transfer.deletions import follow_deletions
from flows.transfer.ending import finish_pass, give_up, unfinished_pass
from flows.transfer.migration import Migration, open_migration
from flows.transfer.quick import QuickLook
from flows.words import counted
from state.errors import LeaseHeld
from state.reports.sums import failures_by_reason
from state.statuses import DIFFERENT_IN_BOX, FOLDER_EMPTIED, GONE_FROM_BOX, QUICK, UNFORESEEN, PassState


def move_share(
    plan: MigrationPlan,
    *,
    trees: Sequence[str] = (),
    window: str = "",
    workers: int = 0,
    check: bool = True,
    retry: str | None = None,
    new_checkpoint: bool = False,
    checksum: bool = False,
    since: str = "",
    filters: FilterPlan | None = None,
    reopen: str | None = None,
    hold_people: bool = False,
) -> Any:
    """Walk, send, verify and share until nothing is left, whatever an earlier run left behind.

    `checksum`: every file is read again, and sent where it differs from what Box has of it. `filters`: send only what
    these let through; the rest stays pending. `retry`: try again what failed for this reason, "" for any; None: what a
    new pass tries again by itself. `since`: a quick pass, see flows.plan.since. `reopen`: why closed trees are moved
    again; None: they are not. `hold_people`: nobody is let in who is not in yet; trees that are all there and wait for
    somebody end as verified. Return the summary, inside a flow run as a state that says how the run ended. Raise what
    stopped it.
    """
    hours, moment = Window.parse(window), parse_since(since, datetime.now(UTC))
    _require_senders(plan, workers)
    require_alone(filters, workers=workers, checksum=checksum)
    with ExitStack() as stack:
        stack.enter_context(traced(plan.name, "migrate" if retry is None else "retry"))
        notices = stack.enter_context(notifying(plan))
        plan.require_secrets()
        part = Part.CONDUCTING if workers > 0 and in_flow_run() else Part.ALONE
        try:
            migration = stack.enter_context(open_migration(plan, part=part, anew=new_checkpoint))
        except LeaseHeld as exc:
            return already_running(exc)
        if reopen is None:
            refuse_closed(migration.checkpoint, migration.plan_id, plan, trees)
        if not hold_people:
            refuse_in_cutover(migration.checkpoint, migration.plan_id)
        migration.reads_all, migration.quick = checksum, QuickLook(moment) if moment is not None else None
        migration.holds_people, migration.reopens = hold_people, reopen
        choose(migration, filters)
        tell_by(migration, notices)
        stack.enter_context(watched(migration))
        stack.enter_context(hours.enforced(migration.stop) if hours is not None else nullcontext())
        result, is_over = _run_to_its_end(migration, partial(_move, migration, trees, workers, check, retry))
    if is_over and plan.report is not None:
        put_report_into_box(plan)
    return result


def _require_senders(plan: MigrationPlan, workers: int) -> None:
    if workers <= 0:
        return
    if not plan.box.identities:
        raise PlanError("workers: each needs an identity of its own to upload as; box.identities names none")
    for key in plan.written_secrets():
        raise PlanError(f"{key}: other processes are not told the secret in it; write it as ${{NAME}}")
    if in_flow_run():
        from flows.orchestration.fleet import require_deployment

        require_deployment()


def _run_to_its_end(migration: Migration, move: Callable[[], dict[str, Any]]) -> tuple[Any, bool]:
    """Move, write down how that ended, and say whether it came to its end; what `move` returns is for the summary."""
    try:
        with migration.stop.telling_the_cause():
            told = move()
            # A pass that was stopped is not over, whatever became of its trees.
            migration.stop.raise_if_stopped()
    except WindowClosed as exc:
        give_up(migration, exc)
        announce_stop(migration, exc)
        tell_limit(migration, exc)
        return out_of_hours(unfinished_pass(migration), str(exc)), False
    except BaseException as exc:
        give_up(migration, exc)
        announce_stop(migration, exc)
        raise
    summary = finish_pass(migration) | told
    tell_end(migration, summary)
    return ended(summary), True


def _move(
    migration: Migration, trees: Sequence[str], workers: int, check: bool, retry: str | None
) -> dict[str, Any]:
    kind = "migrate" if migration.quick is None else QUICK
    begin(migration, kind=kind, only=trees, revive=retry is None and migration.filters is None)
    revive_chosen(migration)
    told: dict[str, Any] = {} if retry is None else {"retried": _revive(migration, retry)}
    if check:
        check_before_sending(migration)
    with _fanned_out(migration, workers):
        waiting = migration.trees
        for _ in range(VERIFY_ROUNDS):
            waiting = move_trees(migration, waiting)
    require_no_way_refused(migration)
    if migration.quick is not None:
        told["quick"] = migration.quick.document()
    if migration.filters is not None:
        told |= left_out(migration)
    if migration.quick is not None or migration.filters is not None:
        return told
    return told | follow_deletions(migration)


def _fanned_out(migration: Migration, workers: int) -> AbstractContextManager[None]:
    if workers <= 0 or not in_flow_run():
        return nullcontext()
    from flows.orchestration.fleet import fanned_out

    return fanned_out(migration, workers)


def retry_share(
    plan: MigrationPlan, *, reason: str = "", trees: Sequence[str] = (), check: bool = True
) -> Any:
    """Try again what failed for this reason ("" for any) in these trees, and nothing else that failed; then move.

    PlanError for a reason that nothing ever fails for, and before the first run.
    """
    with closing(open_checkpoint(plan)) as checkpoint:
        plan_id = known_plan(plan, checkpoint)
        if not checkpoint.trees(plan_id):
            raise PlanError(f"nothing of the plan {plan.name} was moved yet; run: boxhaul migrate")
        if reason and reason not in known_reasons():
            failing = failures_by_reason(checkpoint, plan_id)
            now = ", ".join(f"{each} ({count:,})" for each, count in failing.items()) or "nothing"
            raise PlanError(f"reason: nothing fails for {reason!r}; what is failed now: {now}")
    return move_share(plan, trees=trees, check=check, retry=reason)


def _revive(migration: Migration, reason: str) -> int:
    """Give what failed all its tries again; return how many entries."""
    revived = migration.checkpoint.retry_failures(
        migration.plan_id, reason=reason or None, tree_ids=migration.tree_ids, worker=migration.worker
    )
    run_log().info("%s tried again", counted(revived, "failed entry is", "failed entries are"))
    return revived


def known_reasons() -> set[str]:
    """Every reason that an entry may fail for, as the report names it."""
    kinds: list[type[ConnectorError]] = [ItemError, TransientError]
    for kind in kinds:  # grows while it is gone through
        kinds += kind.__subclasses__()
    return {kind.reason for kind in kinds} | {GONE_FROM_BOX, DIFFERENT_IN_BOX, UNFORESEEN, FOLDER_EMPTIED}


def run_saved_plan(plan: MigrationPlan, *, trees: Sequence[str], mode: str) -> Any:
    """Run a saved plan: "migrate", "retry failures" or "dry run"."""
    if mode == "retry failures":
        return retry_share(plan, trees=trees)
    return look_share(plan, trees=trees) if mode == "dry run" else move_share(plan, trees=trees)


def look_share(plan: MigrationPlan, *, trees: Sequence[str]) -> Any:
    """Walk the share and say what would be sent and how long Box's limits would make it last. Sends nothing."""
    with traced(plan.name, DRY_RUN), open_migration(plan) as migration, watched(migration):
        unfinished = migration.checkpoint.current_pass(migration.plan_id) is not None
        with migration.stop.telling_the_cause():
            begin(migration, kind=DRY_RUN, only=trees, revive=False)
            migration.walking.set()
            run(walk_share, migration)
            migration.stop.raise_if_stopped()
        summary = _forecast(migration)
        if not unfinished:
            # A pass of its own: the next migration walks again, since days may pass until then.
            migration.checkpoint.end_pass(
                migration.pass_id, PassState.INCOMPLETE, summary=summary, worker=migration.worker
            )
        return looked(summary, forecast_words(summary))


def _forecast(migration: Migration) -> dict[str, Any]:
    trees, files, size = [], 0, 0
    for report in migration.checkpoint.tree_reports([tree.id for tree in migration.refresh_trees()]):
        tree, counts = report.tree, report.files
        files += counts.pending
        size += counts.bytes_total - counts.bytes_uploaded
        trees.append({"name": tree.name, "state": tree.state.value, "files_to_send": counts.pending})
    return {
        "plan": migration.plan.name,
        "pass": migration.pass_id,
        "complete": False,
        "trees": trees,
        "files_to_send": files,
        "bytes_to_send": size,
        "seconds_at_least": seconds_at_least(files, migration.plan.box),
    }


def send_for_others(plan: MigrationPlan, *, account_id: str = "") -> Any:
    """Send for a migration that another process conducts, as one of the plan's identities, until nothing is left."""
    from prefect.runtime import flow_run  # nobody else starts it than a flow run

    name = f"{LEASE_NAME} {flow_run.get_id() or ''} on {socket.gethostname()}"
    try:
        with (
            traced(plan.name, "send"),
            open_migration(plan, part=Part.SENDING, account_id=account_id, name=name) as migration,
            watched(migration),
        ):
            send_what_is_found(migration)
            summary: dict[str, Any] = sent(migration)
            return summary
    except LeaseHeld as exc:
        nobody: dict[str, Any] = sent(None, str(exc))
        return nobody

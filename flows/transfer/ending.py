"""Ending: finish a pass, or give it up and say why on every tree that is not complete."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from connectors.errors import QuotaExceeded
from flows.errors import Interrupted, WindowClosed
from flows.transfer.migration import Migration
from flows.transfer.others import other_trees
from flows.transfer.sessions import give_back_sessions
from flows.words import counted
from state.errors import LostLease
from state.records import Counts, TreeRecord, TreeReport
from state.statuses import IncompleteReason, PassState, TreeState


def finish_pass(migration: Migration) -> dict[str, Any]:
    """End the pass and say what it came to: plan, pass, complete, and each tree with its counts.

    `complete` is of the trees that this run moved; "others_not_complete" are those of the plan that it did not.
    """
    migration.recorder.flush()
    give_back_sessions(migration)
    migration.call_counts.save()
    trees = [*migration.refresh_trees(), *migration.trees_away()]
    complete = all(tree.state is TreeState.COMPLETE for tree in trees)
    summary: dict[str, Any] = {"complete": complete, "trees": _tree_summaries(migration, trees)}
    if others := other_trees(migration, trees):
        summary["others_not_complete"] = others
    migration.checkpoint.end_pass(
        migration.pass_id,
        PassState.COMPLETE if complete else PassState.INCOMPLETE,
        summary=summary,
        worker=migration.worker,
    )
    of = [f"{len(trees):,} of {counted(len(trees) + len(others), 'tree')}"] if others else []
    of += ["a quick pass"] if migration.quick is not None else []
    how = _how_it_ended(migration, trees)
    migration.progress.end(f"{how} ({', '.join(of)})" if of else how)
    return {"plan": migration.plan.name, "pass": migration.pass_id, **summary}


def _how_it_ended(migration: Migration, trees: Sequence[TreeRecord]) -> str:
    """One word for whoever watches. A pass that holds people back has done its work when nothing lacks but them."""
    states = {tree.state for tree in trees}
    if states <= {TreeState.COMPLETE}:
        return "complete"
    if migration.holds_people and states <= {TreeState.COMPLETE, TreeState.VERIFIED}:
        return "verified"
    return "incomplete"


def unfinished_pass(migration: Migration) -> dict[str, Any]:
    """What finish_pass says, of a pass that stays open for the next run."""
    trees = _tree_summaries(migration, [*migration.refresh_trees(), *migration.trees_away()])
    return {"plan": migration.plan.name, "pass": migration.pass_id, "complete": False, "trees": trees}


def _tree_summaries(migration: Migration, trees: Sequence[TreeRecord]) -> list[dict[str, Any]]:
    """What became of each tree; what is shown of the run says the same from here on."""
    reports = migration.checkpoint.tree_reports([tree.id for tree in trees])
    migration.progress.start_from(reports)
    return [_tree_summary(tree, report) for tree, report in zip(trees, reports, strict=True)]


def _tree_summary(tree: TreeRecord, report: TreeReport) -> dict[str, Any]:
    return {
        "name": tree.name,
        "state": tree.state.value,
        "incomplete_reason": tree.incomplete_reason.value if tree.incomplete_reason else None,
        "detail": tree.detail,
        "box_folder_id": tree.box_folder_id,
        "items": _counts(report.items),
        "files": _counts(report.files),
    }


def _counts(counts: Counts) -> dict[str, int]:
    return {"total": counts.total, "uploaded": counts.uploaded, "failed": counts.failed}


def give_up(migration: Migration, cause: BaseException) -> None:
    """The run ends early: say so on every tree that is not complete. The pass stays open for the next run."""
    migration.stop.set()
    if isinstance(cause, WindowClosed | QuotaExceeded):
        reason, detail = IncompleteReason.LIMIT_REACHED, str(cause)
    elif not isinstance(cause, Exception | KeyboardInterrupt) or isinstance(
        cause, KeyboardInterrupt | Interrupted
    ):
        reason, detail = IncompleteReason.CANCELLED, None
    else:
        reason, detail = IncompleteReason.STOPPED, str(cause)
    with suppress(Exception):  # the run ends for that very error
        migration.recorder.flush()
    with suppress(LostLease):  # whoever took over says where its trees stand
        for tree in migration.refresh_trees():
            if tree.state is not TreeState.COMPLETE:
                migration.checkpoint.set_tree_state(
                    tree.id, TreeState.INCOMPLETE, reason=reason, detail=detail, worker=migration.worker
                )
        migration.progress.start_from(migration.checkpoint.tree_reports(migration.tree_ids))
    migration.progress.end(reason.value)

"""The status document of a plan, without its forecast."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, func, select

from state.checkpoint import Checkpoint
from state.database.models import FOLDER_IS_WALKED, Folder, Item, Pass, Plan, Tree
from state.people_records import CollaborationRecord
from state.records import Counts, TreeRecord, TreeReport
from state.statuses import (
    INVENTORY,
    KEPT_IN_BOX,
    QUICK,
    TRASHED,
    CollaborationStatus,
    IncompleteReason,
    ItemStatus,
    PassState,
    TreeState,
)

#: How a tree's state is told that is complete and was handed over.
CLOSED = "closed"


def plan_status(checkpoint: Checkpoint, plan_id: int) -> dict[str, Any]:
    """The status document of a plan (DESIGN §2) without its forecast; fits into JSON.

    "pass" is the number of the running pass, else of the latest one, from 1, else None; "pass_kind" and "pass_state"
    say more of it. "running" are the processes that are at work on it now. "source_url" is fit to be shown.
    """
    calls, last_seen = checkpoint.call_counts(plan_id), _LastSeen(checkpoint, plan_id)
    query = select(Plan.name, Plan.owner, Plan.source_url).where(Plan.id == plan_id)
    plan = checkpoint.database.read(lambda connection: connection.execute(query).one())
    return {
        "plan": plan.name,
        "owner": plan.owner,
        "source_url": plan.source_url,
        **_latest_pass(checkpoint, plan_id),
        "running": running(checkpoint, plan_id),
        "trees": [
            tree_status(
                report,
                people_in(checkpoint, report.tree.id),
                as_of=last_seen.tree(report.tree),
            )
            for report in checkpoint.tree_reports([tree.id for tree in checkpoint.trees(plan_id)])
        ],
        "gone": gone_counts(checkpoint, plan_id),
        "calls": {"total": sum(calls.values()), "by_route": calls},
    }


def gone_counts(checkpoint: Checkpoint, plan_id: int) -> dict[str, int]:
    """What became in Box of entries that are gone from the source: still in_box, trashed, kept (changed there)."""
    columns = ((Item, Item.box_file_id), (Folder, Folder.box_folder_id))

    def counts(connection: Connection) -> dict[str, int]:
        found = {"in_box": 0, "trashed": 0, "kept": 0}
        for row, box_id in columns:
            trees = select(Tree.id).where(Tree.plan_id == plan_id)
            query = select(row.reason, func.count(), func.count(box_id)).where(
                row.tree_id.in_(trees), row.status == ItemStatus.GONE
            )
            for reason, count, in_box in connection.execute(query.group_by(row.reason)):
                found["in_box"] += in_box
                found["trashed"] += count if reason == TRASHED else 0
                found["kept"] += in_box if reason == KEPT_IN_BOX else 0
        return found

    return checkpoint.database.read(counts)


def running(checkpoint: Checkpoint, plan_id: int) -> list[dict[str, Any]]:
    """Each process at work on the plan: host, pid, since, and what it is doing, one line."""
    processes = checkpoint.working_processes(plan_id)
    doing = _doing(checkpoint, plan_id) if processes else ""
    return [
        {
            "host": process.host,
            "pid": process.pid,
            "since": process.started_at.isoformat(timespec="seconds"),
            "doing": doing,
        }
        for process in processes
    ]


def _doing(checkpoint: Checkpoint, plan_id: int) -> str:
    """What the pass is at, as far as the checkpoint tells."""
    pass_id = checkpoint.current_pass(plan_id)
    if pass_id is None:
        return "beginning, or at work on the people of complete trees"
    trees = checkpoint.trees(plan_id)
    moving = [tree for tree in trees if tree.state is TreeState.MOVING] or trees
    reports = checkpoint.tree_reports([tree.id for tree in moving])
    pending = sum(report.files.pending for report in reports)
    parts = []
    if not all(checkpoint.walk_is_done(pass_id, tree.id) for tree in moving):
        parts.append("walking the share")
    if pending:
        parts.append(f"sending, {pending:,} {'file' if pending == 1 else 'files'} pending")
    return " and ".join(parts) or "comparing with Box, and letting people in"


def tree_status(
    report: TreeReport, people: Sequence[CollaborationRecord], *, as_of: datetime | None
) -> dict[str, Any]:
    """One tree in the status document; `people`: people and groups who may see it, or are invited to.

    A complete tree that was handed over is "closed"; "closed" says when and by whom.
    "still_in" are those of them whom the plan does not name any more. `as_of`: every folder of the share was listed
    since then; None while some was never listed.
    """
    tree, items = report.tree, report.items
    closed = tree.closed_at is not None and tree.state is TreeState.COMPLETE
    wanted = {record.id for record in report.collaborations}
    return {
        "name": tree.name,
        "source": tree.source,
        "state": CLOSED if closed else tree.state.value,
        "closed": {"at": _when(tree.closed_at), "by": tree.closed_by} if closed else None,
        "incomplete_reason": None if tree.incomplete_reason is None else tree.incomplete_reason.value,
        "detail": _detail(report),
        "as_of": _when(as_of),
        "box_folder_id": tree.box_folder_id,
        "items": _item_counts(items),
        "files": _item_counts(report.files),
        "bytes": {"total": items.bytes_total, "uploaded": items.bytes_uploaded},
        "collaborators": [_collaborator(record) for record in report.collaborations],
        "still_in": [_collaborator(record) for record in people if record.id not in wanted],
        "let_in": len(people),
        "shared_link": tree.shared_link,
        "failures_by_reason": report.failures_by_reason,
    }


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _detail(report: TreeReport) -> str | None:
    """What the tree lacks; of failures those that there are now, since a person may have waived some."""
    if report.tree.incomplete_reason is not IncompleteReason.FAILED_ITEMS:
        return report.tree.detail
    if report.failures_by_reason:
        return ", ".join(f"{count} {reason}" for reason, count in sorted(report.failures_by_reason.items()))
    if report.items.pending:
        return f"nothing is failed now, {report.items.pending:,} pending: the next run tries again"
    return "nothing is failed or pending now: the next run completes it"


class _LastSeen:
    """As of when what is said of each tree of a plan is true of the share."""

    def __init__(self, checkpoint: Checkpoint, plan_id: int) -> None:
        self._checkpoint, self._plan_id = checkpoint, plan_id

    def tree(self, tree: TreeRecord) -> datetime | None:
        """When the oldest walk began of those that folders of this tree were listed in last. A quick pass did not look
        at everything: then the last whole one before it counts that completed the tree; None where there is none."""
        edges = select(func.min(Folder.walked_pass), func.max(Folder.walked_pass))
        edges = edges.where(Folder.tree_id == tree.id, FOLDER_IS_WALKED)

        def began(connection: Connection) -> tuple[datetime | None, bool]:
            oldest, latest = connection.execute(edges).one()
            query = select(Pass.id, Pass.kind, Pass.started_at).where(Pass.id.in_((oldest, latest)))
            walks = {row.id: row for row in connection.execute(query)}
            at = walks[oldest].started_at if oldest in walks else None
            return at, at is not None and any(walk.kind == QUICK for walk in walks.values())

        at, quick = self._checkpoint.database.read(began)
        return self._completed.get(tree.name) if quick else at

    @cached_property
    def _completed(self) -> dict[str, datetime]:
        """When the last whole pass began that completed each tree. A pass of other trees says nothing of one."""
        query = select(Pass.started_at, Pass.summary).where(
            Pass.plan_id == self._plan_id, Pass.kind != QUICK, Pass.state != PassState.RUNNING
        )
        passes = self._checkpoint.database.read(
            lambda connection: connection.execute(query.order_by(Pass.id)).all()
        )
        return {
            tree["name"]: started_at
            for started_at, summary in passes
            for tree in summary.get("trees", ())
            if tree["state"] == TreeState.COMPLETE
        }


def people_in(checkpoint: Checkpoint, tree_id: int) -> list[CollaborationRecord]:
    """Those who are in or invited: also whom the plan does not name any more, and whose new role Box refused."""
    return [
        record
        for record in checkpoint.all_collaborations(tree_id)
        if record.status is not CollaborationStatus.REJECTED
        and (
            record.box_collaboration_id is not None
            or record.status in (CollaborationStatus.ACCEPTED, CollaborationStatus.PENDING)
        )
    ]


def _item_counts(counts: Counts) -> dict[str, int]:
    return {
        "total": counts.total,
        "uploaded": counts.uploaded,
        "failed": counts.failed,
        "excluded": counts.excluded,
        "waived": counts.waived,
        "pending": counts.pending,
        "gone": counts.gone,
    }


def _collaborator(record: CollaborationRecord) -> dict[str, Any]:
    spec = record.spec
    named = {"login": spec.login, "user_id": spec.user_id, "group": spec.group, "group_id": spec.group_id}
    named |= {"app_user": spec.app_user}
    who = {name: value for name, value in named.items() if value is not None}
    return {**who, "role": spec.role, "status": record.status.value}


def _latest_pass(checkpoint: Checkpoint, plan_id: int) -> dict[str, Any]:
    def latest(connection: Connection) -> dict[str, Any]:
        query = select(Pass.kind, Pass.state, Pass.first_id).where(Pass.plan_id == plan_id)
        passes = connection.execute(query.order_by(Pass.id.desc())).all()
        if not passes:
            return {"pass": None, "pass_kind": None, "pass_state": None}
        return {
            "pass": sum(row.first_id is None for row in passes if row.kind != INVENTORY),
            "pass_kind": passes[0].kind,
            "pass_state": passes[0].state,
        }

    return checkpoint.database.read(latest)

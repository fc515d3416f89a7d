"""Forecasting: from what a pass would do in each tree to its calls, its time and its end. Asks Box nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flows.foresight.costs import SENDERS, UPLOADS, Route
from flows.foresight.notes import SimulatedTree
from flows.foresight.simulation import Simulation
from flows.plan.model import MigrationPlan, TreePlan
from flows.plan.people import CollaboratorPlan
from flows.run.forecast import USERS, Speeds, Workload, bounds, finish_at, forecast_seconds
from flows.run.window import Window
from flows.sharing.access import collaborator_spec, has_ended
from flows.sharing.trees import SETTLED
from flows.words import normal_form
from state.checkpoint import Checkpoint

#: What is counted of entries, in the order in which it is told.
ITEMS = (
    "new",
    "changed",
    "moved",
    "trashed",
    "held",
    "unchanged",
    "excluded",
    "failed",
    "emptied",
    "waived",
    "gone",
    "renamed",
    "too_large",
    "same_size",
)

#: Box's tokens last so many seconds.
TOKEN_SECONDS = 3_600


def shared_and_proven(simulation: Simulation, checkpoint: Checkpoint) -> int:
    """Add to each tree the calls that prove and share it, where it completes; return how many trees are shared anew."""
    shared = 0
    known_users: set[str] = set()
    for tree in simulation.trees:
        if simulation.plan.box.identities and tree.sent:
            _let_uploaders_in(tree, simulation.plan)
        if tree.stays_incomplete:
            continue  # it stays incomplete: nobody is let in, and Box is not asked what it has
        tree.calls[Route.LIST] += tree.pages
        let_in = _let_people_in(tree, simulation.plan, checkpoint, known_users)
        shared += let_in > 0
    return shared


def _let_uploaders_in(tree: SimulatedTree, plan: MigrationPlan) -> None:
    """Uploaders become editors of a tree when its first file is sent, and are taken out when it completes."""
    uploaders = len(plan.box.identities)
    tree.calls[Route.LET_IN] += uploaders
    if not tree.stays_incomplete:
        tree.calls.update({Route.GRANTS: 1, Route.TAKE_OUT: uploaders})


def _let_people_in(
    tree: SimulatedTree, plan: MigrationPlan, checkpoint: Checkpoint, known_users: set[str]
) -> int:
    planned = _planned(tree, plan)
    if planned is None:
        return 0
    settled = set()
    if tree.record is not None:
        settled = {
            each.spec.key for each in checkpoint.all_collaborations(tree.record.id) if each.status in SETTLED
        }
    people = [
        person
        for person in planned.collaborators
        if collaborator_spec(person).key not in settled and not has_ended(person.expires_at)
    ]
    for person in people:
        tree.calls.update(_invitation(person, known_users))
    link = planned.shared_link is not None and (tree.record is None or tree.record.shared_link is None)
    tree.calls[Route.MOVE_FOLDER] += link
    return len(people) + link


def _invitation(person: CollaboratorPlan, known_users: set[str]) -> dict[str, int]:
    """One call, and for groups and app users those that find or make them."""
    calls: dict[str, int] = {Route.LET_IN: 1}
    if person.group:
        calls[Route.GROUPS] = 1
    if person.app_user:
        calls[Route.USERS] = 1
        if person.app_user not in known_users:
            calls[Route.MAKE_USER] = 1
            known_users.add(person.app_user)
    return calls


def _planned(tree: SimulatedTree, plan: MigrationPlan) -> TreePlan | None:
    wanted = (normal_form(tree.spec.source), normal_form(tree.spec.folder))
    found = [each for each in plan.trees if (normal_form(each.source), each.box_path) == wanted]
    return found[-1] if found else None


def overhead(plan: MigrationPlan, *, uploads: int) -> Counter[str]:
    """Return what a run asks before and beside its files: who it is, where it lands, a token for each uploader."""
    calls = Counter[str]({Route.TOKEN: 1 + min(len(plan.box.identities), uploads), Route.WHO_AM_I: 1})
    if plan.box.landing_folder_id != "0":
        calls[Route.FOLDER] += 1
        calls[Route.USER] += uploads > 0  # who owns it pays
    if uploads and any(person.group for tree in plan.trees for person in tree.collaborators):
        calls[Route.GROUPS] += 1  # whether groups may be looked up
    return calls


def workload(trees: Sequence[SimulatedTree], calls: Mapping[str, int]) -> Workload:
    """Return what all this asks of Box; the listing of the tree that comes last has no sending beside it."""
    sending = [tree for tree in trees if tree.sent]
    last = 0 if not sending or sending[-1].stays_incomplete else sending[-1].pages
    senders = sum(count for route, count in calls.items() if route in SENDERS)
    return Workload(
        uploads=sum(count for route, count in calls.items() if route in UPLOADS),
        sender_calls=senders,
        other_calls=sum(calls.values()) - senders - last - calls.get(Route.TOKEN, 0),
        last_calls=last,
        size=sum(tree.bytes for tree in trees),
    )


def forecast_document(
    simulation: Simulation, shared: int, *, speeds: Speeds, window: Window | None, now: datetime | None = None
) -> dict[str, Any]:
    """Return the forecast as `boxhaul simulate --json` prints it."""
    plan, trees, selection = simulation.plan, simulation.trees, simulation.selection
    uploads, size = sum(tree.sent for tree in trees), sum(tree.bytes for tree in trees)
    calls = sum((tree.calls for tree in trees), overhead(plan, uploads=uploads))
    work, box = workload(trees, calls), plan.box
    users = max(1, len(box.identities))
    seconds = forecast_seconds(work, box, users=users, speeds=speeds)
    calls[Route.TOKEN] *= max(1, math.ceil(seconds / TOKEN_SECONDS))
    now = now or datetime.now(UTC)
    end = finish_at(now, seconds, window)
    found = bounds(work, box, users=users, speeds=speeds)
    by_users = {str(each): forecast_seconds(work, box, users=each, speeds=speeds) for each in USERS}
    allotment = box.month_of_calls
    total = calls.total()
    return {
        "plan": plan.name,
        "at": now.isoformat(timespec="seconds"),
        "calls": {
            "total": total,
            "by_route": {route: count for route, count in sorted(calls.items()) if count},
        },
        "uploads": uploads,
        "bytes": size,
        "items": {name: sum(tree.items[name] for tree in trees) for name in ITEMS},
        "shared": shared,
        "days": {each: round(lasts / 86_400, 6) for each, lasts in by_users.items()},
        "identities": users,
        "seconds": round(seconds, 1),
        "binding": max(found, key=lambda name: found[name]),
        "bounds": {name: round(lasts, 1) for name, lasts in found.items()},
        "finish_at": end.isoformat(timespec="seconds") if end is not None else None,
        "allotment": {
            "tier": box.tier.value,
            "calls_per_month": allotment,
            "months_of_calls": round(total / allotment, 2),
        },
        "speeds": {"line": speeds.line, "source": speeds.source},
        "trees": [_tree_document(tree) for tree in trees],
        "stops": _stops(simulation),
        "nothing_trashed": simulation.deletions.why_nothing,
        **_chosen(trees),
        "quick": selection.quick.document() if selection.quick is not None else None,
    }


def _chosen(trees: Sequence[SimulatedTree]) -> dict[str, dict[str, int]]:
    """What the flags of the run have read although its times say that nothing changed, and what they leave out."""
    return {
        "read_again": {
            "files": sum(tree.read_again for tree in trees),
            "bytes": sum(tree.read_again_bytes for tree in trees),
        },
        "left_out": _left_out(trees),
    }


def _left_out(trees: Sequence[SimulatedTree]) -> dict[str, int]:
    return {
        "files": sum(tree.left_out for tree in trees),
        "bytes": sum(tree.left_out_bytes for tree in trees),
    }


def _stops(simulation: Simulation) -> str | None:
    """Why a run would stop before its end, in words; None where nothing is foreseen."""
    gone, allowed = simulation.deletions.too_many, simulation.plan.changes.max_delete
    if not gone:
        return None
    return f"{gone:,} entries in Box are gone from the share, and changes: max_delete: {allowed} allows fewer"


def _tree_document(tree: SimulatedTree) -> dict[str, Any]:
    return {
        "name": tree.spec.name,
        "items": {name: tree.items[name] for name in ITEMS},
        "uploads": tree.sent,
        "bytes": tree.bytes,
        "calls": tree.calls.total(),
    }

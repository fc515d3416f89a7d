"""Rows about the checkpoint and the plan: whether they speak of the same Box, share and trees, and of the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from connectors.box.destination import BoxDestination
from connectors.box.names import collision_key
from connectors.box.types import Account
from connectors.errors import ItemError
from flows.checks.rows import Row, problem, warning
from flows.errors import CheckFailed
from flows.plan.model import MigrationPlan
from flows.plan.origin import BEGIN_ANEW, account_identity, differences, moved_trees, other_plans, planned_box
from state.checkpoint import Checkpoint
from state.records import BoxIdentity

NAME = "checkpoint"

#: Trees that are looked for in Box, at most, and those that are named.
LOOKED_FOR, NAMED_TREES = 20, 3


def planned_rows(checkpoint: Checkpoint, plan: MigrationPlan) -> Iterator[Row]:
    """What the checkpoint says and the plan does not: source, folder, Box app, trees, name. Nobody is asked."""
    yield from _difference_rows(checkpoint, plan, planned_box(plan.box.auth, plan.base_dir))
    for line in [*moved_trees(checkpoint, plan), *other_plans(checkpoint, plan)][:NAMED_TREES]:
        yield problem(NAME, line, f"Or begin anew: {BEGIN_ANEW}.", stops=CheckFailed)


def account_rows(checkpoint: Checkpoint, plan: MigrationPlan, account: Account) -> Iterator[Row]:
    """Whether the checkpoint was made for the account that signed in."""
    yield from _difference_rows(checkpoint, plan, account_identity(account))


def _difference_rows(checkpoint: Checkpoint, plan: MigrationPlan, box: BoxIdentity) -> Iterator[Row]:
    known = checkpoint.plan_origin(plan.checkpoint_name)
    found = differences(known, plan, box=box) if known is not None else []
    if found:
        yield problem(
            NAME,
            f"it holds the plan {'; '.join(found)}",
            f"Give the plan another state_url (or name), or begin anew: {BEGIN_ANEW}.",
            stops=CheckFailed,
        )


def in_box_rows(plan: MigrationPlan, box: BoxDestination, account: Account) -> Iterator[Row]:
    """Trees of a plan that the checkpoint does not know, and that this account has put into Box already."""
    found = trees_in_box(box, account, plan.box.landing_folder_id, [tree.box_path for tree in plan.trees])
    if found:
        yield problem(
            NAME,
            f"it knows nothing of this plan, but Box has {', '.join(found)} already, from this account and not empty",
            "Use the checkpoint of the earlier run: its state_url, its plan's name, its folder. To go on without it: "
            f"{BEGIN_ANEW}; what is the same is found in Box and not sent again.",
            stops=CheckFailed,
        )


def trees_in_box(
    box: BoxDestination, account: Account, landing_folder_id: str, folders: Sequence[str]
) -> list[str]:
    """Return the first of these folders, paths under the landing folder, that an earlier run of this account filled."""
    found: list[str] = []
    for folder in folders[:LOOKED_FOR]:
        if _is_from_earlier(box, account, landing_folder_id, folder):
            found.append(folder)
        if len(found) == NAMED_TREES:
            break
    return found


def _is_from_earlier(box: BoxDestination, account: Account, parent_id: str, folder: str) -> bool:
    try:
        for name in folder.split("/"):
            key = collision_key(name)
            children = (child for child in box.list_folder(parent_id) if child.type == "folder")
            child = next((child for child in children if collision_key(child.name) == key), None)
            if child is None:
                return False
            parent_id = child.id
        return box.filled_since(parent_id, [account.id]) is not None
    except ItemError:
        return False


def secret_rows(plan: MigrationPlan) -> Iterator[Row]:
    """Secrets that stand in the plan file as they are: whoever may read it, or a copy of it, has them."""
    if keys := plan.written_secrets():
        yield warning(
            "secrets",
            f"{', '.join(keys)}: the plan file has the secret itself",
            "Write ${NAME} there, and set the environment variable NAME; or keep the plan readable by its owner alone.",
        )


def rule_rows(unused: Sequence[str]) -> Iterator[Row]:
    """Exclude rules that matched nothing: a typing error looks like that."""
    if unused:
        more = ", ..." if len(unused) > NAMED_TREES else ""
        yield warning(
            "exclude",
            f"matched nothing: {', '.join(islice(unused, NAMED_TREES))}{more}",
            "Compare the spelling with the share's names; what a rule does not match is sent.",
        )

"""Origin: what a checkpoint belongs to, compared with the plan before anything that it says is believed.

A checkpoint tells what is in one Box, of one enterprise and account, under one landing folder, from one source. Told of
another one, all of it is wrong: nothing would be sent, and the report would say complete.
"""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.box.config import AuthConfig, BlockAuthConfig, CCGAuthConfig, JWTAuthConfig
from connectors.sources.local import LocalConfig
from connectors.sources.location import Location
from flows.errors import PlanError
from flows.plan.model import REHEARSAL, MigrationPlan
from flows.plan.references import reveal
from flows.words import normal_form
from state.checkpoint import Checkpoint
from state.records import BoxIdentity, PlanOrigin, TreeRecord

if TYPE_CHECKING:
    from connectors.box.types import Account

#: The command that a person gives who means it.
BEGIN_ANEW = "boxhaul migrate --new-checkpoint"


def find_plan(checkpoint: Checkpoint, plan: MigrationPlan) -> int | None:
    """Return the plan's id in the checkpoint; None when no run has begun it.

    PlanError when the checkpoint holds it for another source, landing folder, enterprise or account. Asks nobody.
    """
    known = checkpoint.plan_origin(plan.checkpoint_name)
    if known is None or not known.is_begun:
        return None
    refuse_differences(known, plan, box=planned_box(plan.box.auth, plan.base_dir))
    return known.id


def take_up_plan(checkpoint: Checkpoint, plan: MigrationPlan, *, source_url: str) -> int | None:
    """Return the plan's id for an inventory, made now where the checkpoint has none; None once a run has begun it.

    Says nothing of Box, and binds nobody: what the plan says by the first run counts.
    """
    known = checkpoint.plan_origin(plan.checkpoint_name)
    if known is not None and known.is_begun:
        return None
    return checkpoint.ensure_plan(
        name=plan.checkpoint_name, source_url=source_url, landing_folder_id=plan.box.landing_folder_id
    )


def begin_plan(
    checkpoint: Checkpoint, plan: MigrationPlan, *, source_url: str, auth: AuthConfig, anew: bool = False
) -> int:
    """Return the plan's id, made now where the checkpoint has none. `auth`: as it signs in, no block any more.

    PlanError as find_plan(). `anew`: what differs is set aside in place of that, whole, under another name.
    """
    box = planned_box(auth, plan.base_dir)
    known = checkpoint.plan_origin(plan.checkpoint_name)
    if anew:
        if known is not None and (differences(known, plan, box=box) or moved_trees(checkpoint, plan)):
            checkpoint.set_plan_aside(known.id)
    else:
        if known is not None:
            refuse_differences(known, plan, box=box)
        refuse_second_sending(checkpoint, plan)
    plan_id = checkpoint.ensure_plan(
        name=plan.checkpoint_name, source_url=source_url, landing_folder_id=plan.box.landing_folder_id
    )
    checkpoint.record_box(plan_id, box)
    return plan_id


def require_account(checkpoint: Checkpoint, plan: MigrationPlan, account: Account) -> Account:
    """Compare with who signed in, and write that down the first time. PlanError when it is somebody else."""
    known = checkpoint.plan_origin(plan.checkpoint_name)
    if known is None:
        return account
    here = account_identity(account)
    refuse_differences(known, plan, box=here)
    checkpoint.record_box(known.id, here)
    return account


def account_identity(account: Account) -> BoxIdentity:
    """Return the Box that this account belongs to, as far as it tells."""
    return BoxIdentity(
        enterprise_id=account.enterprise_id, account_id=account.id, account_login=account.login
    )


def refuse_differences(known: PlanOrigin, plan: MigrationPlan, *, box: BoxIdentity) -> None:
    """Raise PlanError, one line that says what differs and what to do, unless all that is known agrees."""
    found = list(differences(known, plan, box=box))
    if found:
        raise PlanError(
            f"the checkpoint holds the plan {plan.name} {'; '.join(found)}; give the plan another state_url (or name), "
            f"or begin anew in this checkpoint: {BEGIN_ANEW}"
        )


def differences(known: PlanOrigin, plan: MigrationPlan, *, box: BoxIdentity) -> list[str]:
    """Return what the checkpoint says of the plan and the plan does not; what either does not know is no difference.

    Nothing before the plan is begun: nothing is believed then.
    """
    if not known.is_begun:
        return []
    was = known.box
    app = f"{was.client_id} of {was.account_login}" if was.account_login else was.client_id
    told = [
        _difference("from", known.source_url, source_name(plan)),
        _difference("into the folder", known.landing_folder_id, plan.box.landing_folder_id),
        _difference("of the enterprise", was.enterprise_id, box.enterprise_id),
        _difference("for the account", was.account_id, box.account_id, _account(was), _account(box)),
        _difference("for the Box app", was.client_id, box.client_id, app),
    ]
    return [each for each in told if each]


def refuse_second_sending(checkpoint: Checkpoint, plan: MigrationPlan) -> None:
    """Raise PlanError, one line, when the plan's trees are in Box under another folder or another plan's name."""
    for found in (moved_trees(checkpoint, plan), other_plans(checkpoint, plan)):
        if found:
            more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
            raise PlanError(f"{found[0]}{more}; or begin anew: {BEGIN_ANEW}")


def moved_trees(checkpoint: Checkpoint, plan: MigrationPlan) -> list[str]:
    """Return a line for each tree that is in Box under the folder that the plan gave it before."""
    known = checkpoint.plan_origin(plan.checkpoint_name)
    if known is None or not plan.trees:
        return []
    planned = {(normal_form(tree.source), tree.box_path) for tree in plan.trees}
    folders = {normal_form(tree.source): tree.box_path for tree in plan.trees}
    return [
        f"trees: {tree.source or 'the whole share'!r} is in Box as {tree.folder!r}, and would be sent again "
        f"into {folders[normal_form(tree.source)]!r}: write folder: {tree.folder} again"
        for tree in checkpoint.trees(known.id)
        if tree.box_folder_id is not None
        and normal_form(tree.source) in folders
        and (normal_form(tree.source), tree.folder) not in planned
    ]


def other_plans(checkpoint: Checkpoint, plan: MigrationPlan) -> list[str]:
    """Return a line for each other plan of the checkpoint that moved some of this one's trees into the same folder."""
    known = checkpoint.plan_origin(plan.checkpoint_name)
    if known is not None and known.is_begun:
        return []  # it was begun beside the other one, and said so then
    source, box = source_name(plan), planned_box(plan.box.auth, plan.base_dir)
    sources = frozenset(normal_form(tree.source) for tree in plan.trees)
    return [
        f"name: this checkpoint knows this share's migration as {other.name!r}, and {tree.name!r} would "
        f"be sent again for {plan.name!r}: write name: {other.name} again"
        for other in checkpoint.plan_origins()
        if "(" not in other.name.removesuffix(REHEARSAL)
        and other.name.endswith(REHEARSAL) == plan.is_rehearsal
        and (other.source_url, other.landing_folder_id) == (source, plan.box.landing_folder_id)
        and not differences(other, plan, box=box)
        and (tree := next(filter(partial(_is_of, sources), checkpoint.trees(other.id)), None)) is not None
    ]


def _is_of(sources: AbstractSet[str], tree: TreeRecord) -> bool:
    """True when a plan with these sources moves this tree of another plan, too. Without it moves each at the top."""
    if tree.box_folder_id is None:
        return False
    if not sources:
        return "/" not in tree.source
    return normal_form(tree.source) in sources


def _difference(what: str, was: str | None, now: str | None, shown_was: Any = "", shown_now: Any = "") -> str:
    return f"{what} {shown_was or was}, not {shown_now or now}" if was and now and was != now else ""


def _account(box: BoxIdentity) -> str:
    return f"{box.account_login} ({box.account_id})" if box.account_login else str(box.account_id)


def source_name(plan: MigrationPlan) -> str:
    """Return the source's URL as the checkpoint keeps it; empty when the URL cannot be understood."""
    try:
        location = Location.parse(plan.source.url).with_account(None, None, plan.source.port)
        if location.scheme not in ("file", "local"):
            return location.display_url
        path = LocalConfig.from_location(location, {}).path
    except ValueError:
        return ""
    return Location(scheme="file", path=str(path)).display_url


def planned_box(auth: AuthConfig, base_dir: str) -> BoxIdentity:
    """Return which Box these credentials are for, as far as they say so. Nobody is asked; a secret is not kept."""
    if isinstance(auth, CCGAuthConfig):
        user = f" as user {auth.user_id}" if auth.user_id else ""
        return BoxIdentity(client_id=f"{auth.client_id}{user}", enterprise_id=auth.enterprise_id)
    if isinstance(auth, BlockAuthConfig):
        return BoxIdentity()
    return _of_key_file(auth, base_dir)


def _of_key_file(auth: JWTAuthConfig, base_dir: str) -> BoxIdentity:
    try:
        if auth.config is not None:
            text = reveal(auth.config, key="box.auth.config") or ""
        else:
            text = (Path(base_dir) / (auth.config_file or "")).read_text("utf-8")
        document: Any = json.loads(text)
        client_id = document["boxAppSettings"]["clientID"]
        enterprise = document.get("enterpriseID")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, PlanError):
        return BoxIdentity()  # whoever signs in with it says what is wrong
    return BoxIdentity(client_id=str(client_id), enterprise_id=str(enterprise) if enterprise else None)

"""A plan's three connections: checkpoint, share and Box, each opened with one clear error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.box.config import BlockAuthConfig, BoxConfig
from connectors.source import Source
from connectors.sources.registry import open_source
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.plan.origin import find_plan
from flows.plan.references import expand_all, reveal, reveal_all
from flows.words import counted, size_words
from state.checkpoint import Checkpoint
from state.database.engine import sqlite_file
from state.statuses import SurveyKind

if TYPE_CHECKING:
    from connectors.box.client.bandwidth import Bandwidth
    from connectors.box.destination import BoxDestination


def open_checkpoint(plan: MigrationPlan, *, create: bool = False) -> Checkpoint:
    """Open the plan's checkpoint. Unless it may be created, PlanError when no run has made it: who only asks makes
    none."""
    url = plan.resolved_state_url()
    file = sqlite_file(url)
    if not create and file is not None and not file.exists():
        raise PlanError(
            f"state_url: there is no checkpoint {file} yet; the first run makes it: boxhaul migrate"
        )
    return Checkpoint.open(url)


def known_plan(plan: MigrationPlan, checkpoint: Checkpoint) -> int:
    """Return the plan's id in the checkpoint. PlanError before the first run, and when it is of another Box."""
    plan_id = find_plan(checkpoint, plan)
    if plan_id is None:
        raise PlanError(before_the_first_run(plan, checkpoint))
    return plan_id


def before_the_first_run(plan: MigrationPlan, checkpoint: Checkpoint) -> str:
    """What there is to say of a plan that no run has begun: the last inventory, and who is at work on it now."""
    kept = checkpoint.last_survey(plan.checkpoint_name, SurveyKind.INVENTORY)
    words = f"nothing is known of the plan {plan.name} yet"
    if kept is not None:
        at, found = kept
        words = (
            f"nothing of the plan {plan.name} was sent yet; the inventory of {at:%Y-%m-%d %H:%M} UTC found"
            f" {counted(found['files'], 'file')} of {size_words(found['bytes'])} to move"
        )
    known = checkpoint.plan_origin(plan.checkpoint_name)
    for process in checkpoint.working_processes(known.id) if known is not None else ():
        return f"{words}; process {process.pid} on {process.host} is at work on it now"
    return f"{words}; run: boxhaul migrate"


def open_share(plan: MigrationPlan) -> Source:
    """The plan's share, proven to answer. AuthenticationFailed, ShareUnreachable or PlanError otherwise."""
    source = unopened_share(plan)
    try:
        source.connect()
    except BaseException:
        source.close()
        raise
    return source


def unopened_share(plan: MigrationPlan) -> Source:
    """The plan's share before anything is asked of it. PlanError when the plan's source cannot be understood."""
    options = expand_all(plan.source.options, key="source.options")
    username, password = share_login(plan)
    try:
        return open_source(
            plan.source.url,
            username=username,
            password=password,
            port=plan.source.port,
            options=options,
            walkers=plan.transfer.walk_threads,
        )
    except (ValueError, ImportError) as exc:
        raise PlanError(f"source: {exc}") from exc


def share_login(plan: MigrationPlan) -> tuple[str | None, str | None]:
    """User and password for the share, from the plan or from the block that it names."""
    if plan.source.credentials_block:
        # Imports Prefect, which a plan without blocks does not need.
        from flows.plan.blocks import share_credentials

        block = share_credentials(plan.source.credentials_block)
        return block.username or None, block.password.get_secret_value() or None
    return plan.source.username or None, reveal(plan.source.password, key="source.password")


def box_config(plan: MigrationPlan) -> BoxConfig:
    """The plan's Box with its secrets filled in. Never dumped, never logged."""
    plan.require_lasting_files()
    if isinstance(plan.box.auth, BlockAuthConfig):
        from flows.plan.blocks import box_credentials

        return plan.box.model_copy(update={"auth": box_credentials(plan.box.auth)})
    return reveal_all(plan.box, key="box")


def open_box(
    plan: MigrationPlan,
    *,
    stop: threading.Event | None = None,
    uploading: Sequence[str] | None = None,
    borrow: Callable[[str], None] | None = None,
    bandwidth: Bandwidth | None = None,
) -> BoxDestination:
    """The plan's Box, with its secrets filled in. Sends nothing yet."""
    # Imports Box's SDK, which takes as long as all else that `status` does.
    from connectors.box.destination import BoxDestination

    try:
        return BoxDestination(
            box_config(plan),
            base_dir=Path(plan.base_dir),
            stop=stop,
            uploading=uploading,
            borrow=borrow,
            bandwidth=bandwidth,
        )
    except (ValueError, OSError) as exc:
        raise PlanError(f"box.auth: {exc}") from exc

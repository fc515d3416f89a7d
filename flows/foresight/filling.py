"""Filling: an inventory of a share that no run has begun writes what it walks into the checkpoint, for the first pass.

It is the walk of a pass (flows/transfer/walking.py) under the plan's rules, without the rest of one:

* Nobody signs in to Box, and nothing of Box is written down. The trees stay *not begun*, so that a mistyped plan binds
  nobody: by the first run its landing folder, account and trees count, and what was walked of another source, or of
  a tree that the plan writes otherwise by then, is forgotten. Until then `status`, `report` and all that believes the
  checkpoint say what the inventory found, and that nothing was sent; `check` and `simulate` look for themselves.
* Entries end as a pass leaves them that is stopped before it sends: pending, failed or excluded, with reasons.
* The first run takes the trees up as any run takes up what an earlier one left. Totals, failures and the forecast are
  there from its first second, it begins to send at once, and it does not look at the share first to learn whether all
  of it will fit. It walks every folder once more beside the sending, as every run does, which costs no call to Box:
  what changed since is found before a tree completes, and each file is looked at again before and after it is read.
* Where the rules changed since, nothing of a tree is sent before that walk has compared it, as after any other change.
* Another inventory before the first run compares, as the next pass would: what is not there any more is *gone*, and a
  share that suddenly lists nothing is refused. One that was killed leaves what it had walked; the next one, or the
  first run, goes over all of it.
* Once a run has begun the plan an inventory writes nothing here, nor while another process is at work on the plan.
  While one writes, no run of the plan begins, and no other share or landing folder takes its place.
"""

from __future__ import annotations

from contextlib import ExitStack

from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.types import Account, Statistics
from connectors.entry import Entry
from connectors.errors import ConnectorError
from connectors.source import Source
from flows.foresight.inventory import Inventory
from flows.plan.model import MigrationPlan
from flows.plan.origin import take_up_plan
from flows.run.heartbeat import heartbeat
from flows.run.leases import INVENTORY_NAME, Part, register, worker_name
from flows.run.stop import StopSignal
from flows.transfer.migration import Migration, assemble
from flows.transfer.walking import walk_trees
from state.checkpoint import Checkpoint
from state.errors import LeaseHeld
from state.records import FolderNode, TreeSpec, WorkerLease
from state.statuses import INVENTORY, PassState


class _NoBox(BoxDestination):
    """A Box that nobody signed in to. It has made no calls; whatever else it is asked for is a fault of ours."""

    def __init__(self, config: BoxConfig) -> None:
        # Not the other one's: that reads keys, which need not be there yet, and opens connections.
        self.config = config

    @property
    def uploading(self) -> tuple[str, ...]:
        """Nobody uploads."""
        return ()

    def call_counts(self) -> dict[str, int]:
        """None were made."""
        return {}

    def statistics(self) -> Statistics:
        """Nothing was done."""
        return Statistics()


def fill(
    plan: MigrationPlan,
    checkpoint: Checkpoint,
    source: Source,
    specs: list[TreeSpec],
    inventory: Inventory,
) -> bool:
    """Walk these trees as a pass does, and let the inventory count what they list; False, and nothing walked, where
    the plan is begun already or another process is at work on it.

    `plan`: as the share spells it. From then on the source is stopped by another word. Raises FatalError when the
    share is gone or emptied.
    """
    stop = StopSignal()
    with ExitStack() as stack:
        worker = _take_lease(plan, checkpoint, source, stack)
        if worker is None:
            return False
        source.stop_with(stop.event)
        migration = assemble(
            plan,
            Part.ALONE,
            worker.plan_id,
            worker,
            checkpoint,
            source,
            _NoBox(plan.box),
            account=Account(id="", login="", name=""),
            landing=None,
            stop=stop,
        )
        stack.callback(migration.close)
        stack.enter_context(heartbeat(checkpoint, worker, migration.call_counts, None, stop))
        _walk(migration, specs, inventory)
    return True


def _take_lease(
    plan: MigrationPlan, checkpoint: Checkpoint, source: Source, stack: ExitStack
) -> WorkerLease | None:
    """The plan, alone, before any run began it: None where that is not to be had. Asked again once nobody else can."""
    url = source.display_url
    try:
        plan_id = take_up_plan(checkpoint, plan, source_url=url)
        if plan_id is None:
            return None
        worker = register(checkpoint, plan_id, name=f"{INVENTORY_NAME} {worker_name()}")
        stack.callback(checkpoint.release_worker, worker)
        checkpoint.require_alone(worker)
        return worker if take_up_plan(checkpoint, plan, source_url=url) is not None else None
    except LeaseHeld:
        return None


def _walk(migration: Migration, specs: list[TreeSpec], inventory: Inventory) -> None:
    checkpoint, whole = migration.checkpoint, not migration.plan.trees
    trees = checkpoint.ensure_trees(migration.plan_id, specs, moving=())
    sums = dict(zip((tree.id for tree in trees), inventory.trees, strict=True))

    def look(folder: FolderNode, listing: list[Entry] | ConnectorError) -> None:
        inventory.take(sums[folder.tree_id], folder.path, listing, whole=whole)

    migration.look, migration.is_dry = look, True
    migration.files_only_trees = frozenset(tree.id for tree in trees if whole and tree.source == "")
    pass_id = checkpoint.begin_pass(
        migration.plan_id, kind=INVENTORY, rules=migration.rules, worker=migration.worker
    )
    migration.take_up(pass_id, trees)
    with migration.stop.telling_the_cause():
        walk_trees(migration)
        migration.stop.raise_if_stopped()
    checkpoint.end_pass(pass_id, PassState.INCOMPLETE, summary={}, worker=migration.worker)

"""Migration: a plan with all that it needs held open, each part by its name. Decides nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from connectors.box.destination import BoxDestination
from connectors.box.types import Account, BoxFolder
from connectors.entry import Entry
from connectors.errors import ConnectorError
from connectors.source import Source
from connectors.tracing import Attributes
from flows.plan.connections import box_config, open_box, open_checkpoint, open_share
from flows.plan.filters import FilterRules
from flows.plan.model import MigrationPlan
from flows.plan.origin import begin_plan, require_account
from flows.plan.rules import PlanRules
from flows.plan.spelling import as_the_share_spells
from flows.run.ahead import Room
from flows.run.allotment import Alarm, Allotment
from flows.run.bandwidth import bandwidth_of
from flows.run.claims import Claims, batch_items
from flows.run.forecast import uploads_per_minute
from flows.run.heartbeat import CallCounts, heartbeat
from flows.run.in_flight import InFlight
from flows.run.leases import Budgets, Part, outlast_inventory, register, uploading_identities
from flows.run.progress import Progress
from flows.run.recording import ResultRecorder
from flows.run.root_guard import RootGuard
from flows.run.sampling import Sampling
from flows.run.senders import Senders
from flows.run.stop import StopSignal
from flows.sharing.access import Access
from flows.sharing.editors import TreeEditors
from flows.transfer.folders import BoxFolders
from flows.transfer.places import Places
from flows.transfer.quick import QuickLook
from flows.transfer.roots import Roots
from state.checkpoint import Checkpoint
from state.errors import StateError
from state.records import ClaimedItem, FolderNode, TreeRecord, WorkerLease
from state.statuses import EventKind, TreeState

#: Trees of one batch that its span names.
TREES_NAMED = 10


@dataclass(kw_only=True)
class Migration:
    """What walking, sending and completing share: the parts of this process, and the pass that it works on.

    Made by open_migration(). The parts are safe for many threads; pass and trees change only where a pass begins.
    """

    plan: MigrationPlan
    part: Part
    plan_id: int
    worker: WorkerLease

    checkpoint: Checkpoint
    source: Source
    box: BoxDestination
    #: The service account.
    account: Account
    #: The landing folder; None for the account's own root.
    landing: BoxFolder | None

    stop: StopSignal
    guard: RootGuard
    claims: Claims
    folders: BoxFolders
    places: Places
    editors: TreeEditors
    access: Access
    recorder: ResultRecorder
    in_flight: InFlight
    progress: Progress
    call_counts: CallCounts
    senders: Senders
    #: Those who list folders in Box, as many at once as pays: the connections of their threads outlive a tree.
    listers: Senders
    #: For the small files of all batches that are read ahead of their senders.
    room_ahead: Room
    #: Why the plan's rules leave an entry out; None for what moves.
    excluded: Callable[[Entry], str | None]
    #: Digest of those rules.
    rules: str
    #: The service account and the identities: what one of them made in Box is ours.
    our_user_ids: frozenset[str]

    #: Tells people that so much of the month's calls is used up; None where nobody listens.
    alarm: Alarm | None = None
    #: Waits for what was told to leave, and for what is then written down; the checkpoint is open until then.
    let_notices_leave: Callable[[], object] = lambda: None
    #: Tells people a line about this run: Notices.tell.
    tell: Callable[..., object] = lambda tone, text, sent=None: None

    pass_id: int = 0
    #: The trees that this run moves.
    trees: list[TreeRecord] = field(default_factory=list)
    #: Their root folders by the trees' ids.
    root_folder_ids: dict[int, int] = field(default_factory=dict)
    #: Their names by the same.
    tree_names: dict[int, str] = field(default_factory=dict)
    #: Trees of the plan that an earlier run began and did not complete, and whose folders are away in this one.
    away: list[TreeRecord] = field(default_factory=list)
    #: Trees of the plan that this run leaves alone.
    not_chosen: list[TreeRecord] = field(default_factory=list)
    #: Those that are no folder of the share but the files at its top.
    files_only_trees: frozenset[int] = frozenset()
    #: True when a folder that an earlier run filled, and that this checkpoint does not know, may be a tree's.
    adopts_trees: bool = False
    #: True for a pass that changes nothing in Box.
    is_dry: bool = False
    #: True when what moved in the source is moved in Box.
    follows_moves: bool = False
    #: True when what the walk finds unchanged is read all the same, and compared with what Box has of it.
    reads_all: bool = False
    #: Why trees that are closed are moved again; None: they are not.
    reopens: str | None = None
    #: Nobody is let in by this run: trees of which everything has arrived end as verified.
    holds_people: bool = False
    #: What a quick pass looks at; None: a whole pass.
    quick: QuickLook | None = None
    #: What of the trees this run sends; the rest stays pending. None: all of it.
    filters: FilterRules | None = None
    #: Told what each folder lists, or why it lists nothing, by whoever counts while a walk goes on.
    look: Callable[[FolderNode, list[Entry] | ConnectorError], object] = lambda folder, listing: None
    #: Ways of sending that Box refuses whatever is sent, with what is said of each.
    refused_ways: dict[str, str] = field(default_factory=dict)
    #: By tree, how often Box's listing differed from the checkpoint in this run.
    mismatches: Counter[int] = field(default_factory=Counter)
    #: Folders that look emptied, by their ids: the end of the walk says whether what they held was moved.
    emptied: dict[int, FolderNode] = field(default_factory=dict)
    #: Rows of files that a run which was ended left aside, and whose places in their folders others have by now.
    displaced: set[int] = field(default_factory=set)
    #: Set while a walk may still find something.
    walking: threading.Event = field(default_factory=threading.Event)

    @property
    def tree_ids(self) -> list[int]:
        """Ids of the trees that this run moves."""
        return [tree.id for tree in self.trees]

    def take_up(self, pass_id: int, trees: Sequence[TreeRecord]) -> None:
        """Work on these trees in this pass from now on."""
        self.pass_id, self.trees = pass_id, list(trees)
        self.root_folder_ids = {tree.id: tree.root_folder_id for tree in trees}
        self.tree_names = {tree.id: tree.name for tree in trees}
        self.claims.take_up(pass_id, self.tree_ids)
        self.guard.take_up(trees)

    def trees_of(self, found: Iterable[ClaimedItem | FolderNode]) -> Attributes:
        """What a span says of the trees that these are of; all of them together may be many."""
        names = sorted({self.tree_names.get(each.tree_id, "") for each in found})
        return {"boxhaul.tree": names[0]} if len(names) == 1 else {"boxhaul.trees": names[:TREES_NAMED]}

    def trees_away(self) -> list[TreeRecord]:
        """Read the trees again whose folders are away, and return those that are not complete."""
        return [
            tree
            for each in self.away
            if (tree := self.checkpoint.tree(each.id)).state is not TreeState.COMPLETE
        ]

    def refresh_trees(self) -> list[TreeRecord]:
        """Read the trees of this run again and return them as the checkpoint has them now."""
        now = {tree.id: tree for tree in self.checkpoint.trees(self.plan_id)}
        self.trees = [now[tree.id] for tree in self.trees]
        return self.trees

    def record_event(
        self, kind: EventKind, detail: Mapping[str, Any], *, tree: TreeRecord | None = None
    ) -> None:
        """Write an event that the report will show."""
        self.checkpoint.record_event(self.plan_id, kind, detail, tree_id=tree.id if tree else None)

    def close(self) -> None:
        """Let what is in flight end, commit its results, write down the calls made."""
        self.stop.set()
        self.senders.shutdown()
        self.listers.shutdown()
        self.recorder.close()
        self.call_counts.save()


@contextmanager
def open_migration(
    plan: MigrationPlan, *, part: Part = Part.ALONE, account_id: str = "", name: str = "", anew: bool = False
) -> Iterator[Migration]:
    """Open everything, the cheapest first to fail; close it in reverse whatever happens.

    `account_id`: the service account, so that a process that only sends need not ask Box. `name`: of the lease.
    `anew`: where the checkpoint speaks of another Box, share or tree, that is set aside in place of a PlanError.
    Raises PlanError, StateError (LeaseHeld: somebody else runs this plan) or FatalError, each one clear line.
    """
    stop = StopSignal()
    with ExitStack() as stack:
        checkpoint = stack.enter_context(closing(open_checkpoint(plan, create=True)))
        source = stack.enter_context(closing(open_share(plan)))
        source.stop_with(stop.event)
        auth = box_config(plan).auth
        plan_id = begin_plan(checkpoint, plan, source_url=source.display_url, auth=auth, anew=anew)
        plan = as_the_share_spells(plan, source)
        worker = register(checkpoint, plan_id, name=name)
        stack.callback(checkpoint.release_worker, worker)
        outlast_inventory(checkpoint, worker, stop.event)
        budgets = Budgets(checkpoint, worker, stop.event)
        box: BoxDestination = stack.enter_context(
            open_box(
                plan,
                stop=stop.event,
                uploading=uploading_identities(part, plan, checkpoint, worker),
                borrow=lambda identity: budgets.borrow(box, identity),
                bandwidth=bandwidth_of(plan, plan_id, checkpoint, stop.event),
            )
        )
        stack.callback(budgets.release)
        for identity in box.uploading:
            budgets.take(box, identity)
        landing: BoxFolder | None = None
        if part is Part.SENDING:
            account = Account(id=account_id, login="", name="") if account_id else box.whoami()
        else:
            account = require_account(checkpoint, plan, box.whoami())
            budgets.take(box, account.id)
            landing = _known_landing(plan, checkpoint, plan_id, box, account)
        migration = assemble(
            plan, part, plan_id, worker, checkpoint, source, box, account=account, landing=landing, stop=stop
        )
        migration.adopts_trees = anew
        sampling = Sampling(checkpoint, worker, box)
        stack.callback(sampling.end)
        allotment = stack.enter_context(_watched_allotment(migration)) if part is not Part.SENDING else None
        stack.callback(migration.close)
        stack.enter_context(heartbeat(checkpoint, worker, migration.call_counts, sampling, stop, allotment))
        yield migration


def _known_landing(
    plan: MigrationPlan, checkpoint: Checkpoint, plan_id: int, box: BoxDestination, account: Account
) -> BoxFolder | None:
    """The landing folder, whose owner is written down; None for the account's own root."""
    landing = box.landing_folder() if plan.box.landing_folder_id != "0" else None
    checkpoint.record_owner(plan_id, (landing.owner_login if landing else None) or account.login)
    return landing


@contextmanager
def _watched_allotment(migration: Migration) -> Iterator[Allotment]:
    allotment = Allotment(
        migration.checkpoint, migration.plan_id, migration.plan.box, lambda: migration.alarm
    )
    allotment.begin()
    try:
        yield allotment
    finally:
        _last_look(allotment)
        migration.let_notices_leave()


def _last_look(allotment: Allotment) -> None:
    """A checkpoint that is away says so elsewhere."""
    with suppress(StateError):
        allotment.look()


def assemble(
    plan: MigrationPlan,
    part: Part,
    plan_id: int,
    worker: WorkerLease,
    checkpoint: Checkpoint,
    source: Source,
    box: BoxDestination,
    *,
    account: Account,
    landing: BoxFolder | None,
    stop: StopSignal,
) -> Migration:
    """Put the parts together, once all connections are open."""
    our_user_ids = frozenset({account.id, *box.identities})
    rules = PlanRules(plan)
    budgets = max(1, len(box.identities)) + (part is Part.CONDUCTING)
    progress = Progress(uploads_per_minute=uploads_per_minute(plan.box, budgets))
    editors = TreeEditors(checkpoint, box)
    access = Access(plan, plan_id, checkpoint, box, editors, worker)
    return Migration(
        plan=plan,
        part=part,
        plan_id=plan_id,
        worker=worker,
        checkpoint=checkpoint,
        source=source,
        box=box,
        account=account,
        landing=landing,
        stop=stop,
        guard=RootGuard(checkpoint, source, may_be_empty=plan.source.may_be_empty),
        claims=_claims(plan, part, checkpoint, worker),
        folders=_folders(access, part, worker, our_user_ids, stop),
        places=Places(box, lambda: _roots_in_box(checkpoint, plan_id)),
        editors=editors,
        access=access,
        recorder=ResultRecorder(
            checkpoint, worker, progress, max_attempts=plan.transfer.max_attempts, on_error=stop.fail
        ),
        in_flight=InFlight(stop),
        progress=progress,
        call_counts=CallCounts(checkpoint, plan_id, box, progress),
        senders=Senders(plan.transfer.threads * max(1, len(box.uploading))),
        listers=Senders(plan.transfer.threads, name="lister"),
        room_ahead=Room(),
        excluded=rules.reason,
        rules=rules.digest,
        our_user_ids=our_user_ids,
    )


def _roots_in_box(checkpoint: Checkpoint, plan_id: int) -> list[str]:
    return [tree.box_folder_id for tree in checkpoint.trees(plan_id) if tree.box_folder_id]


def _claims(plan: MigrationPlan, part: Part, checkpoint: Checkpoint, worker: WorkerLease) -> Claims:
    return Claims(
        checkpoint,
        worker,
        batch_items=batch_items(plan, part),
        batch_bytes=plan.transfer.batch_bytes,
        is_shared=part is Part.CONDUCTING,
    )


def _folders(
    access: Access, part: Part, worker: WorkerLease, our_user_ids: frozenset[str], stop: StopSignal
) -> BoxFolders:
    landing_folder_id = access.plan.box.landing_folder_id
    return BoxFolders(
        access.checkpoint,
        access.box,
        worker,
        plan_id=access.plan_id,
        landing_folder_id=landing_folder_id,
        roots=Roots(access, our_user_ids=our_user_ids),
        stop=stop.event,
        makes=part is not Part.SENDING,
    )

"""OpenPlan: a plan with all that it needs held open: checkpoint, share, Box, lease, writer, stop. Decides nothing."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from connectors.box.config import BlockAuthConfig, BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.types import Account, BoxFolder, Collaboration
from connectors.entry import Entry, moves_as_folder
from connectors.errors import ConnectorError, FatalError, ItemError, ShareEmptied, ShareUnreachable, Stopped
from connectors.source import Source, SourceFile
from connectors.sources.registry import open_source
from flows.analysis.coverage import uncovered
from flows.errors import Interrupted, PlanError
from flows.plan.exclude import ExcludeRules
from flows.plan.model import MigrationPlan, TreePlan
from flows.plan.references import expand_all, reveal, reveal_all
from flows.reading import StoppableFile
from flows.run.progress import Progress
from flows.run.recording import ResultRecorder
from flows.sharing.access import Access
from flows.sharing.editors import TreeEditors
from flows.transfer.folders import BoxFolders
from flows.transfer.trees import taken_over, tree_specs
from state.checkpoint import Checkpoint
from state.errors import LeaseHeld
from state.records import BudgetBlock, ClaimedItem, CollaboratorSpec, TreeRecord, TreeSpec, WorkerLease
from state.statuses import EventKind, IncompleteReason

log = logging.getLogger(__name__)

#: A dead worker on another machine holds its claims this long; on the same machine its end is seen at once.
LEASE_SECONDS = 60.0

#: The calls made are written down this often: what a kill can hide from the books.
BOOKS_SECONDS = 1.0

#: Of so many of those moments one prolongs the lease.
HEARTBEAT_EVERY = 5

#: Seconds between looks at a lease whose holder may have died.
LOOK_SECONDS = 2.0

#: A batch lasts at most this long under Box's limit where several processes share the work.
SHARED_BATCH_MINUTES = 4


class Part(StrEnum):
    """What a process does of a plan."""

    #: Everything, with every identity's budget.
    ALONE = "alone"
    #: Everything but uploading as the identities, which other processes hold.
    CONDUCTING = "conducting"
    #: Nothing but uploading, as one identity.
    SENDING = "sending"


class OpenPlan:
    """What walking, sending and completing share. Made by open_plan(); safe for many threads."""

    def __init__(
        self,
        plan: MigrationPlan,
        *,
        plan_id: int,
        checkpoint: Checkpoint,
        source: Source,
        box: BoxDestination,
        account: Account,
        landing: BoxFolder | None,
        worker: WorkerLease,
        stop: threading.Event,
        part: Part = Part.ALONE,
    ) -> None:
        self.plan = plan
        self.part = part
        self.plan_id = plan_id
        self.checkpoint = checkpoint
        self.source = source
        self.box = box
        self.account = account
        #: The landing folder; None for the account's own root.
        self.landing = landing
        self.worker = worker
        self.pass_id = 0
        self.trees: list[TreeRecord] = []
        self.files_only_trees: frozenset[int] = frozenset()
        self.excluded = ExcludeRules(plan.exclude).reason
        self.our_user_ids = frozenset({account.id, *box.identities})
        budgets = max(1, len(box.identities)) + (part is Part.CONDUCTING)
        self.progress = Progress(uploads_per_minute=plan.box.limits.uploads_per_minute * budgets)
        threads = plan.transfer.threads * max(1, len(box.uploading))
        self.senders = ThreadPoolExecutor(threads, thread_name_prefix="sender")
        self.recorder = ResultRecorder(
            checkpoint, worker, self.progress, max_attempts=plan.transfer.max_attempts, on_error=self.fail
        )
        self.editors = TreeEditors(checkpoint, box)
        self.sharing = Access(plan, plan_id, checkpoint, box, self.editors)
        self.folders = BoxFolders(
            checkpoint,
            box,
            worker,
            plan_id=plan_id,
            landing_folder_id=plan.box.landing_folder_id,
            stop=stop,
            in_plan=self._is_in_plan,
            makes=part is not Part.SENDING,
        )
        self._stop = stop
        self._walking = threading.Event()
        self._error: BaseException | None = None
        self._calls_saved: dict[str, int] = {}
        self._books = threading.Lock()
        #: Trees whose files the rules of this pass let through.
        self._fit: set[int] = set()
        #: An entry that the folder listed at which a tree begins.
        self._witnesses: dict[int, Entry] = {}
        self._looking = threading.Lock()

    # --- trees ---

    @property
    def tree_ids(self) -> list[int]:
        """Ids of the trees that this run moves."""
        return [tree.id for tree in self.trees]

    def begin(self, *, kind: str, only: Sequence[str] = ()) -> None:
        """Find the plan's trees, begin or continue its pass; those that `only` leaves out are written down, no more.

        PlanError when `only` names an unknown tree, ShareEmptied when there is nothing where trees were.
        """
        known = self.checkpoint.trees(self.plan_id)
        specs = tree_specs(self.plan, self.source, known)
        if not specs:
            self.root_lists(known, "", [])
        moving = _chosen(specs, only)
        trees = self.checkpoint.ensure_trees(self.plan_id, specs, moving=moving)
        if not self.plan.trees:
            for tree in taken_over(known, specs):
                self.checkpoint.record_tree_taken_over(tree.id)
        self.trees = [tree for tree in trees if tree.name in moving]
        self.files_only_trees = frozenset(
            tree.id for tree in self.trees if tree.source == "" and not self.plan.trees
        )
        self.folders.know_trees(self.trees)
        for tree in trees:
            if tree.name in moving or tree.incomplete_reason is IncompleteReason.NOT_BEGUN:
                self.checkpoint.ensure_collaborations(tree.id, self.collaborator_specs(tree))
        self._record_what_is_left_out()
        rules = ExcludeRules(self.plan.exclude).digest
        self.pass_id = self.checkpoint.begin_pass(self.plan_id, kind=kind, rules=rules)
        self.progress.start_from([self.checkpoint.tree_report(tree.id).files for tree in self.trees])

    def _record_what_is_left_out(self) -> None:
        if self.plan.trees:
            roots = [tree.source for tree in self.plan.trees]
            with suppress(Stopped):
                self.record_event(
                    EventKind.NOT_COVERED, uncovered(self.source, roots, self.excluded).document()
                )

    def join(self) -> bool:
        """Look at the pass that another process conducts; False when there is none any more.

        Only trees count that whoever conducts moves and has let the uploaders into.
        """
        pass_id = self.checkpoint.current_pass(self.plan_id)
        if pass_id is None or self.pass_id not in (0, pass_id):
            return False
        self.pass_id = pass_id
        ours = self.checkpoint.opened_trees(pass_id)
        self.trees = [
            tree
            for tree in self.checkpoint.trees(self.plan_id)
            if tree.id in ours and tree.box_folder_id and not tree.verified
        ]
        return True

    def refresh_trees(self) -> list[TreeRecord]:
        """The trees of this run as the checkpoint has them now."""
        now = {tree.id: tree for tree in self.checkpoint.trees(self.plan_id)}
        self.trees = [now[tree.id] for tree in self.trees]
        return self.trees

    def tree_plan(self, tree: TreeRecord) -> TreePlan:
        """What the plan says of this tree."""
        return self.sharing.tree_plan(tree)

    def collaborator_specs(self, tree: TreeRecord) -> list[CollaboratorSpec]:
        """The people of this tree as the checkpoint keeps them."""
        return self.sharing.specs(tree)

    def let_uploaders_in(self, tree_id: int) -> None:
        """Before a file of this tree is sent: the uploader app users may write into its folder."""
        if self.box.identities and self.part is not Part.SENDING:
            root = next(tree.root_folder_id for tree in self.trees if tree.id == tree_id)
            self.editors.let_in(tree_id, self.folders.box_id(root))

    def _is_in_plan(self, tree: TreeRecord, grant: Collaboration) -> bool:
        known = {
            value.casefold()
            for value in (
                grant.accessible_by_login,
                grant.invite_email,
                grant.accessible_by_name,
                grant.accessible_by_id,
            )
            if value
        }
        ours = self.our_user_ids & {grant.accessible_by_id or ""}
        wanted = {
            value.casefold()
            for person in self.tree_plan(tree).collaborators
            for value in (person.login, person.user_id, person.group, person.group_id, person.app_user)
            if value
        }
        return bool(ours or known & wanted)

    # --- walking and sending ---

    def begin_walk(self) -> None:
        """A walk is under way from now on."""
        self._walking.set()

    def end_walk(self) -> None:
        """The walk has ended, one way or another."""
        self._walking.clear()

    def walk_is_over(self) -> bool:
        """True when the walk finds nothing more."""
        return not self._walking.is_set()

    def claim_batch(self, *, attempts_at_most: int | None) -> list[ClaimedItem]:
        """The next files to send, leased to this process; those that failed more often wait."""
        return self.checkpoint.claim_batch(
            self.worker,
            tree_ids=self._fit_to_send(),
            max_items=self._batch_items(),
            max_bytes=self.plan.transfer.batch_bytes,
            attempts_at_most=attempts_at_most,
        )

    def _batch_items(self) -> int:
        """Where several processes send, no more than some minutes of one identity's limit: the end comes together."""
        wanted = self.plan.transfer.batch_items
        limit = self.plan.box.limits.uploads_per_minute * SHARED_BATCH_MINUTES
        return wanted if self.part is Part.ALONE else min(wanted, limit)

    def has_pending_files(self) -> bool:
        """True while any file that may be sent is neither settled nor failed, whoever holds it."""
        return self.checkpoint.has_pending_files(self._fit_to_send())

    def _fit_to_send(self) -> list[int]:
        """The trees of this run; after a change of the exclude rules each waits until it is walked by them."""
        unknown = [tree_id for tree_id in self.tree_ids if tree_id not in self._fit]
        if unknown:
            self._fit.update(self.checkpoint.trees_fit_to_send(self.pass_id, unknown))
        return [tree_id for tree_id in self.tree_ids if tree_id in self._fit]

    def tree_has_arrived(self, tree: TreeRecord) -> bool:
        """True when the tree is walked and none of its files is pending; folders may still be missing."""
        return self.checkpoint.walk_is_done(self.pass_id, tree.id) and not self.checkpoint.has_pending_files(
            [tree.id]
        )

    # --- reading ---

    def open_file(self, path: str) -> SourceFile:
        """Open a file of the share so that reading ends soon after somebody says stop."""
        return StoppableFile(self.source.open(path), self._stop)

    def require_root(self, tree_id: int) -> None:
        """Before something of this tree is blamed or missed: ShareUnreachable when the root of the share is gone, and
        ShareEmptied when that of the tree lists nothing all of a sudden."""
        try:
            self.source.stat("")
        except (FatalError, Stopped):
            raise
        except ConnectorError as exc:
            raise ShareUnreachable(f"{self.source.display_url}: {exc}") from exc
        tree = next((tree for tree in self.trees if tree.id == tree_id), None)
        if tree is None:
            return
        if self._witness_is_there(tree):
            return
        with self._looking:  # one lists, and the others that miss something wait for what it sees
            if not self._witness_is_there(tree):
                with suppress(ItemError):  # the walk records what is wrong with it
                    self.root_lists([tree], tree.source, self.source.list_folder(tree.source))

    def root_lists(self, trees: Sequence[TreeRecord], path: str, listing: Sequence[Entry]) -> None:
        """What the folder that these trees begin at lists: ShareEmptied for nothing, where entries were before."""
        if listing:
            self._witnesses |= {tree.id: next(filter(moves_as_folder, listing), listing[0]) for tree in trees}
            return
        entries = sum(self.checkpoint.tree_report(tree.id).items.total for tree in trees)
        if entries and not self.plan.source.may_be_empty:
            raise ShareEmptied(
                f"{f'{self.source.display_url}/{path}'.rstrip('/')} lists nothing, but had {entries:,} "
                f"{'entry' if entries == 1 else 'entries'} before; is its disk mounted? Nothing was taken for deleted. "
                "If it really was emptied, say so in the plan: source: {may_be_empty: true}"
            )

    def _witness_is_there(self, tree: TreeRecord) -> bool:
        """Cheaper than a listing: a folder of 100,000 entries is not read again for each that is missed."""
        witness = self._witnesses.get(tree.id)
        if witness is None:
            return False
        try:
            self.source.stat(witness.path)
        except ItemError:
            return False
        return True

    # --- stopping ---

    def stopping(self) -> bool:
        """True when nothing new should begin."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Begin nothing new; what is in flight ends or is parked."""
        self._stop.set()

    def fail(self, error: BaseException) -> None:
        """Something stops the whole run: the first such error is the one that is told."""
        if self._error is None:
            self._error = error
        self._stop.set()

    def raise_if_stopped(self) -> None:
        """Raise what stopped the run: the fatal error, or Interrupted."""
        if self._error is not None:
            raise self._error
        if self._stop.is_set():
            raise Interrupted

    @contextmanager
    def telling_the_cause(self) -> Iterator[None]:
        """A call that ended early only noticed the stop: what stopped the run is raised in its place."""
        try:
            yield
        except (Stopped, Interrupted):
            self.raise_if_stopped()
            raise

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a stop."""
        self._stop.wait(seconds)

    def park(self, item: ClaimedItem) -> None:
        """Give a claimed file back untouched."""
        self.checkpoint.release_claims(self.worker, [item.id])

    # --- keeping books ---

    def record_event(
        self, kind: EventKind, detail: Mapping[str, Any], *, tree: TreeRecord | None = None
    ) -> None:
        """Write an event that the report will show."""
        self.checkpoint.record_event(self.plan_id, kind, detail, tree_id=tree.id if tree else None)

    def save_call_counts(self) -> None:
        """Add the calls made since the last time to the plan's books."""
        with self._books:
            counts = self.box.call_counts()
            new = {route: count - self._calls_saved.get(route, 0) for route, count in counts.items()}
            new = {route: count for route, count in new.items() if count}
            self.checkpoint.add_call_counts(self.plan_id, new)
            self._calls_saved = counts
        statistics = self.box.statistics()
        self.progress.called(
            calls=statistics.calls, rate_limited=statistics.rate_limited, bytes_sent=statistics.bytes_sent
        )

    def close(self) -> None:
        """Let what is in flight end, commit its results, give back what is claimed."""
        self._stop.set()
        self.senders.shutdown(wait=True, cancel_futures=True)
        self.recorder.close()
        self.save_call_counts()


@contextmanager
def open_plan(
    plan: MigrationPlan, *, part: Part = Part.ALONE, account_id: str = "", name: str = ""
) -> Iterator[OpenPlan]:
    """Open everything, the cheapest first to fail; close it in reverse whatever happens.

    `account_id`: the service account, so that a process that only sends need not ask Box. `name`: of the lease.
    Raises PlanError, StateError (LeaseHeld: somebody else runs this plan) or FatalError, each one clear line.
    """
    stop = threading.Event()
    with ExitStack() as stack:
        checkpoint = stack.enter_context(closing(Checkpoint.open(plan.resolved_state_url())))
        source = stack.enter_context(closing(connect_source(plan)))
        source.stop_with(stop)
        plan_id = checkpoint.ensure_plan(
            name=plan.name, source_url=source.display_url, landing_folder_id=plan.box.landing_folder_id
        )
        worker = checkpoint.register_worker(plan_id, name=name or worker_name(), lease_seconds=LEASE_SECONDS)
        stack.callback(checkpoint.release_worker, worker)

        def lease(identity: str) -> None:
            lease_budget(checkpoint, worker, box, identity)
            stack.callback(checkpoint.release_identity, worker, identity)

        def borrow(identity: str) -> None:
            try:
                lease(identity)
            except LeaseHeld as exc:
                raise Stopped(str(exc)) from exc  # the file is left for whoever holds that identity

        uploading = _uploading(part, plan, checkpoint, worker)
        box = stack.enter_context(open_box(plan, stop=stop, uploading=uploading, borrow=borrow))
        for identity in box.uploading:
            lease_or_outlast(partial(lease, identity), checkpoint, worker, stop)
        landing: BoxFolder | None = None
        if part is Part.SENDING:
            account = Account(id=account_id, login="", name="") if account_id else box.whoami()
        else:
            account = box.whoami()
            lease_or_outlast(partial(lease, account.id), checkpoint, worker, stop)
            landing = box.landing_folder() if plan.box.landing_folder_id != "0" else None
            checkpoint.record_owner(plan_id, (landing.owner_login if landing else None) or account.login)
        opened = OpenPlan(
            plan,
            plan_id=plan_id,
            checkpoint=checkpoint,
            source=source,
            box=box,
            account=account,
            landing=landing,
            worker=worker,
            stop=stop,
            part=part,
        )
        stack.callback(opened.close)
        stack.enter_context(_timekeeper(opened))
        yield opened


def connect_source(plan: MigrationPlan) -> Source:
    """The plan's share, proven to answer. AuthenticationFailed, ShareUnreachable or PlanError otherwise."""
    source = unopened_source(plan)
    try:
        source.connect()
    except BaseException:
        source.close()
        raise
    return source


def unopened_source(plan: MigrationPlan) -> Source:
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
) -> BoxDestination:
    """The plan's Box, with its secrets filled in. Sends nothing yet."""
    try:
        return BoxDestination(
            box_config(plan), base_dir=Path(plan.base_dir), stop=stop, uploading=uploading, borrow=borrow
        )
    except (ValueError, OSError) as exc:
        raise PlanError(f"box.auth: {exc}") from exc


def _chosen(specs: Sequence[TreeSpec], only: Sequence[str]) -> set[str]:
    """Names of the trees that move. PlanError, with the ones there are, for each of `only` that is none."""
    unknown = [name for name in only if not any(name in (spec.name, spec.source) for spec in specs)]
    if unknown or not specs:
        names = ", ".join(spec.name for spec in specs) or "none, the source has no folder"
        fault = f"there is no tree {', '.join(map(repr, unknown))}" if unknown else "nothing to move"
        raise PlanError(f"trees: {fault}; the plan's trees are: {names}")
    return {spec.name for spec in specs if not only or spec.name in only or spec.source in only}


def worker_name() -> str:
    """Who works, for people: machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _uploading(
    part: Part, plan: MigrationPlan, checkpoint: Checkpoint, worker: WorkerLease
) -> Sequence[str] | None:
    """The identities that upload in this process: all, none, or the first one that nobody holds."""
    if part is Part.ALONE:
        return None
    if part is Part.CONDUCTING:
        return ()
    held: LeaseHeld | None = None
    for identity in plan.box.identities:
        try:
            checkpoint.lease_identity(worker, identity)
        except LeaseHeld as exc:
            held = exc
            continue
        return (identity,)
    raise held or PlanError(
        "box.identities: more than one process needs identities to upload as; there are none"
    )


def lease_or_outlast(
    lease: Callable[[], None], checkpoint: Checkpoint, worker: WorkerLease, stop: threading.Event
) -> None:
    """Lease, and wait for the lease of a holder that died where this process cannot see it: another machine, another
    container. LeaseHeld at once when the holder is seen to live, in seconds when it prolongs its lease.

    A run that goes on after a crash begins again before that lease ends.
    """
    first: LeaseHeld | None = None
    for _ in range(int(LEASE_SECONDS / LOOK_SECONDS) + 3):
        try:
            return lease()
        except LeaseHeld as exc:
            if exc.lives or (first is not None and exc.lease_until != first.lease_until):
                raise
            if first is None:
                log.warning("%s; waiting at most %.0f s in case it died", exc, LEASE_SECONDS)
                first = exc
        if stop.wait(LOOK_SECONDS):
            break
        checkpoint.heartbeat(worker)
    return lease()


def lease_budget(checkpoint: Checkpoint, worker: WorkerLease, box: BoxDestination, identity: str) -> None:
    """Hold this identity's budget alone, and go on where its last holder stopped (P10)."""
    earlier = checkpoint.lease_identity(worker, identity)

    def reserve(uploads: int, calls: int) -> None:
        block = BudgetBlock(reserved_at=datetime.now(UTC), uploads=uploads, calls=calls)
        checkpoint.reserve_budget(worker, identity, block)

    blocks = [(block.reserved_at, block.uploads, block.calls) for block in earlier]
    box.set_budget(identity, reserve=reserve, earlier_blocks=blocks)


@contextmanager
def _timekeeper(opened: OpenPlan) -> Iterator[None]:
    """Prolong the lease and keep the books while the run lasts; a lost lease stops it."""
    done = threading.Event()

    def keep() -> None:
        beat = itertools.count(1)
        while not done.wait(BOOKS_SECONDS):
            try:
                if next(beat) % HEARTBEAT_EVERY == 0:
                    opened.checkpoint.heartbeat(opened.worker)
                opened.save_call_counts()
            except Exception as exc:  # noqa: BLE001  whatever it is, nobody else hears of it in this thread
                opened.fail(exc)
                return

    thread = threading.Thread(target=keep, name="timekeeper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

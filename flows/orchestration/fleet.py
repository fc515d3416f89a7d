"""Fan-out: more processes that send, started over the work pool by the one that conducts. Claims and sends nothing.

Pull, not push: each process takes leased work from the checkpoint, so that it may come, die or be added at any time.
This one makes the folders, keeps the number of the others up, adds up what they have sent, and completes the trees.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.states import Cancelling

from connectors.errors import ItemError
from flows.errors import Interrupted, PlanError
from flows.orchestration.tasks import run_log
from flows.run.leases import LEASE_NAME
from flows.transfer.completing import create_missing_folders
from flows.transfer.migration import Migration
from flows.transfer.outcomes import Outcome, outcome_of
from flows.transfer.sending import let_uploaders_in
from flows.words import counted

#: The deployment whose runs send.
SENDERS = "send-share/worker"

#: Seconds between looks at the senders at first, and at most; a look is one API call.
LOOK_SECONDS, LONGEST_LOOK_SECONDS = 5.0, 60.0

#: A sender that has run so long without ever having a lease in the checkpoint is dead, whatever Prefect says of it.
OPENING_SECONDS = 120.0

#: One that had a lease and was seen without it so often is dead, too: its machine lost power.
LOOKS_MISSED = 2

#: Senders that fail again and again are started ever more rarely.
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 5.0, 300.0

#: Seconds between looks for folders that nobody has made yet.
FOLDERS_SECONDS = 0.5


def require_deployment() -> None:
    """PlanError where nothing could ever send for this run: the deployment of the senders is not there."""
    try:
        with get_client(sync_client=True) as client:
            client.read_deployment_by_name(SENDERS)
    except ObjectNotFound:
        raise PlanError(
            f"workers: Prefect has no deployment {SENDERS}, which would send; make it: boxhaul deploy PLAN"
        ) from None
    except (HTTPError, PrefectException) as exc:
        run_log().warning("the deployment of the senders cannot be looked up now: %s", type(exc).__name__)


@contextmanager
def fanned_out(migration: Migration, senders: int) -> Iterator[None]:
    """While the body lasts, keep so many other processes sending. Cancels them when the body is interrupted."""
    if senders <= 0 or FlowRunContext.get() is None:
        yield
        return
    let_everybody_in(migration)
    fleet = Fleet(migration, min(senders, len(migration.box.identities)))
    done = threading.Event()
    threads = [
        # Prefect finds the parent of a flow run in the context.
        threading.Thread(target=contextvars.copy_context().run, args=(step, done), name=name, daemon=True)
        for name, step in (("fleet", fleet.keep_up), ("folders", lambda done: make_folders(migration, done)))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    except BaseException:
        done.set()
        fleet.cancel()
        raise
    finally:
        done.set()
        for thread in threads:
            thread.join(timeout=10)


def let_everybody_in(migration: Migration) -> None:
    """Make each tree's folder and let the identities into it, before the first of them sends; they take no other."""
    inside = []
    for tree in migration.trees:
        try:
            migration.folders.box_id(tree.root_folder_id)
        except Exception as exc:
            if not isinstance(exc, ItemError) and outcome_of(exc) is not Outcome.FAILED:
                raise
            continue  # recorded, here or when the folders are made; the tree ends incomplete and says why
        let_uploaders_in(migration, tree.id)
        inside.append(tree.id)
    migration.checkpoint.open_trees(migration.pass_id, inside, worker=migration.worker)
    migration.refresh_trees()


def make_folders(migration: Migration, done: threading.Event) -> None:
    """Make every folder soon after the walk has found it: those who only send wait for them."""
    while not done.wait(FOLDERS_SECONDS) and not migration.stop.is_set():
        try:
            for tree in migration.trees:
                create_missing_folders(migration, tree)
        except Interrupted:
            return
        except Exception as exc:  # noqa: BLE001  it ends the run, not only this thread
            migration.stop.fail(exc)
            return


@dataclass
class Sender:
    """One place in the fleet and the flow run that fills it now."""

    number: int
    attempt: int = 0
    flow_run_id: UUID | None = None
    started: float = 0.0
    delay_seconds: float = 0.0
    had_lease: bool = False
    missed: int = 0


def to_start(senders: Sequence[Sender], empty: Sequence[Sender], alive: Collection[str]) -> Sequence[Sender]:
    """Which of the empty places want another flow run; `alive`: names of the leases that live.

    Whoever sends and was not started from here, for a conductor that is gone perhaps, fills a place as well: it holds
    an identity, and one more would find none free.
    """
    ours = tuple(f"{LEASE_NAME} {sender.flow_run_id}" for sender in senders if sender.flow_run_id)
    strangers = sum(name.startswith(LEASE_NAME) and not name.startswith(ours) for name in alive)
    return empty[: max(0, len(empty) - strangers)]


class Fleet:
    """Keeps a number of senders running; starts another one where one has died."""

    def __init__(
        self, migration: Migration, size: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        context = FlowRunContext.get()
        assert context is not None and context.flow_run is not None  # noqa: S101  fanned_out looked
        self._migration = migration
        self._clock = clock
        # A key gives back the run that it made, even one that failed: a new attempt needs a new key.
        self._key = f"{context.flow_run.id}-{context.flow_run.run_count}"
        self._senders = [Sender(number) for number in range(1, size + 1)]
        self._parameters = {
            "plan": migration.plan.model_dump(mode="json"),
            "account_id": migration.account.id,
        }

    def keep_up(self, done: threading.Event) -> None:
        """Look at the senders now and then until done."""
        pause = 0.0
        while not done.wait(pause):
            try:
                changed = self.look()
                self._add_up()
            except Exception as exc:  # noqa: BLE001  without Prefect those that run go on sending
                run_log().warning("the senders cannot be looked after now: %s", type(exc).__name__)
                changed = False
            pause = LOOK_SECONDS if changed else min(LONGEST_LOOK_SECONDS, max(LOOK_SECONDS, pause * 1.2))

    def look(self) -> bool:
        """Start what is missing; True when something changed."""
        runs = self._runs()
        alive = {worker.name for worker in self._migration.checkpoint.live_workers(self._migration.plan_id)}
        empty = [sender for sender in self._senders if self._is_empty(sender, runs, alive)]
        changed = False
        for sender in to_start(self._senders, empty, alive):
            changed = self._start(sender) or changed
        return changed

    def _is_empty(self, sender: Sender, runs: dict[UUID, FlowRun], alive: set[str]) -> bool:
        if sender.flow_run_id is None:
            return True
        run = runs.get(sender.flow_run_id)
        return run is not None and self._is_dead(sender, run, alive)

    def _runs(self) -> dict[UUID, FlowRun]:
        ids = [sender.flow_run_id for sender in self._senders if sender.flow_run_id is not None]
        if not ids:
            return {}
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)))
        return {run.id: run for run in found}

    def _is_dead(self, sender: Sender, run: FlowRun, alive: set[str]) -> bool:
        """Ended by its own word, or running by Prefect's and without a lease by ours (a machine that lost power)."""
        if run.state is None:
            return False
        if run.state.is_final():
            return True
        if not run.state.is_running():
            sender.started = self._clock()
            return False
        holds = any(name.startswith(f"{LEASE_NAME} {run.id}") for name in alive)
        if holds:
            sender.had_lease, sender.missed, sender.delay_seconds = True, 0, 0.0
            return False
        if sender.had_lease:
            sender.missed += 1
            return sender.missed >= LOOKS_MISSED
        return self._clock() - sender.started > OPENING_SECONDS

    def _start(self, sender: Sender) -> bool:
        if self._clock() - sender.started < sender.delay_seconds and sender.attempt:
            return False
        sender.attempt += 1
        sender.had_lease, sender.missed = False, 0
        sender.delay_seconds = min(LONGEST_DELAY_SECONDS, max(FIRST_DELAY_SECONDS, sender.delay_seconds * 2))
        started: Any = run_deployment(
            SENDERS,
            parameters=self._parameters,
            timeout=0,
            as_subflow=True,
            idempotency_key=f"{self._key}-{sender.number}-{sender.attempt}",
        )
        sender.flow_run_id, sender.started = started.id, self._clock()
        run_log().info("sender %d, start %d: %s", sender.number, sender.attempt, started.name)
        return True

    def _add_up(self) -> None:
        """What all of them have sent, from the checkpoint."""
        migration = self._migration
        reports = migration.checkpoint.tree_reports([tree.id for tree in migration.trees])
        migration.progress.catch_up(reports)

    def cancel(self) -> None:
        """Tell the senders to end; their work is free again at once."""
        for sender in self._senders:
            if sender.flow_run_id is None:
                continue
            try:
                with get_client(sync_client=True) as client:
                    client.set_flow_run_state(sender.flow_run_id, Cancelling())
            except Exception as exc:  # noqa: BLE001  it ends by itself once the pass is over
                run_log().warning("sender %d was not told to end: %s", sender.number, type(exc).__name__)
        run_log().info("%s told to end", counted(len(self._senders), "sender"))

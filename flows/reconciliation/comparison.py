"""Comparison: what the parts of a verification share; many jobs in flight, and few of them held."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from connectors.tracing import carried
from flows.reconciliation.differences import Difference, Ledger
from flows.run.stop import StopSignal
from flows.sharing.access import Access
from flows.sharing.own_files import OwnFiles
from state.records import TreeRecord

#: Jobs that wait for each thread, so that none is idle.
WAITING = 4


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A plan with its checkpoint and Box, the trees that are compared, and what comes of it."""

    access: Access
    trees: tuple[TreeRecord, ...]
    #: Every tree that the checkpoint has of the plan.
    all_trees: tuple[TreeRecord, ...]
    ledger: Ledger
    stop: StopSignal
    #: The dates in Box are compared as well.
    dates: bool = True
    #: Whom the plan names and nobody has let in yet is let in afterwards: no difference.
    lets_in: bool = False

    @cached_property
    def root_ids(self) -> frozenset[str]:
        """The folders in Box that are a tree's own."""
        return frozenset(tree.box_folder_id for tree in self.all_trees if tree.box_folder_id)

    @cached_property
    def own_files(self) -> OwnFiles:
        """Reports of the plan that were put into Box. What somebody wrote over one is not ours."""
        return OwnFiles(self.access.checkpoint, self.access.box, self.access.plan.checkpoint_name)

    @cached_property
    def tree_ids(self) -> frozenset[int]:
        """Ids of the trees that are compared."""
        return frozenset(tree.id for tree in self.trees)

    @property
    def threads(self) -> int:
        """Listings or files in flight at once; Box's limits are the pacer's business."""
        return self.access.plan.transfer.walk_threads

    def add(self, difference: Difference) -> None:
        """One more difference."""
        self.ledger.add(difference)

    def run(self, jobs: Iterable[Callable[[], None]]) -> None:
        """Run these, many at once, never holding more than a few of them per thread (P9). Raises what one raises."""
        with ThreadPoolExecutor(self.threads, thread_name_prefix="comparer") as pool:
            work = carried(self._unless_stopped)
            source, window = iter(jobs), set[Future[None]]()
            try:
                while True:
                    room = WAITING * self.threads - len(window)
                    window |= {pool.submit(work, job) for job in islice(source, room)}
                    if not window:
                        return
                    done, window = wait(window, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
                    self.stop.raise_if_stopped()
            except BaseException:
                self.stop.set()
                raise

    def _unless_stopped(self, job: Callable[[], None]) -> None:
        if not self.stop.is_set():
            job()

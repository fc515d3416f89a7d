"""Claims: which files this process sends next, and whether any are left. Sends nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from flows.plan.model import MigrationPlan
from flows.run.leases import Part
from state.checkpoint import Checkpoint
from state.records import ClaimedItem, TreeRecord, WorkerLease

#: A batch lasts at most this long under Box's limit where several processes share the work.
SHARED_BATCH_MINUTES = 4


def batch_items(plan: MigrationPlan, part: Part) -> int:
    """Return how many files a batch holds at most: where several processes send, no more than some minutes of one
    identity's limit, so that they end together."""
    wanted = plan.transfer.batch_items
    limit = plan.box.limits.uploads_per_minute * SHARED_BATCH_MINUTES
    return wanted if part is Part.ALONE else min(wanted, limit)


class Claims:
    """The files of one pass that wait to be sent. For the one thread that hands them out; give_back() for all."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        worker: WorkerLease,
        *,
        batch_items: int,
        batch_bytes: int,
        is_shared: bool = False,
    ) -> None:
        """`is_shared`: other processes send as well, and may set files aside."""
        self._checkpoint = checkpoint
        self._worker = worker
        self._batch_items = batch_items
        self._batch_bytes = batch_bytes
        self._is_shared = is_shared
        self._pass_id = 0
        self._tree_ids: list[int] = []
        #: Trees whose files the rules of this pass let through.
        self._fit: set[int] = set()
        #: Trees of which nothing is sent before the walk is over.
        self._held: frozenset[int] = frozenset()
        #: Whether a file is sent by this run; None: all are.
        self._chosen: Callable[[ClaimedItem], bool] | None = None
        self._stopping: Callable[[], bool] = lambda: False
        #: By tree, the files and the bytes that this run left out.
        self.left_out: tuple[Counter[int], Counter[int]] = Counter(), Counter()

    def take_up(self, pass_id: int, tree_ids: Sequence[int]) -> None:
        """Claim from these trees in this pass from now on."""
        self._pass_id, self._tree_ids = pass_id, list(tree_ids)

    def hold(self, tree_ids: Sequence[int]) -> None:
        """Claim nothing from these trees until this is said of others, or of none."""
        self._held = frozenset(tree_ids)

    def choose(self, chosen: Callable[[ClaimedItem], bool], stopping: Callable[[], bool]) -> None:
        """Hand out only these files from now on; the others stay pending, and nobody sends them during this run.

        Among millions of others some may be long in coming: none is looked for any more when `stopping` says so.
        """
        self._chosen, self._stopping = chosen, stopping

    @property
    def chosen(self) -> Callable[[ClaimedItem], bool] | None:
        """What choose() was given last; None: all files."""
        return self._chosen

    @property
    def held(self) -> list[int]:
        """The trees that hold() named last."""
        return sorted(self._held)

    def next_batch(self, *, attempts_at_most: int | None) -> list[ClaimedItem]:
        """Claim the next files to send, leased to this process; those that failed more often wait."""
        while True:
            claimed = self._checkpoint.claim_batch(
                self._worker,
                tree_ids=self._fit_to_send(),
                max_items=self._batch_items,
                max_bytes=self._batch_bytes,
                attempts_at_most=attempts_at_most,
            )
            if self._chosen is None or not claimed:
                return claimed
            batch = self._chosen_of(claimed, self._chosen)
            if batch or self._stopping():
                return batch

    def _chosen_of(
        self, claimed: Sequence[ClaimedItem], chosen: Callable[[ClaimedItem], bool]
    ) -> list[ClaimedItem]:
        batch, others = list[ClaimedItem](), list[ClaimedItem]()
        for item in claimed:
            (batch if chosen(item) else others).append(item)
        files, sizes = self.left_out
        for item in others:
            files[item.tree_id] += 1
            sizes[item.tree_id] += item.size
        self._checkpoint.set_aside(self._worker, [item.id for item in others])
        return batch

    def has_pending_files(self) -> bool:
        """Tell whether any file that may be sent is neither settled nor failed, whoever holds it; not what was set
        aside, which nobody sends during this run."""
        if self._chosen is not None or self._is_shared:
            return self._checkpoint.has_files_to_send(self._worker, self._fit_to_send())
        return self._checkpoint.has_pending_files(self._fit_to_send())

    def arrived(self, trees: Sequence[TreeRecord]) -> set[int]:
        """Return ids of those of these trees that are walked and have no pending file; folders may still be missing."""
        return set(self._checkpoint.arrived_trees(self._pass_id, [tree.id for tree in trees]))

    def give_back(self, item: ClaimedItem) -> None:
        """Give a claimed file back untouched."""
        self._checkpoint.release_claims(self._worker, [item.id])

    def _fit_to_send(self) -> list[int]:
        """The trees of this run; after a change of the exclude rules each waits until it is walked by them."""
        unknown = [tree_id for tree_id in self._tree_ids if tree_id not in self._fit]
        if unknown:
            self._fit.update(self._checkpoint.trees_fit_to_send(self._pass_id, unknown))
        return [tree_id for tree_id in self._tree_ids if tree_id in self._fit and tree_id not in self._held]

"""A verification from open to end: Box, then the share, then its bytes, each against the checkpoint. Changes neither.

What is written: the result as an event of the plan, the calls made, and the lease that holds the account's limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from connectors.source import Source
from connectors.tracing import span
from flows.errors import PlanError
from flows.plan.connections import known_plan, open_box, open_checkpoint, open_share
from flows.plan.model import MigrationPlan
from flows.plan.origin import require_account
from flows.plan.rules import PlanRules
from flows.plan.spelling import as_the_share_spells
from flows.reconciliation.at_source import compare_at_source, compare_top
from flows.reconciliation.comparison import Comparison
from flows.reconciliation.differences import Difference, DifferenceKind, Ledger
from flows.reconciliation.in_box import compare_in_box
from flows.reconciliation.people import compare_roots
from flows.reconciliation.reading import ReadAgain, read_again
from flows.run.forecast import uploads_per_minute
from flows.run.heartbeat import CallCounts, heartbeat
from flows.run.leases import Budgets, register
from flows.run.progress import Progress
from flows.run.sampling import Sampling
from flows.run.stop import StopSignal
from flows.sharing.access import Access
from flows.sharing.editors import TreeEditors
from flows.words import counted, normal_form
from state.records import TreeRecord
from state.statuses import EventKind


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How far a verification goes. Each way includes the one before: Box, then the source, then its bytes."""

    trees: Sequence[str] = ()
    source: bool = False
    deep: bool = False
    #: Of the files, how many are read again, up to 1.
    share: float = 1.0
    #: The dates in Box are compared as well.
    dates: bool = True
    #: Whom the plan names and nobody has let in yet is let in afterwards: no difference.
    lets_in: bool = False

    @property
    def mode(self) -> str:
        """box, source or deep."""
        return "deep" if self.deep else "source" if self.source else "box"


def verify_plan(plan: MigrationPlan, wanted: Wanted, ledger: Ledger) -> dict[str, Any]:
    """Compare, and return the document of `boxhaul verify --json`; the result is kept as an event of the plan.

    PlanError before the first run and for an unknown tree, LeaseHeld while a run uses the account.
    """
    with opened(plan, wanted, ledger) as comparison, comparison.stop.telling_the_cause():
        _tell_unsettled(comparison, whole=not wanted.trees)
        with span("compare with Box"):
            compare_in_box(comparison, compare_roots(comparison))
        read = _compare_with_share(comparison, wanted)
        comparison.stop.raise_if_stopped()
        document = document_of(comparison, wanted.mode, read)
        access = comparison.access
        access.checkpoint.record_event(access.plan_id, EventKind.RECONCILED, _kept(document))
    return document


@contextmanager
def opened(plan: MigrationPlan, wanted: Wanted, ledger: Ledger) -> Iterator[Comparison]:
    """Open checkpoint and Box and hold the account's limits alone, as a run does, while the body lasts (P10)."""
    stop = StopSignal()
    with ExitStack() as stack:
        checkpoint = stack.enter_context(closing(open_checkpoint(plan)))
        plan_id = known_plan(plan, checkpoint)
        trees = checkpoint.trees(plan_id)
        worker = register(checkpoint, plan_id)
        stack.callback(checkpoint.release_worker, worker)
        budgets = Budgets(checkpoint, worker, stop.event)
        box = stack.enter_context(open_box(plan, stop=stop.event, uploading=()))
        stack.callback(budgets.release)
        account = require_account(checkpoint, plan, box.whoami())
        budgets.take(box, account.id)
        progress = Progress(uploads_per_minute=uploads_per_minute(plan.box))
        counts = CallCounts(checkpoint, plan_id, box, progress)
        sampling = Sampling(checkpoint, worker, box)
        stack.callback(sampling.end)
        stack.callback(counts.save)
        stack.callback(stop.set)
        stack.enter_context(heartbeat(checkpoint, worker, counts, sampling, stop))
        access = Access(plan, plan_id, checkpoint, box, TreeEditors(checkpoint, box), worker)
        yield Comparison(
            access=access,
            trees=tuple(_chosen(access, trees, wanted.trees)),
            all_trees=tuple(trees),
            ledger=ledger,
            stop=stop,
            dates=wanted.dates,
            lets_in=wanted.lets_in,
        )


def _chosen(access: Access, trees: Sequence[TreeRecord], only: Sequence[str]) -> list[TreeRecord]:
    """The trees that the plan names, or those of them that were asked for."""
    ours = [tree for tree in trees if not access.plan.trees or access.tree_plan(tree) is not None]
    wanted = {normal_form(name) for name in only}
    unknown = wanted - {normal_form(tree.name) for tree in ours}
    if unknown:
        named = ", ".join(tree.name for tree in ours) or "none"
        raise PlanError(f"--tree: {sorted(unknown)[0]!r} is no tree that was begun; there are: {named}")
    return [tree for tree in ours if not only or normal_form(tree.name) in wanted]


def _tell_unsettled(comparison: Comparison, *, whole: bool) -> None:
    """What has not arrived by the checkpoint itself: one difference for each tree, whatever its size.

    A tree that was never proven counts, though nothing of it is open: half of it may not have been looked at. `whole`:
    all trees of the plan were asked for, those that no run has begun as well.
    """
    access, trees = comparison.access, comparison.trees
    kind = DifferenceKind.NOT_SETTLED
    for report in access.checkpoint.tree_reports([tree.id for tree in trees]):
        tree, counts = report.tree, report.items
        if counts.pending or counts.failed:
            open_ = f"{counted(counts.pending, 'entry', 'entries')} pending, {counts.failed:,} failed"
            detail = f"{open_}; see: boxhaul status"
            comparison.add(Difference(kind=kind, path=tree.source or tree.name, detail=detail))
        elif not tree.verified:
            why = tree.incomplete_reason.value if tree.incomplete_reason else "no run came to its end"
            detail = f"not proven yet: {why}; see: boxhaul status"
            comparison.add(Difference(kind=kind, path=tree.source or tree.name, detail=detail))
    begun = {(normal_form(tree.source), normal_form(tree.folder)) for tree in comparison.all_trees}
    for planned in access.plan.trees:
        if whole and (normal_form(planned.source), planned.box_path) not in begun:
            detail = "the plan names it, and no run has begun it"
            comparison.add(Difference(kind=kind, path=planned.source or planned.box_path, detail=detail))


def _compare_with_share(comparison: Comparison, wanted: Wanted) -> ReadAgain | None:
    if wanted.mode == "box":
        return None
    plan = comparison.access.plan
    with closing(open_share(plan)) as source:
        source.stop_with(comparison.stop.event)
        plan = as_the_share_spells(plan, source)
        comparison = replace(comparison, access=replace(comparison.access, plan=plan))
        return _look_at_share(comparison, source, wanted)


def _look_at_share(comparison: Comparison, source: Source, wanted: Wanted) -> ReadAgain | None:
    excluded = PlanRules(comparison.access.plan).reason
    # What is read anyway is changed when its bytes are.
    reads_all = wanted.deep and wanted.share >= 1
    with span("walk"):
        if not comparison.access.plan.trees and not wanted.trees:
            compare_top(comparison, source, excluded)
        compare_at_source(comparison, source, excluded, changes=not reads_all)
    if not wanted.deep:
        return None
    with span("read again"):
        return read_again(comparison, source, wanted.share)


def document_of(comparison: Comparison, mode: str, read: ReadAgain | None) -> dict[str, Any]:
    """Return the document of `boxhaul verify --json`."""
    ledger = comparison.ledger
    return {
        "plan": comparison.access.plan.name,
        "agrees": ledger.count == 0,
        "mode": mode,
        "trees": [tree.name for tree in comparison.trees],
        "checked": asdict(ledger.checked),
        "read_again": read.document() if read is not None else None,
        "difference_count": ledger.count,
        "by_kind": dict(sorted(ledger.by_kind.items())),
        "differences": [each.document() for each in ledger.first],
        "calls": comparison.access.box.call_counts(),
    }


def _kept(document: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint keeps of it: the sums, never a list that grows with the share."""
    read = document["read_again"]
    return {
        "mode": document["mode"],
        "agrees": document["agrees"],
        "trees": len(document["trees"]),
        "checked": document["checked"],
        "by_kind": document["by_kind"],
        "confidence": read["confidence"] if read else None,
    }

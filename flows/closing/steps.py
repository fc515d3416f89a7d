"""Steps: of a cutover, in their order; each is written down when it is done, and not done again after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from flows.errors import PlanError
from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.model import MigrationPlan
from flows.words import counted, normal_form, printable
from state.checkpoint import Checkpoint
from state.closing_records import ClosedTree, CutoverRecord
from state.records import TreeRecord
from state.statuses import CollaborationStatus, TreeState

#: Trees that a line names.
NAMED_TREES = 3

_NOT_IN = (CollaborationStatus.PLANNED, CollaborationStatus.FAILED)

#: After so long, what was looked at is proof of nothing any more: the cutover begins again.
GOES_ON_FOR = timedelta(hours=24)


class Step(StrEnum):
    """One step of a cutover."""

    #: The source stands still.
    FREEZE = "freeze"
    #: The last pass: everything is in Box, and nobody new is let in.
    PASS = "pass"  # noqa: S105
    #: Box, and the share, compared with what was sent.
    VERIFY = "verify"
    #: A person says that people may come in.
    APPROVE = "approve"
    PEOPLE = "people"
    REPORT = "report"
    CLOSE = "close"


@dataclass
class Cutover:
    """A cutover of one plan: which steps are done. Each method opens the checkpoint for a moment alone, since a pass
    and a verification hold the plan by themselves."""

    plan: MigrationPlan
    who: str
    say: Callable[[str], None]
    #: Of those that this process did: seconds, for the summary.
    took: dict[str, float] = field(default_factory=dict)

    def begin(self, *, anew: bool) -> None:
        """Begin, or go on where an earlier run was ended. PlanError for a plan that is closed already."""
        self.refuse_closed()
        with self._checkpoint() as (checkpoint, plan_id):
            earlier = checkpoint.cutover(plan_id)
            is_old = earlier is not None and datetime.now(UTC) - earlier.begun_at > GOES_ON_FOR
            if anew or is_old:
                checkpoint.end_cutover(plan_id)
            checkpoint.begin_cutover(plan_id, who=self.who)
        if earlier is None or not earlier.steps:
            return
        begun = f"the one {_begun(earlier)}"
        if anew or is_old:
            why = "it is too old to go on with" if is_old else "as asked for"
            self.say(f"cutover: beginning again; {begun} is over, {why}")
        else:
            done = ", ".join(earlier.steps)
            self.say(f"cutover: going on with {begun}; done: {done} (--anew begins again)")

    def refuse_closed(self) -> None:
        """PlanError for a plan of which something is closed."""
        with self._checkpoint() as (checkpoint, plan_id):
            refuse_closed(checkpoint, plan_id, self.plan, ())

    def done(self) -> list[Step]:
        """The steps that are done, by whatever process."""
        return [step for step in Step if step.value in self._steps()]

    def kept(self, step: Step) -> dict[str, Any]:
        """What was kept with a step that is done; nothing for another."""
        return self._steps().get(step.value, {})

    def do(self, step: Step, work: Callable[[], Mapping[str, Any]]) -> None:
        """Do this step unless it is done; what it returns is kept with it. What it raises ends the run."""
        if step in self.done():
            return
        with self.timed(step):
            kept = work()
        with self._checkpoint() as (checkpoint, plan_id):
            checkpoint.record_cutover_step(plan_id, step.value, {**kept, "who": self.who})

    @contextmanager
    def timed(self, step: Step) -> Iterator[None]:
        """Measure what the body takes."""
        began = time.monotonic()
        yield
        self.took[step.value] = time.monotonic() - began

    def give_up(self) -> str:
        """End the one that is under way, at a person's wish; return a line about it. PlanError when there is none."""
        with self._checkpoint() as (checkpoint, plan_id):
            earlier = checkpoint.cutover(plan_id)
            if earlier is None:
                raise PlanError(f"give-up: no cutover of {self.plan.name} is under way")
            checkpoint.end_cutover(plan_id)
        return f"the cutover {_begun(earlier)} is given up by {printable(self.who)}; nothing was closed"

    def end(self) -> None:
        """It ends here without closing anything: the next cutover begins at the first step."""
        with self._checkpoint() as (checkpoint, plan_id):
            checkpoint.end_cutover(plan_id)

    def trees(self) -> list[TreeRecord]:
        """The trees that the plan names, as they are now."""
        with self._checkpoint() as (checkpoint, plan_id):
            planned = {normal_form(tree.box_path) for tree in self.plan.trees}
            trees = checkpoint.trees(plan_id)
        return [tree for tree in trees if not planned or normal_form(tree.folder) in planned]

    def people_waiting(self) -> int:
        """How many of the plan's people are not in yet; whom a folder above lets in is in."""
        trees = self.trees()
        with self._checkpoint() as (checkpoint, _):
            reports = checkpoint.tree_reports([tree.id for tree in trees])
        people = (person for report in reports for person in report.collaborations)
        return sum(person.box_collaboration_id is None and person.status in _NOT_IN for person in people)

    def close(self, accepted: Mapping[str, int]) -> int:
        """Close every complete tree of the plan; how many. The cutover is over with it."""
        trees = self.trees()
        with self._checkpoint() as (checkpoint, plan_id):
            detail = {"accepted": dict(accepted)}
            return checkpoint.close_trees(plan_id, [tree.id for tree in trees], who=self.who, detail=detail)

    def _steps(self) -> dict[str, dict[str, Any]]:
        with self._checkpoint() as (checkpoint, plan_id):
            record = checkpoint.cutover(plan_id)
        return record.steps if record is not None else {}

    @contextmanager
    def _checkpoint(self) -> Iterator[tuple[Checkpoint, int]]:
        with closing(open_checkpoint(self.plan)) as checkpoint:
            yield checkpoint, known_plan(self.plan, checkpoint)


def refuse_closed(checkpoint: Checkpoint, plan_id: int, plan: MigrationPlan, only: Sequence[str]) -> None:
    """PlanError when a tree that the plan names, of those that were asked for, is closed."""
    planned = {normal_form(tree.box_path) for tree in plan.trees}
    wanted = {normal_form(name) for name in only}
    closed = [
        tree
        for tree in checkpoint.closed_trees(plan_id)
        if (not planned or normal_form(tree.name) in planned)
        and (not wanted or normal_form(tree.name) in wanted)
    ]
    if refusal := closed_words(closed):
        raise PlanError(refusal)


def refuse_in_cutover(checkpoint: Checkpoint, plan_id: int) -> None:
    """PlanError while a cutover has seen the share stand still and is not over: what another pass sends, and whom it
    lets in, nobody would verify. One that is too old to go on with holds nothing back."""
    under_way = checkpoint.cutover(plan_id)
    if under_way is None or Step.FREEZE.value not in under_way.steps:
        return
    if datetime.now(UTC) - under_way.begun_at > GOES_ON_FOR:
        return
    raise PlanError(
        f"a cutover, {_begun(under_way)}, is under way (done: {', '.join(under_way.steps)}), and nothing else moves"
        " the plan's trees until it is over; go on with it: boxhaul cutover PLAN, or give it up:"
        " boxhaul cutover PLAN --give-up"
    )


def _begun(cutover: CutoverRecord) -> str:
    return f"begun on {cutover.begun_at:%Y-%m-%d %H:%M} UTC by {printable(cutover.begun_by)}"


def unsettled(trees: Sequence[TreeRecord], *, people_are_in: bool = False) -> list[str]:
    """Names of the trees that are not ready for their people; or, once those are in, not to be closed."""
    ready = {TreeState.COMPLETE} if people_are_in else {TreeState.COMPLETE, TreeState.VERIFIED}
    return [tree.name for tree in trees if tree.state not in ready]


def closed_words(closed: Sequence[ClosedTree]) -> str | None:
    """Why these trees are not moved any more, and what reopens them; None where there are none."""
    if not closed:
        return None
    first = closed[0]
    names = ", ".join(printable(tree.name) for tree in closed[:NAMED_TREES])
    more = f" and {len(closed) - NAMED_TREES} more" if len(closed) > NAMED_TREES else ""
    what = "the tree" if len(closed) == 1 else f"{counted(len(closed), 'tree')}:"
    return (
        f"{what} {names}{more} {'was' if len(closed) == 1 else 'were'} closed by {printable(first.by)} on"
        f" {first.at:%Y-%m-%d %H:%M} UTC, and nothing is moved after that; if it must be:"
        " boxhaul migrate PLAN --reopen --why 'who agreed, and why'"
    )

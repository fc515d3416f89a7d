"""Facts: what was found out about share, checkpoint and Box, for the rows to speak of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from connectors.box.types import Account
from connectors.errors import FatalError
from connectors.source import Source
from flows.analysis.survey import Needs, needs_by_checkpoint, needs_by_survey, without_what_arrived
from flows.checks import machine as check_machine
from flows.checks.belonging import planned_rows
from flows.checks.rows import Row
from flows.plan.connections import open_share
from flows.plan.exclude import ExcludeRules, noting
from flows.plan.model import MigrationPlan
from flows.plan.spelling import as_the_share_spells
from state.checkpoint import Checkpoint
from state.records import TreeRecord
from state.reports.rules import excluded_reasons

#: A check looks at a share so long; a run about to begin looks shorter, as it will walk it all anyway.
SURVEY_SECONDS, RUN_SURVEY_SECONDS = 60.0, 20.0


@dataclass
class Facts:
    """What was found, for the rows to speak of."""

    plan: MigrationPlan
    source: Source | None = None
    checkpoint: Checkpoint | None = None
    trees: list[TreeRecord] = field(default_factory=list)
    needs: Needs = field(default_factory=lambda: Needs(exact=False))
    account: Account | None = None
    skew_seconds: float | None = None
    #: Rows of what could not even be reached.
    source_row: Row | None = None
    state_row: Row | None = None
    #: What the checkpoint says otherwise than the plan.
    belonging_rows: list[Row] = field(default_factory=list)
    #: The plan in the checkpoint, when it speaks of the same.
    plan_id: int | None = None
    #: Reasons of what is excluded; None while not all of the share was seen.
    excluded_reasons: frozenset[str] | None = None

    @property
    def roots(self) -> list[str]:
        """Folders of the share that move; the whole share when the plan names none."""
        return [tree.source for tree in self.plan.trees] or [""]


def gather_surroundings(facts: Facts, stack: ExitStack) -> None:
    """State database, share, and what is to be sent; each failure becomes a row."""
    facts.state_row, facts.checkpoint = check_machine.state_row(facts.plan)
    if facts.checkpoint is not None:
        stack.enter_context(closing(facts.checkpoint))
        _gather_trees(facts, facts.checkpoint)
    try:
        facts.source = stack.enter_context(closing(open_share(facts.plan)))
        facts.plan = as_the_share_spells(facts.plan, facts.source)
        facts.needs = needs_of(facts, SURVEY_SECONDS)
    except FatalError as exc:
        facts.source_row = check_machine.source_failed(exc)


def _gather_trees(facts: Facts, checkpoint: Checkpoint) -> None:
    """The trees that the checkpoint knows, unless it speaks of another Box or share."""
    facts.belonging_rows = list(planned_rows(checkpoint, facts.plan))
    known = checkpoint.plan_origin(facts.plan.checkpoint_name)
    facts.plan_id = known.id if known is not None and not facts.belonging_rows else None
    facts.trees = checkpoint.trees(facts.plan_id) if facts.plan_id is not None else []


def needs_of(facts: Facts, seconds: float, enough: Callable[[Needs], bool] = lambda needs: False) -> Needs:
    """From the checkpoint once the share was walked, else by looking at the share."""
    if facts.checkpoint is not None:
        known = needs_by_checkpoint(facts.checkpoint, facts.trees)
        if known is not None:
            if facts.plan_id is not None:
                facts.excluded_reasons = excluded_reasons(facts.checkpoint, facts.plan_id)
            return known
    if facts.source is None:
        return Needs(exact=False)
    reasons: set[str] = set()
    excluded = noting(ExcludeRules(facts.plan.exclude).reason, reasons)
    needs = needs_by_survey(facts.source, facts.roots, excluded, seconds=seconds, enough=enough)
    if needs.exact:
        facts.excluded_reasons = frozenset(reasons)
    if facts.checkpoint is not None and facts.trees:
        return without_what_arrived(needs, facts.checkpoint, facts.trees)
    return needs

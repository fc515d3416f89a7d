"""Facts: what was found out about share, checkpoint and Box, for the rows to speak of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

from connectors.box.types import Account
from connectors.entry import Entry, EntryKind
from connectors.errors import ConnectorError
from connectors.source import Source
from connectors.tracing import span
from flows.checks import machine as check_machine
from flows.checks.belonging import planned_rows
from flows.checks.rows import Row
from flows.checks.seen import Seen
from flows.plan.connections import open_share
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules
from flows.plan.spelling import as_the_share_spells
from flows.survey.needs import (
    Needs,
    add_needs,
    needs_by_checkpoint,
    needs_by_survey,
    without_what_arrived,
)
from flows.transfer.beginning import NOTHING_TO_MOVE
from flows.transfer.trees import tree_specs
from flows.words import normal_form
from state.checkpoint import Checkpoint
from state.records import TreeRecord
from state.reports.rules import excluded_by_reason

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
    #: Folders of the trees that count; those of the plan, or of the share as it is now, where the run does not say.
    sources: Sequence[str] = ()
    #: What a look at the share noticed.
    seen: Seen = field(init=False)

    def __post_init__(self) -> None:
        self.seen = Seen(PlanRules(self.plan).reason)

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
        facts.sources = [tree.source for tree in tree_specs(facts.plan, facts.source, facts.trees)]
        if facts.sources:
            facts.needs = needs_of(facts, SURVEY_SECONDS)
        else:
            facts.source_row = check_machine.source_empty(facts.source, NOTHING_TO_MOVE)
    except ConnectorError as exc:
        facts.source_row = check_machine.source_failed(exc)


def _gather_trees(facts: Facts, checkpoint: Checkpoint) -> None:
    """The trees that the checkpoint knows, unless it speaks of another Box or share."""
    facts.belonging_rows = list(planned_rows(checkpoint, facts.plan))
    known = checkpoint.plan_origin(facts.plan.checkpoint_name)
    # What an inventory wrote before the first run is old by then: a check looks for itself.
    is_known = known is not None and known.is_begun and not facts.belonging_rows
    facts.plan_id = known.id if known is not None and is_known else None
    facts.trees = checkpoint.trees(facts.plan_id) if facts.plan_id is not None else []


def needs_of(facts: Facts, seconds: float, enough: Callable[[Needs], bool] = lambda needs: False) -> Needs:
    """From the checkpoint for the trees that were walked, and for all others by looking at the share."""
    walked, partly, roots = _split(facts)
    known = Needs()
    if facts.checkpoint is not None and walked:
        known = needs_by_checkpoint(facts.checkpoint, walked)
    if not roots:
        _note_excluded(facts)
        return known
    if facts.source is None:
        return replace(known, exact=False)
    with span("survey"):
        found = needs_by_survey(
            facts.source, roots, _beside_trees(facts), seconds=seconds, enough=enough, look=facts.seen.look
        )
    if found.exact:
        _note_excluded(facts)
    if facts.checkpoint is not None and partly:
        found = without_what_arrived(found, facts.checkpoint, partly)
    return add_needs(found, known)


def _split(facts: Facts) -> tuple[list[TreeRecord], list[TreeRecord], list[str]]:
    """Return the trees that were walked to their end, those that were begun, and the folders that no walk has ended."""
    by_source = {normal_form(tree.source): tree for tree in facts.trees}
    if facts.checkpoint is None or not by_source:
        return [], [], facts.roots
    walked, partly, roots = list[TreeRecord](), list[TreeRecord](), list[str]()
    for source in facts.sources:
        tree = by_source.get(normal_form(source))
        if tree is not None and facts.checkpoint.tree_was_walked(tree.id):
            walked.append(tree)
            continue
        partly += [] if tree is None else [tree]
        roots.append(source)
    return walked, partly, roots


def _beside_trees(facts: Facts) -> Callable[[Entry], str | None]:
    """The plan's rules; where each folder at the top is a tree, the one of loose files has no folders."""
    rules = facts.seen.excluded
    if facts.plan.trees or not facts.trees:
        return rules

    def reason(entry: Entry) -> str | None:
        is_tree = entry.kind is EntryKind.FOLDER and "/" not in entry.path
        return "a tree of its own" if is_tree else rules(entry)

    return reason


def _note_excluded(facts: Facts) -> None:
    """All of the share was seen: the rules that excluded something are known."""
    if facts.checkpoint is not None and facts.plan_id is not None:
        facts.seen.left_out.update(excluded_by_reason(facts.checkpoint, facts.plan_id))
    facts.excluded_reasons = frozenset(facts.seen.left_out)

"""The scope of a look at a plan's share: the plan as the share spells it, its trees, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from connectors.source import Source
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.plan.origin import find_plan
from flows.plan.spelling import as_the_share_spells
from flows.transfer.beginning import NOTHING_TO_MOVE
from flows.transfer.trees import tree_specs
from state.checkpoint import Checkpoint
from state.records import TreeRecord, TreeSpec


class Scope(NamedTuple):
    """What is looked at."""

    plan: MigrationPlan
    #: None: the checkpoint knows nothing of this plan.
    plan_id: int | None
    known: Sequence[TreeRecord]
    specs: Sequence[TreeSpec]


def scope_of(plan: MigrationPlan, source: Source, checkpoint: Checkpoint) -> Scope:
    """Look at the top of the share and into the checkpoint. PlanError when there is nothing to move."""
    plan = as_the_share_spells(plan, source)
    plan_id = find_plan(checkpoint, plan)
    known = checkpoint.trees(plan_id) if plan_id is not None else []
    specs = tree_specs(plan, source, known)
    if not specs:
        raise PlanError(NOTHING_TO_MOVE)
    return Scope(plan, plan_id, known, specs)

"""Beginning: find the plan's trees and begin its pass, or join the pass that another process conducts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from connectors.entry import Entry, EntryKind
from connectors.errors import Stopped
from flows.closing.steps import closed_words
from flows.errors import PlanError
from flows.reporting.waivers import whoever_runs_this
from flows.run.leases import Part
from flows.survey.coverage import uncovered
from flows.transfer.absent import Listings
from flows.transfer.migration import Migration
from flows.transfer.moves import follows_moves
from flows.transfer.trees import taken_over, tree_specs
from flows.words import normal_form
from state.records import TreeRecord, TreeSpec
from state.statuses import EventKind, IncompleteReason, TreeState

#: The kind of a pass that changes nothing.
DRY_RUN = "dry run"

#: What is said of a share, by check as well, in which there is nothing at all.
NOTHING_TO_MOVE = "nothing to move: the source has no folder and no file at its top that no rule excludes"

#: What is said of a tree whose folder is not in the share any more.
AWAY = "its folder is not in the share any more; put it back, or exclude it in the plan"

#: What is said of everything in a tree whose folder was renamed in case only.
RENAMED = "its folder has another name in the share now"


def begin(migration: Migration, *, kind: str, only: Sequence[str] = (), revive: bool = True) -> None:
    """Find the plan's trees, begin or continue its pass; those that `only` leaves out are written down, no more.

    `revive`: a new pass tries again what failed in the trees that move; the failures of the others stay as they are.
    PlanError when `only` names an unknown tree, ShareEmptied when there is nothing where trees were.
    """
    plan, checkpoint, plan_id = migration.plan, migration.checkpoint, migration.plan_id
    known = checkpoint.trees(plan_id)
    specs = tree_specs(plan, migration.source, known)
    if not specs:
        migration.guard.root_lists(known, "", [])
    moving = chosen(specs, only)
    _refuse_closed(migration, [tree for tree in known if tree.name in moving])
    trees = checkpoint.ensure_trees(plan_id, specs, moving=moving)
    if not plan.trees:
        for tree in taken_over(known, specs):
            checkpoint.record_tree_gone(tree.id, detail=RENAMED, worker=migration.worker)
    ours = [tree for tree in trees if tree.name in moving]
    migration.take_up(migration.pass_id, ours)
    migration.not_chosen = [tree for tree in trees if tree.name not in moving]
    migration.files_only_trees = frozenset(tree.id for tree in ours if tree.source == "" and not plan.trees)
    if not only:
        migration.away = _away(migration, known, trees)
    migration.folders.know_trees(
        ours,
        account_ids=() if migration.adopts_trees else migration.our_user_ids,
        is_new=not any(tree.box_folder_id for tree in known),
    )
    for tree in trees:
        if tree.name in moving or tree.incomplete_reason is IncompleteReason.NOT_BEGUN:
            checkpoint.ensure_collaborations(tree.id, migration.access.specs(tree))
    _record_what_is_left_out(migration)
    if migration.source.hides_names():
        migration.record_event(
            EventKind.NAMES_HIDDEN, {"path": "", "count": 1, "names": [migration.source.display_url]}
        )
    revived = [tree.id for tree in ours] if revive else []
    migration.take_up(
        checkpoint.begin_pass(
            plan_id, kind=kind, rules=migration.rules, revive_in=revived, worker=migration.worker
        ),
        ours,
    )
    migration.is_dry = kind == DRY_RUN
    _follow_moves(migration, known)
    if kind != DRY_RUN:
        checkpoint.take_up_trees([tree.id for tree in ours], worker=migration.worker)
    reports = checkpoint.tree_reports([tree.id for tree in ours])
    migration.progress.start_from(reports)


def _refuse_closed(migration: Migration, trees: Sequence[TreeRecord]) -> None:
    """PlanError where a tree was handed over, unless somebody says why it is moved again."""
    closed = {tree.id for tree in trees if tree.closed_at is not None}
    if not closed:
        return
    if migration.reopens is None:
        named = [
            each for each in migration.checkpoint.closed_trees(migration.plan_id) if each.tree_id in closed
        ]
        raise PlanError(closed_words(named))
    migration.checkpoint.reopen_trees(
        migration.plan_id, sorted(closed), who=whoever_runs_this(), why=migration.reopens
    )


def _follow_moves(migration: Migration, known: Sequence[TreeRecord]) -> None:
    """Moves are followed once something is in Box; trees that were complete wait for the end of the walk, since the
    old name of a new file may be found missing at any time until then. Where other processes send as well they do not
    wait: folders are followed, and single files are sent anew."""
    in_box = any(tree.box_folder_id for tree in known)
    migration.follows_moves = in_box and not migration.is_dry and follows_moves(migration.plan)
    if migration.follows_moves and migration.part is Part.ALONE:
        proven = migration.checkpoint.proven_trees(migration.plan_id)
        migration.claims.hold([tree_id for tree_id in migration.tree_ids if tree_id in proven])


def _away(migration: Migration, known: Sequence[TreeRecord], trees: Sequence[TreeRecord]) -> list[TreeRecord]:
    """Return the trees that were begun, are not complete and have no folder in the share any more, and say so on them.

    What is in a complete one is gone (P2). Those that the plan names are walked, which says what is wrong. One that a
    rule excludes now is nobody's to miss.
    """
    if migration.plan.trees:
        return []
    there, sources = {tree.id for tree in trees}, {tree.source for tree in trees}
    taken = {tree.id for tree in taken_over(known, [_spec(tree) for tree in trees])}
    missing = [
        tree
        for tree in known
        if tree.id not in there | taken
        and tree.source not in sources  # its folder is another tree by now
        and tree.incomplete_reason is not IncompleteReason.NOT_BEGUN
        and migration.excluded(Entry(path=tree.source, kind=EntryKind.FOLDER)) is None
    ]
    listings = Listings(migration.source)
    away = [
        tree
        for tree in missing
        # Loose files at the top have no folder of their own; that listing has been seen.
        if tree.state is not TreeState.COMPLETE or (tree.source and listings.shows(tree.source))
    ]
    for tree in missing:
        if tree not in away:
            migration.checkpoint.record_tree_gone(tree.id, worker=migration.worker)
            continue
        migration.checkpoint.set_tree_state(
            tree.id,
            TreeState.INCOMPLETE,
            reason=IncompleteReason.SOURCE_CHANGED,
            detail=AWAY,
            worker=migration.worker,
        )
    return away


def _spec(tree: TreeRecord) -> TreeSpec:
    return TreeSpec(source=tree.source, folder=tree.folder, name=tree.name)


def _record_what_is_left_out(migration: Migration) -> None:
    if migration.plan.trees:
        roots = [tree.source for tree in migration.plan.trees]
        with suppress(Stopped):
            found = uncovered(migration.source, roots, migration.excluded)
            migration.record_event(EventKind.NOT_COVERED, found.document())


def join(migration: Migration) -> bool:
    """Look at the pass that another process conducts; False when there is none any more.

    Only trees count that whoever conducts moves and has let the uploaders into.
    """
    pass_id = migration.checkpoint.current_pass(migration.plan_id)
    if pass_id is None:
        return False
    if migration.pass_id not in (0, pass_id) and not migration.checkpoint.continues(
        pass_id, migration.pass_id
    ):
        return False
    ours = migration.checkpoint.opened_trees(pass_id)
    trees = [
        tree
        for tree in migration.checkpoint.trees(migration.plan_id)
        if tree.id in ours and tree.box_folder_id and not tree.verified
    ]
    migration.take_up(pass_id, trees)
    return True


def chosen(specs: Sequence[TreeSpec], only: Sequence[str]) -> set[str]:
    """Return names of the trees that move. PlanError, with the ones there are, for each of `only` that is none."""
    wanted = {normal_form(name) for name in only}
    unknown = [name for name in only if not any(normal_form(name) in _names(spec) for spec in specs)]
    if unknown or not specs:
        if not specs:
            raise PlanError(NOTHING_TO_MOVE)
        names = ", ".join(spec.name for spec in specs)
        fault = f"there is no tree {', '.join(map(repr, unknown))}"
        raise PlanError(f"trees: {fault}; the plan's trees are: {names}")
    return {spec.name for spec in specs if not only or wanted & _names(spec)}


def _names(spec: TreeSpec) -> set[str]:
    """What a person may call the tree: by its folder in Box, or by that of the share."""
    return {normal_form(spec.name), normal_form(spec.source)}

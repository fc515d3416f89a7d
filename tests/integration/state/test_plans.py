"""Plans, trees, passes, and the schema they live in."""

from __future__ import annotations

from functools import partial

import pytest

from connectors.entry import Entry, EntryKind
from state.checkpoint import Checkpoint
from state.diff import diff_folder
from state.errors import PlanMismatch
from state.people_records import CollaboratorSpec
from state.records import TreeSpec
from state.reports.status import plan_status
from state.statuses import INVENTORY, IncompleteReason, ItemStatus, PassState, TreeState
from tests.integration.state.scene import ManualClock, Scene


def test_plan_is_found_by_its_name(checkpoint: Checkpoint) -> None:
    """A plan has one id, and a name that was never used has none."""
    first = checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")

    assert first == checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")
    assert first == checkpoint.find_plan("p")
    assert checkpoint.find_plan("q") is None


def test_plan_of_another_source_is_refused(checkpoint: Checkpoint) -> None:
    """The same name for another share or landing folder is a PlanMismatch that names both, once it has trees."""
    mistyped = checkpoint.ensure_plan(name="p", source_url="file:///r", landing_folder_id="9")
    begun = checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")
    assert mistyped == begun
    checkpoint.ensure_trees(begun, [TreeSpec(source="A", folder="A", name="A")])

    with pytest.raises(PlanMismatch, match=r"file:///s.*file:///t"):
        checkpoint.ensure_plan(name="p", source_url="file:///t", landing_folder_id="0")
    with pytest.raises(PlanMismatch):
        checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="1")


def test_trees_are_made_once_with_their_root(checkpoint: Checkpoint) -> None:
    """A tree comes with a root folder whose name in Box is the last component of its folder; known ones are kept."""
    plan_id = checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")
    accounting = TreeSpec(source="Dept/Accounting", folder="2026/Books", name="Accounting")
    [first] = checkpoint.ensure_trees(plan_id, [accounting])
    hr = TreeSpec(source="HR", folder="HR", name="HR")
    second = checkpoint.ensure_trees(plan_id, [hr, accounting])
    [root] = checkpoint.folder_chain(first.root_folder_id)

    assert [tree.name for tree in second] == ["HR", "Accounting"]
    assert first == second[1]
    assert (root.path, root.box_name, root.parent_id) == ("Dept/Accounting", "Books", None)
    assert (first.state, first.verified, first.box_folder_id) == (TreeState.MOVING, False, None)
    assert [hr.name] == [tree.name for tree in checkpoint.ensure_trees(plan_id, [hr])]
    assert [tree.name for tree in checkpoint.trees(plan_id)] == ["Accounting", "HR"]


def test_tree_that_moved_is_refused(checkpoint: Checkpoint) -> None:
    """A known tree from another folder of the source, or into another one of Box, is a PlanMismatch."""
    plan_id = checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")
    checkpoint.ensure_trees(plan_id, [TreeSpec(source="A", folder="A", name="A")])

    with pytest.raises(PlanMismatch, match="another name"):
        checkpoint.ensure_trees(plan_id, [TreeSpec(source="A", folder="B", name="A")])


def test_tree_that_is_not_begun_binds_nobody(checkpoint: Checkpoint) -> None:
    """Named and not moved, it says so until it is; as long as it is so, another word of the plan replaces it."""
    plan_id = checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")
    specs = [TreeSpec(source=name, folder=name, name=name) for name in "ABC"]
    trees = checkpoint.ensure_trees(plan_id, specs, moving={"A"})

    begun, idle = (TreeState.MOVING, None), (TreeState.INCOMPLETE, IncompleteReason.NOT_BEGUN)
    assert [begun, idle, idle] == [(tree.state, tree.incomplete_reason) for tree in trees]

    checkpoint.ensure_collaborations(trees[2].id, [CollaboratorSpec(login="ann@example.com", role="viewer")])
    changed = [specs[0], specs[1], TreeSpec(source="D", folder="C", name="C")]
    trees = checkpoint.ensure_trees(plan_id, changed, moving={"B"})

    assert [begun, begun, idle] == [(tree.state, tree.incomplete_reason) for tree in trees]
    assert "D" == trees[2].source
    assert ["A", "B"] == [tree.name for tree in checkpoint.ensure_trees(plan_id, changed[:2])]
    assert ["A", "B"] == [tree.name for tree in checkpoint.trees(plan_id)]


def test_inventory_binds_nobody(checkpoint: Checkpoint, clock: ManualClock) -> None:
    """What is only looked at is no beginning: another share or landing folder, and the time of the first run, count."""
    here = {"name": "p", "source_url": "file:///s", "landing_folder_id": "0"}
    plan_id = checkpoint.ensure_plan(**here)
    spec = TreeSpec(source="A", folder="A", name="A")
    [seen] = checkpoint.ensure_trees(plan_id, [spec], moving=())
    looked = checkpoint.begin_pass(plan_id, kind=INVENTORY)
    entries = [
        Entry(path=f"A/{name}", kind=kind) for name, kind in (("f", EntryKind.FILE), ("d", EntryKind.FOLDER))
    ]
    new = diff_folder(entries, [], box_names={}, excluded=lambda entry: None)
    checkpoint.record_listing(seen.root_folder_id, looked, new)

    origin = checkpoint.plan_origin("p")
    assert origin is not None and not origin.is_begun
    assert plan_id == checkpoint.ensure_plan(**here | {"landing_folder_id": "1"})
    assert 2 == len(checkpoint.known_children(seen.root_folder_id))
    first = checkpoint.begin_pass(plan_id, kind="migrate")
    assert not checkpoint.continues(first, looked)
    assert 1 == plan_status(checkpoint, plan_id)["pass"]

    assert plan_id == checkpoint.ensure_plan(**here | {"source_url": "file:///t"})
    assert [] == checkpoint.trees(plan_id)
    [seen] = checkpoint.ensure_trees(plan_id, [spec], moving=())
    clock.forward(60)
    [begun] = checkpoint.ensure_trees(plan_id, [spec])
    assert seen.begun_at is not None and begun.begun_at is not None and seen.begun_at < begun.begun_at
    with pytest.raises(PlanMismatch):
        checkpoint.ensure_plan(**here)


def test_tree_that_another_took_over_comes_back(scene: Scene) -> None:
    """All of it is out of sight and nothing is left to do; named again it is walked from its root."""
    scene.walk({"f": 1, "sub": {"g": 2}})
    scene.send_everything()
    scene.checkpoint.record_tree_gone(scene.tree.id, detail="renamed")
    scene.next_pass()
    gone = scene.checkpoint.tree_report(scene.tree.id)

    assert (0, TreeState.COMPLETE) == (gone.items.total, gone.tree.state)
    assert [] == scene.claim_folders()

    spec = TreeSpec(source="A", folder="Arrived/A", name="A")
    [back] = scene.checkpoint.ensure_trees(scene.plan_id, [spec])
    assert (TreeState.MOVING, False) == (back.state, back.verified)
    scene.walk({"f": 1, "sub": {"g": 2}})

    assert {ItemStatus.UPLOADED} == set(scene.statuses().values())
    assert {"A/f", "A/sub", "A/sub/g"} == scene.statuses().keys()


@pytest.mark.parametrize("made_by", ["plan", "somebody"])
def test_folder_that_took_over_is_whose_it_was(scene: Scene, made_by: str) -> None:
    """Adopted under its name in another case, it is this plan's when the folder that is MISSING now was."""
    scene.walk({"Data": {}})
    old = scene.folder_id("Data")
    scene.checkpoint.record_folder_created(
        old, box_folder_id="7", box_name="Data", adopted=made_by == "somebody"
    )
    scene.next_pass()
    scene.walk({"data": {}})
    new = scene.folder_id("data")

    scene.checkpoint.record_folder_created(new, box_folder_id="7", box_name="Data", adopted=True)

    assert (made_by == "plan") is scene.checkpoint.folder_was_created_by_plan(new)
    assert not scene.checkpoint.folder_was_created_by_plan(old)
    placed = {child.name: child.placed for child in scene.checkpoint.known_children(scene.root_id)}
    assert {"Data": False, "data": True} == placed


def test_running_pass_is_continued(scene: Scene) -> None:
    """Until a pass ends, beginning one continues it with another walk; then another one begins."""
    first = scene.pass_id
    scene.pass_id = scene.checkpoint.begin_pass(scene.plan_id, kind="initial")

    assert scene.checkpoint.continues(scene.pass_id, first)
    assert scene.pass_id == scene.checkpoint.current_pass(scene.plan_id)
    assert 1 == plan_status(scene.checkpoint, scene.plan_id)["pass"]

    scene.checkpoint.end_pass(scene.pass_id, PassState.COMPLETE, summary={"files": 3})

    assert scene.checkpoint.current_pass(scene.plan_id) is None
    after = scene.checkpoint.begin_pass(scene.plan_id, kind="delta")

    assert not scene.checkpoint.continues(after, scene.pass_id)
    assert 2 == plan_status(scene.checkpoint, scene.plan_id)["pass"]


def test_continued_pass_walks_again_what_was_walked_before(scene: Scene) -> None:
    """Nothing that an earlier process listed is taken for what is there now; what was never listed comes first."""
    scene.walk({"old": {}})
    scene.record({"old": {}, "new": {"f": 1}})
    scene.pass_id = scene.checkpoint.begin_pass(scene.plan_id, kind="initial")

    assert not scene.checkpoint.walk_is_done(scene.pass_id, scene.tree.id)
    assert ["A/new", "A", "A/old"] == [scene.claim_folders(limit=1)[0].path for _ in range(3)]


def test_continued_pass_leaves_failures_to_the_next_one(scene: Scene) -> None:
    """What failed in a pass stays failed when the pass is continued after an interruption."""
    scene.walk({"f": 1})
    scene.fail("f", reason="read_failed")
    scene.checkpoint.begin_pass(scene.plan_id, kind="initial")

    assert {"A/f": ItemStatus.FAILED} == scene.statuses()


def test_pass_ends_when_the_rules_change(scene: Scene) -> None:
    """A run under other rules begins a pass of its own, in which all is compared again."""
    scene.walk({"x": {}})
    second = scene.checkpoint.begin_pass(scene.plan_id, kind="initial", rules="other")

    assert scene.pass_id < second
    assert not scene.checkpoint.continues(second, scene.pass_id)
    assert second == scene.checkpoint.current_pass(scene.plan_id)

    scene.pass_id = second

    assert ["A", "A/x"] == [folder.path for folder in scene.claim_folders()]


def test_nothing_is_fit_to_send_that_other_rules_let_in(scene: Scene) -> None:
    """Once the rules changed, a tree's files wait until all of it is compared under the new ones, in any later pass."""
    spec = TreeSpec(source="B", folder="B", name="B")
    [_, fresh] = scene.checkpoint.ensure_trees(
        scene.plan_id, [TreeSpec(source="A", folder="Arrived/A", name="A"), spec]
    )
    share = {"f": 1, "sub": {"g": 1}}
    both = [scene.tree.id, fresh.id]
    fit = scene.checkpoint.trees_fit_to_send
    scene.walk(share)
    same = fit(scene.pass_id, both)
    scene.pass_id = scene.checkpoint.begin_pass(scene.plan_id, kind="delta", rules="other")
    changed = fit(scene.pass_id, both)
    scene.checkpoint.end_pass(scene.pass_id, PassState.INCOMPLETE, summary={})
    scene.pass_id = scene.checkpoint.begin_pass(scene.plan_id, kind="delta", rules="other")
    later = fit(scene.pass_id, both)
    scene.record(share)
    halfway = fit(scene.pass_id, both)
    scene.walk(share)

    assert both == same
    assert [fresh.id] == changed == later == halfway
    assert both == fit(scene.pass_id, both)


def test_new_pass_walks_everything_again(scene: Scene) -> None:
    """The frontier of a new pass is every folder that is in sight."""
    scene.walk({"x": {"y": {}}})
    scene.next_pass()

    assert [folder.path for folder in scene.claim_folders()] == ["A", "A/x", "A/x/y"]


def test_new_pass_tries_failures_again(scene: Scene) -> None:
    """FAILED items are PENDING with all attempts in a new pass, except where only a person can help."""
    scene.walk({"locked.txt": 1, "huge.bin": 2})
    scene.fail("locked.txt", reason="locked")
    scene.fail("huge.bin", reason="too_large")
    scene.next_pass()
    [again] = scene.claim()

    assert (again.path, again.attempts) == ("A/locked.txt", 0)
    assert scene.statuses()["A/huge.bin"] == ItemStatus.FAILED


def test_tree_state_is_kept_with_its_reason(scene: Scene) -> None:
    """Unfinished is a state with a reason, and the next state takes the reason away."""
    scene.checkpoint.set_tree_state(
        scene.tree.id, TreeState.INCOMPLETE, reason=IncompleteReason.FAILED_ITEMS, detail="2 locked"
    )
    [tree] = scene.checkpoint.trees(scene.plan_id)

    assert (
        tree.state,
        tree.incomplete_reason,
        tree.detail,
    ) == (TreeState.INCOMPLETE, IncompleteReason.FAILED_ITEMS, "2 locked")

    scene.checkpoint.record_verified(scene.tree.id)
    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.COMPLETE)
    [tree] = scene.checkpoint.trees(scene.plan_id)

    assert (tree.state, tree.incomplete_reason, tree.detail) == (TreeState.COMPLETE, None, None)


def test_incomplete_trees_are_the_last_in_their_order(checkpoint: Checkpoint) -> None:
    """What is asked for is enough to say what is waited for; complete ones are left out."""
    plan_id = checkpoint.ensure_plan(name="many", source_url="file:///s", landing_folder_id="0")
    names = [f"{number:04d}" for number in range(1_100)]
    trees = checkpoint.ensure_trees(
        plan_id, [TreeSpec(source=name, folder=name, name=name) for name in names]
    )
    ids = [tree.id for tree in trees]
    for tree_id in [*ids[-3:], ids[600]]:
        checkpoint.record_verified(tree_id)
        checkpoint.set_tree_state(tree_id, TreeState.COMPLETE)

    assert ["1095", "1096"] == [tree.name for tree in checkpoint.incomplete_trees(ids, limit=2)]
    assert ["0599", "0601"] == [tree.name for tree in checkpoint.incomplete_trees(ids[598:602], limit=2)][-2:]
    assert [] == checkpoint.incomplete_trees(ids[-3:], limit=2)


def test_tree_has_arrived_when_it_is_walked_and_nothing_is_pending(scene: Scene) -> None:
    """A failed file does not keep it open; one that a worker holds does."""
    arrived = partial(scene.checkpoint.arrived_trees, tree_ids=[scene.tree.id])
    assert [] == arrived(scene.pass_id)
    scene.walk({"f.txt": 3, "g.txt": 4, "d": {"h.txt": 5}})
    assert [] == arrived(scene.pass_id)
    scene.fail("g.txt")
    scene.send_everything()
    assert [scene.tree.id] == arrived(scene.pass_id)
    scene.next_pass()
    assert [] == arrived(scene.pass_id)

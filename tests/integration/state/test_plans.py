"""Plans, trees, passes, and the schema they live in."""

from __future__ import annotations

import pytest

from state.checkpoint import Checkpoint
from state.errors import PlanMismatch
from state.records import TreeSpec
from state.statuses import IncompleteReason, ItemStatus, PassState, TreeState
from tests.integration.state.scene import Scene


def test_plan_is_found_by_its_name(checkpoint: Checkpoint) -> None:
    """A plan has one id, and a name that was never used has none."""
    first = checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")

    assert first == checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")
    assert first == checkpoint.find_plan("p")
    assert checkpoint.find_plan("q") is None


def test_plan_of_another_source_is_refused(checkpoint: Checkpoint) -> None:
    """The same name for another share or landing folder is a PlanMismatch that names both."""
    checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")

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


def test_running_pass_is_continued(scene: Scene) -> None:
    """Until a pass ends, beginning one continues it; then another one begins."""
    assert scene.pass_id == scene.checkpoint.begin_pass(scene.plan_id, kind="initial")
    assert scene.pass_id == scene.checkpoint.current_pass(scene.plan_id)

    scene.checkpoint.end_pass(scene.pass_id, PassState.COMPLETE, summary={"files": 3})

    assert scene.checkpoint.current_pass(scene.plan_id) is None
    assert scene.pass_id < scene.checkpoint.begin_pass(scene.plan_id, kind="delta")


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

    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.COMPLETE)
    [tree] = scene.checkpoint.trees(scene.plan_id)

    assert (tree.state, tree.incomplete_reason, tree.detail) == (TreeState.COMPLETE, None, None)

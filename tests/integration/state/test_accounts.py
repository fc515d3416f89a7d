"""Who acts and who is told: uploaders, editors of a tree, mail, removed collaborators, links, what is still open."""

from __future__ import annotations

from state.people_records import CollaboratorSpec
from state.statuses import CollaborationStatus
from tests.integration.state.scene import Scene


def test_uploaders_are_remembered_once(scene: Scene) -> None:
    """In the order of their numbers; retired ones stay, with the time."""
    for number in (1, 2, 2):
        scene.checkpoint.remember_uploader(
            scene.plan_id, box_user_id=f"u{number}", number=number, login=f"l{number}", name=f"n{number}"
        )
    scene.checkpoint.record_uploader_retired(scene.plan_id, "u1")
    first, second = scene.checkpoint.uploaders(scene.plan_id)

    assert ("u1", scene.clock.now, "u2", None) == (
        first.box_user_id,
        first.retired_at,
        second.box_user_id,
        second.retired_at,
    )


def test_editors_are_written_down_before_they_come(scene: Scene) -> None:
    """Several processes add theirs; each answer tells who may be inside already; the last one leaves nothing."""
    checkpoint, tree_id = scene.checkpoint, scene.tree.id

    assert [] == checkpoint.add_tree_editors(tree_id, ["a"])
    assert ["a"] == checkpoint.add_tree_editors(tree_id, ["b"])
    assert ["a", "b"] == checkpoint.tree_editors(tree_id)
    checkpoint.record_tree_editors_removed(tree_id, ["a"])
    assert ["b"] == checkpoint.tree_editors(tree_id)
    checkpoint.record_tree_editors_removed(tree_id, ["b"])
    assert [] == checkpoint.tree_editors(tree_id)


def test_one_mail_per_person_and_plan(scene: Scene) -> None:
    """The first claim wins, in any spelling of the login; a refused invitation gives the mail back."""
    checkpoint = scene.checkpoint
    specs = [
        CollaboratorSpec(login="Ann@example.com", role="viewer"),
        CollaboratorSpec(group="G", role="viewer"),
    ]
    ann, group = checkpoint.ensure_collaborations(scene.tree.id, specs)

    assert checkpoint.claim_mail(scene.plan_id, ann.id)
    assert not checkpoint.claim_mail(scene.plan_id, ann.id)
    assert checkpoint.claim_mail(scene.plan_id, group.id)
    checkpoint.release_mail(ann.id)
    assert checkpoint.claim_mail(scene.plan_id, ann.id)


def test_removed_collaborator_is_planned_when_it_comes_back(scene: Scene) -> None:
    """After the removal in Box it is not made any more, and that it was mailed is kept."""
    checkpoint, spec = scene.checkpoint, CollaboratorSpec(login="a", role="viewer")
    [made] = checkpoint.ensure_collaborations(scene.tree.id, [spec])
    checkpoint.claim_mail(scene.plan_id, made.id)
    checkpoint.record_collaboration(made.id, status=CollaborationStatus.ACCEPTED, box_collaboration_id="7")
    checkpoint.ensure_collaborations(scene.tree.id, [])
    before = checkpoint.all_collaborations(scene.tree.id)
    checkpoint.forget_collaboration(made.id)
    [again] = checkpoint.ensure_collaborations(scene.tree.id, [spec])

    assert ["7"] == [record.box_collaboration_id for record in before]
    assert (CollaborationStatus.PLANNED, None) == (again.status, again.box_collaboration_id)
    assert not checkpoint.claim_mail(scene.plan_id, again.id)


def test_link_and_owner_are_shown(scene: Scene) -> None:
    """What a tree was published as comes with the tree; who owns what arrives comes with the plan."""
    scene.checkpoint.record_shared_link(scene.tree.id, {"url": "u", "password": True})
    scene.checkpoint.record_owner(scene.plan_id, "boss")
    [tree] = scene.checkpoint.trees(scene.plan_id)

    assert {"url": "u", "password": True} == tree.shared_link


def test_what_is_open_after_a_whole_walk(scene: Scene) -> None:
    """The largest file that is pending or failed counts, what arrived or was waived does not."""
    before = scene.checkpoint.tree_was_walked(scene.tree.id)
    scene.walk({"small": 3, "waived": 90, "sub": {"large": 7}})
    scene.checkpoint.waive(scene.plan_id, "A/waived", who="ann", why="old", pending_too=True)
    walked = scene.checkpoint.tree_was_walked(scene.tree.id)
    open_size = scene.checkpoint.largest_open_file([scene.tree.id])
    scene.send_everything()

    assert (False, True) == (before, walked)
    assert (7, 0) == (open_size, scene.checkpoint.largest_open_file([scene.tree.id]))

"""Completing a tree: settled, verified, collaborated."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connectors.entry import EntryKind
from state.people_records import CollaboratorSpec
from state.records import Counts, ExpectedChild
from state.statuses import (
    DIFFERENT_IN_BOX,
    GONE_FROM_BOX,
    CollaborationStatus,
    IncompleteReason,
    TreeState,
)
from tests.integration.state.scene import Scene

SHARE = {"f": 3, "sub": {"g": 4, "empty": {}}, "link": EntryKind.SYMLINK}


def test_counts_add_up_to_the_inventory(scene: Scene) -> None:
    """Items are files, folders and what is not followed, without the root; what is GONE is in no total."""
    scene.excluded = lambda entry: "rule: *.tmp" if entry.name.endswith(".tmp") else None
    scene.walk({**SHARE, "x.tmp": 100, "bad": 10, "waived": 20, "gone": 1000})
    scene.fail("bad", reason="rejected")
    scene.checkpoint.waive(scene.plan_id, "A/waived", who="ann", why="old", pending_too=True)
    scene.next_pass()
    scene.walk({**SHARE, "x.tmp": 100, "bad": 10, "waived": 20})
    scene.create_folders()
    [f] = scene.claim(max_items=1)
    scene.checkpoint.record_results(scene.worker, [scene.uploaded(f)])
    report = scene.checkpoint.tree_report(scene.tree.id)

    sent = {"bytes_total": 17, "bytes_uploaded": 3}
    assert (
        Counts(total=5, uploaded=1, failed=1, excluded=1, waived=1, pending=1, gone=1, **sent) == report.files
    )
    assert Counts(total=2, uploaded=2) == report.folders
    assert (
        Counts(total=8, uploaded=3, failed=1, excluded=2, waived=1, pending=1, gone=1, **sent) == report.items
    )
    assert report.failures_by_reason == {"rejected": 1}


def test_tree_is_settled_when_nothing_is_left(scene: Scene) -> None:
    """Walked, all files sent, all folders made, the root included: not before."""
    settled = scene.checkpoint.tree_is_settled
    scene.record(SHARE)
    scene.create_folders()

    assert not settled(scene.pass_id, scene.tree.id)

    scene.walk(SHARE)

    assert not settled(scene.pass_id, scene.tree.id)

    scene.send_everything()

    assert settled(scene.pass_id, scene.tree.id)

    scene.next_pass()

    assert not settled(scene.pass_id, scene.tree.id)


def test_empty_tree_still_needs_its_folder(scene: Scene) -> None:
    """An empty tree is settled when its root is in Box."""
    scene.walk({})

    assert not scene.checkpoint.tree_is_settled(scene.pass_id, scene.tree.id)

    scene.create_folders()

    assert scene.checkpoint.tree_is_settled(scene.pass_id, scene.tree.id)
    assert f"folder-{scene.root_id}" == scene.checkpoint.trees(scene.plan_id)[0].box_folder_id


def test_tree_of_loose_files_needs_no_folder_for_nothing(scene: Scene) -> None:
    """Without a file to move, its root may stay away from Box; it has to be listed all the same."""
    settled = scene.checkpoint.tree_is_settled
    scene.excluded = lambda entry: "rule" if entry.name == "x" else None
    scene.walk({"x": 1})

    assert not settled(scene.pass_id, scene.tree.id)
    assert settled(scene.pass_id, scene.tree.id, needs_folder=False)

    scene.record({"x": 1, "f": 1})

    assert not settled(scene.pass_id, scene.tree.id, needs_folder=False)

    scene.record({"x": 1})
    scene.checkpoint.record_folder_failure(scene.root_id, scene.pass_id, reason="locked", detail="no")

    assert not settled(scene.pass_id, scene.tree.id, needs_folder=False)


def test_folders_to_create_are_walked_ones_parents_first(scene: Scene) -> None:
    """Empty folders are created too; unwalked, failed, excluded and claimed ones are not in the list."""
    scene.excluded = lambda entry: "rule: cache/" if entry.name == "cache" else None
    scene.walk({"b": {"deep": {}}, "a": {}, "bad": {}, "taken": {}, "cache": {}})
    scene.checkpoint.record_folder_creation_failed(scene.folder_id("bad"), reason="rejected", detail="no")
    scene.checkpoint.claim_folder_creation(scene.worker, scene.folder_id("taken"))
    waiting = scene.checkpoint.folders_to_create(scene.pass_id, tree_ids=[scene.tree.id], limit=10)

    assert [folder.path for folder in waiting] == ["A", "A/a", "A/b", "A/b/deep"]

    scene.next_pass()

    assert scene.checkpoint.folders_to_create(scene.pass_id, tree_ids=[scene.tree.id], limit=10) == []


def test_expected_children_is_what_box_must_show(scene: Scene) -> None:
    """Uploaded files with size and sha1, created folders by name; nothing pending, excluded or missing."""
    scene.walk({**SHARE, "gone": 1})
    scene.send_everything()
    scene.next_pass()
    scene.walk({**SHARE, "new": 9})
    f, sub = scene.child("f"), scene.folder_id("sub")

    assert {
        f"file-{f.id}": ExpectedChild(
            kind=EntryKind.FILE,
            box_name="f",
            box_id=f"file-{f.id}",
            version_id="v1",
            size=3,
            sha1=f"{f.id:040x}",
            row_id=f.id,
        ),
        f"folder-{sub}": ExpectedChild(
            kind=EntryKind.FOLDER, box_name="sub", box_id=f"folder-{sub}", row_id=sub
        ),
    } == scene.checkpoint.expected_children(scene.root_id)


def test_folders_to_verify_are_those_in_box(scene: Scene) -> None:
    """Every folder with a Box id, the root included, is streamed once."""
    scene.walk(SHARE)

    assert list(scene.checkpoint.folders_to_verify(scene.tree.id)) == []

    scene.create_folders()
    paths = [folder.path for folder in scene.checkpoint.folders_to_verify(scene.tree.id)]

    assert paths == ["A", "A/sub", "A/sub/empty"]


def test_folder_chain_leads_from_the_root(scene: Scene) -> None:
    """The chain of a folder starts with the tree's root and ends with the folder."""
    scene.walk(SHARE)
    chain = scene.checkpoint.folder_chain(scene.folder_id("sub/empty"))

    assert [folder.path for folder in chain] == ["A", "A/sub", "A/sub/empty"]
    assert [None, chain[0].id, chain[1].id] == [folder.parent_id for folder in chain]


def test_verified_tree_stays_complete(scene: Scene) -> None:
    """Agreement makes a tree VERIFIED and takes its reason away; a COMPLETE one stays COMPLETE."""
    scene.checkpoint.set_tree_state(
        scene.tree.id, TreeState.INCOMPLETE, reason=IncompleteReason.VERIFICATION_FAILED, detail="x"
    )
    scene.checkpoint.record_verified(scene.tree.id)
    [tree] = scene.checkpoint.trees(scene.plan_id)

    assert (
        tree.state,
        tree.verified,
        tree.incomplete_reason,
        tree.detail,
    ) == (TreeState.VERIFIED, True, None, None)

    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.COMPLETE)
    scene.checkpoint.record_verified(scene.tree.id)

    assert scene.checkpoint.trees(scene.plan_id)[0].state == TreeState.COMPLETE


@pytest.mark.parametrize(
    ("name", "compared"),
    [("sub", {"A", "A/sub", "A/sub/deep"}), ("deep", {"A/sub", "A/sub/deep"}), ("f", {"A"})],
)
def test_what_was_out_of_sight_is_not_proven(scene: Scene, name: str, compared: set[str]) -> None:
    """A verification proves the folders that it lists; what comes back into sight is compared with Box first."""
    share = {"f": 1, "sub": {"g": 2, "deep": {"h": 3}}}
    scene.walk(share)
    scene.send_everything()
    scene.next_pass()
    scene.excluded = lambda entry: "rule" if entry.name == name else None
    scene.walk(share)
    scene.checkpoint.record_verified(scene.tree.id)
    left = list(scene.checkpoint.folders_to_verify(scene.tree.id))
    scene.next_pass()
    scene.excluded = lambda entry: None
    scene.walk(share)

    assert [] == left
    assert compared == {folder.path for folder in scene.checkpoint.folders_to_verify(scene.tree.id)}


def test_mismatch_sends_again(scene: Scene) -> None:
    """What Box lost is sent as a new file, what it holds differently as a version; the tree is not verified."""
    scene.walk({"lost": 1, "other": 2, "fine": 3})
    scene.send_everything()
    scene.checkpoint.record_verified(scene.tree.id)
    lost, other = scene.child("lost").id, scene.child("other").id
    scene.checkpoint.record_verification_mismatch(
        scene.tree.id,
        item_ids_by_reason={GONE_FROM_BOX: [lost], DIFFERENT_IN_BOX: [other]},
        detail="2 differ",
    )
    batch = {item.id: item for item in scene.claim()}

    assert {lost, other} == set(batch)
    assert (None, f"file-{other}") == (batch[lost].box_file_id, batch[other].box_file_id)
    assert not scene.checkpoint.trees(scene.plan_id)[0].verified


def test_folder_that_box_lost_is_created_again_with_all_below(scene: Scene) -> None:
    """A folder gone from Box is PENDING with everything below it, without its ids."""
    scene.walk(SHARE)
    scene.send_everything()
    sub = scene.folder_id("sub")
    scene.checkpoint.record_verification_mismatch(
        scene.tree.id, item_ids_by_reason={}, folders_gone={sub: f"folder-{sub}"}, detail="folder gone"
    )
    waiting = scene.checkpoint.folders_to_create(scene.pass_id, tree_ids=[scene.tree.id], limit=10)

    assert [folder.path for folder in waiting] == ["A/sub", "A/sub/empty"]
    assert [(item.path, item.box_file_id) for item in scene.claim()] == [("A/sub/g", None)]


def test_late_word_of_a_lost_folder_changes_nothing(scene: Scene) -> None:
    """A folder that was made anew since stays as it is, with all that was sent into it."""
    scene.walk(SHARE)
    scene.send_everything()
    before, sub = scene.statuses(), scene.folder_id("sub")
    for _ in range(2):
        scene.checkpoint.record_verification_mismatch(
            scene.tree.id, item_ids_by_reason={}, folders_gone={sub: f"folder-{sub}"}, detail="gone"
        )
        if scene.statuses() != before:
            scene.checkpoint.record_folder_created(sub, box_folder_id="new", box_name="sub", adopted=False)
            scene.send_everything()

    assert before == scene.statuses()
    assert "new" == scene.checkpoint.folder_chain(sub)[-1].box_folder_id


def test_tree_whose_folder_box_lost_has_nobody_in_it(scene: Scene) -> None:
    """With the tree's own folder its collaborations and its link are gone; who declined is not asked again."""
    bob = CollaboratorSpec(login="bob@example.com", role="viewer")
    scene.walk(SHARE)
    scene.send_everything()
    first, second = scene.checkpoint.ensure_collaborations(scene.tree.id, [ANN, bob])
    for record, status in ((first, CollaborationStatus.ACCEPTED), (second, CollaborationStatus.REJECTED)):
        assert scene.checkpoint.claim_mail(scene.plan_id, record.id)
        scene.checkpoint.record_collaboration(record.id, status=status, box_collaboration_id="c")
    scene.checkpoint.record_verified(scene.tree.id)
    scene.checkpoint.record_shared_link(scene.tree.id, {"url": "x"})
    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.COMPLETE)
    scene.checkpoint.record_verification_mismatch(
        scene.tree.id,
        item_ids_by_reason={},
        folders_gone={scene.root_id: f"folder-{scene.root_id}"},
        detail="folder gone",
    )
    report = scene.checkpoint.tree_report(scene.tree.id)

    assert (TreeState.MOVING, False, None) == (
        report.tree.state,
        report.tree.verified,
        report.tree.shared_link,
    )
    assert [(CollaborationStatus.PLANNED, None), (CollaborationStatus.REJECTED, None)] == [
        (each.status, each.box_collaboration_id) for each in report.collaborations
    ]
    assert not scene.checkpoint.claim_mail(scene.plan_id, first.id)


def test_folder_below_that_box_lost_leaves_people_in(scene: Scene) -> None:
    """A folder inside the tree is gone: who was let into the tree still is."""
    scene.walk(SHARE)
    scene.send_everything()
    [ann] = scene.checkpoint.ensure_collaborations(scene.tree.id, [ANN])
    scene.checkpoint.record_collaboration(
        ann.id, status=CollaborationStatus.ACCEPTED, box_collaboration_id="c"
    )
    scene.checkpoint.record_verification_mismatch(
        scene.tree.id,
        item_ids_by_reason={},
        folders_gone={scene.folder_id("sub"): f"folder-{scene.folder_id('sub')}"},
        detail="folder gone",
    )
    [record] = scene.checkpoint.tree_report(scene.tree.id).collaborations

    assert (CollaborationStatus.ACCEPTED, "c") == (record.status, record.box_collaboration_id)


ANN = CollaboratorSpec(login="ann@example.com", role="editor")
FINANCE = CollaboratorSpec(group="Finance", role="viewer", expires_at=datetime(2027, 1, 1, tzinfo=UTC))


def test_collaborators_are_planned_once(scene: Scene) -> None:
    """A collaborator is PLANNED when new or changed, else as Box said; one the plan dropped is not shown."""
    ensure = scene.checkpoint.ensure_collaborations
    first, second = ensure(scene.tree.id, [ANN, FINANCE])
    scene.checkpoint.record_collaboration(
        first.id, status=CollaborationStatus.ACCEPTED, box_collaboration_id="c1"
    )

    assert (second.spec, second.status) == (FINANCE, CollaborationStatus.PLANNED)
    assert ensure(scene.tree.id, [ANN, FINANCE])[0].status == CollaborationStatus.ACCEPTED

    promoted = replace(ANN, login="ANN@example.com", role="co-owner")
    [changed] = ensure(scene.tree.id, [promoted])

    assert (first.id, promoted, CollaborationStatus.PLANNED, "c1") == (
        changed.id,
        changed.spec,
        changed.status,
        changed.box_collaboration_id,
    )
    assert (changed,) == scene.checkpoint.tree_report(scene.tree.id).collaborations


def test_refused_collaboration_keeps_its_reason(scene: Scene) -> None:
    """What Box said of a collaborator is kept in one line."""
    [ann] = scene.checkpoint.ensure_collaborations(scene.tree.id, [ANN])
    scene.checkpoint.record_collaboration(
        ann.id, status=CollaborationStatus.FAILED, box_collaboration_id=None, detail="unknown user"
    )
    [record] = scene.checkpoint.tree_report(scene.tree.id).collaborations

    assert (record.status, record.detail) == (CollaborationStatus.FAILED, "unknown user")


def test_call_counts_add_up(scene: Scene) -> None:
    """Calls are summed by route over all runs of the plan."""
    scene.checkpoint.add_call_counts(scene.plan_id, {"POST /files/content": 2, "POST /folders": 1})
    scene.checkpoint.add_call_counts(scene.plan_id, {"POST /files/content": 3})

    assert scene.checkpoint.call_counts(scene.plan_id) == {"POST /files/content": 5, "POST /folders": 1}


def test_tree_is_neither_verified_nor_complete_with_something_open(scene: Scene) -> None:
    """A waiver that is taken back while Box's listing is compared, or while people are let in, is not overlooked."""
    scene.walk({"ok": 1, "bad": 1})
    scene.fail("bad")
    scene.send_everything()
    scene.checkpoint.waive(scene.plan_id, "A/bad", who="ann", why="not needed")
    scene.checkpoint.unwaive(scene.plan_id, "A/bad", who="ann")
    scene.checkpoint.record_verified(scene.tree.id)
    [tree] = scene.checkpoint.trees(scene.plan_id)
    assert not tree.verified

    scene.checkpoint.waive(scene.plan_id, "A/bad", who="ann", why="not needed")
    scene.checkpoint.record_verified(scene.tree.id)
    scene.checkpoint.unwaive(scene.plan_id, "A/bad", who="ann")
    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.COMPLETE)

    [tree] = scene.checkpoint.trees(scene.plan_id)
    assert (False, TreeState.MOVING) == (tree.verified, tree.state)


def test_tree_is_not_verified_with_a_folder_open(scene: Scene) -> None:
    """The same for the waiver of a folder that could not be listed."""
    scene.walk({"ok": 1, "d": {}})
    scene.checkpoint.record_folder_failure(
        scene.folder_id("d"), scene.pass_id, reason="access_denied", detail="no"
    )
    scene.send_everything()
    scene.checkpoint.waive(scene.plan_id, "A/d", who="ann", why="not needed")
    scene.checkpoint.unwaive(scene.plan_id, "A/d", who="ann")

    scene.checkpoint.record_verified(scene.tree.id)

    [tree] = scene.checkpoint.trees(scene.plan_id)
    assert not tree.verified


def test_receipts_prove_no_folder(scene: Scene) -> None:
    """What was verified without a listing is listed as soon as a listing is what proves."""
    scene.walk(SHARE)
    scene.send_everything()
    unlisted = [folder.path for folder in scene.checkpoint.folders_to_verify(scene.tree.id)]
    scene.checkpoint.record_verified(scene.tree.id, by_listing=False)

    assert unlisted
    assert unlisted == [folder.path for folder in scene.checkpoint.folders_to_verify(scene.tree.id)]


@pytest.mark.parametrize("recorded", [False, True])
def test_what_a_dead_worker_may_have_sent_is_compared_again(scene: Scene, recorded: bool) -> None:
    """A version that was sent and not written down contradicts what is known: the folder is listed, though the file
    has its old content again; what was written down before costs nothing."""
    scene.walk({"f": 1, "sub": {"g": 1}})
    scene.create_folders()
    scene.send_everything()
    scene.checkpoint.record_verified(scene.tree.id)
    scene.next_pass()
    scene.walk({"f": 2, "sub": {"g": 1}})
    [item] = scene.claim()
    if recorded:
        scene.checkpoint.record_results(scene.worker, [scene.uploaded(item)])
        scene.checkpoint.record_verified(scene.tree.id)

    scene.checkpoint.release_worker(scene.worker)

    expected = [] if recorded else ["A"]
    assert expected == [folder.path for folder in scene.checkpoint.folders_to_verify(scene.tree.id)]

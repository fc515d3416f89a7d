"""Waivers and retries: what a person decides about what failed, and what takes the decision back."""

from __future__ import annotations

from connectors.entry import Entry, EntryKind
from state.diff import diff_folder
from state.records import TreeSpec
from state.reports.lines import item_lines
from state.statuses import (
    ItemStatus,
)
from tests.integration.state.scene import Scene

SHARE = {"f": 3, "sub": {"g": 4, "empty": {}}, "link": EntryKind.SYMLINK}


def test_waiver_covers_a_path_and_what_is_below(scene: Scene) -> None:
    """FAILED and PENDING entries at the path or below are WAIVED with who and why; uploaded ones are not."""
    share = {"sub": {"f": 1, "g": 1, "deep": {"h": 1}}, "subway": 1, "z": 1}
    scene.walk(share)
    f = next(item for item in scene.claim() if item.path == "A/sub/f")
    scene.checkpoint.record_results(scene.worker, [scene.uploaded(f)])

    assert scene.checkpoint.waive(scene.plan_id, "A/sub", who="ann", why="obsolete", pending_too=True) == 4
    assert scene.checkpoint.waive(scene.plan_id, "A/sub", who="ann", why="obsolete", pending_too=True) == 0
    assert scene.checkpoint.waive(scene.plan_id, "A/nothing/here", who="ann", why="x", pending_too=True) == 0
    assert scene.checkpoint.waive(scene.plan_id, "B", who="ann", why="x", pending_too=True) == 0

    lines = {line.path: line for line in item_lines(scene.checkpoint, scene.plan_id)}
    waived = {path for path, line in lines.items() if line.status is ItemStatus.WAIVED}

    assert {"A/sub", "A/sub/g", "A/sub/deep", "A/sub/deep/h"} == waived
    assert (lines["A/sub/g"].waived_by, lines["A/sub/g"].waived_why) == ("ann", "obsolete")
    assert lines["A/sub/f"].status == ItemStatus.UPLOADED


def test_waiver_of_one_file_or_of_everything(scene: Scene) -> None:
    """A path may be one file, the tree, or the whole source."""
    scene.walk({"f": 1, "g": 1, "h": 1})

    assert scene.checkpoint.waive(scene.plan_id, "A/f", who="ann", why="x", pending_too=True) == 1
    assert scene.checkpoint.waive(scene.plan_id, "A", who="ann", why="x", pending_too=True) == 2
    assert scene.checkpoint.waive(scene.plan_id, "", who="ann", why="x", pending_too=True) == 0

    scene.create_folders()

    assert scene.checkpoint.tree_is_settled(scene.pass_id, scene.tree.id)


def test_waiver_in_a_tree_that_is_the_whole_source(scene: Scene) -> None:
    """Paths are those of the source, whatever the tree's own folder is."""
    checkpoint = scene.checkpoint
    spec = TreeSpec(source="", folder="Whole", name="whole")
    [whole] = checkpoint.ensure_trees(scene.plan_id, [spec])
    listing = [Entry(path="f", kind=EntryKind.FILE, size=1)]
    changes = diff_folder(listing, [], box_names={}, excluded=lambda entry: None)
    checkpoint.record_listing(whole.root_folder_id, scene.pass_id, changes)
    [item] = checkpoint.claim_batch(scene.worker, tree_ids=[whole.id], max_items=9, max_bytes=9)

    assert item.path == "f"
    assert checkpoint.waive(scene.plan_id, "f", who="ann", why="x", pending_too=True) == 1


def test_waiver_lasts_until_the_content_changes(scene: Scene) -> None:
    """A waived file stays so in later passes while it is the same, and is to move when it is not."""
    scene.walk({"f": (1, 1)})
    scene.checkpoint.waive(scene.plan_id, "A/f", who="ann", why="x", pending_too=True)
    scene.next_pass()
    scene.walk({"f": (1, 1)})

    assert scene.statuses() == {"A/f": ItemStatus.WAIVED}

    scene.next_pass()
    scene.walk({"f": (1, 2)})
    [line] = item_lines(scene.checkpoint, scene.plan_id)

    assert (ItemStatus.PENDING, None, None) == (line.status, line.waived_by, line.waived_why)


def test_waived_folder_moves_when_something_new_is_in_it(scene: Scene) -> None:
    """A folder that could not be listed and was waived is walked again, and moves with what it then shows."""
    scene.record({"sub": {}})
    sub = scene.folder_id("sub")
    scene.checkpoint.record_folder_failure(sub, scene.pass_id, reason="access_denied", detail="no")
    scene.checkpoint.waive(scene.plan_id, "A/sub", who="ann", why="x", pending_too=True)
    scene.checkpoint.record_folder_failure(sub, scene.pass_id, reason="access_denied", detail="no")

    assert scene.statuses() == {"A/sub": ItemStatus.WAIVED}

    scene.next_pass()
    scene.walk({"sub": {"f": 1}})

    assert scene.statuses() == {"A/sub": ItemStatus.PENDING, "A/sub/f": ItemStatus.PENDING}
    assert {None} == {line.waived_by for line in item_lines(scene.checkpoint, scene.plan_id)}


def test_retry_takes_failures_of_one_reason(scene: Scene) -> None:
    """FAILED entries of a reason, or of all, are PENDING with all attempts; unlisted folders are walked again."""
    scene.walk({"f": 1, "g": 1, "sub": {}})
    scene.fail("f", reason="too_large")
    scene.fail("g", reason="locked")
    scene.checkpoint.record_folder_failure(
        scene.folder_id("sub"), scene.pass_id, reason="access_denied", detail="no"
    )

    assert scene.checkpoint.retry_failures(scene.plan_id, reason="too_large") == 1
    assert [item.path for item in scene.claim()] == ["A/f"]
    assert scene.checkpoint.retry_failures(scene.plan_id) == 2
    assert [folder.path for folder in scene.claim_folders()] == ["A/sub"]
    assert scene.checkpoint.retry_failures(scene.plan_id) == 0


def test_waiver_covers_what_failed(scene: Scene) -> None:
    """What was never tried is not waived unless that is asked for."""
    scene.walk({"f": 1, "g": 1})
    scene.fail("f", reason="locked")

    assert scene.checkpoint.waive(scene.plan_id, "A", who="ann", why="x") == 1
    assert scene.statuses() == {"A/f": ItemStatus.WAIVED, "A/g": ItemStatus.PENDING}


def test_waiver_that_is_taken_back_leaves_everything_undecided(scene: Scene) -> None:
    """WAIVED entries at the path or below are PENDING again, with all attempts, and their tree is not verified."""
    scene.walk({"f": 1, "sub": {"g": 1}})
    scene.fail("f", reason="too_large")
    scene.checkpoint.waive(scene.plan_id, "A", who="ann", why="x", pending_too=True)
    scene.checkpoint.record_verified(scene.tree.id)

    assert scene.checkpoint.unwaive(scene.plan_id, "A/nothing", who="bob") == 0
    assert scene.checkpoint.tree(scene.tree.id).verified
    assert scene.checkpoint.unwaive(scene.plan_id, "A/sub", who="bob") == 2
    assert scene.checkpoint.unwaive(scene.plan_id, "A/f", who="bob") == 1

    assert set(scene.statuses().values()) == {ItemStatus.PENDING}
    assert {(None, None)} == {
        (line.waived_by, line.reason) for line in item_lines(scene.checkpoint, scene.plan_id)
    }
    assert not scene.checkpoint.tree(scene.tree.id).verified
    assert {"A/f", "A/sub/g"} == {item.path for item in scene.claim()}

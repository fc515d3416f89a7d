"""The walk: frontier, listings, what comes and goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.entry import Entry, EntryKind, Fault
from state.diff import Change, ChangeKind
from state.errors import IllegalTransition
from state.reports.lines import item_lines
from state.statuses import IncompleteReason, ItemStatus, TreeState
from tests.integration.state.scene import Scene


def test_frontier_is_shallow_first_and_claimed_once(scene: Scene) -> None:
    """What was never listed comes first, then shallow ones, each to one claim, and again only when it is given back."""
    scene.record({"b": {}, "a": {}})
    scene.record({"deep": {}}, "b")
    scene.next_pass()
    first = scene.claim_folders(limit=2)
    rest = scene.claim_folders()
    paths = [folder.path for folder in first + rest]

    assert (["A/a", "A/b/deep"], ["A", "A/b"]) == (paths[:2], paths[2:])
    assert scene.claim_folders() == []

    scene.checkpoint.release_folders(scene.worker, [rest[0].id])

    assert [folder.path for folder in scene.claim_folders()] == ["A"]


def test_new_folders_come_before_deeper_old_ones(scene: Scene) -> None:
    """Depth decides between a folder of this pass and one of an earlier pass."""
    scene.walk({"old": {"older": {"oldest": {}}}})
    scene.next_pass()
    [root] = scene.claim_folders(limit=1)
    scene.checkpoint.record_listing(
        root.id, scene.pass_id, scene.compare(root.id, "A", {"old": {}, "new": {}})
    )

    assert [folder.path for folder in scene.claim_folders(limit=3)] == ["A/old", "A/new", "A/old/older"]


def test_walk_is_done_when_every_folder_was_listed(scene: Scene) -> None:
    """A folder that is claimed and not yet listed keeps the walk open."""
    scene.record({"x": {}})
    [x] = scene.claim_folders()

    assert not scene.checkpoint.walk_is_done(scene.pass_id, scene.tree.id)

    scene.checkpoint.record_listing(x.id, scene.pass_id, [])

    assert scene.checkpoint.walk_is_done(scene.pass_id, scene.tree.id)


def test_pass_that_is_resumed_looks_again(scene: Scene) -> None:
    """What was not listed before the stop comes first; then all that was, since it may have changed meanwhile."""
    scene.record({"x": {}, "y": {}})
    scene.record({}, "x")
    scene.claim_folders()
    scene.checkpoint.release_worker(scene.worker)
    scene.worker = scene.checkpoint.register_worker(scene.plan_id, name="second")
    scene.pass_id = scene.checkpoint.begin_pass(scene.plan_id, kind="initial")

    assert ["A/y", "A", "A/x"] == [scene.claim_folders(limit=1)[0].path for _ in range(3)]


def test_listing_becomes_items(scene: Scene) -> None:
    """Files are PENDING, folders too, what is never followed is EXCLUDED with the reason."""
    scene.walk({"f.txt": 3, "sub": {}, "link": EntryKind.SYMLINK})

    assert scene.statuses() == {
        "A/f.txt": ItemStatus.PENDING,
        "A/sub": ItemStatus.PENDING,
        "A/link": ItemStatus.EXCLUDED,
    }
    assert scene.child("link").reason == "symlink"


def test_unchanged_folder_is_left_alone(scene: Scene) -> None:
    """A second listing of the same content changes nothing and keeps what was verified."""
    share = {"f.txt": 3, "sub": {"g.txt": 4}}
    scene.walk(share)
    scene.send_everything()
    scene.checkpoint.record_verified(scene.tree.id)
    before = scene.statuses()
    scene.next_pass()
    scene.walk(share)
    [tree] = scene.checkpoint.trees(scene.plan_id)

    assert before == scene.statuses()
    assert tree.verified
    assert tree.state == TreeState.VERIFIED


@pytest.mark.parametrize("changed", [{"f.txt": 4}, {}, {"f.txt": 3, "g": 1}, {"f.txt": 3, "d": {}}])
def test_any_change_clears_verified(scene: Scene, changed: dict[str, int]) -> None:
    """A tree with anything new, changed or missing is moving again."""
    scene.walk({"f.txt": 3})
    scene.send_everything()
    scene.checkpoint.record_verified(scene.tree.id)
    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.COMPLETE)
    scene.next_pass()
    scene.record(changed)
    [tree] = scene.checkpoint.trees(scene.plan_id)

    assert (tree.verified, tree.state) == (False, TreeState.MOVING)


@pytest.mark.parametrize(
    "reason",
    [
        IncompleteReason.TREE_BELOW,
        IncompleteReason.COLLABORATION_FAILED,
        IncompleteReason.SHARED_LINK_FAILED,
    ],
)
def test_change_ends_what_was_said_of_a_verified_tree(scene: Scene, reason: IncompleteReason) -> None:
    """A verified tree that waited to be shared is moving once something changes, and no reason is left of it."""
    scene.walk({"f.txt": 3})
    scene.send_everything()
    scene.checkpoint.record_verified(scene.tree.id)
    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.INCOMPLETE, reason=reason, detail="x")
    scene.next_pass()
    scene.record({"f.txt": 4})
    [tree] = scene.checkpoint.trees(scene.plan_id)

    assert (TreeState.MOVING, None, None) == (tree.state, tree.incomplete_reason, tree.detail)


def test_what_cannot_be_looked_at(scene: Scene) -> None:
    """It is FAILED with its reason and keeps what is known; seen again unchanged it is UPLOADED without a claim."""
    scene.walk({"f.txt": 3, "gone.txt": 4, "other.txt": 5})
    scene.send_everything()
    scene.checkpoint.record_verified(scene.tree.id)
    scene.next_pass()
    scene.record({"f.txt": 3})
    fault = Fault("access_denied", "no")
    scene.record({"f.txt": fault, "gone.txt": fault, "new.txt": fault})

    assert {"A/f.txt", "A/gone.txt", "A/new.txt"} == {
        path for path, status in scene.statuses().items() if status is ItemStatus.FAILED
    }
    assert (3, True, "access_denied") == (
        scene.child("f.txt").fingerprint.size,
        scene.child("f.txt").in_box,
        scene.child("f.txt").reason,
    )
    [tree] = scene.checkpoint.trees(scene.plan_id)
    assert not tree.verified
    assert not scene.checkpoint.tree_is_settled(scene.pass_id, scene.tree.id)

    scene.next_pass()
    scene.record({"f.txt": 3, "gone.txt": (4, 7), "new.txt": 6})

    assert {
        "A/f.txt": ItemStatus.UPLOADED,
        "A/gone.txt": ItemStatus.PENDING,
        "A/new.txt": ItemStatus.PENDING,
    } == scene.statuses()


def test_changed_file_is_sent_again_as_a_version(scene: Scene) -> None:
    """Another size or time makes an uploaded file PENDING; it keeps its Box file."""
    scene.walk({"f.txt": (3, 1)})
    scene.send_everything()
    scene.next_pass()
    scene.walk({"f.txt": (3, 2)})
    [item] = scene.claim()

    assert f"file-{item.id}" == item.box_file_id
    assert (item.fingerprint.size, item.fingerprint.modified_ns) == (3, 2)


def test_what_was_read_too_early_is_read_again(scene: Scene) -> None:
    """The next pass has it read again; read late enough it is settled, and its folder needs no new proof."""
    share = {"f.txt": (3, 10**9), "g.txt": 3}
    scene.walk(share)
    scene.create_folders()
    for item in scene.claim():
        early = replace(scene.uploaded(item), settles_ns=item.settles_ns)
        scene.checkpoint.record_results(scene.worker, [early])
    scene.checkpoint.record_verified(scene.tree.id)
    scene.next_pass()
    scene.walk(share)
    [again] = scene.claim()

    assert ("A/f.txt", f"{again.id:040x}") == (again.path, again.sha1)
    assert again.settles_ns is not None
    late = replace(scene.uploaded(again), settles_ns=None, adopted=True)
    scene.checkpoint.record_results(scene.worker, [late])
    scene.next_pass()
    scene.walk(share)
    assert [] == scene.claim()
    assert {ItemStatus.UPLOADED} == {scene.statuses()[path] for path in ("A/f.txt", "A/g.txt")}


def test_missing_subfolder_takes_everything_below_along(scene: Scene) -> None:
    """A folder that is gone makes its files and subfolders MISSING, at any depth, and nothing beside them."""
    scene.walk({"gone": {"f": 1, "deep": {"g": 2, "l": EntryKind.SYMLINK}}, "stays": {"h": 3}})
    scene.next_pass()
    scene.walk({"stays": {"h": 3}})

    assert {"A/stays", "A/stays/h"} == set(scene.statuses())
    assert scene.checkpoint.walk_is_done(scene.pass_id, scene.tree.id)


def test_what_reappears_unchanged_is_uploaded_without_a_call(scene: Scene) -> None:
    """A folder that was moved away and back is as it was: its files are UPLOADED again, in the same folder."""
    share = {"sub": {"f": 1, "g": 2}}
    scene.walk(share)
    scene.send_everything()
    before = scene.statuses()
    scene.next_pass()
    scene.walk({})
    scene.next_pass()
    scene.walk(share)

    assert before == scene.statuses()
    assert scene.claim() == []


def test_what_reappears_changed_is_sent_again(scene: Scene) -> None:
    """A file that comes back with other content is PENDING."""
    scene.walk({"f": (1, 1)})
    scene.send_everything()
    scene.next_pass()
    scene.walk({})
    scene.next_pass()
    scene.walk({"f": (1, 2)})

    assert scene.statuses() == {"A/f": ItemStatus.PENDING}


def test_content_that_never_arrived_is_pending_when_it_reappears(scene: Scene) -> None:
    """MISSING remembers what Box holds, not what was last seen."""
    scene.walk({"f": (1, 1)})
    scene.send_everything()
    scene.next_pass()
    scene.walk({"f": (1, 2)})
    scene.next_pass()
    scene.walk({})
    scene.next_pass()
    scene.walk({"f": (1, 2)})

    assert scene.statuses() == {"A/f": ItemStatus.PENDING}


def test_file_that_became_a_folder(scene: Scene) -> None:
    """The file is MISSING and the folder NEW; both rows live side by side."""
    scene.walk({"x": 5})
    scene.next_pass()
    scene.walk({"x": {"inside": 1}})

    assert scene.statuses() == {"A/x": ItemStatus.PENDING, "A/x/inside": ItemStatus.PENDING}
    assert scene.child("x").status == ItemStatus.GONE


def test_excluded_folder_hides_what_is_below(scene: Scene) -> None:
    """A rule added later excludes a folder and its inside, and both come back with the rule's end."""
    share = {"cache": {"f": 1}, "g": 2}
    scene.walk(share)
    scene.send_everything()
    before = scene.statuses()
    scene.next_pass()
    scene.excluded = lambda entry: "rule: cache/" if entry.name == "cache" else None
    scene.walk(share)

    assert scene.statuses() == {
        "A/cache": ItemStatus.EXCLUDED,
        "A/cache/f": ItemStatus.EXCLUDED,
        "A/g": ItemStatus.UPLOADED,
    }

    scene.next_pass()
    scene.excluded = lambda entry: None
    scene.walk(share)

    assert before == scene.statuses()


def test_folder_that_cannot_be_listed_fails_and_heals(scene: Scene) -> None:
    """An unreadable folder is FAILED with its reason, what is below keeps its status, and a listing heals it."""
    share = {"sub": {"f": 1}}
    scene.walk(share)
    scene.send_everything()
    scene.next_pass()
    scene.record(share)
    sub = scene.folder_id("sub")
    scene.checkpoint.record_folder_failure(sub, scene.pass_id, reason="access_denied", detail="no")

    assert scene.statuses() == {"A/sub": ItemStatus.FAILED, "A/sub/f": ItemStatus.UPLOADED}
    assert scene.checkpoint.walk_is_done(scene.pass_id, scene.tree.id)
    assert not scene.checkpoint.tree_is_settled(scene.pass_id, scene.tree.id)

    scene.next_pass()
    scene.walk(share)

    assert scene.statuses() == {"A/sub": ItemStatus.UPLOADED, "A/sub/f": ItemStatus.UPLOADED}


def test_creation_in_box_does_not_heal_a_failed_listing(scene: Scene) -> None:
    """A folder that could not be listed stays FAILED although Box has it, so that nothing is missed in silence."""
    scene.record({"sub": {}})
    sub = scene.folder_id("sub")
    scene.checkpoint.record_folder_failure(sub, scene.pass_id, reason="access_denied", detail="no")
    scene.checkpoint.record_folder_created(sub, box_folder_id="77", box_name="sub", adopted=True)

    assert scene.statuses() == {"A/sub": ItemStatus.FAILED}
    assert scene.checkpoint.folder_chain(sub)[-1].box_folder_id == "77"


def test_vanished_folder_is_missing(scene: Scene) -> None:
    """A folder that its parent listed and that is gone when its turn comes is MISSING with what was below."""
    scene.walk({"sub": {"f": 1}})
    scene.next_pass()
    scene.checkpoint.record_folder_vanished(scene.folder_id("sub"), scene.pass_id)

    assert scene.statuses() == {}


def test_vanished_root_is_a_failure(scene: Scene) -> None:
    """A tree without its root is not an empty tree: it fails and is not settled."""
    scene.walk({"f": 1})
    scene.send_everything()
    scene.next_pass()
    scene.checkpoint.record_folder_vanished(scene.root_id, scene.pass_id)

    assert scene.statuses() == {"A": ItemStatus.FAILED, "A/f": ItemStatus.UPLOADED}
    assert not scene.checkpoint.tree_is_settled(scene.pass_id, scene.tree.id)
    assert scene.checkpoint.tree_report(scene.tree.id).failures_by_reason == {"not_found": 1}


def test_listing_of_a_folder_that_went_out_of_sight_is_dropped(scene: Scene) -> None:
    """A late listing of a folder that its parent reported missing meanwhile brings nothing back."""
    scene.record({"sub": {}})
    [sub] = scene.claim_folders()
    changes = scene.compare(sub.id, sub.path, {"f": 1})
    scene.record({})
    scene.checkpoint.record_listing(sub.id, scene.pass_id, changes)

    assert scene.statuses() == {}
    assert scene.claim() == []


def test_same_listing_twice_is_once(scene: Scene) -> None:
    """A listing whose commit was answered by silence is recorded again without harm."""
    changes = scene.compare(scene.root_id, "A", {"f": 1, "sub": {}})
    scene.checkpoint.record_listing(scene.root_id, scene.pass_id, changes)
    scene.checkpoint.record_listing(scene.root_id, scene.pass_id, changes)

    assert scene.statuses() == {"A/f": ItemStatus.PENDING, "A/sub": ItemStatus.PENDING}


@pytest.mark.parametrize("status", [ItemStatus.EXCLUDED, ItemStatus.GONE])
def test_folder_that_fails_when_it_is_out_of_sight_stays_so(scene: Scene, status: ItemStatus) -> None:
    """A refusal that comes after the folder was excluded, or is gone, changes nothing and ends the claims on it."""
    scene.record({"cache": {}})
    cache = scene.folder_id("cache")
    assert [cache] == [folder.id for folder in scene.claim_folders()]
    assert scene.checkpoint.claim_folder_creation(scene.worker, cache)
    scene.excluded = lambda entry: "rule: cache/"
    scene.record({"cache": {}} if status is ItemStatus.EXCLUDED else {})
    scene.checkpoint.record_folder_failure(cache, scene.pass_id, reason="x", detail="y")
    scene.checkpoint.record_folder_creation_failed(cache, reason="x", detail="y")
    [known] = scene.checkpoint.known_children(scene.root_id)
    second = scene.checkpoint.register_worker(scene.plan_id, name="second")

    assert status == known.status
    assert scene.checkpoint.claim_folder_creation(second, cache)

    scene.excluded = lambda entry: None
    scene.record({"cache": {}})

    assert {"A/cache": ItemStatus.PENDING} == scene.statuses()
    assert [cache] == [folder.id for folder in scene.claim_folders()]


def test_step_against_the_rules_is_refused(scene: Scene) -> None:
    """A step that statuses.py does not allow raises IllegalTransition and changes nothing."""
    scene.record({"f": 1})
    scene.checkpoint.waive(scene.plan_id, "A/f", who="ann", why="x", pending_too=True)
    known = replace(scene.child("f"), status=ItemStatus.WAIVED)
    entry = Entry(path="A/f", kind=EntryKind.FILE)
    change = Change(kind=ChangeKind.FAILED, name="f", entry=entry, known=known, box_name="f", reason="x")

    with pytest.raises(IllegalTransition, match="waived cannot become failed"):
        scene.checkpoint.record_listing(scene.root_id, scene.pass_id, [change])

    assert scene.statuses() == {"A/f": ItemStatus.WAIVED}


@pytest.mark.parametrize(
    "name",
    [
        "caf\udce9.txt",
        "\udcff\udc80",
        "a\x1ab",
        "\x1a\udc80001a",
        "💩 emoji",
        "e\u0301",
        " leading and trailing ",
        "x" * 255,
        "%s' ; DROP TABLE items; --",
        "line\nbreak",
    ],
)
def test_any_name_survives(scene: Scene, name: str) -> None:
    """Names come back exactly as the source gave them, undecodable bytes included, for files and for folders."""
    scene.walk({name: {name: 1}})
    [item] = scene.claim()
    lines = [line.path for line in item_lines(scene.checkpoint, scene.plan_id)]

    assert f"A/{name}/{name}" == item.path
    assert name == item.box_name
    assert [f"A/{name}", f"A/{name}/{name}"] == lines
    assert scene.record({name: {name: 1}}) == []

"""Files on their way: claims, results, upload sessions."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from connectors.entry import EntryKind, Fingerprint
from state.checkpoint import Checkpoint
from state.records import Failed, Holder, StoredPart, StoredSession, TreeSpec
from state.reports.lines import item_lines
from state.statuses import ItemStatus
from tests.integration.state.scene import Scene

BIG_FOLDER = Path(__file__).with_name("big_folder.py")


def test_batch_is_bounded_by_items_and_bytes(scene: Scene) -> None:
    """A batch has at most so many items and bytes, and at least one item however large."""
    scene.walk({"a": 10, "b": 10, "c": 10, "huge": 10**12})

    assert [item.path for item in scene.claim(max_bytes=25)] == ["A/a", "A/b"]
    assert [item.path for item in scene.claim(max_items=1)] == ["A/c"]
    assert [item.path for item in scene.claim(max_bytes=1)] == ["A/huge"]
    assert scene.claim() == []


def test_claimed_item_says_what_a_sender_needs(scene: Scene) -> None:
    """Path, names, size, times and fingerprint are those of the listing; there is no Box file yet."""
    scene.walk({"sub": {"f.txt": (7, 123_456_789_012_345_678)}})
    [item] = scene.claim()

    assert (item.path, item.box_name, item.size) == ("A/sub/f.txt", "f.txt", 7)
    assert Fingerprint(size=7, modified_ns=123_456_789_012_345_678) == item.fingerprint
    assert (
        item.modified_ns,
        item.created_ns,
        item.box_file_id,
        item.box_etag,
        item.attempts,
    ) == (123_456_789_012_345_678, 500, None, None, 0)
    assert scene.folder_id("sub") == item.folder_id


def test_batches_follow_folders(scene: Scene) -> None:
    """The files of one folder come together."""
    scene.walk({"x": {"1": 1, "2": 1}, "y": {"1": 1, "2": 1}})
    paths = [item.path for item in scene.claim()]

    assert paths == ["A/x/1", "A/x/2", "A/y/1", "A/y/2"]


def test_claims_are_of_the_wanted_trees_only(scene: Scene) -> None:
    """A batch holds files of the named trees; another tree's stay."""
    scene.walk({"f": 1})
    spec = TreeSpec(source="B", folder="B", name="B")
    [other] = scene.checkpoint.ensure_trees(scene.plan_id, [spec])

    assert scene.checkpoint.claim_batch(scene.worker, tree_ids=[other.id], max_items=9, max_bytes=9) == []
    assert scene.checkpoint.has_pending_files([other.id, scene.tree.id])
    assert not scene.checkpoint.has_pending_files([other.id])


def test_released_claims_are_free(scene: Scene) -> None:
    """Files that are given back unsent are handed out again; another worker's stay where they are."""
    scene.walk({"f": 1})
    [item] = scene.claim()
    second = scene.checkpoint.register_worker(scene.plan_id, name="second")
    scene.checkpoint.release_claims(second, [item.id])

    assert scene.claim() == []

    scene.checkpoint.release_claims(scene.worker, [item.id])

    assert [item] == scene.claim()


def test_uploaded_result_is_kept_whole(scene: Scene) -> None:
    """An uploaded file's line shows what Box said and when."""
    scene.walk({"f": 3})
    [item] = scene.claim()
    result = replace(scene.uploaded(item), box_name="f (renamed)")
    scene.checkpoint.record_results(scene.worker, [result])
    [line] = item_lines(scene.checkpoint, scene.plan_id)

    assert (ItemStatus.UPLOADED, result.sha1, result.box_file_id, "v1") == (
        line.status,
        line.sha1,
        line.box_id,
        line.box_version_id,
    )
    assert ("f (renamed)", True, 1, scene.clock.now) == (
        line.box_name,
        line.renamed,
        line.attempts,
        line.uploaded_at,
    )


def test_note_of_sending_stays_while_the_content_does(scene: Scene) -> None:
    """What sending saw missing stands in the report, through exclusion and absence, until another content is listed."""

    def note() -> str | None:
        [line] = [line for line in item_lines(scene.checkpoint, scene.plan_id) if line.path == "A/f"]
        return line.note

    scene.walk({"f": 3, "g": 3})
    scene.create_folders()
    items = scene.claim()
    read = replace(scene.entries["A/f"], note="has streams")
    results = [scene.uploaded(item, read=read if item.path == "A/f" else None) for item in items]
    scene.checkpoint.record_results(scene.worker, results)

    assert "has streams" == note()

    for excluded, share in (("rule", {"f": 3}), (None, {"f": 3}), (None, {}), (None, {"f": 3})):
        scene.excluded = lambda entry, reason=excluded: reason  # type: ignore[misc]
        scene.next_pass()
        scene.walk({**share, "g": 3})
        if share:
            assert "has streams" == note()
    scene.next_pass()
    scene.walk({"f": 4, "g": 3})

    assert note() is None
    assert {"A/g": None} == {
        line.path: line.note for line in item_lines(scene.checkpoint, scene.plan_id) if line.path == "A/g"
    }


def test_note_of_an_overtaken_content_is_not_kept(scene: Scene) -> None:
    """Where the walk saw another content since, the note of what was sent says nothing of the one to come."""
    scene.walk({"f": (3, 1)})
    [item] = scene.claim()
    old = replace(scene.entries["A/f"], note="has streams")
    scene.next_pass()
    scene.walk({"f": (3, 2)})
    scene.checkpoint.record_results(scene.worker, [scene.uploaded(item, read=old)])
    [line] = [line for line in item_lines(scene.checkpoint, scene.plan_id) if line.path == "A/f"]

    assert (ItemStatus.PENDING, None) == (line.status, line.note)


def test_failures_have_so_many_attempts(scene: Scene) -> None:
    """A failure that may pass stays PENDING until the attempts are used up; one that does not fails at once."""
    scene.walk({"f": 1, "g": 1})
    scene.fail("g", reason="too_large")

    assert scene.statuses() == {"A/f": ItemStatus.PENDING, "A/g": ItemStatus.FAILED}

    scene.fail("f", retry=True, max_attempts=2)

    assert scene.statuses()["A/f"] == ItemStatus.PENDING

    scene.fail("f", retry=True, max_attempts=2)

    assert scene.statuses()["A/f"] == ItemStatus.FAILED
    assert scene.checkpoint.tree_report(scene.tree.id).failures_by_reason == {"locked": 1, "too_large": 1}


def test_what_failed_waits_for_the_others(scene: Scene) -> None:
    """A file that failed once comes after all that were never tried, or later still."""
    scene.walk({"a": 1, "b": 1})
    scene.fail("a", retry=True)
    later = scene.checkpoint.claim_batch(
        scene.worker, tree_ids=[scene.tree.id], max_items=9, max_bytes=99, attempts_at_most=0
    )

    assert [item.path for item in later] == ["A/b"]
    assert [item.path for item in scene.claim()] == ["A/a"]


def test_result_of_content_that_the_walk_has_overtaken(scene: Scene) -> None:
    """A file that the walk saw change after it was claimed is PENDING after its older content arrived."""
    scene.walk({"f": (1, 1)})
    [item] = scene.claim()
    old = scene.entries["A/f"]
    scene.next_pass()
    scene.record({"f": (2, 2)})
    scene.checkpoint.record_results(scene.worker, [scene.uploaded(item, read=old)])
    [again] = scene.claim()

    assert (again.size, again.modified_ns) == (2, 2)
    assert f"file-{item.id}" == again.box_file_id


def test_result_of_content_that_the_walk_saw_too(scene: Scene) -> None:
    """When the sender read the very content that the walk saw later, the file is done."""
    scene.walk({"f": (1, 1)})
    [item] = scene.claim()
    scene.next_pass()
    scene.record({"f": (2, 2)})
    scene.checkpoint.record_results(scene.worker, [scene.uploaded(item, read=scene.entries["A/f"])])

    assert scene.statuses() == {"A/f": ItemStatus.UPLOADED}


def test_listing_that_is_older_than_the_upload(scene: Scene) -> None:
    """A change that is recorded after that very content was uploaded makes no second version."""
    scene.walk({"f": (1, 1)})
    [item] = scene.claim()
    changes = scene.compare(scene.root_id, "A", {"f": (2, 2)})
    scene.checkpoint.record_results(scene.worker, [scene.uploaded(item, read=scene.entries["A/f"])])
    scene.checkpoint.record_listing(scene.root_id, scene.pass_id, changes)

    assert scene.statuses() == {"A/f": ItemStatus.UPLOADED}


@pytest.mark.parametrize("share", [{}, {"f": EntryKind.SYMLINK}])
def test_result_does_not_bring_back_what_the_walk_took_away(
    scene: Scene, share: dict[str, EntryKind]
) -> None:
    """What is MISSING or EXCLUDED by the time its result comes stays so, and its Box file is remembered."""
    scene.walk({"f": 1})
    [item] = scene.claim()
    result = scene.uploaded(item)
    scene.next_pass()
    scene.walk(share)
    before = scene.child("f").status
    scene.checkpoint.record_results(scene.worker, [result])

    assert before == scene.child("f").status
    held = scene.checkpoint.other_holders_of_box_file(scene.plan_id, result.box_file_id, besides=0)
    assert ([] if before is ItemStatus.GONE else ["A/f"]) == [holder.path for holder in held]


def test_waiver_stands_against_a_late_failure(scene: Scene) -> None:
    """A file that was waived while it was sent is not FAILED afterwards, but UPLOADED when it arrived after all."""
    scene.walk({"f": 1, "g": 1})
    batch = {item.path: item for item in scene.claim()}
    scene.checkpoint.waive(scene.plan_id, "A", who="ann", why="old", pending_too=True)
    failed = Failed(item_id=batch["A/f"].id, reason="locked", detail="x")
    scene.checkpoint.record_results(scene.worker, [failed, scene.uploaded(batch["A/g"])])

    assert scene.statuses() == {"A/f": ItemStatus.WAIVED, "A/g": ItemStatus.UPLOADED}


def test_file_of_box_is_known_by_its_id(scene: Scene) -> None:
    """A Box file belongs to the item that sent it, or that remembers it, within its plan."""
    scene.walk({"f": 1})
    [item] = scene.claim()
    holders = scene.checkpoint.other_holders_of_box_file

    assert [] == holders(scene.plan_id, "99", besides=0)

    scene.checkpoint.remember_box_file(item.id, box_file_id="99", box_etag="3")
    scene.checkpoint.release_claims(scene.worker, [item.id])
    [again] = scene.claim()
    other = scene.checkpoint.ensure_plan(name="other", source_url="x", landing_folder_id="0")

    assert [Holder(tree_id=scene.tree.id, path="A/f")] == holders(scene.plan_id, "99", besides=0)
    assert [] == holders(scene.plan_id, "99", besides=item.id)
    assert ("99", "3") == (again.box_file_id, again.box_etag)
    assert [] == holders(other, "99", besides=0)


def test_what_another_name_took_over_is_not_missed_any_more(scene: Scene) -> None:
    """A file that got another name lies in Box as it was: it is the new name's, and the old one, back again, is new."""
    scene.walk({"f": 1})
    [old] = scene.claim()
    first = scene.uploaded(old)
    scene.checkpoint.record_results(scene.worker, [first])
    scene.next_pass()
    scene.walk({"F": 1})
    [new] = scene.claim()
    taken = replace(scene.uploaded(new), box_file_id=first.box_file_id, adopted=True)
    scene.checkpoint.record_results(scene.worker, [taken])
    scene.next_pass()
    scene.walk({"f": 1, "F": 1})
    [back] = scene.claim()

    assert (old.id, None) == (back.id, back.box_file_id)
    held = scene.checkpoint.other_holders_of_box_file(scene.plan_id, first.box_file_id, besides=0)
    assert ["A/F"] == [holder.path for holder in held]


def stored_session(**changes: object) -> StoredSession:
    """An open session of a large file."""
    session = StoredSession(
        session_id="S1",
        endpoints={"upload_part": "https://upload.example/1", "commit": "https://upload.example/2"},
        part_size=8_388_608,
        total_parts=3,
        expires_at=datetime(2026, 2, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        fingerprint=Fingerprint(size=20_000_000, modified_ns=1, changed_ns=2, file_id="9"),
        identity="user-1",
    )
    return replace(session, **changes)  # type: ignore[arg-type]


def stored_part(number: int) -> StoredPart:
    """A finished part of it."""
    return StoredPart(part_id=f"P{number}", offset=number * 8_388_608, size=8_388_608, sha1=f"{number:040x}")


def test_upload_session_outlives_the_process(scene: Scene, state_url: str) -> None:
    """A session and its finished parts, in order and each once, are there for the next process."""
    scene.walk({"big": 20_000_000})
    [item] = scene.claim()

    assert scene.checkpoint.upload_session(item.id) is None

    scene.checkpoint.save_upload_session(item.id, stored_session(parts=(stored_part(1),)))
    scene.checkpoint.add_upload_part(item.id, stored_part(0))
    scene.checkpoint.add_upload_part(item.id, stored_part(1))
    expected = stored_session(parts=(stored_part(0), stored_part(1)))
    with Checkpoint.open(state_url) as other:
        assert expected == other.upload_session(item.id)
        assert [(item.id, expected)] == other.open_upload_sessions(scene.plan_id)
        assert other.upload_session(item.id).expires_at.tzinfo == UTC  # type: ignore[union-attr]


def test_upload_session_is_replaced_and_cleared(scene: Scene) -> None:
    """A new session takes the place of the old one with its parts; a cleared one is gone, and so are late parts."""
    scene.walk({"big": 20_000_000})
    [item] = scene.claim()
    scene.checkpoint.save_upload_session(item.id, stored_session(parts=(stored_part(0),)))
    scene.checkpoint.save_upload_session(item.id, stored_session(session_id="S2"))

    assert stored_session(session_id="S2") == scene.checkpoint.upload_session(item.id)

    scene.checkpoint.clear_upload_session(item.id)
    scene.checkpoint.clear_upload_session(item.id)
    scene.checkpoint.add_upload_part(item.id, stored_part(0))

    assert scene.checkpoint.open_upload_sessions(scene.plan_id) == []


def test_naive_time_is_refused(scene: Scene) -> None:
    """A time without a zone never reaches the database."""
    scene.walk({"big": 1})
    [item] = scene.claim()

    with pytest.raises(Exception, match="without a zone"):
        scene.checkpoint.save_upload_session(item.id, stored_session(expires_at=datetime(2026, 1, 1)))


@pytest.mark.parametrize(
    "state_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.torture)], indirect=True
)
def test_folder_of_a_hundred_thousand_entries(state_url: str) -> None:
    """A folder of 100,000 files is listed, compared, claimed, sent and reported in less than 250 MB more memory."""
    command = [sys.executable, str(BIG_FOLDER), state_url, "100000"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=BIG_FOLDER.parents[3])
    report = json.loads(output.stdout)

    assert report["counts"] == {"unchanged": 0, "sent": 20_000, "expected": 20_000, "lines": 100_000}
    assert report["megabytes"] < 250

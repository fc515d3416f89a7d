"""Reports: status document, item lines, failures, renames, folders, events."""

from __future__ import annotations

import json
import os
import socket
from datetime import timedelta

import pytest

import state.reports.lines
from connectors.entry import EntryKind
from state.people_records import CollaboratorSpec
from state.records import TreeSpec
from state.reports.events import events
from state.reports.lines import failures, item_lines, renames
from state.reports.status import plan_status
from state.reports.sums import failures_by_reason
from state.statuses import CollaborationStatus, ItemStatus, PassState
from tests.integration.state.scene import Scene

SHARE = {"b.txt": 3, "a b": {"x": 1}, "a": {"y": 2, "link": EntryKind.SYMLINK, "empty": {}}}


def test_status_document(scene: Scene) -> None:
    """The status has the shape that scripts rely on, and fits into JSON."""
    scene.walk(SHARE)
    scene.send_everything()
    ann = CollaboratorSpec(login="ann@example.com", role="editor")
    scene.checkpoint.ensure_collaborations(scene.tree.id, [ann, CollaboratorSpec(group="G", role="viewer")])
    scene.checkpoint.add_call_counts(scene.plan_id, {"POST /folders": 4, "POST /files/content": 3})
    status = plan_status(scene.checkpoint, scene.plan_id)
    [process] = status.pop("running")

    assert (socket.gethostname(), os.getpid()) == (process["host"], process["pid"])
    assert "2026-01-01T00:00:00+00:00" == process["since"]
    assert "comparing with Box, and letting people in" == process["doing"]
    assert {
        "plan": "p",
        "pass": 1,
        "pass_kind": "initial",
        "owner": None,
        "source_url": "file:///s",
        "pass_state": "running",
        "trees": [
            {
                "name": "A",
                "source": "A",
                "state": "moving",
                "closed": None,
                "incomplete_reason": None,
                "detail": None,
                "as_of": "2026-01-01T00:00:00+00:00",
                "box_folder_id": f"folder-{scene.root_id}",
                "items": {
                    "total": 7,
                    "uploaded": 6,
                    "failed": 0,
                    "excluded": 1,
                    "waived": 0,
                    "pending": 0,
                    "gone": 0,
                },
                "files": {
                    "total": 3,
                    "uploaded": 3,
                    "failed": 0,
                    "excluded": 0,
                    "waived": 0,
                    "pending": 0,
                    "gone": 0,
                },
                "bytes": {"total": 6, "uploaded": 6},
                "collaborators": [
                    {"login": "ann@example.com", "role": "editor", "status": "planned"},
                    {"group": "G", "role": "viewer", "status": "planned"},
                ],
                "still_in": [],
                "let_in": 0,
                "shared_link": None,
                "failures_by_reason": {},
            }
        ],
        "calls": {"total": 7, "by_route": {"POST /files/content": 3, "POST /folders": 4}},
        "gone": {"in_box": 0, "trashed": 0, "kept": 0},
    } == json.loads(json.dumps(status))


def test_status_before_and_after_a_pass(scene: Scene) -> None:
    """The latest pass is shown after its end, and a plan without one shows none."""
    other = scene.checkpoint.ensure_plan(name="other", source_url="s", landing_folder_id="0")
    scene.checkpoint.end_pass(scene.pass_id, PassState.INCOMPLETE, summary={})

    assert None is plan_status(scene.checkpoint, other)["pass"]
    status = plan_status(scene.checkpoint, scene.plan_id)
    assert (status["pass"], status["pass_state"]) == (1, "incomplete")


def test_status_counts_whom_box_let_in(scene: Scene) -> None:
    """Also whom the plan names no more, and those whose new role Box refused; not who declined, nor who waits."""
    statuses = {
        "in": "accepted",
        "invited": "pending",
        "declined": "rejected",
        "refused": "failed",
        "new": "failed",
    }
    specs = [CollaboratorSpec(login=f"{name}@example.com", role="editor") for name in statuses]
    records = scene.checkpoint.ensure_collaborations(scene.tree.id, specs)
    for record, (name, status) in zip(records, statuses.items(), strict=True):
        scene.checkpoint.record_collaboration(
            record.id,
            status=CollaborationStatus(status),
            box_collaboration_id=None if name in ("in", "new") else record.spec.key,
        )
    scene.checkpoint.ensure_collaborations(scene.tree.id, specs[1:])
    [tree] = plan_status(scene.checkpoint, scene.plan_id)["trees"]

    assert (3, 4) == (tree["let_in"], len(tree["collaborators"]))
    assert ["in@example.com"] == [person["login"] for person in tree["still_in"]]


@pytest.mark.parametrize("folders_per_query", [1, 2, 100])
def test_item_lines_are_in_order(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, folders_per_query: int
) -> None:
    """Each folder, then what is in it by name, then its subfolders; whatever the groups that are read at once."""
    monkeypatch.setattr(state.reports.lines, "FOLDERS_PER_QUERY", folders_per_query)
    spec = TreeSpec(source="B", folder="B", name="B")
    [other] = scene.checkpoint.ensure_trees(scene.plan_id, [spec])
    scene.walk(SHARE)
    changes = scene.compare(other.root_folder_id, "B", {"z": 1})
    scene.checkpoint.record_listing(other.root_folder_id, scene.pass_id, changes)

    assert [path for path, _ in scene.lines()] == [
        "A/b.txt",
        "A/a",
        "A/a/link",
        "A/a/y",
        "A/a/empty",
        "A/a b",
        "A/a b/x",
        "B/z",
    ]


def test_what_is_gone_stays_in_the_report(scene: Scene) -> None:
    """An entry that was there once keeps its line: since when it is gone, and whether Box has it."""
    scene.walk({"sub": {"f": 1}, "g": 2})
    scene.send_everything()
    scene.clock.forward(3600)
    scene.next_pass()
    scene.walk({"g": 2, "late": 1})
    scene.next_pass()
    scene.walk({"g": 2})
    lines = {line.path: line for line in item_lines(scene.checkpoint, scene.plan_id)}
    counts = scene.checkpoint.tree_report(scene.tree.id).items

    assert {"A/g": "uploaded", "A/sub": "gone", "A/sub/f": "gone", "A/late": "gone"} == {
        path: line.status.word for path, line in lines.items()
    }
    assert "was there until 2026-01-01 00:00 UTC; Box has it" == lines["A/sub/f"].detail
    assert "was there until 2026-01-01 00:00 UTC; Box has it" == lines["A/sub"].detail
    assert "was there until 2026-01-01 01:00 UTC; Box does not have it" == lines["A/late"].detail
    assert (1, 1, 3) == (counts.total, counts.uploaded, counts.gone)
    [tree] = plan_status(scene.checkpoint, scene.plan_id)["trees"]
    assert 3 == tree["items"]["gone"]


def test_what_was_known_below_an_excluded_folder_is_excluded(scene: Scene) -> None:
    """A rule that takes a folder away takes what is below it along, as EXCLUDED by that rule and not as gone."""
    scene.walk({"sub": {"deep": {"f": 1}}})
    scene.send_everything()
    scene.next_pass()
    scene.excluded = lambda entry: "rule: sub/" if entry.name == "sub" else None
    scene.walk({"sub": {"deep": {"f": 1}}})
    lines = {line.path: line for line in item_lines(scene.checkpoint, scene.plan_id)}

    assert {(ItemStatus.EXCLUDED, "rule: sub/")} == {(line.status, line.reason) for line in lines.values()}
    assert {"A/sub", "A/sub/deep", "A/sub/deep/f"} == set(lines)

    scene.next_pass()
    scene.excluded = lambda entry: None
    scene.walk({"sub": {"deep": {"f": 1}}})

    assert {ItemStatus.UPLOADED} == set(scene.statuses().values())


def test_siblings_come_in_pages(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """More subfolders than a page holds are all there, in order."""
    monkeypatch.setattr(state.reports.lines, "ROWS_PER_STATEMENT", 3)
    scene.walk({f"{number:02}": {} for number in range(10)})

    assert [f"A/{number:02}" for number in range(10)] == [path for path, _ in scene.lines()]


def test_failures_are_listed_and_summed(scene: Scene) -> None:
    """Every FAILED file and folder has a line with its reason; sums are by reason, most frequent first."""
    scene.walk({"f": 1, "g": 1, "h": 1, "sub": {}})
    scene.fail("f", reason="locked")
    scene.fail("g", reason="locked")
    scene.checkpoint.record_folder_failure(
        scene.folder_id("sub"), scene.pass_id, reason="access_denied", detail="no"
    )
    failed = list(failures(scene.checkpoint, scene.plan_id))

    assert [(line.path, line.reason, line.detail) for line in failed] == [
        ("A/sub", "access_denied", "no"),
        ("A/f", "locked", "because"),
        ("A/g", "locked", "because"),
    ]
    assert list(failures_by_reason(scene.checkpoint, scene.plan_id)) == ["locked", "access_denied"]
    assert failures_by_reason(scene.checkpoint, scene.plan_id) == {"locked": 2, "access_denied": 1}


def test_renames_are_listed(scene: Scene) -> None:
    """Every entry that Box has under another name has a line with both."""
    scene.walk({"f": 1, "sub": {}})
    sub = scene.folder_id("sub")
    scene.checkpoint.record_folder_created(sub, box_folder_id="7", box_name="sub (1)", adopted=False)
    [item] = scene.claim()
    from dataclasses import replace

    scene.checkpoint.record_results(scene.worker, [replace(scene.uploaded(item), box_name="f_")])

    assert [(line.path, line.box_name) for line in renames(scene.checkpoint, scene.plan_id)] == [
        ("A/sub", "sub (1)"),
        ("A/f", "f_"),
    ]


def test_events_keeps_what_happened(scene: Scene) -> None:
    """Events come back in order with their detail, undecodable names included."""
    scene.checkpoint.record_event(scene.plan_id, "renamed", {"path": "A/caf\udce9"}, tree_id=scene.tree.id)
    scene.clock.forward(1)
    scene.checkpoint.waive(scene.plan_id, "A", who="ann", why="old", pending_too=True)
    first, second = events(scene.checkpoint, scene.plan_id)

    assert ("renamed", {"path": "A/caf\udce9"}, scene.tree.id) == (first.kind, first.detail, first.tree_id)
    assert (second.kind, second.detail) == ("waived", {"path": "A", "who": "ann", "why": "old", "items": 0})
    assert timedelta(seconds=1) == second.at - first.at

"""Giving up in order: what keeps failing is parked with its reason, holds nothing else, and a person may waive it."""

from __future__ import annotations

import csv
import getpass
import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.errors import PlanError
from flows.orchestration.runs import look_share
from flows.reporting.report import write_report
from flows.reporting.status import status_document
from flows.waive import waive_items
from tests.program import Program
from tests.torture.faults import Scene

SMALL = "POST /files/content"
WHY = 'the owner has <b>agreed</b>, see "ticket" 4711'


@pytest.fixture
def scene(tmp_path: Path, running_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A new share and an empty Box. The clock's only change: no two seconds before a file is tried again."""
    monkeypatch.setattr("flows.orchestration.dispatch.RETRY_SECONDS", 0.02)
    scene = Scene(tmp_path, running_box)
    scene.build()
    # Box wants no small file, ever; the large ones go another way.
    scene.box.faults.next(SMALL).status(403, error="forbidden_by_policy").times(None)
    yield scene
    running_box.faults.clear()


def states(scene: Scene) -> dict[str, tuple[str, str | None, int, int]]:
    """Tree → state, reason, failed, waived."""
    return {
        tree["name"]: (
            tree["state"],
            tree["incomplete_reason"],
            tree["items"]["failed"],
            tree["items"]["waived"],
        )
        for tree in status_document(scene.plan())["trees"]
    }


def test_waived_items_complete_their_tree(scene: Scene) -> None:
    """`boxhaul waive` lets a tree complete without what fails; who, when and why are in every form of the report."""
    assert 1 == scene.run().code
    assert {
        "Accounting": ("incomplete", "failed items", 4, 0),
        "Legal": ("incomplete", "failed items", 1, 0),
    } == states(scene)
    large = {"Landing/Accounting/large.bin", "Landing/Legal/other.bin"}
    assert large == set(scene.box.files()), "what fails holds nothing else"

    waived = Program(scene.folder, {}).run("waive", "Accounting/2024", "--why", WHY)
    sent = scene.box.calls.by_route[SMALL]
    ended = scene.run()

    by = f"{getpass.getuser()}@{socket.gethostname()}"
    assert 0 == waived.code, waived.output
    assert f"4 entries waived at Accounting/2024 by {by}" in waived.stdout
    assert 1 == ended.code
    assert {"Accounting": ("complete", None, 0, 4), "Legal": ("incomplete", "failed items", 1, 0)} == states(
        scene
    )
    assert scene.box.calls.by_route[SMALL] <= sent + 3, "no waived file is tried again"
    grants = {(grant["path"], grant["role"]) for grant in scene.box.collaborations()}
    assert {("Landing/Accounting", "editor")} == grants
    page, table, lines, _ = write_report(scene.plan())
    items = [line for line in json.loads(lines.read_text()) if line["status"] == "waived"]
    assert [f"Accounting/2024/small {number}.txt" for number in range(4)] == sorted(
        line["path"] for line in items
    )
    assert {(by, WHY)} == {(line["waived_by"], line["waived_why"]) for line in items}
    assert {UTC} == {datetime.fromisoformat(line["waived_at"]).tzinfo for line in items}
    with table.open(newline="") as file:
        assert 4 == sum(row["waived_by"] == by and row["waived_why"] == WHY for row in csv.DictReader(file))
    assert "&lt;b&gt;agreed" in page.read_text()
    assert "<b>agreed" not in page.read_text()


def test_somebody_else_may_be_named(scene: Scene) -> None:
    """The person who decides need not be the account that types it; both trees complete, and nothing is sent."""
    assert 1 == scene.run().code
    sent = scene.box.calls.by_route[SMALL]

    why = "the pilot does not need them"
    done = [waive_items.fn(scene.plan(), tree, why, "Ann, by mail") for tree in ("Accounting", "Legal/")]

    assert [(4, "Ann, by mail"), (1, "Ann, by mail")] == [(each["waived"], each["who"]) for each in done]
    assert 0 == scene.run().code
    assert sent == scene.box.calls.by_route[SMALL]
    assert {("complete", None, 0, 4), ("complete", None, 0, 1)} == set(states(scene).values())
    lines = json.loads(write_report(scene.plan())[2].read_text())
    assert {"Ann, by mail"} == {line["waived_by"] for line in lines if line["status"] == "waived"}


MISTAKES = [
    ("Legal/brief.txt", "  ", "say in a few words"),
    ("Legal/no such file", "a reason", "nothing failed at"),
    ("Accounting/large.bin", "a reason", "nothing failed at"),
    ("Legal\x1b[2J", "a reason", "nothing failed at Legal\\x1b[2J"),
    ("../Legal", "a reason", "nothing failed at"),
    ("Legal/brief%", "a reason", "nothing failed at"),
    ("", "a reason", "the whole share"),
    ("//", "a reason", "the whole share"),
]


def test_nothing_is_waived_by_mistake(scene: Scene) -> None:
    """No reason, or a path where nothing failed: one line, and everything stays as it was."""
    assert 1 == scene.run().code
    before = states(scene)

    for path, why, told in MISTAKES:
        with pytest.raises(PlanError) as caught:
            waive_items.fn(scene.plan(), path, why)
        assert told in str(caught.value), path

    assert before == states(scene)


def test_nothing_is_waived_before_the_first_run(scene: Scene) -> None:
    """A plan of which nothing is known yet says what to run first."""
    with pytest.raises(PlanError, match="boxhaul migrate"):
        waive_items.fn(scene.plan(), "Legal", "a reason")


def test_waiver_is_taken_back(scene: Scene) -> None:
    """`boxhaul unwaive`: the tree is not complete any more, and the next run sends what was waived."""
    program = Program(scene.folder, {})
    assert 1 == scene.run().code
    assert 0 == program.run("waive", "Legal", "--why", WHY).code
    scene.run()
    assert ("complete", None, 0, 1) == states(scene)["Legal"]
    scene.box.faults.clear()

    for path in ("", "Accounting", "Legal/large.bin"):
        assert 2 == program.run("unwaive", path).code, path
    done = program.run("unwaive", "Legal", "--who", "Ann of Legal")
    with closing(sqlite3.connect(scene.folder / "state.db")) as database:
        [[detail]] = database.execute("select detail from plan_events where kind = 'unwaived'").fetchall()

    assert "1 entry not waived any more at Legal" in done.stdout
    assert "Ann of Legal" == json.loads(detail)["who"]
    assert "moving" == states(scene)["Legal"][0]
    scene.run()
    assert ("complete", None, 0, 0) == states(scene)["Legal"]


def test_what_was_never_tried_is_waived_only_when_asked_for(scene: Scene) -> None:
    """A run that is stopped leaves files that nobody has tried: they are waived with --pending alone."""
    scene.box.faults.clear()
    look_share(scene.plan(), trees=[])
    assert {0} == {failed for _, _, failed, _ in states(scene).values()}
    program = Program(scene.folder, {})

    refused = program.run("waive", "Legal", "--why", WHY)
    waived = program.run("waive", "Legal", "--why", WHY, "--pending")

    assert 2 == refused.code
    assert "--pending" in refused.stderr
    assert 0 == waived.code, waived.output
    assert states(scene)["Legal"][3]

"""A checkpoint belongs to one Box, one account, one landing folder and one share, and tells of no other.

Rule E1: whoever would believe it compares before, and says in one line what differs and what to do.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.plan.file import load_plan
from state.checkpoint import Checkpoint
from tests.program import Program, program_for
from tests.trees import build_tree

FILES = {"Accounting": {"a.txt": b"a", "2024": {"b.txt": b"b"}}, "Sales": {"c.txt": b"c"}}


@pytest.fixture
def other_box() -> Iterator[Sandbox]:
    """Another Box, with an app and an account of its own."""
    with Sandbox(content="hash") as box:
        yield box


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, FILES)
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete run into `box`."""
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "Accounting"}])
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


def point_at(program: Program, box: Sandbox) -> None:
    """Change the plan's Box and credentials, as the README says after a rehearsal."""
    box.write_config(program.folder / "box_config.json")
    program.write_plan(box=program.plan["box"] | {"base_url": box.url, "upload_url": box.upload_url})


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("migrate", ()),
        ("status", ()),
        ("report", ()),
        ("collaborate", ()),
        ("retry", ()),
        ("waive", ("Accounting", "--why", "not needed")),
    ],
)
@pytest.mark.gate(2)
def test_another_box_is_refused(
    program: Program, other_box: Sandbox, command: str, arguments: tuple[str, ...]
) -> None:
    """Every command that would believe the checkpoint ends with one line; nothing of the other Box is called done."""
    point_at(program, other_box)

    finished = program.run(command, *arguments)

    assert 2 == finished.code, finished.output
    assert 1 == len(finished.stderr.strip().splitlines())
    assert "for the Box app" in finished.stderr
    assert "--new-checkpoint" in finished.stderr
    assert "state_url" in finished.stderr
    assert {} == other_box.files()


def test_check_finds_what_migrate_refuses(program: Program, other_box: Sandbox) -> None:
    """The check of another Box has a problem in its row, and says what to do."""
    before = json.loads(program.run("check", "--json").stdout)
    point_at(program, other_box)

    after = json.loads(program.run("check", "--json").stdout)

    rows = {row["name"]: row for row in after["checks"]}
    assert "checkpoint" not in {row["name"] for row in before["checks"]}
    assert "problem" == rows["checkpoint"]["state"]
    assert "--new-checkpoint" in rows["checkpoint"]["what_to_do"]


def test_begin_anew_moves_everything(program: Program, box: Sandbox, other_box: Sandbox) -> None:
    """Said that it is meant, all is sent into the other Box, and the same command goes on with that."""
    point_at(program, other_box)

    finished = program.run("migrate", "--new-checkpoint")
    again = program.run("migrate", "--new-checkpoint")

    assert (0, 0) == (finished.code, again.code), finished.output + again.output
    assert {path: file.sha1 for path, file in box.files().items()} == {
        path: file.sha1 for path, file in other_box.files().items()
    }
    assert {1} == {file.versions for file in other_box.files().values()}
    assert 0 == program.run("status").code


def test_rehearsal_keeps_a_place_of_its_own(program: Program) -> None:
    """After a rehearsal the plan that names the real Box begins with nothing known, by itself."""
    plan = load_plan(program.plan_path)
    program.write_plan(box={"auth": program.plan["box"]["auth"]})

    status = program.run("status")

    with Checkpoint.open(plan.resolved_state_url()) as checkpoint:
        assert checkpoint.find_plan("test (rehearsal)") is not None
        assert checkpoint.find_plan("test") is None
    assert (2, "") == (status.code, status.stdout)
    assert "nothing is known of the plan test yet" in status.stderr


def test_what_was_mistyped_before_anything_moved_binds_nobody(
    tmp_path: Path, box: Sandbox, share: Path
) -> None:
    """A wrong app, landing folder or share stops the first run; put right, the plan just goes on."""
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "Accounting"}])
    right = dict(program.plan)
    app = {"method": "ccg", "client_id": "mistyped", "client_secret": "s", "enterprise_id": "4711"}
    for wrong in (
        {"box": right["box"] | {"auth": app}},
        {"box": right["box"] | {"landing_folder_id": "4711"}},
        {"source": {"url": share.with_name("shore").as_uri()}},
    ):
        program.write_plan(**right | wrong)
        assert program.run("migrate").code in (2, 3)

    program.write_plan(**right)
    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    program.write_plan(box=right["box"] | {"auth": app})
    assert 2 == program.run("status").code


@pytest.mark.parametrize("command", ["migrate", "status", "report", "collaborate"])
@pytest.mark.gate(1)
def test_another_landing_folder_is_refused(program: Program, box: Sandbox, command: str) -> None:
    """What lies under the old folder is not said to be under the new one."""
    program.write_plan(box=program.plan["box"] | {"landing_folder_id": box.tree()["Accounting"]["id"]})

    finished = program.run(command)

    assert 2 == finished.code, finished.output
    assert "into the folder 0, not" in finished.stderr


def test_tree_with_another_folder_is_not_sent_twice(program: Program, box: Sandbox) -> None:
    """The plan's new folder for a tree that is in Box: refused by migrate, a problem for check, no file sent."""
    sent = box.calls.by_route["POST /files/content"]
    program.write_plan(trees=[{"source": "Accounting", "folder": "Books"}])

    finished = program.run("migrate")
    rows = json.loads(program.run("check", "--json").stdout)["checks"]

    assert 2 == finished.code, finished.output
    assert "folder: Accounting" in finished.stderr
    assert sent == box.calls.by_route["POST /files/content"]
    assert ["problem"] == [row["state"] for row in rows if row["name"] == "checkpoint"]


@pytest.mark.parametrize("change", ["name", "state_url", "folder"])
@pytest.mark.gate(1)
def test_plan_that_does_not_find_its_checkpoint(
    program: Program, box: Sandbox, tmp_path: Path, change: str
) -> None:
    """Another name, state_url or place of the plan file: what is in Box already is told, not sent again."""
    time.sleep(
        1.1
    )  # Box tells whole seconds: what it got in the second in which a plan begins may be the plan's own
    sent = box.calls.by_route["POST /files/content"]
    if change == "name":
        program.write_plan(name="renamed")
    elif change == "state_url":
        program.write_plan(state_url="sqlite:///elsewhere.db")
    else:
        moved = tmp_path / "moved"
        moved.mkdir()
        (program.folder / "box_config.json").rename(moved / "box_config.json")
        program.folder = moved
        program.write_plan()

    checked = json.loads(program.run("check", "--json").stdout)["checks"]
    finished = program.run("migrate")

    assert finished.code in (2, 3), finished.output
    assert 1 == len([line for line in finished.stderr.splitlines() if line.startswith("boxhaul:")])
    assert "Accounting" in finished.stderr
    assert "--new-checkpoint" in finished.stderr
    assert sent == box.calls.by_route["POST /files/content"]
    assert ["problem"] == [row["state"] for row in checked if row["name"] == "checkpoint"]
    meant = program.run("migrate", "--new-checkpoint")
    assert 0 == meant.code, meant.output
    assert {1} == {file.versions for file in box.files().values()}


def test_tree_and_rule_in_another_spelling(tmp_path: Path, box: Sandbox) -> None:
    """A Mac's names and a keyboard's are the same for trees, --tree and exclude rules; an idle rule is named."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, {"Bu\u0308ro": {"Geha\u0308lter": {"a.txt": b"a"}, "b.txt": b"b"}})
    program = program_for(
        tmp_path / "run",
        box,
        {"url": root.as_uri()},
        trees=[{"source": "B\u00fcro"}],
        exclude=["Geh\u00e4lter", "Gehaelter"],
    )

    checked = json.loads(program.run("check", "--json").stdout)["checks"]
    finished = program.run("migrate", "--tree", "Bu\u0308ro")
    reported = program.run("report", "--plain")

    assert (0, 0) == (finished.code, reported.code), finished.output + reported.output
    assert ["B\u00fcro/b.txt"] == list(box.files())
    assert ["complete"] == [tree["state"] for tree in program.status()["trees"]]
    assert ["matched nothing: Gehaelter"] == [row["found"] for row in checked if row["name"] == "exclude"]
    page = (program.folder / "test-report" / "report.html").read_text()
    assert "exclude rules that matched nothing" in page
    assert "Gehaelter" in page


def test_files_are_for_their_owner_alone(program: Program) -> None:
    """Checkpoint and report are readable by nobody else, and a link in the report's folder is not followed."""
    victim = program.folder / "victim.txt"
    victim.write_text("untouched")
    report = program.folder / "test-report"
    report.mkdir()
    for name in ("report.html", "items.csv", "items.json"):
        (report / name).symlink_to(victim)

    finished = program.run("report", "--plain")

    assert 0 == finished.code, finished.output
    assert "untouched" == victim.read_text()
    files = [*report.iterdir(), *program.folder.glob("state.db*")]
    assert 4 <= len(files)
    assert {0o600} == {stat.S_IMODE(os.lstat(path).st_mode) for path in files}
    assert not any(path.is_symlink() for path in files)

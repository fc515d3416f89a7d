"""What status, report and a plan with a mistake answer: the truth, on one line where it is a refusal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from state.checkpoint import Checkpoint
from tests.acceptance.test_outcomes import assert_one_line
from tests.program import Finished, Program, program_for
from tests.trees import build_tree

ANN = [{"login": "ann@example.com", "role": "viewer"}]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small share on this disk, one folder of which is named as Rich writes styles."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"[old] Accounts": {"a.txt": b"a"}, "Legal": {"b.txt": b"b"}})
    return share


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program with a plan for it, in a folder that is named like that, too."""
    return program_for(tmp_path / "[bold]run", box, {"url": f"file://{share}"})


def headline(program: Program) -> str:
    """The verdict of a new report."""
    finished = program.run("report")
    assert 0 == finished.code, finished.output
    page = (program.folder / "test-report" / "report.html").read_text()
    [found] = re.findall(r'<div class="verdict[^>]*>(.*)</div>', page)
    return str(found).replace("&#39;", "'")


@pytest.mark.parametrize("command", ["status", "report"])
def test_asking_before_the_first_run(program: Program, command: str) -> None:
    """One line says what makes the checkpoint, whether it is the first run or a mistyped state_url; none is made."""
    assert_one_line(program.run(command), 2, "no checkpoint", "state.db", "boxhaul migrate")
    assert not (program.folder / "state.db").exists()

    assert 0 == program.run("migrate").code
    assert 0 == program.run(command).code


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"exclude": ["[z-a]"]}, "exclude.0: "),
        ({"exclude": ["*.tmp", ""]}, "exclude.1: "),
        ({"state_url": "nonsense"}, "state_url is not a database URL"),
        ({"state_url": "mysql://h/x"}, "state_url names mysql"),
    ],
)
@pytest.mark.parametrize("command", ["check", "migrate", "status"])
@pytest.mark.gate(4)
def test_mistake_in_the_plan_is_told_by_every_command(
    program: Program, command: str, change: dict[str, Any], told: str
) -> None:
    """Exit code 2, the key, and nothing begun."""
    program.write_plan(**change)

    assert_one_line(program.run(command), 2, told)


def test_key_that_stands_twice(program: Program, box: Sandbox) -> None:
    """No half of such a plan is moved."""
    with program.plan_path.open("a") as file:
        file.write("trees:\n- source: Legal\ntrees:\n- source: '[old] Accounts'\n")

    assert_one_line(program.run("migrate"), 2, "'trees' stands on line")
    assert {} == dict(box.files())


def test_root_that_is_a_file(program: Program, share: Path) -> None:
    """The message fits a path that leads to a file, too."""
    program.write_plan(source={"url": f"file://{share}/Legal/b.txt"})

    assert_one_line(program.run("migrate"), 3, "must lead to a folder, not to a file")


def first_column(finished: Finished) -> str:
    """A table's first column, its folded lines put together."""
    return " ".join(
        line.split("│")[1].strip() for line in finished.stdout.splitlines() if "│" in line
    ).strip()


def test_names_are_no_markup(program: Program) -> None:
    """A tree's name and the plan's path stand on the terminal as they are."""
    program.write_plan(trees=[{"source": "[old] Accounts"}, {"source": "[red]Nowhere"}])

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    assert f"boxhaul report {program.plan_path}\n" in finished.stdout
    for table in (finished, program.run("status")):
        assert "[old] Accounts [red]Nowhere" == first_column(table)
    program.write_plan(name="other")
    assert "tree [red]Nowhere" in first_column(program.run("check"))


def test_report_into_what_is_no_folder(program: Program) -> None:
    """`--out` at a file or a device: exit code 2 and the reason."""
    assert 0 == program.run("migrate").code

    for out in (program.plan_path, Path("/proc/x"), Path("/dev/null/x")):
        assert_one_line(program.run("report", "--out", str(out)), 2, "cannot be written into", str(out))


def test_headline_of_people_who_came_with_an_earlier_pass(
    program: Program, box: Sandbox, share: Path
) -> None:
    """They stay in when a later pass leaves their tree incomplete, and the report does not deny it."""
    program.write_plan(trees=[{"source": "Legal", "collaborators": ANN}])
    assert 0 == program.run("migrate").code
    assert (
        "Complete: every entry is accounted for, Box's listing agrees, and the people of the plan are in."
        " 1 entry of the share is in no tree of the plan." == headline(program)
    )
    box.faults.next("POST /files/content").status(403, error="forbidden_by_policy").times(None)
    (share / "Legal" / "new.txt").write_bytes(b"new")
    try:
        assert 1 == program.run("migrate").code
    finally:
        box.faults.clear()

    assert headline(program).startswith("Not complete: 1 of 1 tree; already open to people: Legal. ")


def test_headline_of_receipts(program: Program, box: Sandbox) -> None:
    """Where no listing was made none is claimed, even when the plan wants listings by the time of the report."""
    program.write_plan(trees=[{"source": "Legal"}], transfer={"verify": "receipts"})
    assert 0 == program.run("migrate").code
    told = headline(program)
    program.write_plan(transfer={"verify": "listing"})

    assert "(no listing was made)" in told
    assert told == headline(program)
    assert 0 == box.calls.by_route["GET /folders/:id/items"]


@pytest.mark.parametrize("command", ["status", "report"])
def test_asking_for_a_plan_that_never_ran_in_a_database_that_is_there(program: Program, command: str) -> None:
    """A checkpoint of other plans: exit code 2, the plan's name, and what to run first."""
    Checkpoint.open(f"sqlite:///{program.folder}/state.db").close()

    assert_one_line(program.run(command), 2, "nothing is known of the plan test yet", "boxhaul migrate")

"""The trees of a plan, named in it or not: what is one, which of them move, and what of the share is in none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.program import Program, program_for
from tests.trees import Tree, build_tree

SENT = "POST /files/content"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A local share with two folders."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, {"Data": {"sub": {"a.txt": b"a", "b.txt": b"b"}}, "Other": {"o.txt": b"o"}})
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program with a plan that names no trees."""
    return program_for(tmp_path / "run", box, {"url": share.as_uri()})


def migrate(program: Program, *arguments: str, code: int = 0) -> str:
    """One run; what it printed."""
    finished = program.run("migrate", *arguments)
    assert code == finished.code, finished.output
    return finished.output


def states(program: Program) -> dict[str, tuple[str, str | None]]:
    """State and reason of every tree in the status."""
    return {
        tree["name"]: (tree["state"], tree["incomplete_reason"]) for tree in sums_add_up(program)["trees"]
    }


def page(program: Program) -> str:
    """The report for people."""
    finished = program.run("report", "--plain")
    assert 0 == finished.code, finished.output
    return Path(finished.stdout.splitlines()[0]).read_text(encoding="utf-8")


# --- a plan that names no trees ---


def test_known_tree_keeps_its_folder_when_a_neighbour_comes(
    program: Program, box: Sandbox, share: Path
) -> None:
    """A folder that Box takes for the same name comes later and is preferred in order: only it gets another name."""
    migrate(program)
    before = box.tree()
    sent = box.calls.by_route[SENT]
    build_tree(share, {"DATA": {"new.txt": b"n"}})

    migrate(program)
    migrate(program)

    assert 1 == box.calls.by_route[SENT] - sent
    assert before.items() <= box.tree().items()
    assert {"Data", "Other"} < states(program).keys()
    [name] = states(program).keys() - {"Data", "Other"}
    assert name.startswith("DATA~")
    assert {f"{name}/new.txt"} == box.tree().keys() - before.keys() - {name}
    assert_arrived(program, box, share)


def test_tree_of_loose_files_keeps_its_folder(program: Program, box: Sandbox, share: Path) -> None:
    """A folder that comes later and is called like the tree of the loose files gets another name."""
    build_tree(share, {"loose.txt": b"l"})
    migrate(program)
    before = box.files()
    assert "share (files)/loose.txt" in before
    build_tree(share, {"share (files)": {"loose.txt": b"of the folder"}})

    migrate(program)

    assert before.items() <= box.files().items()
    assert_arrived(program, box, share)


@pytest.mark.parametrize("left_out", [{"Thumbs.db": b"x"}, {"Trash": {"t.txt": b"t"}}])
@pytest.mark.gate(1)
def test_no_loose_file_is_to_move(program: Program, box: Sandbox, share: Path, left_out: Tree) -> None:
    """At the top lie folders and what a rule leaves out: all is complete, and Box gets no folder for nothing."""
    program.write_plan(exclude=["Thumbs.db", "Trash"])
    build_tree(share, left_out)

    migrate(program)
    migrate(program)

    assert {"Data", "Other", "share (files)"} == states(program).keys()
    assert {("complete", None)} == set(states(program).values())
    assert {"Data", "Data/sub", "Other"} == set(box.folders())
    (share / "loose.txt").write_bytes(b"l")
    migrate(program)
    assert "share (files)/loose.txt" in box.files()


def test_tree_renamed_in_case_only_is_taken_over(program: Program, box: Sandbox, share: Path) -> None:
    """To Box it is the same folder: nothing is sent again but what changed, as a version; the old name comes back
    as a folder of its own."""
    migrate(program)
    ids = {entry["id"] for entry in box.tree().values()}
    (share / "Data").rename(share / "data")
    (share / "data/sub/b.txt").write_bytes(b"changed")

    migrate(program)

    assert ids == {entry["id"] for entry in box.tree().values()}
    assert [1, 1, 2] == sorted(file.versions for file in box.files().values())
    build_tree(share, {"Data": {"again.txt": b"again"}})
    migrate(program)
    assert 4 == len(box.files())
    assert ids < {entry["id"] for entry in box.tree().values()}
    assert b"changed" == (share / "data/sub/b.txt").read_bytes()
    [name] = {path.split("/")[0] for path in box.files() if path.endswith("again.txt")}
    assert name.startswith("Data~")


# --- some trees of a plan ---


def test_tree_that_was_not_chosen_is_told(program: Program, box: Sandbox) -> None:
    """A run of some trees is no migration of the plan: the others stand in status and report as not begun."""
    program.write_plan(trees=[{"source": "Data"}, {"source": "Other"}])

    migrate(program, "--tree", "Data")

    assert {"Data": ("complete", None), "Other": ("incomplete", "not begun")} == states(program)
    assert "Not complete: 1 of 2 trees" in page(program)
    assert all(path.startswith("Data/") for path in box.files())
    migrate(program)
    assert {"Data": ("complete", None), "Other": ("complete", None)} == states(program)
    assert "Not complete" not in page(program)


def test_tree_that_never_began_may_be_corrected(program: Program, box: Sandbox, share: Path) -> None:
    """What a plan said of a tree that no run has looked at binds nobody: it may come from elsewhere, or not at all."""
    program.write_plan(trees=[{"source": "Data"}, {"source": "Othr", "folder": "Other"}])
    migrate(program, "--tree", "Data")

    program.write_plan(trees=[{"source": "Data"}, {"source": "Other"}])
    migrate(program)

    assert {"Data": ("complete", None), "Other": ("complete", None)} == states(program)
    build_tree(share, {"More": {"m.txt": b"m"}})
    program.write_plan(trees=[{"source": "Data"}, {"source": "Other"}, {"source": "More"}])
    migrate(program, "--tree", "Data")
    assert ("incomplete", "not begun") == states(program)["More"]
    program.write_plan(trees=[{"source": "Data"}, {"source": "Other"}])
    migrate(program)
    assert {"Data", "Other"} == states(program).keys()


@pytest.mark.parametrize("command", ["migrate", "retry"])
def test_mistyped_tree_is_refused(program: Program, box: Sandbox, command: str) -> None:
    """One good name beside it does not make a wrong one right: nothing moves, and each wrong one is named."""
    if command == "retry":
        migrate(program, "--tree", "Other")
    before = dict(box.files())
    finished = program.run(command, "--tree", "Data", "--tree", "Typo", "--tree", "Slip")

    assert 2 == finished.code, finished.output
    assert "Typo" in finished.stderr
    assert "Slip" in finished.stderr
    assert before == box.files()


# --- what no tree covers ---


def test_what_no_tree_covers_is_named(program: Program, box: Sandbox, share: Path) -> None:
    """Check and report name what of the share the plan's trees leave out, siblings of a deep tree included."""
    build_tree(
        share, {"Acc": {"2020": {"a": b"a"}, "2021": {"b": b"b"}}, "<loose>.txt": b"l", "Thumbs.db": b""}
    )
    program.write_plan(trees=[{"source": "Acc/2020", "folder": "Acc 2020"}, {"source": "Data"}])

    checked = json.loads(program.run("check", "--json").stdout)
    migrate(program)

    [row] = [row for row in checked["checks"] if row["name"] == "not in a tree"]
    assert "warning" == row["state"]
    assert "3 entries" in row["found"]
    html = page(program)
    for path in ("<loose>.txt", "Acc/2021", "Other"):
        assert path in row["found"]
        assert f"<code>{path.replace('<', '&lt;').replace('>', '&gt;')}</code>" in html
    for path in ("Thumbs.db", "Acc/2020", "Data"):
        assert path not in row["found"]


def test_what_no_tree_covers_is_of_the_plan_as_it_is(program: Program, share: Path) -> None:
    """Once trees cover it, the report does not say otherwise any more."""
    program.write_plan(trees=[{"source": "Data"}])
    migrate(program)
    assert "in no tree" in page(program)

    program.write_plan(trees=[{"source": "Data"}, {"source": "Other"}])
    migrate(program)

    assert "in no tree" not in page(program)


def test_complete_tree_whose_folder_is_deleted_is_gone(program: Program, box: Sandbox, share: Path) -> None:
    """Everything in it is told as gone, as with a folder in a tree; nothing is missing of what is there (P2)."""
    migrate(program)
    shutil.rmtree(share / "Data")
    (share / "Other/o.txt").unlink()
    (share / "Other/p.txt").write_bytes(b"p")

    migrate(program)

    gone = {path: item["detail"] for path, item in report_items(program).items() if item["status"] == "gone"}
    assert {"Data", "Data/sub", "Data/sub/a.txt", "Data/sub/b.txt", "Other/o.txt"} == gone.keys()
    assert all("was there until" in detail for detail in gone.values())
    assert {"complete"} == {state for state, _ in states(program).values()}
    build_tree(share, {"Data": {"sub": {"a.txt": b"a", "b.txt": b"b"}}})
    migrate(program)
    assert {"uploaded"} == {report_items(program)[f"Data/sub/{name}.txt"]["status"] for name in "ab"}
    assert {"Data", "Other"} == {path for path in box.folders() if "/" not in path}


@pytest.mark.parametrize("state", [pytest.param("sqlite", marks=pytest.mark.torture), "postgres"])
def test_tree_that_was_begun_and_is_away_counts(
    program: Program, box: Sandbox, share: Path, request: pytest.FixtureRequest, state: str
) -> None:
    """A tree that an earlier run left unfinished and whose folder is gone: the run is not complete, and says so."""
    if state == "postgres":
        program.write_plan(state_url=request.getfixturevalue("postgres_url"))
    (share / "Other/bad.txt").write_bytes(b"x")
    box.faults.next(SENT).status(403, error="forbidden_by_policy").times(None)
    migrate(program, code=1)
    box.faults.clear()
    assert 0 == program.run("retry", "--tree", "Data").code
    shutil.move(share / "Other", share.parent / "away")

    output = migrate(program, code=1)

    assert "Other" in output
    assert ("incomplete", "source changed") == states(program)["Other"]
    assert ("complete", None) == states(program)["Data"]

    program.write_plan(exclude=["Other/"])
    migrate(program)

"""`boxhaul report --upload`: the report beside the content, seen by nobody who may not see what it tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.orchestration.runs import move_share
from flows.plan.connections import open_checkpoint
from flows.plan.file import load_plan
from flows.reconciliation.differences import Ledger
from flows.reconciliation.report_in_box import upload_reports
from flows.reconciliation.verification import Wanted, verify_plan
from flows.reporting.telling import silent
from state.checkpoint import Checkpoint
from tests.acceptance.account.test_landing import share_folder
from tests.program import Program, program_for
from tests.trees import build_tree

ANN, BOB = "ann@example.com", "bob@example.com"

#: What the people of the tree Sales must not read of the other one.
OF_THE_OTHER = ("Wages", "bob@example.com", "payslip", "severance", "424,242", "424242")


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A Box that keeps what it is sent, with one colleague in it."""
    with Sandbox() as box:
        box.add_user(ANN, name="Ann Example")
        yield box


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """After a complete run: two trees with people of their own."""
    box.add_user(BOB, name="Bob Example")
    share = tmp_path / "share"
    share.mkdir()
    build_tree(
        share,
        {
            "Sales": {"a.txt": b"a", "old.bak": b"o", "sub": {"b.txt": b"b"}},
            "Wages": {"payslip.txt": b"x" * 424_242},
        },
    )
    (share / "Wages/severance.txt").symlink_to("payslip.txt")
    (share / "Wages/payslip.txt").rename(share / "Wages/payslip..txt")
    trees = [
        {"source": "Sales", "collaborators": [{"login": ANN, "role": "editor"}]},
        {"source": "Wages", "collaborators": [{"login": BOB, "role": "viewer"}]},
    ]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    uploader = box.add_user("AppUser_1@boxdevedition.com", kind="app")
    program.plan["box"]["identities"] = [uploader.id]
    program.write_plan(filters={"exclude": ["/{Sales,Wages}/*.bak"]})
    assert moved(program)
    program.write_plan(report={"upload_to": "tree"})
    return program


def person(box: Sandbox, login: str) -> Any:
    """The hands of somebody in the web app."""
    return box.person(next(user for user in box.core.store.users.values() if user.login == login))


def text_of(box: Sandbox, path: str) -> str:
    """What Box has of a file."""
    return (box.content(box.files()[path].id) or b"").decode()


def verified(program: Program) -> set[tuple[str, str]]:
    """Kind and path of each difference."""
    document = verify_plan(load_plan(program.plan_path), Wanted(), Ledger())
    return {(each["kind"], each["path"]) for each in document["differences"]}


def moved(program: Program) -> bool:
    """Run `migrate`; whether every tree is complete."""
    return bool(move_share(load_plan(program.plan_path))["complete"])


def test_each_tree_has_its_own(program: Program, box: Sandbox) -> None:
    """Nothing of the other tree is in it, and verify takes it for ours."""
    uploaded = program.run("report", "--upload", "--plain")
    page, table = "Sales/boxhaul report of Sales.html", "Sales/boxhaul items of Sales.csv"
    first = {path: file.id for path, file in box.files().items()}

    assert 0 == uploaded.code, uploaded.output
    assert {page, table, "Wages/boxhaul report of Wages.html"} <= set(first)
    told = text_of(box, page) + text_of(box, table)
    assert "a.txt" in told and "old.bak" in told and ANN in told
    assert [] == [word for word in OF_THE_OTHER if word in told]
    assert 'href="' not in told.replace('href="#main"', "").replace('href="data:,"', "")  # nothing to follow
    assert set() == verified(program)


@pytest.mark.torture
def test_what_a_kill_left_unrecorded_is_ours(
    program: Program, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Box has the page, and nobody wrote that down: whoever sees it next does, and the next one is a version of it."""

    class Killed(BaseException):
        """As if the process was gone."""

    def killed(*said: object) -> None:
        raise Killed

    plan = load_plan(program.plan_path)
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "record_report_in_box", killed)
        with pytest.raises(Killed):
            upload_reports(plan, plain=True, say=silent)
    page = "Sales/boxhaul report of Sales.html"
    left = box.files()[page].id

    assert [] == [path for path in box.files() if "items of" in path]
    assert set() == verified(program)
    with closing(open_checkpoint(plan)) as checkpoint:
        assert {left} == {file["id"] for file in checkpoint.reports_in_box(plan.checkpoint_name).values()}
        assert {} == checkpoint.report_intents(plan.checkpoint_name)
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "record_report_in_box", killed)
        with pytest.raises(Killed):
            upload_reports(plan, plain=True, say=silent)  # a version of it
    upload_reports(plan, plain=True, say=silent)

    assert left == box.files()[page].id
    assert 3 == box.files()[page].versions
    assert [] == [path for path in box.files() if "(2)" in path]
    monkeypatch.undo()
    person(box, ANN).accept()
    person(box, ANN).edit(left, b"her remarks")
    assert ("extra_in_box", page) in verified(program)


def test_a_run_hands_in_its_report(
    program: Program, box: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At its end, complete or not, as the plan says; what keeps it out of Box ends no run."""
    assert moved(program)
    page = "Sales/boxhaul report of Sales.html"
    assert {1} == {box.files()[path].versions for path in (page, "Wages/boxhaul items of Wages.csv")}
    assert set() == verified(program)

    os.mkfifo(tmp_path / "share/Sales/pipe")
    assert not moved(program)
    assert 2 == box.files()[page].versions
    assert "pipe" in text_of(box, page)
    status, shown = program.status(), program.run("status").stdout
    sales, wages = sorted(status["reports_in_box"], key=lambda each: str(each["tree"]))
    assert ("Sales", "Wages", box.files()[page].id) == (sales["tree"], wages["tree"], sales["file_id"])
    folders = {tree["name"]: tree["box_folder_id"] for tree in status["trees"]}
    assert {"Sales": sales["folder_id"], "Wages": wages["folder_id"]} == folders
    assert (
        f"report in Box: {sales['name']} (file {sales['file_id']}) in folder {sales['folder_id']}"
        in " ".join(shown.split())
    )

    (tmp_path / "share/Sales/pipe").unlink()
    box.faults.next("POST /files/:id/content").status(403)
    assert moved(program)
    assert "the report of Sales was not put into Box" in caplog.text
    program.write_plan(report=None)
    assert moved(program)
    assert 2 == box.files()[page].versions


@pytest.mark.torture
def test_report_that_a_tree_was_closed_with(program: Program, box: Sandbox, tmp_path: Path) -> None:
    """A cutover hands in what it came to, and no later run of other trees writes into what was handed over."""
    finished = program.run("cutover", "--quiet", "0", "--yes")
    page = "Sales/boxhaul report of Sales.html"
    assert 0 == finished.code, finished.output
    assert 2 == box.files()[page].versions

    build_tree(tmp_path / "share", {"Later": {"l.txt": b"l"}})
    program.write_plan(trees=[*program.plan["trees"], {"source": "Later"}])
    finished = program.run("migrate", "--tree", "Later")
    assert 0 == finished.code, finished.output
    assert 2 == box.files()[page].versions
    assert "Later/boxhaul report of Later.html" in box.files()


@pytest.mark.torture
def test_once_more_is_a_version(program: Program, box: Sandbox) -> None:
    """Of the same two files; a further pass takes them for ours."""
    assert 0 == program.run("report", "--upload", "--plain").code
    page = "Sales/boxhaul report of Sales.html"
    first = {path: file.id for path, file in box.files().items()}

    assert 0 == program.run("report", "--upload").code  # with pictures
    assert first == {path: file.id for path, file in box.files().items()}
    assert 2 == len(box.core.store.files[first[page]].versions) + 1
    assert [] == [word for word in OF_THE_OTHER if word in text_of(box, page)]
    assert 0 == program.run("migrate").code
    assert set() == verified(program)
    assert 0 == program.run("report", "--plain").code
    assert "boxhaul items of" not in (program.folder / "test-report/report.html").read_text(encoding="utf-8")


@pytest.mark.torture
def test_what_is_somebody_elses_stays(program: Program, box: Sandbox) -> None:
    """A file of that name, and one of ours that somebody wrote a version of: ours gets another name each time."""
    ann, folder = person(box, ANN), str(box.tree()["Sales"]["id"])
    ann.accept()
    ann.upload("boxhaul report of Sales.html", b"hers", folder)
    uploaded = program.run("report", "--upload", "--plain")
    second = "Sales/boxhaul report of Sales (2).html"

    assert 0 == uploaded.code, uploaded.output
    assert "is not ours, and stays as it is" in uploaded.stderr
    assert "hers" == text_of(box, "Sales/boxhaul report of Sales.html")
    assert {("extra_in_box", "Sales/boxhaul report of Sales.html")} == verified(program)

    ann.edit(box.files()[second].id, b"her remarks")
    assert 0 == program.run("report", "--upload", "--plain").code
    assert "her remarks" == text_of(box, second)
    assert "Sales/boxhaul report of Sales (3).html" in box.files()
    assert {
        ("extra_in_box", "Sales/boxhaul report of Sales.html"),
        ("extra_in_box", second),
    } == verified(program)

    table = "Sales/boxhaul items of Sales.csv"
    copy = text_of(box, table).encode()
    ann.trash(box.files()[table].id)
    hers = ann.upload("boxhaul items of Sales.csv", copy, folder)
    assert 0 == program.run("report", "--upload", "--plain").code
    assert "Sales/boxhaul items of Sales (2).csv" in box.files()
    assert hers == box.files()[table].id
    assert ("extra_in_box", table) in verified(program)


@pytest.mark.torture
def test_the_landing_folder(program: Program, box: Sandbox) -> None:
    """The whole report, where the service account alone sees it."""
    program.write_plan(report={"upload_to": "landing"})
    uploaded = program.run("report", "--upload", "--plain")
    assert 0 == uploaded.code, uploaded.output
    told = text_of(box, "boxhaul report of test.html")
    assert "items.csv" not in told and "list of entries beside this page" in told
    assert "Sales" in told and "Wages" in told and BOB in told
    assert set() == verified(program)


@pytest.mark.torture
def test_a_tree_whose_report_box_refuses_is_told(program: Program, box: Sandbox) -> None:
    """The others have theirs, and the exit code says that one has none."""
    box.faults.next("POST /files/content").status(403)
    uploaded = program.run("report", "--upload", "--plain")
    assert 1 == uploaded.code, uploaded.output
    assert "the report of Sales was not put into Box: " in uploaded.stderr
    assert "Wages/boxhaul report of Wages.html" in box.files()


@pytest.mark.torture
@pytest.mark.parametrize("who", ["a person of a tree", "a group", "somebody else"])
def test_who_is_let_into_the_landing_folder(tmp_path: Path, box: Sandbox, who: str) -> None:
    """People of trees, and groups, whose members nobody can tell, are refused; others are named."""
    boss = box.add_user("boss@example.com", space_amount=1_000_000)
    folder = share_folder(box, boss, "co-owner")
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"Sales": {"a.txt": b"a"}})
    program = program_for(
        tmp_path / "run",
        box,
        {"url": share.as_uri()},
        trees=[{"source": "Sales", "collaborators": [{"login": ANN, "role": "viewer"}]}],
    )
    program.plan["box"]["landing_folder_id"] = folder
    program.write_plan()
    assert 0 == program.run("migrate").code
    accessible: dict[str, Any] = {"type": "user", "login": ANN}
    if who == "a group":
        accessible = {"type": "group", "id": box.add_group("Finance").id}
    elif who == "somebody else":
        box.add_user("auditor@example.com")
        accessible = {"type": "user", "login": "auditor@example.com"}
    with box.core.store.lock:
        body = {"item": {"type": "folder", "id": folder}, "role": "viewer", "accessible_by": accessible}
        box.core.collaborations.create(boss, body)
    box.person(boss).link(folder)
    uploaded = program.run("report", "--upload", "--plain")

    if who == "somebody else":
        assert 0 == uploaded.code, uploaded.output
        assert "auditor@example.com" in uploaded.stderr
        assert "has a shared link (open): whoever has it reads the report" in uploaded.stderr
        assert [path for path in box.files() if path.endswith("boxhaul report of test.html")]
    else:
        assert (2, 1) == (uploaded.code, uploaded.stderr.count("let into the landing folder")), (
            uploaded.output
        )
        assert not [path for path in box.files() if "boxhaul" in path]

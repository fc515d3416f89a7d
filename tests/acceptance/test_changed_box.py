"""What people do in Box meanwhile: deleted folders and files come back, other people's files are left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, digest, report_items
from tests.program import Program, program_for
from tests.trees import build_tree

TREE = {"Accounting": {"2024": {"Q1": {"a.txt": b"a", "b.txt": b"b"}}, "c.txt": b"c"}}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, TREE)
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete run."""
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "Accounting"}])
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


def delete(box: Sandbox, path: str) -> None:
    """Delete something in Box as its owner would."""
    entry = box.tree()[path]
    kind = "folders" if entry["type"] == "folder" else "files"
    answer = requests.delete(
        f"{box.url}/2.0/{kind}/{entry['id']}",
        params={"recursive": "true"} if kind == "folders" else None,
        headers={"Authorization": f"Bearer {box.token()}"},
        timeout=10,
    )
    assert 204 == answer.status_code


def rename(box: Sandbox, path: str, name: str) -> None:
    """Give something another name in Box."""
    entry = box.tree()[path]
    kind = "folders" if entry["type"] == "folder" else "files"
    answer = requests.put(
        f"{box.url}/2.0/{kind}/{entry['id']}",
        json={"name": name},
        headers={"Authorization": f"Bearer {box.token()}"},
        timeout=10,
    )
    assert 200 == answer.status_code


def test_file_renamed_in_box_to_the_name_of_a_new_one(program: Program, box: Sandbox, share: Path) -> None:
    """The new file has the same bytes and is another file all the same (P7): it fails and says what is in its way.

    Neither content is lost when one of them changes, and once the name is free again both are there.
    """
    rename(box, "Accounting/c.txt", "d.txt")
    (share / "Accounting/d.txt").write_bytes(b"c")

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    line = report_items(program)["Accounting/d.txt"]
    assert ("failed", "name_in_use") == (line["status"], line["reason"])
    assert "Accounting/c.txt" in line["detail"]
    (share / "Accounting/c.txt").write_bytes(b"changed")
    rename(box, "Accounting/d.txt", "c.txt")
    again = program.run("migrate")
    assert 0 == again.code, again.output
    contents = {name: digest(share / "Accounting" / name) for name in ("c.txt", "d.txt")}
    assert contents == {name: box.files()[f"Accounting/{name}"].sha1 for name in contents}


def test_folder_renamed_in_box_to_the_name_of_a_new_one(program: Program, box: Sandbox, share: Path) -> None:
    """The same for folders: two of the share never become one in Box."""
    rename(box, "Accounting/2024", "2025")
    build_tree(share / "Accounting", {"2025": {"Q1": {"a.txt": b"a"}}})

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    line = report_items(program)["Accounting/2025"]
    assert ("failed", "name_in_use") == (line["status"], line["reason"])
    assert "Accounting/2024" in line["detail"]
    rename(box, "Accounting/2025", "2024")
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert_arrived(program, box, share)


def test_other_case_in_the_share_stays_one_file_in_box(program: Program, box: Sandbox, share: Path) -> None:
    """A file and a folder whose names got another case, by a plan that copies: the same to Box, and nothing fails."""
    program.write_plan(changes={"moves": "copy"})
    sent = box.calls.by_route["POST /files/content"]
    ids = {entry["id"] for entry in box.tree().values()}
    (share / "Accounting/c.txt").rename(share / "Accounting/C.txt")
    (share / "Accounting/2024/Q1").rename(share / "Accounting/2024/q1")

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert ids == {entry["id"] for entry in box.tree().values()}
    assert (
        3 == box.calls.by_route["POST /files/content"] - sent
    )  # each is asked for, and answered with its name


def test_edit_in_a_folder_that_got_another_case(program: Program, box: Sandbox, share: Path) -> None:
    """By a plan that copies it is the same to Box, and still one that this plan made: what was edited is a version."""
    program.write_plan(changes={"moves": "copy"})
    build_tree(share / "Accounting", {"Data": {"sub": {"d.txt": b"d", "e.txt": b"e"}}})
    first = program.run("migrate")
    assert 0 == first.code, first.output
    ids = {entry["id"] for entry in box.tree().values()}
    (share / "Accounting/Data").rename(share / "Accounting/data")
    (share / "Accounting/data/sub/e.txt").write_bytes(b"edited")

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert ids == {entry["id"] for entry in box.tree().values()}
    assert 2 == box.files()["Accounting/Data/sub/e.txt"].versions
    assert digest(share / "Accounting/data/sub/e.txt") == box.files()["Accounting/Data/sub/e.txt"].sha1
    assert 1 == box.files()["Accounting/Data/sub/d.txt"].versions


@pytest.mark.parametrize("gone", ["Accounting/2024/Q1", "Accounting/2024", "Accounting"])
@pytest.mark.gate(1)
def test_folder_deleted_in_box_comes_back_with_its_files(
    program: Program, box: Sandbox, share: Path, gone: str
) -> None:
    """A new file for a folder that somebody deleted: the folder and all that was in it are there again."""
    delete(box, gone)
    (share / "Accounting/2024/Q1/new.txt").write_bytes(b"new")

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, share)


def test_tree_deleted_in_box_is_shared_again(program: Program, box: Sandbox, share: Path) -> None:
    """The folder made anew has its people and its link before the tree says complete; nobody is mailed twice."""
    people = [{"login": "ann@example.com", "role": "viewer"}]
    tree = {"source": "Accounting", "collaborators": people, "shared_link": {"access": "company"}}
    program.write_plan(trees=[tree], transfer={"notify": True})
    first = program.run("migrate")
    mails = list(box.mails)
    delete(box, "Accounting")
    (share / "Accounting/new.txt").write_bytes(b"new")

    finished = program.run("migrate")

    assert (0, 0) == (first.code, finished.code), first.output + finished.output
    assert 1 == len(mails)
    assert mails == list(box.mails)
    folder_id = box.tree()["Accounting"]["id"]
    grants = [each.role for each in box.core.store.collaborations.values() if each.item.id == folder_id]
    assert ["viewer"] == grants
    assert box.core.store.folders[folder_id].shared_link is not None


def test_what_was_excluded_when_its_tree_completed_is_compared_when_it_returns(
    program: Program, box: Sandbox, share: Path
) -> None:
    """A folder and a file that a rule hid were compared with nothing: what Box lost of them meanwhile is sent again."""
    program.write_plan(exclude=["2024", "c.txt"])
    (share / "Accounting/d.txt").write_bytes(b"d")
    hidden = program.run("migrate")
    delete(box, "Accounting/2024/Q1/a.txt")
    delete(box, "Accounting/c.txt")
    program.write_plan(exclude=[])

    finished = program.run("migrate")

    assert (0, 0) == (hidden.code, finished.code), hidden.output + finished.output
    assert_arrived(program, box, share)


def test_file_deleted_in_box_comes_back_when_it_changed(program: Program, box: Sandbox, share: Path) -> None:
    """A new version of a file that somebody deleted is stored as a file again."""
    delete(box, "Accounting/c.txt")
    (share / "Accounting/c.txt").write_bytes(b"changed")

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, share)


def put_as_ours(box: Sandbox, folder: str, name: str) -> None:
    """Somebody who may act as the service account puts a file there."""
    attributes = json.dumps({"name": name, "parent": {"id": box.tree()[folder]["id"]}})
    requests.post(
        f"{box.upload_url}/2.0/files/content",
        files={"attributes": (None, attributes), "file": (name, b"in the way")},
        headers={"Authorization": f"Bearer {box.token()}"},
        timeout=10,
    ).raise_for_status()


def test_folder_that_box_refuses_is_asked_for_once(program: Program, box: Sandbox, share: Path) -> None:
    """All below it fails with the reason, at one call in all; the run ends, and completes when the name is free."""
    put_as_ours(box, "Accounting", "P")
    build_tree(
        share / "Accounting", {"P": {"C": {"D": {}}, **{f"{number}.txt": b"p" for number in range(40)}}}
    )
    box.calls.reset()

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    assert 1 == box.calls.by_route["POST /folders"]
    lines = report_items(program)
    below = [path for path in lines if f"{path}/".startswith("Accounting/P/")]
    assert 43 == len(below)
    assert {("failed", "name_in_use")} == {(lines[path]["status"], lines[path]["reason"]) for path in below}
    delete(box, "Accounting/P")
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert_arrived(program, box, share)


@pytest.mark.torture
def test_fewer_attempts_than_were_made_before(program: Program, box: Sandbox, share: Path) -> None:
    """A plan that allows fewer attempts than an interrupted run has made: what is pending is tried once more."""
    program.write_plan(transfer={"max_attempts": 10})
    build_tree(share / "Accounting", {"new": {f"{number}.txt": b"n" for number in range(30)}})
    box.faults.next("POST /files/content").reset("before_effect").times(None)
    program.plan["box"]["limits"] |= {"backoff_seconds": 0.001, "outage_minutes": 0}
    program.write_plan()
    assert program.kill_when(lambda: box.calls.by_route["POST /files/content"] > 3 + 8 * 30 * 4)
    box.faults.clear()
    program.write_plan(transfer={"max_attempts": 1})

    finished = program.run("migrate", timeout=60)

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, share)


def test_stranger_in_the_way_is_a_reported_conflict(program: Program, box: Sandbox, share: Path) -> None:
    """A file that a person put there under the same name stays untouched, and the item fails with the reason."""
    bob = box.add_user("bob@example.com")
    folder_id = box.tree()["Accounting"]["id"]
    grant = {"item": {"type": "folder", "id": folder_id}, "accessible_by": {"type": "user", "id": bob.id}}
    ours, his = ({"Authorization": f"Bearer {box.token(user)}"} for user in (None, bob))
    requests.post(
        f"{box.url}/2.0/collaborations", json=grant | {"role": "editor"}, headers=ours, timeout=10
    ).raise_for_status()
    attributes = json.dumps({"name": "d.txt", "parent": {"id": folder_id}})
    requests.post(
        f"{box.upload_url}/2.0/files/content",
        files={"attributes": (None, attributes), "file": ("d.txt", b"his")},
        headers=his,
        timeout=10,
    ).raise_for_status()
    before = box.files()["Accounting/d.txt"]
    (share / "Accounting/d.txt").write_bytes(b"ours")

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    line = report_items(program)["Accounting/d.txt"]
    assert ("failed", "name_in_use") == (line["status"], line["reason"])
    assert before == box.files()["Accounting/d.txt"]


def test_touched_file_is_read_and_not_sent(program: Program, box: Sandbox, share: Path) -> None:
    """New rights without new bytes: the file is read again, Box is asked nothing, no version is made."""
    (share / "Accounting/c.txt").chmod(0o600)
    (share / "Accounting/2024/Q1/a.txt").chmod(0o600)
    box.calls.reset()

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert {} == {
        route: n for route, n in box.calls.by_route.items() if "/files" in route or "items" in route
    }
    assert {1} == {file.versions for file in box.files().values()}


def test_change_in_one_folder_lists_that_folder_alone(program: Program, box: Sandbox, share: Path) -> None:
    """After a small change only the folder that it touched is compared with Box's listing again."""
    (share / "Accounting/2024/Q1/a.txt").write_bytes(b"changed")
    box.calls.reset()

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert 1 == box.calls.by_route["GET /folders/:id/items"]
    assert 2 == box.files()["Accounting/2024/Q1/a.txt"].versions

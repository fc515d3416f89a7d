"""What people do in Box meanwhile: deleted folders and files come back, other people's files are left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items
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


@pytest.mark.parametrize("gone", ["Accounting/2024/Q1", "Accounting/2024", "Accounting"])
def test_folder_deleted_in_box_comes_back_with_its_files(
    program: Program, box: Sandbox, share: Path, gone: str
) -> None:
    """A new file for a folder that somebody deleted: the folder and all that was in it are there again."""
    delete(box, gone)
    (share / "Accounting/2024/Q1/new.txt").write_bytes(b"new")

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, share)


def test_file_deleted_in_box_comes_back_when_it_changed(program: Program, box: Sandbox, share: Path) -> None:
    """A new version of a file that somebody deleted is stored as a file again."""
    delete(box, "Accounting/c.txt")
    (share / "Accounting/c.txt").write_bytes(b"changed")

    finished = program.run("migrate")

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
    """New times and rights without new bytes: the file is read again, Box is asked nothing, no version is made."""
    (share / "Accounting/c.txt").chmod(0o600)
    (share / "Accounting/2024/Q1/a.txt").touch()
    box.calls.reset()

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert 0 == sum(box.calls.by_route[route] for route in ("POST /files/content", "POST /files/:id/content"))
    assert {1} == {file.versions for file in box.files().values()}


def test_change_in_one_folder_lists_that_folder_alone(program: Program, box: Sandbox, share: Path) -> None:
    """After a small change only the folder that it touched is compared with Box's listing again."""
    (share / "Accounting/2024/Q1/a.txt").write_bytes(b"changed")
    box.calls.reset()

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert 1 == box.calls.by_route["GET /folders/:id/items"]
    assert 2 == box.files()["Accounting/2024/Q1/a.txt"].versions

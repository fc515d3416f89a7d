"""A version of ours follows a version of ours alone: who wrote the content counts, not who touched the file last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.person import Person
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from tests.acceptance.proof import report_items
from tests.program import Program, program_for
from tests.trees import build_tree

HERS = b"a week of her work"
EDITOR = "ann@example.com"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, {"A": {"f.txt": b"v1", "sub": {"g.txt": b"g"}}})
    return root


@pytest.fixture
def ann(box: Sandbox) -> Person:
    """Somebody who works in Box."""
    return box.person(next(user for user in box.core.store.users.values() if user.login == EDITOR))


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path, ann: Person) -> Program:
    """The program, after a first complete run that let her in."""
    trees = [{"source": "A", "collaborators": [{"login": ann.user.login, "role": "co-owner"}]}]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    assert migrate(program)["complete"]
    ann.accept()
    return program


def migrate(program: Program) -> dict[str, object]:
    """Run the plan in this process."""
    summary: dict[str, object] = move_share(load_plan(program.plan_path), check=False)
    return summary


def sha1s(*contents: bytes) -> list[str]:
    """As Box tells them, sorted."""
    return sorted(hashlib.sha1(content).hexdigest() for content in contents)


def in_box(box: Sandbox) -> list[str]:
    """The latest content of every file in Box, sorted."""
    return sorted(file.sha1 for file in box.files().values())


#: What an administrator does with the service account's login, by file and folder id.
TOUCHES: dict[str, Callable[[Person, str, str], None]] = {
    "nothing": lambda admin, file, folder: None,
    "renamed": lambda admin, file, folder: admin.rename(file, "f (final).txt"),
    "renamed and back": lambda admin, file, folder: (
        admin.rename(file, "f2.txt"),
        admin.rename(file, "f.txt"),
    )[0],
    "moved": lambda admin, file, folder: admin.move(file, folder),
}


@pytest.mark.parametrize("touch", TOUCHES)
@pytest.mark.parametrize("changes", [False, True], ids=["same source", "changed source"])
@pytest.mark.gate(2)
def test_touched_by_the_account_it_is_still_hers(
    program: Program, box: Sandbox, share: Path, ann: Person, touch: str, changes: bool
) -> None:
    """Her edit stays the latest version although the service account renamed or moved the file after it."""
    entries = box.tree()
    file, folder = entries["A/f.txt"]["id"], entries["A/sub"]["id"]
    ann.edit(file, HERS)
    TOUCHES[touch](box.person(), file, folder)
    (share / "A/new.txt").write_bytes(b"n")
    if changes:
        (share / "A/f.txt").write_bytes(b"v2 of the share")

    finished = migrate(program)

    assert changes is not finished["complete"]
    assert sha1s(HERS, b"g", b"n") == in_box(box)
    if changes:
        line = report_items(program)["A/f.txt"]
        assert ("failed", "changed_in_box") == (line["status"], line["reason"])
        assert EDITOR in line["detail"]


@pytest.mark.parametrize("touch", TOUCHES)
@pytest.mark.gate(1)
def test_touched_by_her_it_is_still_ours(
    program: Program, box: Sandbox, share: Path, ann: Person, touch: str
) -> None:
    """What she only renamed or moved is followed by the new content of the share."""
    entries = box.tree()
    file, folder = entries["A/f.txt"]["id"], entries["A/sub"]["id"]
    TOUCHES[touch](ann, file, folder)
    (share / "A/f.txt").write_bytes(b"v2 of the share")

    assert migrate(program)["complete"]
    assert sha1s(b"v2 of the share", b"g") == in_box(box)


@pytest.mark.parametrize("edited", [True, False], ids=["edited", "only renamed"])
def test_where_box_does_not_show_who_wrote_the_latest_version(
    program: Program, box: Sandbox, share: Path, ann: Person, edited: bool
) -> None:
    """It is documented for earlier versions only: hers stays then, and what she only renamed is followed."""
    file = box.tree()["A/f.txt"]["id"]
    if edited:
        ann.edit(file, HERS)
    ann.rename(file, "hers.txt")
    box.person().rename(file, "f.txt")
    (share / "A/f.txt").write_bytes(b"v2 of the share")
    box.faults.next("GET /files/:id/versions/:id").status(404, error="not_found").times(None)

    finished = migrate(program)

    assert edited is not finished["complete"]
    assert sha1s(HERS if edited else b"v2 of the share", b"g") == in_box(box)


def test_her_old_version_is_not_ours_again(program: Program, box: Sandbox, share: Path, ann: Person) -> None:
    """A version of ours below hers gives no right, however often the folder is looked at anew."""
    file = box.tree()["A/f.txt"]["id"]
    ann.edit(file, HERS)
    box.person().rename(file, "g.txt")
    for stamp in (1_000_000_000, 1_000_000_100):
        os.utime(share / "A/f.txt", (stamp, stamp))
        (share / "A/other.txt").write_bytes(str(stamp).encode())
        assert migrate(program)["complete"]

    assert sha1s(HERS, b"g", b"1000000100") == in_box(box)


def test_own_file_of_a_person_gets_no_version(tmp_path: Path, box: Sandbox, share: Path, ann: Person) -> None:
    """What was adopted for its equal content and is hers stays as it is; ours takes the name once it is free."""
    landing = box.person().make_folder("landing")
    box.person().invite(landing, EDITOR, "co-owner")
    ann.accept()
    own = ann.upload("f.txt", b"v1", ann.make_folder("A", landing))
    trees = [{"source": "A", "collaborators": [{"login": EDITOR, "role": "co-owner"}]}]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    program.write_plan(box=program.plan["box"] | {"landing_folder_id": landing})
    assert migrate(program)["complete"]
    assert own == report_items(program)["A/f.txt"]["box_id"]
    os.utime(share / "A/f.txt", (1_000_000_000, 1_000_000_000))
    assert migrate(program)["complete"]
    (share / "A/f.txt").write_bytes(b"v2 of the share")

    refused = migrate(program)

    assert not refused["complete"]
    line = report_items(program)["A/f.txt"]
    assert ("failed", "name_in_use") == (line["status"], line["reason"])
    assert sha1s(b"v1", b"g") == in_box(box)
    ann.rename(own, "hers.txt")
    assert migrate(program)["complete"]
    assert sha1s(b"v1", b"g", b"v2 of the share") == in_box(box)
    assert {1} == {file.versions for file in box.files().values()}

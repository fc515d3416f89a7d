"""What a person changed in Box while the migration lasts, and what the plan says of it: `changes: in_box`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.person import Person
from flows.orchestration.runs import move_share
from flows.plan.changes import InBox
from flows.plan.file import load_plan
from flows.transfer import edits
from flows.transfer.edits import copy_name
from tests.acceptance.proof import report_items, sums_add_up
from tests.program import Program, program_for
from tests.trees import build_tree

EDITOR = "ann@example.com"
HERS, OLD, NEW = b"a week of her work", b"v1", b"v2 of the share"

#: What the editor does with the file, by its id and that of another folder; what lies in the trash its owner restores.
DEEDS: dict[str, Callable[[Person, Person, str, str], None]] = {
    "edited": lambda ann, admin, file, folder: ann.edit(file, HERS),
    "renamed": lambda ann, admin, file, folder: ann.rename(file, "hers.txt"),
    "moved": lambda ann, admin, file, folder: ann.move(file, folder),
    "trashed": lambda ann, admin, file, folder: ann.trash(file),
    "restored": lambda ann, admin, file, folder: (ann.trash(file), admin.restore(file))[0],
    "edited and renamed": lambda ann, admin, file, folder: (
        ann.edit(file, HERS),
        ann.rename(file, "hers.txt"),
    )[0],
}


@dataclass(frozen=True)
class After:
    """What is in Box of the file afterwards: path → content; and where the report has the file of the share."""

    files: dict[str, bytes]
    status: str = "uploaded"
    reason: str | None = None
    #: Words of the report's page.
    told: str = ""


PLACE, RENAMED, MOVED, COPY = "A/f.txt", "A/hers.txt", "A/sub/f.txt", "A/f (in Box DAY ann@example.com).txt"
FAILED = After({PLACE: HERS}, "failed", "changed_in_box", EDITOR)
LEFT = After({PLACE: HERS}, "waived", "left_to_box", "left as it is there")

#: (deed, policy, the source changed as well) → what comes of it. None of both: as for `stop`.
TABLE: dict[tuple[str, str, bool], After] = {
    ("edited", "stop", False): After({PLACE: HERS}, told="changed in Box since it was sent"),
    ("edited", "source", False): After({PLACE: OLD}, told="a new version over it"),
    ("edited", "stop", True): FAILED,
    ("edited", "source", True): After({PLACE: NEW}, told="a new version over it"),
    ("edited", "box", True): LEFT,
    ("edited", "both", True): After({PLACE: NEW, COPY: HERS}, told="keeps another name there"),
    ("renamed", "stop", False): After({RENAMED: OLD}, told="renamed in Box"),
    ("renamed", "source", False): After({PLACE: OLD}, told="put back where the share has it"),
    ("renamed", "stop", True): After({RENAMED: NEW}),
    ("renamed", "source", True): After({PLACE: NEW}, told="put back where the share has it"),
    ("moved", "stop", False): After({MOVED: OLD}, told="moved to another folder in Box"),
    ("moved", "source", False): After({PLACE: OLD}, told="put back where the share has it"),
    ("moved", "stop", True): After({MOVED: NEW}),
    ("moved", "source", True): After({PLACE: NEW}, told="put back where the share has it"),
    ("trashed", "stop", False): After({PLACE: OLD}),
    ("trashed", "box", False): After({}, "waived", "left_in_trash", "put into Box&#39;s trash"),
    ("trashed", "stop", True): After({PLACE: NEW}),
    ("trashed", "box", True): After({}, "waived", "left_in_trash", "put into Box&#39;s trash"),
    ("restored", "stop", False): After({PLACE: OLD}),
    ("restored", "stop", True): After({PLACE: NEW}),
    ("edited and renamed", "stop", False): After({RENAMED: HERS}, told="renamed in Box"),
    ("edited and renamed", "source", False): After({PLACE: OLD}, told="a new version over it"),
    ("edited and renamed", "stop", True): After({RENAMED: HERS}, "failed", "changed_in_box", EDITOR),
    ("edited and renamed", "source", True): After({PLACE: NEW}, told="a new version over it"),
    ("edited and renamed", "box", True): After({RENAMED: HERS}, "waived", "left_to_box", EDITOR),
    ("edited and renamed", "both", True): After({PLACE: NEW, RENAMED: HERS}, told="keeps another name there"),
}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, {"A": {"f.txt": OLD, "sub": {"g.txt": b"g"}}})
    return root


@pytest.fixture
def ann(box: Sandbox) -> Person:
    """Somebody who works in Box."""
    return box.person(next(user for user in box.core.store.users.values() if user.login == EDITOR))


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path, ann: Person) -> Program:
    """The program, after a first complete run that let her in."""
    trees = [{"source": "A", "collaborators": [{"login": EDITOR, "role": "co-owner"}]}]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    assert migrate(program)["complete"]
    ann.accept()
    return program


def migrate(program: Program) -> dict[str, object]:
    """Run the plan in this process."""
    summary: dict[str, object] = move_share(load_plan(program.plan_path), check=False)
    return summary


def sha1s(files: dict[str, bytes]) -> dict[str, str]:
    """As Box tells them; DAY is today, as the copy's name has it."""
    return {name: hashlib.sha1(content).hexdigest() for name, content in files.items()}


def of_the_file(box: Sandbox) -> dict[str, str]:
    """What Box has beside the other files of the test, the day in a name left out."""
    return {
        _without_day(path): file.sha1
        for path, file in box.files().items()
        if not path.rpartition("/")[2].startswith(("g.txt", "new"))
    }


def _without_day(path: str) -> str:
    before, mark, after = path.partition("(in Box ")
    return f"{before}{mark}DAY {after.partition(' ')[2]}" if mark else path


def page(program: Program) -> str:
    """The report's page."""
    finished = program.run("report", "--plain")
    return next(Path(line) for line in finished.stdout.splitlines() if line.endswith(".html")).read_text()


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("policy", [policy.value for policy in InBox])
@pytest.mark.parametrize("changes", [False, True], ids=["same source", "changed source"])
@pytest.mark.gate(8)
def test_what_the_plan_says_of_it(
    program: Program, box: Sandbox, share: Path, ann: Person, deed: str, policy: str, changes: bool
) -> None:
    """Every deed under every policy; a second pass changes nothing more, and sends nothing."""
    expected = TABLE.get((deed, policy, changes)) or TABLE[deed, "stop", changes]
    program.write_plan(changes={"in_box": policy})
    entries = box.tree()
    DEEDS[deed](ann, box.person(), entries["A/f.txt"]["id"], entries["A/sub"]["id"])
    (share / "A/new.txt").write_bytes(b"n")
    (share / "A/sub/new.txt").write_bytes(b"n")
    if changes:
        (share / "A/f.txt").write_bytes(NEW)

    for number in range(2):
        box.calls.reset()
        finished = migrate(program)

        assert (expected.status != "failed") is finished["complete"]
        assert sha1s(expected.files) == of_the_file(box)
        if number:
            assert not [route for route in box.calls.by_route if route.startswith(("POST /files", "PUT"))]
    line = report_items(program)["A/f.txt"]
    assert (expected.status, expected.reason) == (line["status"], line["reason"])
    assert expected.told in page(program)
    sums_add_up(program)


def test_nothing_of_hers_is_lost_below_a_version(
    program: Program, box: Sandbox, share: Path, ann: Person
) -> None:
    """Under `source` her content is a version of the same file."""
    program.write_plan(changes={"in_box": "source"})
    file = box.tree()["A/f.txt"]["id"]
    ann.edit(file, HERS)
    (share / "A/f.txt").write_bytes(NEW)

    assert migrate(program)["complete"]

    assert 3 == box.files()["A/f.txt"].versions
    assert file == box.tree()["A/f.txt"]["id"]


def test_left_to_box_is_told_again_when_the_source_changes(
    program: Program, box: Sandbox, share: Path, ann: Person
) -> None:
    """Under `box` a later change of the source is told, not sent; a waiver that is taken back is decided anew."""
    program.write_plan(changes={"in_box": "box"})
    ann.edit(box.tree()["A/f.txt"]["id"], HERS)
    for content in (NEW, b"v3 of the share"):
        (share / "A/f.txt").write_bytes(content)
        assert migrate(program)["complete"]
        assert sha1s({"A/f.txt": HERS}) == of_the_file(box)
        line = report_items(program)["A/f.txt"]
        assert ("waived", "the plan", "changes: in_box: box") == tuple(
            line[name] for name in ("status", "waived_by", "waived_why")
        )
    program.write_plan(changes={"in_box": "source"})
    assert 0 == program.run("unwaive", "A/f.txt").code

    assert migrate(program)["complete"]

    assert sha1s({"A/f.txt": b"v3 of the share"}) == of_the_file(box)


def test_restored_after_the_plan_left_it_in_the_trash(
    program: Program, box: Sandbox, share: Path, ann: Person
) -> None:
    """She takes it out of the trash again: once its folder is listed it is a file of the plan as before."""
    program.write_plan(changes={"in_box": "box"})
    file = box.tree()["A/f.txt"]["id"]
    ann.trash(file)
    (share / "A/new.txt").write_bytes(b"n")
    assert migrate(program)["complete"]
    box.person().restore(file)
    (share / "A/new2.txt").write_bytes(b"n")

    assert migrate(program)["complete"]

    line = report_items(program)["A/f.txt"]
    assert ("uploaded", file, "") == (line["status"], line["box_id"], line["waived_by"] or "")
    assert 1 == box.files()["A/f.txt"].versions


@pytest.mark.parametrize("policy", ["source", "both"])
def test_edit_in_the_middle_is_never_lost(
    program: Program, box: Sandbox, share: Path, ann: Person, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """She saves once more after the program looked, and before it wrote: that is seen, and hers is kept as well."""
    program.write_plan(changes={"in_box": policy})
    file = box.tree()["A/f.txt"]["id"]
    ann.edit(file, HERS)
    (share / "A/f.txt").write_bytes(NEW)
    looked, saved = edits.second_try, []

    def look_and_let_her_save(*arguments: object) -> object:
        try:
            return looked(*arguments)  # type: ignore[arg-type]
        finally:
            if not saved:
                saved.append(True)
                ann.edit(file, b"one more word")

    monkeypatch.setattr(edits, "second_try", look_and_let_her_save)

    assert migrate(program)["complete"]

    theirs = box.core.store.files[file]
    held = {theirs.sha1, *(version.sha1 for version in theirs.versions)}
    assert set(sha1s({"1": OLD, "2": HERS, "3": b"one more word"}).values()) <= held
    assert sha1s({"A/f.txt": NEW})["A/f.txt"] == box.files()["A/f.txt"].sha1


def test_killed_between_the_rename_and_the_upload(
    program: Program, box: Sandbox, share: Path, ann: Person
) -> None:
    """`kill -9` at that very moment, and twice: one copy of hers, one file of the share, of one version."""
    program.write_plan(changes={"in_box": "both"})
    ann.edit(box.tree()["A/f.txt"]["id"], HERS)
    (share / "A/f.txt").write_bytes(NEW)
    for _ in range(2):
        box.faults.next("POST /files/content").delay(30)
        assert program.kill_when(lambda: any("(in Box " in path for path in box.files()))
        box.faults.clear()

    for _ in range(2):
        assert migrate(program)["complete"]

    assert sha1s({PLACE: NEW, COPY: HERS}) == of_the_file(box)
    assert 1 == box.files()["A/f.txt"].versions


def test_copies_of_one_day_have_names_of_their_own(
    program: Program, box: Sandbox, share: Path, ann: Person
) -> None:
    """The same person edits the same file twice on one day: both of her files are there."""
    program.write_plan(changes={"in_box": "both"})
    for number in (1, 2):
        ann.edit(box.tree()["A/f.txt"]["id"], HERS + b"%d" % number)
        (share / "A/f.txt").write_bytes(NEW + b"%d" % number)
        assert migrate(program)["complete"]

    names = sorted(_without_day(path) for path in box.files() if "(in Box" in path)
    assert ["A/f (in Box DAY ann@example.com 2).txt", "A/f (in Box DAY ann@example.com).txt"] == names


def test_large_file_of_which_parts_were_sent_is_a_file_of_its_own(
    program: Program, box: Sandbox, share: Path, ann: Person
) -> None:
    """Parts of a version that was begun before she edited do not end up over hers."""
    large = b"x" * 60_000_000
    (share / "A/large.bin").write_bytes(large)
    assert migrate(program)["complete"]
    file = box.tree()["A/large.bin"]["id"]
    (share / "A/large.bin").write_bytes(large[:-1] + b"y")
    sent = box.calls.by_route["PUT /files/upload_sessions/:id"]
    box.faults.next("PUT /files/upload_sessions/:id").delay(30)
    assert program.kill_when(lambda: box.calls.by_route["PUT /files/upload_sessions/:id"] > sent)
    box.faults.clear()
    ann.edit(file, HERS)
    program.write_plan(changes={"in_box": "both"})

    assert migrate(program)["complete"]

    assert sha1s({"1": HERS})["1"] == box.core.store.files[file].sha1
    assert sha1s({"1": large[:-1] + b"y"})["1"] == box.files()["A/large.bin"].sha1
    assert [] == box.open_sessions()


def test_names_of_copies() -> None:
    """They keep the extension, fit Box's limit and hold nothing that Box refuses."""
    from flows.transfer.conflicts import Editor

    assert "a (in Box x@y).tar" == copy_name("a.tar", Editor("x@y", None))
    assert ".rc (in Box x@y 2)" == copy_name(".rc", Editor("x@y", None), 2)
    long = copy_name("n" * 255, Editor("x" * 40, None))
    assert len(long) == 255
    assert long.endswith("x)")
    assert "/" not in copy_name("a.txt", Editor("a/b", None))
    assert json.dumps(long)

"""Files whose date alone changed: one call each, no version; and every file read again, where the times say nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items
from tests.program import Program, program_for
from tests.trees import build_tree

TREE = {"Accounting": {"2024": {"a.txt": b"a", "b.txt": b"b"}, "c.txt": b"c"}}
NEW_DATE = 1_600_000_000
PUT, SENT, LISTED = "PUT /files/:id", "POST /files/:id/content", "GET /folders/:id/items"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share, dated long ago."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, TREE)
    for path in root.rglob("*.txt"):
        os.utime(path, (1_500_000_000, 1_500_000_000.5))
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete run."""
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "Accounting"}])
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


def date(path: Path, seconds: float = NEW_DATE) -> None:
    """Give a file another date."""
    os.utime(path, (seconds, seconds))


def migrated(program: Program, box: Sandbox, *arguments: str) -> dict[str, int]:
    """Calls by route of one complete run, without those that only sign in."""
    box.calls.reset()
    finished = program.run("migrate", *arguments)
    assert 0 == finished.code, finished.output
    return {
        route: count for route, count in box.calls.by_route.items() if "/files" in route or route == LISTED
    }


def test_date_alone_is_one_call(program: Program, box: Sandbox, share: Path) -> None:
    """Box has the new date after one call; id and version stay; the pass after that asks nothing."""
    before = box.files()["Accounting/c.txt"]
    date(share / "Accounting/c.txt")

    assert {PUT: 1} == migrated(program, box)

    after = box.files()["Accounting/c.txt"]
    assert (before.id, NEW_DATE, 1) == (after.id, after.content_modified, after.versions)
    assert {} == migrated(program, box)
    assert_arrived(program, box, share)


@pytest.mark.torture
def test_same_second_is_no_call(program: Program, box: Sandbox, share: Path) -> None:
    """Box keeps whole seconds: a date that differs in less is the same."""
    date(share / "Accounting/c.txt", 1_500_000_000.25)

    assert {} == migrated(program, box)


@pytest.mark.torture
def test_ignored_dates(program: Program, box: Sandbox, share: Path) -> None:
    """The plan may leave Box's dates alone; asked for later, the date comes with the next change."""
    program.write_plan(changes={"touched": "ignore"})
    date(share / "Accounting/c.txt")
    assert {} == migrated(program, box)
    program.write_plan(changes={"touched": "update"})
    (share / "Accounting/c.txt").chmod(0o600)

    assert {PUT: 1} == migrated(program, box)

    assert NEW_DATE == box.files()["Accounting/c.txt"].content_modified


@pytest.mark.torture
@pytest.mark.parametrize("when", ["before_effect", "after_effect"])
def test_lost_answer(program: Program, box: Sandbox, share: Path, when: str) -> None:
    """Whether Box took the date or not, it has it in the end, and no version was made."""
    date(share / "Accounting/c.txt")
    box.faults.next(PUT).reset(when)

    migrated(program, box)

    after = box.files()["Accounting/c.txt"]
    assert (NEW_DATE, 1) == (after.content_modified, after.versions)


def _put(box: Sandbox, path: str, **changes: object) -> None:
    answer = requests.put(
        f"{box.url}/2.0/files/{box.tree()[path]['id']}",
        json=changes,
        headers={"Authorization": f"Bearer {box.token()}"},
        timeout=10,
    )
    assert 200 == answer.status_code, answer.text


@pytest.mark.torture
def test_described_in_box_meanwhile(program: Program, box: Sandbox, share: Path) -> None:
    """Another etag and the same content: the date is given all the same."""
    _put(box, "Accounting/c.txt", description="by a person")
    date(share / "Accounting/c.txt")

    assert {PUT: 2, "GET /files/:id": 1} == migrated(program, box)

    assert NEW_DATE == box.files()["Accounting/c.txt"].content_modified


def test_edited_in_box_meanwhile(program: Program, box: Sandbox, share: Path) -> None:
    """A person's version keeps the person's date; the report says so."""
    entry = box.tree()["Accounting/c.txt"]
    requests.post(
        f"{box.upload_url}/2.0/files/{entry['id']}/content",
        files={"attributes": (None, '{"name": "c.txt"}'), "file": ("c.txt", b"a person's")},
        headers={"Authorization": f"Bearer {box.token()}"},
        timeout=10,
    ).raise_for_status()
    edited = box.files()["Accounting/c.txt"]
    date(share / "Accounting/c.txt")

    migrated(program, box)

    assert edited == box.files()["Accounting/c.txt"]


@pytest.mark.torture
def test_deleted_in_box_meanwhile(program: Program, box: Sandbox, share: Path) -> None:
    """What is not there any more is sent again, with its new date."""
    requests.delete(
        f"{box.url}/2.0/files/{box.tree()['Accounting/c.txt']['id']}",
        headers={"Authorization": f"Bearer {box.token()}"},
        timeout=10,
    ).raise_for_status()
    date(share / "Accounting/c.txt")

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, share)


def test_checksum_finds_what_no_time_tells(tmp_path: Path, box: Sandbox) -> None:
    """A source without ids and change times, whose file has other bytes and the same size and date: `--checksum` reads
    all and sends that one; Box is asked nothing about the others."""
    share = tmp_path / "plain"
    share.mkdir()
    build_tree(share, TREE)
    program = program_for(
        tmp_path / "run", box, {"url": f"local://{share}"}, trees=[{"source": "Accounting"}]
    )
    for path in share.rglob("*.txt"):
        date(path, 1_500_000_000.5)
    assert 0 == program.run("migrate").code
    (share / "Accounting/2024/b.txt").write_bytes(b"B")
    date(share / "Accounting/2024/b.txt", 1_500_000_000.5)

    assert {SENT: 1, LISTED: 1} == migrated(program, box, "--checksum")

    assert_lines = report_items(program)
    assert {"uploaded"} == {line["status"] for line in assert_lines.values()}
    assert [2] == [file.versions for path, file in box.files().items() if path.endswith("b.txt")]
    assert {} == migrated(program, box, "--checksum")
    assert {} == migrated(program, box)

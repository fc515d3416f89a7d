"""Alternate data streams: files arrive without them, and the report says which lost what. Whole program, Samba."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.transfer.remarks import NAMED
from state.checkpoint import Checkpoint
from state.reports.events import events
from tests.acceptance.proof import assert_arrived, report_items
from tests.program import Program, program_for
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.trees import build_tree

MARK = b"[ZoneTransfer]\r\nZoneId=3\r\n"


@pytest.fixture
def share(samba: Samba) -> Iterator[Path]:
    """The emptied Samba share."""
    samba.forget_streams()
    yield empty(samba.root)
    empty(samba.root)


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, samba: Samba, share: Path) -> Program:
    """The program with a plan for the share with streams as one tree."""
    source = {
        "url": "smb://127.0.0.1/streams",
        "username": samba.username,
        "port": samba.port,
        "password": "${SHARE_PW}",
    }
    environment = {"SHARE_PW": samba.password}
    trees = [{"source": "", "folder": "All"}]
    return program_for(tmp_path / "run", box, source, environment=environment, trees=trees)


def not_kept(program: Program) -> list[dict[str, Any]]:
    """What the events says of things that Box does not keep."""
    checkpoint = Checkpoint.open(f"sqlite:///{program.folder / 'state.db'}")
    try:
        plan_id = checkpoint.find_plan("test (rehearsal)")
        assert plan_id is not None
        return [line.detail for line in events(checkpoint, plan_id) if line.kind == "not_kept"]
    finally:
        checkpoint.close()


def notes(program: Program) -> dict[str, str]:
    """The notes of all files that have one, alike in JSON and CSV."""
    items = {path: line["note"] for path, line in report_items(program).items() if line["note"] is not None}
    with (program.folder / "test-report" / "items.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row["note"] for row in csv.DictReader(file) if row["note"]}
    assert items == rows
    return items


def page(program: Program) -> str:
    """The report that people read."""
    return (program.folder / "test-report" / "report.html").read_text(encoding="utf-8")


def test_streams_that_do_not_arrive_are_reported(
    program: Program, box: Sandbox, samba: Samba, share: Path
) -> None:
    """Empty, small and large files arrive; those that lose a stream are named with it, and no others."""
    large = os.urandom(3_000_000)
    build_tree(
        share,
        {
            "Docs": {"plain.txt": b"plain", "none": b"", "empty": b"", "marked.pdf": b"pdf", "both": b"both"},
            "Media": {"large.bin": large, "tagged.txt": b"tagged", "plain.bin": b"plain"},
            "Quiet": {"q.txt": b"q"},
        },
    )
    samba.put_streams("Docs/empty", {"hidden": b"h" * 1_500})
    samba.put_streams("Docs/marked.pdf", {"Zone.Identifier": MARK})
    samba.put_streams("Docs/both", {"Zone.Identifier": MARK, "hidden": b"h" * 1_500})
    samba.put_streams("Media/large.bin", {"R&D": b"n" * 12})
    samba.put_streams("Media/tagged.txt", {"more": b"m"})
    os.setxattr(share / "Media" / "tagged.txt", "user.comment", b"important")

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, share)
    told = notes(program)
    assert {"Docs/empty", "Docs/marked.pdf", "Docs/both", "Media/large.bin", "Media/tagged.txt"} == set(told)
    assert told["Docs/empty"] == "has alternate data streams, which Box does not keep: hidden (1.5 kB)"
    assert "harmless" in told["Docs/marked.pdf"]
    assert "hidden (1.5 kB)" in told["Docs/both"] and "Zone.Identifier (26 B)" in told["Docs/both"]
    assert "R&D (12 B)" in told["Media/large.bin"]
    assert "extended attributes" in told["Media/tagged.txt"] and "more (1 B)" in told["Media/tagged.txt"]
    html = page(program)
    for words in ("hidden (3.0 kB)", "harmless", "R&amp;D (12 B)", "extended attributes"):
        assert words in html
    streams = {
        (detail["path"], "harmless" in detail["note"]): (detail["count"], sorted(detail["names"]))
        for detail in not_kept(program)
        if "stream" in detail["note"]
    }
    assert {
        ("Docs", True): (1, ["marked.pdf"]),
        ("Docs", False): (2, ["both", "empty"]),
        ("Media", False): (2, ["large.bin", "tagged.txt"]),
    } == streams


def test_what_is_not_sent_is_not_told_again(
    program: Program, box: Sandbox, samba: Samba, share: Path
) -> None:
    """A run that sends nothing adds nothing to the events, and what was told of a file stays in the report."""
    build_tree(share, {"Docs": {"a.txt": b"a", "b.txt": b"b", "c.txt": b"c"}})
    for name in ("a.txt", "b.txt", "c.txt"):
        samba.put_streams(f"Docs/{name}", {"hidden": b"h"})
    assert 0 == program.run("migrate").code
    told, first = notes(program), not_kept(program)

    os.utime(share / "Docs" / "a.txt", ns=(0, 1_600_000_000 * 10**9))
    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert (3, 1) == (len(told), len(first))
    assert first == not_kept(program)
    assert told == notes(program)

    (share / "Docs" / "b.txt").write_bytes(b"another content")
    program.write_plan(exclude=["c.txt"])
    assert 0 == program.run("migrate").code
    program.write_plan(exclude=[])
    assert 0 == program.run("migrate").code

    assert [("Docs", 1, ["b.txt"])] == [
        (detail["path"], detail["count"], detail["names"]) for detail in not_kept(program)[len(first) :]
    ]
    assert told == notes(program)
    assert {1, 2} == {file.versions for file in box.files().values()}


def test_a_folder_full_of_streams_is_one_line(
    program: Program, box: Sandbox, samba: Samba, share: Path
) -> None:
    """Twenty files with a stream of their own each are one line of the page; the CSV has them all (P9)."""
    names = [f"{number:02}.txt" for number in range(20)]
    build_tree(share, {"Many": dict.fromkeys(names, b"x")})
    for name in names:
        samba.put_streams(f"Many/{name}", {f"stream of {name}": b"s"})

    assert 0 == program.run("migrate").code

    (detail,) = not_kept(program)
    assert ("Many", 20, NAMED) == (detail["path"], detail["count"], len(detail["names"]))
    assert NAMED == detail["note"].count("stream of") and detail["note"].endswith(", more")
    assert {f"Many/{name}" for name in names} == set(notes(program))
    assert all(f"stream of {path[5:]} (1 B)" in note for path, note in notes(program).items())
    assert_arrived(program, box, share)

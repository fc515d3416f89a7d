"""A server that says too little, too much or the wrong thing: each file ends as arrived, failed or gone (P2)."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.acceptance.shares import digest
from tests.program import Program, program_for
from tests.servers.sftp_odd import OddServer, without_anything, without_types
from tests.trees import build_tree

TREE = {"a.txt": b"1", "folder": {"b.txt": b"22", "deep": {"c.txt": b"333"}}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OddServer]:
    """A server over a small tree."""
    (tmp_path / "share").mkdir()
    build_tree(tmp_path / "share", TREE)
    server = OddServer(tmp_path / "share")
    server.start()
    (tmp_path / "known_hosts").write_text(server.known_hosts_line())
    yield server
    server.stop()


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, server: OddServer) -> Program:
    """The program with a plan for the server's folder as one tree with one person."""
    source = {
        "url": f"sftp://127.0.0.1:{server.port}/",
        "username": server.username,
        "password": "${SFTP_PASSWORD}",
        "options": {"known_hosts": str(tmp_path / "known_hosts")},
    }
    people = [{"login": "ann@example.com", "role": "viewer"}]
    trees = [{"source": "", "folder": "All", "collaborators": people}]
    program = program_for(tmp_path / "run", box, source, trees=trees)
    program.environment["SFTP_PASSWORD"] = server.password
    return program


def failed(program: Program) -> dict[str, str]:
    """What failed, and why; the sums add up."""
    sums_add_up(program)
    return {
        path: line["reason"] for path, line in report_items(program).items() if line["status"] == "failed"
    }


@pytest.mark.parametrize("says", [without_types, without_anything])
@pytest.mark.gate(1)
def test_permissions_without_types(program: Program, box: Sandbox, server: OddServer, says: object) -> None:
    """Whatever a listing leaves out of its permissions: a folder is listed, a file is opened, and all arrives."""
    server.oddities.listed = says  # type: ignore[assignment]
    server.oddities.looked_at = without_types

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, server.root)


def test_name_that_is_listed_twice(program: Program, box: Sandbox, server: OddServer) -> None:
    """It does not end the run: the same thing twice is one file, and of two different ones the other fails."""
    server.oddities.twice = {"a.txt": {}, "b.txt": {"size": 5}}

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    assert {"folder/(object 'b.txt')": "name_rejected"} == failed(program)
    assert {"All/a.txt", "All/folder/b.txt", "All/folder/deep/c.txt"} == set(box.files())
    assert [] == box.collaborations()


def test_folder_that_is_listed_and_not_found(program: Program, box: Sandbox, server: OddServer) -> None:
    """It fails, in each pass; it is gone only when the folder above does not list it any more."""
    server.oddities.not_found = {"deep"}
    for _ in range(2):
        finished = program.run("migrate")

        assert 1 == finished.code, finished.output
        assert {"folder/deep": "not_found"} == failed(program)
    server.oddities.hidden = {"deep"}

    finished = program.run("migrate")

    assert {"folder/deep": "not_found"} == failed(program), (
        finished.output
    )  # hidden, and there when asked for
    (server.root / "folder/deep/c.txt").unlink()
    (server.root / "folder/deep").rmdir()
    assert 0 == program.run("migrate").code
    assert {} == failed(program)


def test_what_is_hidden_after_it_arrived(program: Program, box: Sandbox, server: OddServer) -> None:
    """A share that hides what the account may not read is asked by name: denied is failed, and never gone."""
    assert 0 == program.run("migrate").code
    server.oddities.hidden = server.oddities.denied = {"deep", "a.txt"}

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    assert {"a.txt": "access_denied", "folder/deep": "access_denied"} == failed(program)
    server.oddities.denied = set()
    assert 0 == program.run("migrate").code  # still hidden, and there when asked for
    server.oddities.hidden = set()
    (server.root / "a.txt").unlink()
    assert 0 == program.run("migrate").code
    assert "All/a.txt" in box.files()


def test_folder_that_turns_into_a_link_while_it_is_read(
    program: Program, box: Sandbox, server: OddServer, tmp_path: Path
) -> None:
    """What lies where the link leads is not read into Box, not even with the size and time of what was there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    build_tree(outside, {"b.txt": b"no"})
    seen = (server.root / "folder" / "b.txt").stat()
    os.utime(outside / "b.txt", ns=(seen.st_atime_ns, seen.st_mtime_ns))

    def turn(path: bytes) -> None:
        if path.endswith(b"folder/b.txt") and not (server.root / "folder").is_symlink():
            (server.root / "folder").rename(tmp_path / "moved")
            (server.root / "folder").symlink_to(outside)

    server.oddities.on_open = turn

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    assert "access_denied" == failed(program)["folder/b.txt"]
    assert "All/folder/b.txt" not in box.files()


def test_file_that_is_written_again_in_the_second_in_which_it_was_read(
    program: Program, box: Sandbox, server: OddServer
) -> None:
    """Whole seconds do not tell it apart: the next pass reads it again, and the one after that does not."""
    file = server.root / "a.txt"
    for number in range(10):  # a slow machine may read it late enough to settle it at once
        file.write_bytes(b"%d" % number)
        os.utime(file, (1_000_000_000 + number, 1_000_000_000 + number))
        assert 0 == program.run("migrate").code
        if unsettled(program):
            break
    seen = file.stat()
    file.write_bytes(b"x")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    sent = box.calls.by_route["POST /files/:id/content"]

    assert 0 == program.run("migrate").code
    assert digest(file) == box.files()["All/a.txt"].sha1
    assert sent + 1 == box.calls.by_route["POST /files/:id/content"]
    opened: list[bytes] = []
    server.oddities.on_open = opened.append
    read_early_again = unsettled(program)  # a quick machine reads the new content within its second, too
    assert 0 == program.run("migrate").code
    assert [] == [path for path in opened if path.endswith(b"a.txt")] or read_early_again
    assert sent + 1 == box.calls.by_route["POST /files/:id/content"]


def unsettled(program: Program) -> list[str]:
    """Names of the files that the checkpoint has read again in the next pass."""
    with closing(sqlite3.connect(next(program.folder.glob("*.db")))) as database:
        return [name for (name,) in database.execute("SELECT name FROM items WHERE settles_ns IS NOT NULL")]

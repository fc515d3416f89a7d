"""An SFTP share that lives while it is moved: sshd restarted, connections killed, the folder gone, files changing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.acceptance.shares import digest
from tests.acceptance.test_live_share import LARGE, PART, SMALL, one_line, run_and, small_files
from tests.program import Program, program_for
from tests.servers import missing
from tests.servers.fixtures import empty
from tests.servers.sftp import SFTPServer
from tests.trees import build_tree


@pytest.fixture
def share(sftp_server: SFTPServer) -> Iterator[Path]:
    """The emptied folder of the server."""
    yield empty(sftp_server.root)
    empty(sftp_server.root)


def plan_source(server: SFTPServer, *, username: str | None = None, **options: Any) -> dict[str, Any]:
    """The plan's source: the server's folder."""
    return {
        "url": server.url,
        "username": username or server.username,
        "options": {**server.options, **options},
    }


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, sftp_server: SFTPServer, share: Path) -> Program:
    """The program with a plan for the folder as one tree with one person."""
    tree = {"source": "", "folder": "All", "collaborators": [{"login": "ann@example.com", "role": "viewer"}]}
    return program_for(tmp_path / "run", box, plan_source(sftp_server), trees=[tree])


def large_file(share: Path, name: str = "large.bin") -> None:
    """A file that goes in parts."""
    (share / name).write_bytes(os.urandom(1 << 20) * (LARGE >> 20))


@pytest.mark.torture  # the connection that is killed is the same to the client
def test_server_restarted_in_the_middle(
    program: Program, box: Sandbox, sftp_server: SFTPServer, share: Path
) -> None:
    """sshd ends with all its connections, in the middle of a large file, and starts again: it costs time alone."""
    small_files(share)
    large_file(share)
    box.limits.latency_seconds, box.limits.bytes_per_second = 0.03, 40_000_000

    finished = run_and(
        program,
        box,
        lambda: box.calls.by_route[SMALL] > 20 and PART in box.calls.by_route,
        sftp_server.restart,
    )

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, share)


@pytest.mark.torture
def test_connection_that_is_killed_again_and_again(
    program: Program, box: Sandbox, sftp_server: SFTPServer, share: Path
) -> None:
    """Five times the process that serves the connection is killed, in small files and in a large one."""
    small_files(share)
    large_file(share)
    box.limits.latency_seconds, box.limits.bytes_per_second = 0.03, 40_000_000
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 30
        while sum(count > 0 for count in killed) < 5 and time.monotonic() < deadline:
            killed.append(sftp_server.drop_connections())
            time.sleep(0.3)

    finished = run_and(program, box, lambda: box.calls.by_route[SMALL] > 20, kill)

    assert 0 == finished.code, finished.output
    assert 3 <= sum(count > 0 for count in killed)
    assert_arrived(program, box, share)


@pytest.mark.torture
def test_folder_that_goes_away_in_the_middle(
    program: Program, box: Sandbox, sftp_server: SFTPServer, share: Path
) -> None:
    """The folder is renamed: the run stops with code 3 and one line, no file is blamed, and the next run completes."""
    small_files(share)
    program.write_plan(source=plan_source(sftp_server, patience_seconds=1))
    box.limits.latency_seconds = 0.05
    away = share.with_name("away")
    try:
        finished = run_and(program, box, lambda: box.calls.by_route[SMALL] > 20, lambda: share.rename(away))
    finally:
        away.rename(share)

    assert 3 == finished.code, finished.output
    assert "sftp://127.0.0.1" in one_line(finished)
    (tree,) = sums_add_up(program)["trees"]
    assert ("incomplete", "stopped") == (tree["state"], tree["incomplete_reason"])
    assert {} == tree["failures_by_reason"]
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert_arrived(program, box, share)


@pytest.mark.torture
def test_server_that_stays_away(program: Program, box: Sandbox, sftp_server: SFTPServer, share: Path) -> None:
    """sshd ends and does not come back: code 3 and one line after the patience of the plan, and no file is blamed."""
    small_files(share)
    program.write_plan(source=plan_source(sftp_server, patience_seconds=1))
    box.limits.latency_seconds = 0.05
    try:
        finished = run_and(program, box, lambda: box.calls.by_route[SMALL] > 20, sftp_server.halt)
    finally:
        sftp_server.start()

    assert 3 == finished.code, finished.output
    assert "check host and port" in one_line(finished)
    (tree,) = sums_add_up(program)["trees"]
    assert ("incomplete", "stopped") == (tree["state"], tree["incomplete_reason"])
    assert {} == tree["failures_by_reason"]
    assert 0 == program.run("migrate").code
    assert_arrived(program, box, share)


def test_files_that_change_while_they_are_read(program: Program, box: Sandbox, share: Path) -> None:
    """Growing, shrinking, replaced: Box holds no torn file, and the last content in the end."""
    (share / "Busy").mkdir()
    for name in ("grows", "shrinks", "replaced"):
        large_file(share / "Busy", name)
    box.limits.bytes_per_second = 40_000_000

    def change() -> None:
        with (share / "Busy" / "grows").open("ab") as file:
            file.write(b"one more line")
        os.truncate(share / "Busy" / "shrinks", LARGE // 2)
        large_file(share, "other")
        # SFTP version 3 tells whole seconds and no ids: a second later it can be seen.
        later = (share / "Busy" / "replaced").stat().st_mtime + 1
        os.utime(share / "other", (later, later))
        (share / "other").replace(share / "Busy" / "replaced")

    finished = run_and(program, box, lambda: box.calls.by_route[PART] >= 3, change)

    # Tried again in the same run, so that it may end well already; never with the torn content.
    assert finished.code in (0, 1), finished.output
    for name, file in box.files().items():
        assert file.sha1 == digest(share / name.removeprefix("All/")), name
    if finished.code == 1:
        assert {"changed_while_reading"} >= set(sums_add_up(program)["trees"][0]["failures_by_reason"])
        again = program.run("migrate")
        assert 0 == again.code, again.output
    assert_arrived(program, box, share)


def test_what_may_not_be_read(program: Program, box: Sandbox, sftp_server: SFTPServer, share: Path) -> None:
    """A file and a folder without the right to read them fail with their reason; the rest arrives, then they do."""
    if os.getuid() != 0:
        missing("root", "only root can log in as somebody who may not read what the tests write")
    build_tree(share, {"a": {"1.txt": b"1", "closed.txt": b"2"}, "b": {"3.txt": b"3"}})
    sftp_server.home.chmod(0o711)
    program.write_plan(source=plan_source(sftp_server, username="nobody"))
    (share / "a" / "closed.txt").chmod(0o600)
    (share / "b").chmod(0o700)

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    lines = report_items(program)
    assert [("failed", "access_denied")] * 2 == [
        (lines[path]["status"], lines[path]["reason"]) for path in ("a/closed.txt", "b")
    ]
    assert "uploaded" == lines["a/1.txt"]["status"]
    assert [] == box.collaborations()
    (share / "a" / "closed.txt").chmod(0o644)
    (share / "b").chmod(0o755)
    assert 0 == program.run("retry").code
    assert_arrived(program, box, share)


def test_folder_above_a_tree_that_may_not_be_listed(
    program: Program, box: Sandbox, sftp_server: SFTPServer, share: Path
) -> None:
    """Somebody who is let into the folder of a tree alone moves that tree, and is told that the rest is unknown."""
    if os.getuid() != 0:
        missing("root", "only root can log in as somebody who may not read what the tests write")
    build_tree(share, {"top": {"a": {"1.txt": b"1"}, "b": {"2.txt": b"2"}}})
    sftp_server.home.chmod(0o711)
    (share / "top").chmod(0o711)
    source = plan_source(sftp_server, username="nobody")
    program.write_plan(source=source, trees=[{"source": "top/a"}])

    finished = program.run("migrate")
    checked = json.loads(program.run("check", "--json").stdout)

    assert 0 == finished.code, finished.output
    assert ["a/1.txt"] == list(box.files())
    [row] = [row for row in checked["checks"] if row["name"] == "not in a tree"]
    assert ("warning", "what else is in top is unknown: it cannot be listed") == (row["state"], row["found"])
    report = program.run("report", "--plain")
    assert "unknown where the folder cannot be listed: top" in Path(report.stdout.splitlines()[0]).read_text()

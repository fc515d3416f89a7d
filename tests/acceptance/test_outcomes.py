"""What the operator is told when something is wrong: one clear line, the right exit code, no traceback, no secret."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.program import Finished, Program, program_for
from tests.servers import free_port
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.trees import build_tree

SECRET = "canary-password-4711"


@pytest.fixture
def share(samba: Samba) -> Iterator[Path]:
    """A small share on Samba."""
    empty(samba.root)
    build_tree(samba.root, {"Accounting": {"a.txt": b"a", "b.txt": b"b"}, "Legal": {"c.txt": b"c"}})
    yield samba.root
    empty(samba.root)


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, samba: Samba, share: Path) -> Program:
    """The program with a plan for that share."""
    source = {"url": samba.url, "username": samba.username, "port": samba.port, "password": "${SHARE_PW}"}
    people = [{"login": "ann@example.com", "role": "editor"}]
    trees = [{"source": "Accounting", "collaborators": people}, {"source": "Legal", "collaborators": people}]
    return program_for(tmp_path / "run", box, source, environment={"SHARE_PW": samba.password}, trees=trees)


def assert_one_line(finished: Finished, code: int, *told: str) -> None:
    """The command ended with this code and said these words on one line of stderr."""
    assert code == finished.code, finished.output
    lines = [line for line in finished.stderr.splitlines() if line.startswith("boxhaul: ")]
    assert len(lines) == 1, finished.output
    for words in told:
        assert words in lines[0]
    assert "Traceback" not in finished.output
    assert SECRET not in finished.output


def test_unreadable_file_leaves_its_tree_incomplete(
    program: Program, box: Sandbox, share: Path, samba: Samba
) -> None:
    """A file that another client holds: exit code 1, the reason told, nobody let in; when it is free all is well."""
    with samba.holding("Accounting\\b.txt"):
        finished = program.run("migrate")

        assert finished.code == 1, finished.output
        trees = {tree["name"]: tree for tree in sums_add_up(program)["trees"]}
        assert (
            trees["Accounting"]["state"],
            trees["Accounting"]["incomplete_reason"],
        ) == ("incomplete", "failed items")
        assert (trees["Legal"]["state"], trees["Legal"]["items"]["uploaded"]) == ("complete", 1)
        assert [grant["path"] for grant in box.collaborations()] == ["Legal"]
        line = report_items(program)["Accounting/b.txt"]
        assert (line["status"], line["reason"], line["attempts"]) == ("failed", "locked", 3)

    again = program.run("migrate")

    assert again.code == 0, again.output
    assert sorted(grant["path"] for grant in box.collaborations()) == ["Accounting", "Legal"]
    assert_arrived(program, box, share)


def test_wrong_password(program: Program) -> None:
    """A refused login says so, and not what was tried."""
    program.environment["SHARE_PW"] = SECRET

    assert_one_line(program.run("migrate"), 3, "password")


def test_wrong_share(program: Program, samba: Samba) -> None:
    """A share that does not exist is named."""
    program.write_plan(source=program.plan["source"] | {"url": samba.url_of("nowhere")})

    assert_one_line(program.run("migrate"), 3, "nowhere")


def test_unreachable_host(program: Program) -> None:
    """A host that does not answer is named."""
    program.write_plan(source=program.plan["source"] | {"port": free_port()})

    assert_one_line(program.run("migrate"), 3, "127.0.0.1")


def test_unauthorised_app(program: Program, box: Sandbox) -> None:
    """An app that no admin has authorised: where to do it, and for which client id."""
    box.settings.app_authorized = False

    client_id = box.jwt_config["boxAppSettings"]["clientID"]
    assert_one_line(program.run("migrate"), 3, "Admin Console", client_id)


def test_missing_landing_folder(program: Program) -> None:
    """A landing folder that is not there is named before anything is sent."""
    program.write_plan(box=program.plan["box"] | {"landing_folder_id": "123456789"})

    assert_one_line(program.run("migrate"), 3, "123456789")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"exlude": []}, "unknown key exlude; did you mean exclude?"),
        ({"trees": [{"source": "Nowhere"}]}, "Nowhere"),
        ({"state_url": "sqlite:////nowhere/at/all/x.db"}, "state"),
    ],
)
@pytest.mark.gate(1)
def test_unusable_plan(program: Program, change: dict[str, Any], told: str) -> None:
    """A plan that cannot work is one line that names the place."""
    program.write_plan(**change)

    finished = program.run("migrate")

    assert finished.code in (1, 2, 3), finished.output
    assert told in finished.output
    assert "Traceback" not in finished.output


def test_unreadable_plan(program: Program) -> None:
    """A plan file that is not there, or not YAML."""
    program.plan_path.write_text("name: [")
    assert_one_line(program.run("migrate"), 2, "YAML")

    program.plan_path.unlink()
    assert_one_line(program.run("status"), 2, "cannot be read")


def test_second_process_on_one_plan_refuses(program: Program, box: Sandbox) -> None:
    """Two runs of one plan at once: the second says who runs it and leaves; the first completes."""
    box.limits.latency_seconds = 0.5
    first = program.start("migrate")
    try:
        while box.calls.by_route["POST /folders"] < 1:
            assert first.poll() is None
        # However long the second takes to start, the first is not done.
        box.limits.latency_seconds = 5
        assert_one_line(program.run("migrate"), 3, "in use by", "pid")
    finally:
        box.limits.latency_seconds = None
        with contextlib.suppress(Exception):
            first.communicate(timeout=60)

    assert first.returncode == 0


def test_date_that_no_database_holds(tmp_path: Path, box: Sandbox) -> None:
    """One file dated after 2262 stops nobody: it arrives with that day, as the report says, once."""
    share = tmp_path / "share"
    build_tree(share.parent, {"share": {"A": {"far.txt": b"f", "near.txt": b"n"}}})
    os.utime(share / "A" / "far.txt", (10_500_000_000, 10_500_000_000))
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}])

    finished, again = program.run("migrate"), program.run("migrate")

    assert (0, 0) == (finished.code, again.code), finished.output
    assert 2 == box.calls.by_route["POST /files/content"]
    assert (2**63 - 1) // 10**9 == box.files()["A/far.txt"].content_modified
    report = program.run("report", "--plain", "--out", str(tmp_path / "report"))
    assert "after 11 April 2262" in next((tmp_path / "report").glob("*.html")).read_text(), report.output

"""`boxhaul rehearse` and `boxhaul sandbox --plan`: a local Box that knows the plan, and nothing of the real one."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from connectors.entry import Entry, EntryKind
from flows.checks.seen import Seen, seen_rows
from flows.plan.sample import SampleRule
from tests.program import Program, fresh

#: Nothing of it is there: neither the secrets, nor the folder, nor the database.
BOX = {
    "auth": {"method": "ccg", "client_id": "abc", "client_secret": "${NOT_THERE}", "enterprise_id": "7"},
    "landing_folder_id": "3123456",
    "identities": ["111"],
}
TREES = [
    {
        "source": "Accounting",
        "collaborators": [
            {"login": "ann@firm.test", "role": "editor"},
            {"user_id": "777"},
            {"app_user": "kiosk"},
        ],
    },
    {
        "source": "Legal",
        "collaborators": [{"group": "Finance"}, {"group": "New", "create": True}, {"group_id": "888"}],
    },
]
FILES = [
    f"{tree}/{folder}/{number}.txt"
    for tree in ("Accounting", "Legal")
    for folder in "ab"
    for number in range(20)
]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A plan that was never run, for a Box that nobody can reach."""
    for path in FILES:
        (tmp_path / "share" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "share" / path).write_text(path)
    folder = tmp_path / "run"
    folder.mkdir()
    plan = {
        "name": "finance",
        "source": {"url": (tmp_path / "share").as_uri()},
        "box": BOX,
        "state_url": "postgresql+psycopg://u:${NO_PASSWORD}@nowhere.test/x",
        "trees": TREES,
        "transfer": {"bandwidth": "1B"},
    }
    program = Program(folder, plan)
    program.write_plan()
    return program


def rehearsed(program: Program, *options: str, code: int = 0) -> dict[str, Any]:
    """`boxhaul rehearse --json` without Box's limits."""
    finished = program.run("rehearse", "--limits", "off", "--json", *options)
    assert code == finished.code, finished.output
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def address_of(program: Program) -> tuple[str, int]:
    """Where the last rehearsal's local Box was."""
    written = yaml.safe_load((program.folder / "plan.rehearsal/plan.yaml").read_text())
    parts = urlsplit(written["box"]["base_url"])
    return str(parts.hostname), int(parts.port or 0)


def assert_gone(address: tuple[str, int]) -> None:
    """Nobody listens there any more."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(address, timeout=5).close()
        except ConnectionRefusedError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_sample(program: Program) -> None:
    """The sample moves, its people are in, the whole is forecast; status reads what it left.

    Box's secrets and the plan's database are asked for by nobody.
    """
    document = rehearsed(program, "--sample", "30%")
    rule = SampleRule("30%")
    chosen = [path for path in FILES if rule.reason(file(path)) is None]

    assert 0 < len(chosen) < len(FILES)
    assert (len(chosen), len(FILES) - len(chosen)) == (
        document["files"]["uploaded"],
        document["files"]["excluded"],
    )
    assert (True, 6, {"total": 2, "complete": 2}) == (
        document["complete"],
        document["people"],
        document["trees"],
    )
    assert len(FILES) == document["forecast"]["uploads"]
    # 240 uploads a minute, not those of the local Box.
    assert 20 <= document["forecast"]["bounds"]["files"] < 60
    size = sum(len(path) for path in FILES)
    assert size <= document["forecast"]["seconds"] < 1.1 * size  # at the byte a second that the plan allows
    assert_gone(address_of(program))

    own = Program(program.folder / "plan.rehearsal", {})
    assert len(chosen) == own.status()["totals"]["files"]["uploaded"]


@pytest.mark.torture
def test_next_rehearsal_begins_clean(program: Program) -> None:
    """What the first one made is made anew, what somebody put beside it stays; the text says the verdict."""
    rehearsed(program, "--sample", "30%")
    (program.folder / "plan.rehearsal/mine.txt").write_text("somebody else's")
    again = program.run("rehearse", "--limits", "off", "--line-speed", "1Mbit/s")
    assert 0 == again.code, again.output
    assert "the line is not among the bounds" not in again.stdout
    assert f"{len(FILES)} arrived and proven" in again.stdout
    assert "The rehearsal passed" in again.stdout
    assert (program.folder / "plan.rehearsal/mine.txt").exists()


def file(path: str) -> Entry:
    """A file of the share."""
    return Entry(path=path, kind=EntryKind.FILE, size=1)


def test_a_sample_is_nothing_to_see_to() -> None:
    """What is not of it was not left out by a rule that somebody should mend."""
    seen = Seen(SampleRule("1%").reason)
    seen.look("", [file(f"{number}.txt") for number in range(50)])
    assert [] == list(seen_rows(seen))


@pytest.mark.torture
def test_what_fails_is_said(program: Program, tmp_path: Path) -> None:
    """A pipe in the share fails, its tree is not complete, and the exit code says so."""
    os.mkfifo(tmp_path / "share/Legal/pipe")
    document = rehearsed(program, "--tree", "Legal", "--folder", str(tmp_path / "elsewhere"), code=1)

    assert (tmp_path / "elsewhere" / "checkpoint.db").exists()
    assert not (program.folder / "plan.rehearsal").exists()
    assert (False, 1) == (document["complete"], document["items"]["failed"])
    assert 1 == sum(document["failures"].values())
    assert "not complete" in document["words"]
    assert 0 == document["people"]


def test_interrupt_ends_the_local_box(program: Program, tmp_path: Path) -> None:
    """Ctrl-C in the middle: 130, one line, and nobody listens any more."""
    for number in range(1_000):
        (tmp_path / "share/Legal/a" / str(number)).write_text("x")
    process = fresh(["rehearse", str(program.plan_path), "--limits", "real"], dict(os.environ))
    database = program.folder / "plan.rehearsal/checkpoint.db"
    deadline = time.monotonic() + 120
    while not database.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)

    assert 130 == process.returncode, stderr
    assert "the next rehearsal begins anew" in stderr
    assert_gone(address_of(program))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--sample", "0"), "--sample: '0' is not a percentage"),
        (("--limits", "some"), "--limits: 'some' is none"),
        (("--line-speed", "fast"), "--line-speed"),
        (("--folder", "{share}"), "holds files that no rehearsal wrote"),
    ],
)
def test_bad_usage_is_one_line(
    program: Program, tmp_path: Path, options: tuple[str, str], words: str
) -> None:
    """And exit code 2; nothing is taken away."""
    finished = program.run("rehearse", *(each.format(share=tmp_path / "share") for each in options))

    assert (2, 1) == (finished.code, len(finished.stderr.splitlines())), finished.output
    assert words in finished.stderr
    assert all((tmp_path / "share" / path).exists() for path in FILES)


def test_one_rehearsal_at_a_time(program: Program) -> None:
    """A second one takes nothing away from the first."""
    folder = program.folder / "plan.rehearsal"
    folder.mkdir()
    (folder / "checkpoint.db").write_text("of the first")
    with (folder / ".boxhaul-rehearsal").open("w") as marker:
        fcntl.flock(marker, fcntl.LOCK_EX)
        finished = program.run("rehearse")

    assert (2, 1) == (finished.code, len(finished.stderr.splitlines())), finished.output
    assert "another rehearsal is at work" in finished.stderr
    assert "of the first" == (folder / "checkpoint.db").read_text()


def test_sandbox_knows_a_plan(program: Program) -> None:
    """Its people, groups, identities and landing folder; the port that its base_url names; lines to paste."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    local = {"base_url": f"http://127.0.0.1:{port}", "upload_url": f"http://127.0.0.1:{port}/api"}
    program.write_plan(box={**BOX, **local})
    process = fresh(["sandbox", "--plan", str(program.plan_path)], dict(os.environ))
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_sandbox/users", timeout=30) as answer:
            users = {(user["id"], user["login"]) for user in json.load(answer)}
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_sandbox/tree", timeout=30) as answer:
            tree = json.load(answer)
    finally:
        process.send_signal(signal.SIGTERM)
        stop(process)
    pasted = yaml.safe_load("".join(line[2:] for line in lines[2:]))

    assert f"http://127.0.0.1:{port}\n" == lines[0]
    assert {**local, "auth": {"method": "jwt", "config_file": "plan.sandbox.json"}} == pasted
    assert (program.folder / "plan.sandbox.json").exists()
    assert {"111", "777"} <= {user_id for user_id, _ in users}
    assert "ann@firm.test" in {login for _, login in users}
    assert ["3123456"] == [item["id"] for item in tree.values()]


def stop(process: subprocess.Popen[str]) -> None:
    """Wait until it has ended."""
    process.communicate(timeout=60)
    assert 0 == process.returncode

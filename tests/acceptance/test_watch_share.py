"""`boxhaul watch` and the share: what waits there for the next pass is told once, by the server or by a walk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.foresight.share_watch import REST_SECONDS, ShareWatch
from flows.plan.file import load_plan
from state.checkpoint import Checkpoint
from state.reports.events import events
from state.statuses import EventKind
from tests.acceptance.test_watch import look, wait_until
from tests.program import Program, program_for
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.trees import build_tree

Told = set[tuple[str, str, int]]

TREES = {
    "A": {"sub": {"1.txt": b"1", "2.txt": b"2", "3.txt": b"3"}, "old": {"x.txt": b"x"}, "top.txt": b"top"},
    "B": {"b.txt": b"b"},
}


def told(stdout: str) -> Told:
    """(what, path, count) of each line of JSON."""
    return {(line["what"], line["path"], line["count"]) for line in map(json.loads, stdout.splitlines())}


def moved(program: Program) -> Program:
    """The program once it has moved its share."""
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Two trees on disk."""
    (tmp_path / "share").mkdir()
    build_tree(tmp_path / "share", TREES)
    return tmp_path / "share"


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """A plan that has moved both."""
    return moved(program_for(tmp_path / "run", box, {"url": share.as_uri()}))


def smb_program(folder: Path, box: Sandbox, server: Samba) -> Program:
    """A plan that moves the share of a server."""
    source = {"url": server.url, "username": server.username, "port": server.port, "password": "${SHARE_PW}"}
    return program_for(folder / "run", box, source, environment={"SHARE_PW": server.password})


def work(share: Path) -> Told:
    """What somebody does in the share in a day, and what is to be told of it."""
    (share / "A/new.txt").write_bytes(b"new")
    build_tree(share / "A", {"fresh": {"inside.txt": b"counts as its folder"}})
    (share / "A/sub/1.txt").write_bytes(b"another")
    (share / "A/sub/2.txt").rename(share / "A/sub/two.txt")
    (share / "A/top.txt").rename(share / "A/sub/top.txt")
    (share / "A/sub/3.txt").unlink()
    (share / "A/old").rename(share / "A/older")
    (share / "A/Thumbs.db").write_bytes(b"excluded")
    return {
        ("created", "A/fresh", 2), ("changed", "A/sub/1.txt", 1), ("renamed", "A/old", 2), ("moved", "A/top.txt", 1),
        ("deleted", "A/sub/3.txt", 1),
    }  # fmt: skip


def test_what_waits_is_told_once(program: Program, share: Path) -> None:
    """By a walk: every deed, over restarts only what is new, a new tree and one that is gone; the report has it until a
    pass saw to it; without the share by choice."""
    expected = work(share)
    before, first, again = look(program, "--no-share"), look(program, "--json"), look(program, "--json")
    (share / "A/newer.txt").write_bytes(b"newer")
    build_tree(share, {"C": {"c.txt": b"c"}})
    shutil.rmtree(share / "B")
    later = look(program, "--json")
    report = report_of(program)
    line = next(each for each in map(json.loads, first.stdout.splitlines()) if each["what"] == "renamed")

    assert (0, "") == (before.code, before.stdout), before.output
    assert (1, expected) == (first.code, told(first.stdout)), first.output
    assert ["A/old → A/older", "A/sub/2.txt → A/sub/two.txt"] == line["names"]
    assert (0, "") == (again.code, again.stdout), again.output
    assert {("created", "A/newer.txt", 1), ("created", "C", 1), ("deleted", "B", 1)} == told(later.stdout)
    assert "deleted in the share since the last pass" in report
    program.run("migrate")
    assert (0, "") == (look(program).code, look(program).stdout)
    assert "since the last pass" not in report_of(program)


def report_of(program: Program) -> str:
    """The page of the report."""
    program.run("report", "--plain", "--out", str(program.folder / "report"))
    return (program.folder / "report/report.html").read_text(encoding="utf-8")


def test_share_that_is_away(program: Program, share: Path, box: Sandbox) -> None:
    """It is said, and Box is watched all the same."""
    share.rename(share.with_name("away"))
    ids = {path: entry["id"] for path, entry in box.tree().items()}
    box.person().rename(ids["A/top.txt"], "x.txt")
    finished = look(program)

    assert 0 == finished.code, finished.output
    assert "boxhaul: the share is not looked at: " in finished.stderr
    assert "Traceback" not in finished.output


class TestSMB:
    """A share on a real server, in which other clients work."""

    @pytest.fixture
    def content(self, samba: Samba) -> Iterator[Path]:
        """The emptied share with the trees."""
        build_tree(empty(samba.root), TREES)
        yield samba.root
        empty(samba.root)

    @pytest.fixture
    def program(self, tmp_path: Path, box: Sandbox, samba: Samba, content: Path) -> Program:
        """A plan that has moved it."""
        return moved(smb_program(tmp_path, box, samba))

    def test_the_server_tells(self, program: Program, samba: Samba, content: Path, tmp_path: Path) -> None:
        """A watch that goes on asks for no listing of what did not change: it is told, and looks there. What was done
        before it began is found by its walk; killed, the next one repeats nothing."""
        (content / "A/before.txt").write_bytes(b"before it began")
        (tmp_path / "given").write_bytes(b"another content")
        expected = {
            ("changed", "A/sub/1.txt"), ("renamed", "A/sub/2.txt"), ("deleted", "A/sub/3.txt"), ("created", "A/made"),
            ("renamed", "A/old"),
        }  # fmt: skip
        with program.start("watch", "--json", "--every", "1") as process:
            wait_until(lambda: {("created", "A/before.txt")} <= written(program))
            samba.client(
                f'put "{tmp_path / "given"}" A\\sub\\1.txt', "rename A\\sub\\2.txt A\\sub\\two.txt", "rm A\\sub\\3.txt",
                "mkdir A\\made", f'put "{tmp_path / "given"}" A\\made\\inside.txt', "rename A\\old A\\older",
            )  # fmt: skip
            wait_until(lambda: expected <= written(program))
            process.kill()
            stdout = process.communicate(timeout=30)[0]
        finished = look(program, "--json")

        assert expected | {("created", "A/before.txt")} == written(program)
        assert told(stdout + finished.stdout) == told_of(program), finished.output

    def test_a_server_that_tells_nothing(
        self, tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A walk finds what changed, and the next one not before a quarter of an hour has passed."""
        server, now = Samba("  change notify = no"), [0.0]
        try:
            server.start()
            build_tree(server.root, TREES)
            program = moved(smb_program(tmp_path, box, server))
            with Checkpoint.open(f"sqlite:///{program.folder / 'state.db'}") as checkpoint:
                monkeypatch.setenv("SHARE_PW", server.password)
                plan = load_plan(program.plan_path)
                watch = ShareWatch(plan, checkpoint, checkpoint.plan_origins()[0].id, clock=lambda: now[0])
                with closing(watch):
                    for name in ("one.txt", "two.txt"):
                        (server.root / "A" / name).write_bytes(b"new")
                        assert "" == watch.look()
                        wait_until(lambda: watch.is_told_nothing)
                        assert "" == watch.look()
                    before = written(program)
                    now[0] += REST_SECONDS
                    assert "" == watch.look()
        finally:
            server.stop()
            shutil.rmtree(server.home, ignore_errors=True)

        assert {("created", "A/one.txt")} == before
        assert {("created", "A/one.txt"), ("created", "A/two.txt")} == written(program)

    def test_refused_login(self, program: Program, samba: Samba, content: Path) -> None:
        """It is tried once, and not again before a pass: it would lock the account."""
        program.environment["SHARE_PW"] = "wrong"
        first, second = look(program), look(program)

        assert "the share is not looked at: " in first.stderr, first.output
        assert "the next pass tries again" in second.stderr, second.output
        program.environment["SHARE_PW"] = samba.password
        moved(program)
        (content / "A/new.txt").write_bytes(b"new")
        third = look(program)
        assert 1 == third.code and "created  A/new.txt" in third.stdout, third.output


def findings(program: Program) -> list[dict[str, Any]]:
    """What is written down of the share."""
    with Checkpoint.open(f"sqlite:///{program.folder / 'state.db'}") as checkpoint:
        plan_id = checkpoint.plan_origins()[0].id
        return [line.detail for line in events(checkpoint, plan_id, kind=EventKind.CHANGED_IN_SHARE)]


def written(program: Program) -> set[tuple[str, str]]:
    """(what, path) of each entry."""
    return {(line["what"], name.partition(" → ")[0]) for line in findings(program) for name in line["names"]}


def told_of(program: Program) -> Told:
    """What is to be told of it."""
    return {(line["what"], line["path"], line["count"]) for line in findings(program)}

"""A share that suddenly lists nothing is rather a disk that is not mounted than a share that somebody emptied."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from connectors.entry import Entry
from connectors.source import Source
from connectors.sources import local
from connectors.sources.local import entry_of_stat
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from flows.transfer.beginning import begin
from flows.transfer.migration import open_migration
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.acceptance.test_live_sftp import plan_source as sftp_source
from tests.acceptance.test_live_share import SMALL, one_line, run_and, small_files
from tests.program import Program, program_for
from tests.servers.fixtures import empty
from tests.trees import Tree, build_tree

#: linux/fcntl.h, linux/fs.h
AT_FDCWD, RENAME_EXCHANGE = -100, 2

TREES = [{"source": "Accounting"}, {"source": "Legal"}]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Two trees: seven entries in one, one in the other."""
    root = tmp_path / "share"
    root.mkdir()
    accounting: Tree = {"2024": {"a.txt": b"a", "b.txt": b"b"}, "2025": {"c.txt": b"c"}, "d.txt": b"d"}
    build_tree(root, {"Accounting": accounting, "Legal": {"brief.txt": b"brief"}})
    return root


def migrated(tmp_path: Path, box: Sandbox, share: Path, **plan: Any) -> Program:
    """The program after a run that moved everything."""
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, **plan)
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


def unmount(folder: Path) -> Path:
    """The folder's content goes away and the folder stays, empty, at no moment missing; where the content is."""
    away = folder.with_name(f"{folder.name} (disk)")
    away.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(folder), AT_FDCWD, os.fsencode(away), RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")
    return away


def mount(folder: Path, away: Path) -> None:
    """The content is back."""
    folder.rmdir()
    away.rename(folder)


@pytest.mark.parametrize(
    ("trees", "emptied", "entries"),
    [
        pytest.param([{"source": "", "folder": "All"}], "", 9, id="the share is one tree"),
        pytest.param(TREES, "Accounting", 6, id="a tree of the plan"),
        pytest.param([], "", 7, id="each folder is a tree"),
    ],
)
@pytest.mark.gate(1)
def test_folder_that_lists_nothing_stops_the_run(
    tmp_path: Path, box: Sandbox, share: Path, trees: list[dict[str, str]], emptied: str, entries: int
) -> None:
    """Code 3, one line that says where, how many and what to do; nothing is missing; mounted again, all is well."""
    program = migrated(tmp_path, box, share, trees=trees)
    sent, before = box.calls.by_route[SMALL], report_items(program)
    folder = share / emptied if emptied else share
    away = unmount(folder)

    finished = program.run("migrate")

    assert 3 == finished.code, finished.output
    line = one_line(finished)
    for told in (folder.as_uri(), f"{entries} entries", "mounted", "may_be_empty"):
        assert told in line
    assert before == report_items(program)
    mount(folder, away)
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert sent == box.calls.by_route[SMALL]


def assert_stopped(program: Program) -> None:
    """Every tree says that the run was stopped, and nothing has failed."""
    trees = sums_add_up(program)["trees"]
    assert {("incomplete", "stopped")} == {(tree["state"], tree["incomplete_reason"]) for tree in trees}
    assert {0} == {tree["items"]["failed"] for tree in trees}


def test_disk_that_is_not_mounted_when_a_run_is_resumed(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """Everything was walked and not everything sent when the run died: no file is blamed for the disk."""
    small_files(share / "Accounting")
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "Accounting"}])
    box.limits.latency_seconds = 0.05
    assert program.kill_when(lambda: box.calls.by_route[SMALL] > 30)
    box.limits.update({"latency_seconds": None})
    away = unmount(share / "Accounting")

    finished = program.run("migrate")

    assert 3 == finished.code, finished.output
    assert "Accounting lists nothing" in one_line(finished)
    assert_stopped(program)
    mount(share / "Accounting", away)
    assert 0 == program.run("migrate").code
    shutil.rmtree(share / "Legal")
    assert_arrived(program, box, share)


def test_disk_that_goes_away_in_the_middle(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """The first file that is missed makes somebody look at the tree's folder: the run stops, no file is blamed."""
    small_files(share / "Accounting")
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "Accounting"}])
    box.limits.latency_seconds = 0.1
    aways: list[Path] = []

    def go() -> None:
        aways.append(unmount(share / "Accounting"))

    finished = run_and(program, box, lambda: box.calls.by_route[SMALL] > 8, go)

    assert 3 == finished.code, finished.output
    assert "Accounting lists nothing" in one_line(finished)
    assert_stopped(program)
    mount(share / "Accounting", aways[0])
    assert 0 == program.run("migrate").code
    shutil.rmtree(share / "Legal")
    assert_arrived(program, box, share)


class CountingSource:
    """The plan's source; which of its folders were listed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.listed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def list_folder(self, path: str) -> list[Entry]:
        """As the source does."""
        self.listed.append(path)
        return self._source.list_folder(path)


def test_folder_is_not_listed_for_each_entry_that_is_missed(
    tmp_path: Path, box: Sandbox, share: Path
) -> None:
    """One entry that it listed is asked for instead, so that thousands of deleted files do not list it again."""
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "Accounting"}])
    with open_migration(load_plan(program.plan_path)) as migration:
        begin(migration, kind="migrate")
        source = CountingSource(migration.source)
        migration.guard.source = source  # type: ignore[assignment]
        (tree,) = migration.trees
        for _ in range(100):
            migration.guard.require_root(tree.id)
        once = list(source.listed)
        shutil.rmtree(share / "Accounting" / "2024")  # what is asked for is deleted itself
        shutil.rmtree(share / "Accounting" / "2025")
        for _ in range(100):
            migration.guard.require_root(tree.id)

    assert ["Accounting"] == once
    assert ["Accounting"] * 2 == source.listed


def test_share_that_was_really_emptied(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """With may_be_empty what is gone is missing, as anywhere else: the tree completes, and Box keeps what it has."""
    program = migrated(tmp_path, box, share, trees=TREES)
    held = box.files()
    empty(share / "Legal")
    assert 3 == program.run("migrate").code
    program.write_plan(source={"url": share.as_uri(), "may_be_empty": True})

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    totals = {tree["name"]: (tree["state"], tree["items"]["total"]) for tree in sums_add_up(program)["trees"]}
    assert {"Accounting": ("complete", 6), "Legal": ("complete", 0)} == totals
    assert held == box.files()
    # What is missing already is no reason to stop.
    program.write_plan(source={"url": share.as_uri()})
    assert 0 == program.run("migrate").code


def test_empty_from_the_beginning(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """A tree that was always empty completes: there is nothing that could be missed."""
    shutil.rmtree(share / "Legal")
    (share / "Legal").mkdir()
    program = migrated(tmp_path, box, share, trees=TREES)

    assert 0 == program.run("migrate").code
    assert {"complete"} == {tree["state"] for tree in program.status()["trees"]}


def test_disk_that_is_away_behind_a_note(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """A mount point that holds a note of its own lists nothing of what it had: nothing counts as gone."""
    shelf = share / "Accounting/2024"
    for number in range(5):
        (shelf / f"{number}.txt").write_bytes(b"x")
    program = migrated(tmp_path, box, share, trees=TREES)
    away = unmount(shelf).rename(tmp_path / "disk")
    (shelf / "NOT_MOUNTED.txt").write_bytes(b"mount me")

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    items = report_items(program)
    assert ("failed", "folder_emptied") == tuple(
        items["Accounting/2024"][key] for key in ("status", "reason")
    )
    assert {"uploaded"} == {items[f"Accounting/2024/{number}.txt"]["status"] for number in range(5)}
    (shelf / "NOT_MOUNTED.txt").unlink()
    mount(shelf, away)
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert_arrived(program, box, share)


@pytest.mark.parametrize("kind", ["file", "sftp"])
@pytest.mark.gate(1)
def test_disk_that_is_away_behind_files_that_people_put_there(
    tmp_path: Path, box: Sandbox, request: pytest.FixtureRequest, kind: str
) -> None:
    """Three folders with files are a disk; three other files in their place, which change: nothing is missing."""
    server = request.getfixturevalue("sftp_server") if kind == "sftp" else None
    share = tmp_path / "other share" if server is None else empty(server.root)
    share.mkdir(exist_ok=True)
    disk: Tree = {year: {"a.txt": year.encode(), "b.txt": b"b"} for year in ("2023", "2024", "2025")}
    build_tree(share, {"A": {"vol": disk, "z.txt": b"z"}})
    source = {"url": share.as_uri()} if server is None else sftp_source(server)
    program = program_for(tmp_path / "run", box, source, trees=[{"source": "A"}])
    assert 0 == program.run("migrate").code
    away = unmount(share / "A/vol").rename(tmp_path / "disk")
    build_tree(share / "A/vol", {"notes.txt": b"n", "scan.pdf": b"scan", "todo.txt": b"t"})
    for name in ("done.txt", "over.txt"):
        finished = program.run("migrate")

        assert 1 == finished.code, finished.output
        items = report_items(program)
        assert ("failed", "folder_emptied") == (items["A/vol"]["status"], items["A/vol"]["reason"])
        assert "gone" not in {item["status"] for item in items.values()}
        next((share / "A/vol").glob("*o*.txt")).rename(share / "A/vol" / name)
    empty(share / "A/vol")
    mount(share / "A/vol", away)
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert_arrived(program, box, share)


def test_folder_whose_files_were_all_renamed(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """As many entries as before under other names: they are sent, and the old ones are gone."""
    for number in range(5):
        (share / f"Legal/{number}.log").write_bytes(b"x")
    program = migrated(tmp_path, box, share, trees=TREES)
    for path in list((share / "Legal").iterdir()):
        path.rename(path.with_name(f"old {path.name}"))

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    states = {
        path: item["status"] for path, item in report_items(program).items() if path.startswith("Legal/")
    }
    assert 6 == sum(state == "gone" for state in states.values())
    assert 6 == sum(path.startswith("Legal/old ") and state == "uploaded" for path, state in states.items())


def test_mount_point_that_goes_with_its_disk(
    tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is not even listed any more: what was on the disk stays in Box, and the folder fails; may_be_empty
    believes it. A folder of the same disk that was deleted goes, as the plan says."""
    share = tmp_path / "with a disk"
    share.mkdir()
    build_tree(
        share,
        {
            "A": {
                "b": {"vol": {"deep": {"1.txt": b"1"}, "2.txt": b"2"}, "5.txt": b"5"},
                "old": {"3.txt": b"3"},
                "4.txt": b"4",
            }
        },
    )

    def of_stat(path: str, found: os.stat_result, *, with_id: bool = True) -> Entry:
        return entry_of_stat(path, found, with_id=with_id and "vol" not in path)

    monkeypatch.setattr(local, "entry_of_stat", of_stat)  # as of a mounted disk
    changes = {"deletions": "trash", "max_delete": "90%"}
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}], changes=changes
    )
    assert move_share(load_plan(program.plan_path), check=False)["complete"]
    (share / "A/b/vol").rename(tmp_path / "vol")
    (share / "A/old").rename(tmp_path / "old")

    for _ in range(2):
        assert not move_share(load_plan(program.plan_path), check=False)["complete"]
        items = report_items(program)
        assert ("failed", "folder_emptied") == (items["A/b/vol"]["status"], items["A/b/vol"]["reason"])
        assert {"uploaded"} == {
            items[f"A/b/vol/{name}"]["status"] for name in ("deep", "deep/1.txt", "2.txt")
        }
        assert {"gone"} == {items[name]["status"] for name in ("A/old", "A/old/3.txt")}
        assert {"A/b/vol/2.txt", "A/b/vol/deep/1.txt", "A/old/3.txt"} <= set(box.files())
    (tmp_path / "vol").rename(share / "A/b/vol")  # mounted again
    assert move_share(load_plan(program.plan_path), check=False)["complete"]
    assert {"A/4.txt", "A/b/5.txt", "A/b/vol/2.txt", "A/b/vol/deep/1.txt"} == set(box.files())
    (share / "A/b/vol").rename(tmp_path / "vol")
    program.write_plan(source=program.plan["source"] | {"may_be_empty": True})
    assert move_share(load_plan(program.plan_path), check=False)["complete"]
    assert {"A/4.txt", "A/b/5.txt"} == set(box.files())

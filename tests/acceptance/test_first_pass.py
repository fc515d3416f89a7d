"""The first run begins with what an inventory walked; until it does, nothing that the inventory saw binds anybody."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.errors import PlanError
from flows.foresight import filling
from flows.foresight.taking import Stocktaking
from flows.orchestration.runs import retry_share
from flows.plan.connections import open_checkpoint
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan
from flows.reporting.report import write_report
from flows.reporting.status import status_document
from flows.reporting.waivers import waive_path
from flows.transfer.beginning import begin
from flows.transfer.migration import Migration, open_migration
from flows.transfer.walking import walk_trees
from state.errors import LeaseHeld
from state.records import ItemLine
from state.reports.lines import item_lines
from tests.program import Program, program_for
from tests.trees import Tree, build_tree

SHARE: Tree = {
    "A": {"a.txt": b"a", "sub": {"b.txt": b"bb", "Thumbs.db": b"left out"}},
    "B": {"c.txt": b"ccc", "d.txt": b"dddd"},
    "loose.txt": b"at the top",
}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, SHARE)
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """Its plan, without trees."""
    box.calls.reset()
    return program_for(tmp_path / "run", box, {"url": share.as_uri()})


def take(plan: MigrationPlan) -> dict[str, Any]:
    """An inventory of the plan's share."""
    return Stocktaking(plan, hashes=False, table=None).take()


def lines(plan: MigrationPlan) -> dict[str, ItemLine]:
    """Every entry that the checkpoint knows of the plan, begun or not, by its path."""
    with closing(open_checkpoint(plan)) as checkpoint:
        plan_id = checkpoint.find_plan(plan.checkpoint_name)
        assert plan_id is not None
        return {line.path: line for line in item_lines(checkpoint, plan_id)}


def statuses(plan: MigrationPlan) -> dict[str, str]:
    """Path → status of those that are no folders."""
    return {path: line.status.word for path, line in lines(plan).items() if line.kind.value != "folder"}


def sent_before_it_walks(migration: Migration) -> tuple[int, set[str]]:
    """Begin a pass; how many files it knows of by then, and the names of those that it would send first."""
    begin(migration, kind="migrate")
    batch = migration.claims.next_batch(attempts_at_most=None)
    for item in batch:
        migration.claims.give_back(item)
    return migration.progress.snapshot().files_total, {item.path.rpartition("/")[2] for item in batch}


def test_first_run_begins_with_what_an_inventory_walked(program: Program, box: Sandbox, share: Path) -> None:
    """It knows and sends before it has walked anything; then it looks once more, and completes as a first pass.

    Before it, who asks for what was moved is told of the inventory; Box is not asked, and no key is needed.
    """
    plan = load_plan(program.plan_path)
    key = program.folder / "box_config.json"
    key.rename(program.folder / "elsewhere.json")
    document = take(plan)

    assert (True, 5, 3) == (document["in_checkpoint"], document["files"], document["folders"])
    assert [] == [each["kind"] for each in document["findings"] if each["severity"] == "problem"]
    pending = dict.fromkeys(("A/a.txt", "A/sub/b.txt", "B/c.txt", "B/d.txt", "loose.txt"), "pending")
    assert {**pending, "A/sub/Thumbs.db": "excluded"} == statuses(plan)
    for asked in (
        lambda: status_document(plan),
        lambda: write_report(plan, None),
        lambda: retry_share(plan),
        lambda: waive_path(plan, "A/a.txt", why="not needed any more", pending=True),
    ):
        with pytest.raises(
            PlanError, match=r"nothing of the plan test was sent yet; the inventory of 2.*5 files"
        ):
            asked()
    told = program.run("status", "--json")
    assert (2, "", 1) == (told.code, told.stdout, len(told.stderr.strip().splitlines()))

    (program.folder / "elsewhere.json").rename(key)
    (share / "B/c.txt").write_bytes(b"changed since")
    (share / "B/new.txt").write_bytes(b"new since")
    (share / "B/d.txt").unlink()
    assert 0 == box.calls.total
    with open_migration(plan) as migration:
        assert (5, {Path(path).name for path in pending}) == sent_before_it_walks(migration)
    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    status = program.status()
    assert (1, True) == (status["pass"], status["complete"])
    there = {"A/a.txt", "A/sub/b.txt", "B/c.txt", "B/new.txt", "share (files)/loose.txt"}
    assert there == set(box.files())
    assert {1} == {file.versions for file in box.files().values()}
    assert ("gone", "uploaded") == tuple(statuses(plan)[path] for path in ("B/d.txt", "B/c.txt"))
    before = lines(plan)
    (share / "A/later.txt").write_bytes(b"after the first run")
    assert not take(plan)["in_checkpoint"]
    assert before == lines(plan)


@pytest.mark.parametrize("change", ["exclude", "trees", "source", "box"])
@pytest.mark.gate(1)
def test_plan_that_changed_since(
    program: Program, box: Sandbox, share: Path, tmp_path: Path, change: str
) -> None:
    """Rules, trees, share, landing folder and app: those of the first run count, and nothing else is sent."""
    plan = load_plan(program.plan_path)
    known, first = 5, {"a.txt", "b.txt", "c.txt", "d.txt", "loose.txt"}
    there = {"A/a.txt", "A/sub/b.txt", "B/c.txt", "B/d.txt", "share (files)/loose.txt"}
    if change == "exclude":
        take(plan)
        program.write_plan(exclude=["c.txt", "Thumbs.db"])
        first, there = set(), there - {"B/c.txt"}  # nothing before it is compared
    elif change == "trees":
        take(plan)
        program.write_plan(trees=[{"source": "A", "folder": "Archive"}, {"source": "B"}])
        known, first = 2, {"c.txt", "d.txt"}
        there = {"Archive/a.txt", "Archive/sub/b.txt", "B/c.txt", "B/d.txt"}
    elif change == "source":
        other = tmp_path / "shore"
        other.mkdir()
        build_tree(other, {"A": {"mistyped.txt": b"m"}, "C": {}})
        right = program.plan["source"]
        program.write_plan(source={"url": other.as_uri()})
        take(load_plan(program.plan_path))
        program.write_plan(source=right)
        known, first = 0, set()
    else:
        right = program.plan["box"]
        app = {"method": "ccg", "client_id": "mistyped", "client_secret": "s", "enterprise_id": "4711"}
        program.write_plan(box=right | {"auth": app, "landing_folder_id": "4711"})
        take(load_plan(program.plan_path))
        program.write_plan(box=right)
    plan = load_plan(program.plan_path)
    with open_migration(plan) as migration:
        assert (known, first) == sent_before_it_walks(migration)
    finished = program.run("migrate")

    assert (0, there) == (finished.code, set(box.files())), finished.output
    assert "mistyped" not in " ".join(lines(plan))


def test_inventory_shares_the_plan_with_nobody(
    program: Program, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside one that fills, another counts all and writes nothing, and no run begins; whatever share it is of."""
    plan = load_plan(program.plan_path)
    (tmp_path / "shore").mkdir()
    build_tree(tmp_path / "shore", {"C": {"mistyped.txt": b"m"}})
    program.write_plan(source={"url": (tmp_path / "shore").as_uri()})
    mistyped = load_plan(program.plan_path)
    beside = list[tuple[Any, ...]]()

    def walk(migration: Migration) -> None:
        monkeypatch.undo()
        beside.extend((each["in_checkpoint"], each["files"]) for each in (take(plan), take(mistyped)))
        for each in (plan, mistyped):
            with pytest.raises(LeaseHeld, match=r"the plan is in use.* by inventory "), open_migration(each):
                pass
        walk_trees(migration)

    monkeypatch.setattr(filling, "walk_trees", walk)
    document = take(plan)

    assert [(False, 5), (False, 1)] == beside
    assert (True, 5, 3) == (document["in_checkpoint"], document["files"], document["folders"])
    assert 6 == len(statuses(plan))
    with open_migration(plan) as migration:
        assert not take(mistyped)["in_checkpoint"]
        assert 5 == sent_before_it_walks(migration)[0]


@pytest.mark.torture
def test_two_inventories(program: Program, share: Path) -> None:
    """The second one compares as a pass would: what is not there any more is gone, what cannot be read fails, and a
    share that lists nothing is taken for one whose disk is away."""
    plan = load_plan(program.plan_path)
    take(plan)
    (share / "B/d.txt").unlink()
    (share / "A/a.txt").write_bytes(b"edited")
    (share / "B/e.txt").write_bytes(b"e")
    second = take(plan)

    assert (True, 0) == (second["in_checkpoint"], second["growth"]["files"])
    assert ("gone", "pending", "pending") == tuple(
        statuses(plan)[path] for path in ("B/d.txt", "A/a.txt", "B/e.txt")
    )
    assert 6 == lines(plan)["A/a.txt"].size
    for entry in (share / "A").iterdir():
        entry.rename(share / f"{entry.name} was here")
    refused = program.run("inventory")
    assert 3 == refused.code, refused.output
    assert "lists nothing, but had" in refused.stderr


@pytest.mark.torture
def test_simulation_and_check_look_for_themselves(program: Program) -> None:
    """What they say is the same with an inventory before as without."""

    def said() -> tuple[Any, ...]:
        forecast = json.loads(program.run("simulate", "--json").stdout)
        rows = json.loads(program.run("check", "--json").stdout)["checks"]
        kept = [row for row in rows if row["name"] not in ("disk", "space")]
        return forecast["calls"], forecast["items"], [(row["name"], row["state"]) for row in kept]

    before = said()
    take(load_plan(program.plan_path))
    assert before == said()


@pytest.mark.torture
def test_killed_inventory_leaves_what_it_walked(program: Program, box: Sandbox, share: Path) -> None:
    """The next inventory, and the first run, go over all of it; nothing is there twice."""
    build_tree(share / "A", {f"{folder}": {f"{n}.txt": b"x" for n in range(20)} for folder in range(600)})
    plan = load_plan(program.plan_path)

    def some_are_written() -> bool:
        try:
            return len(lines(plan)) > 300
        except (PlanError, AssertionError, OSError):
            return False

    killed = program.kill_when(some_are_written, "inventory")
    left = len(lines(plan))
    with pytest.raises(PlanError, match="nothing is known of the plan"):
        status_document(plan)
    with open_migration(plan) as migration:
        known, first = sent_before_it_walks(migration)
        assert known and first
        walk_trees(migration)
        assert 12_005 == migration.progress.snapshot().files_total
    document = take(plan)

    assert killed and left < 12_000
    assert not document["in_checkpoint"] and 12_005 == document["files"]
    assert {"pending", "excluded"} == set(statuses(plan).values())

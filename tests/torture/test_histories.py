"""Histories on both sides: people work in the share and in Box, a pass after each few steps, some of them killed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine

from connectors.box.sandbox import Sandbox
from connectors.entry import EntryKind
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from state.checkpoint import Checkpoint
from state.records import ItemLine
from state.reports.lines import item_lines
from tests.program import Program, program_for
from tests.torture.histories import TREES, People, Policy, Share, require_promises
from tests.torture.victims import Victims

#: Histories, and those of them that `make test` plays; each costs about as much as a small migration.
SEEDS, IN_THE_GATE = 1_000, 20
#: Steps of a history, and how many of them come between two passes at most.
STEPS, AT_ONCE = 14, 6


def policy_of(rng: random.Random) -> Policy:
    """What the plan says of changes in this history."""
    return Policy(
        in_box=rng.choice(["stop", "source", "box", "both"]),
        deletions=rng.choice(["keep", "report", "trash"]),
        moves=rng.choice(["follow", "follow", "follow", "copy"]),
    )


def play(folder: Path, box: Sandbox, seed: int, steps: int = STEPS) -> None:
    """One history. AssertionError with all that was done in it."""
    rng = random.Random(seed)
    policy = policy_of(rng)
    share = Share(folder / "share", rng)
    trees = [
        {"source": tree, "collaborators": [{"login": login, "role": "co-owner"}]}
        for tree, login in TREES.items()
    ]
    source = {"url": share.root.as_uri(), "may_be_empty": True}
    program = program_for(folder / "run", box, source, trees=trees, changes=policy.as_plan())
    program.write_plan(box=program.plan["box"] | {"auth": login_without_key(box)})
    people, told, done = People(box, rng), [str(policy)], 0
    lines = _pass(program, box, share, people, policy, told)
    while done < steps:
        many = rng.randint(1, AT_ONCE)
        before = ids_by_inode(share, lines)
        deeds = [_deed(share, people, rng) for _ in range(many)]
        done += many
        told.append(str(deeds))
        if rng.random() < 0.25:
            _kill(program, rng, told)
        lines = _pass(program, box, share, people, policy, told)
        after = ids_by_inode(share, lines)
        kept = {
            inode: box_id
            for inode, box_id in before.items()
            if is_plain(deeds, policy) and inode in after and box_id not in people.touched
        }
        assert kept.items() <= after.items(), f"sent anew: {kept.items() - after.items()}\n" + "\n".join(told)


def login_without_key(box: Sandbox) -> dict[str, str]:
    """To read a key and sign with it costs more than the pass."""
    return {"method": "ccg", **box.jwt_config["ccg"], "enterprise_id": box.jwt_config["enterprise_id"]}


def _deed(share: Share, people: People, rng: random.Random) -> str:
    return share.step() if rng.random() < 0.7 else f"in Box: {people.step()}"


def is_plain(deeds: list[str], policy: Policy) -> bool:
    """True where nothing but one deed was done that a pass is to follow."""
    return policy.moves == "follow" and len(deeds) == 1 and deeds[0] in Share.FOLLOWED


def lines_of(program: Program) -> dict[str, ItemLine]:
    """The files of the report by their paths."""
    with Checkpoint.open(f"sqlite:///{program.folder}/state.db") as checkpoint:
        lines = [line for line in item_lines(checkpoint, 1) if line.kind is EntryKind.FILE]
    found = {line.path: line for line in lines}
    assert len(found) == len(lines)
    return found


def ids_by_inode(share: Share, lines: dict[str, ItemLine]) -> dict[int, str]:
    """Which file of Box each file of the share is."""
    return {
        path.stat().st_ino: lines[share.path_of(path)].box_id or ""
        for path in share.files()
        if share.path_of(path) in lines
    }


def _pass(
    program: Program, box: Sandbox, share: Share, people: People, policy: Policy, told: list[str]
) -> dict[str, ItemLine]:
    """A whole pass, what holds after it, and that another one right after it puts nothing into Box."""
    try:
        complete = move_share(load_plan(program.plan_path), check=False)["complete"]
        lines = lines_of(program)
        require_promises(box, share, people, policy, lines, complete=complete)
        if people.rng.random() < 0.7:
            return lines
        box.calls.reset()
        move_share(load_plan(program.plan_path), check=False)
        made = [route for route in box.calls.by_route if route.startswith(("POST /f", "PUT", "DELETE"))]
        assert not made or not complete, f"a second pass asked for {made}"
        return lines
    except Exception as exc:
        raise AssertionError(f"{exc!r}\n" + "\n".join(told)) from exc


def _kill(program: Program, rng: random.Random, told: list[str]) -> None:
    where = rng.choice(["write", "write", "PUT /files/:id", "POST /files/content", "DELETE /files/:id"])
    crash = (
        f"{rng.choice(['before', 'inside', 'after'])}|{where}|{rng.randint(1, 25 if where == 'write' else 2)}"
    )
    with Victims() as victims:
        code = victims.run(program, "migrate", "--no-check", crash=crash).code
    told.append(f"killed {crash}: {code}")


@pytest.fixture(scope="module")
def one_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for each history in turn, whose checkpoints are one engine's: to put statements into words costs half
    of a small pass, and an engine remembers them."""
    engines: dict[str, Engine] = {}

    def remembered(url: URL, **options: Any) -> Engine:
        if str(url) not in engines:
            engines[str(url)] = create_engine(url, query_cache_size=2_000, **options)
        return engines[str(url)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("state.database.engine.create_engine", remembered)
        yield tmp_path_factory.mktemp("histories")


@pytest.fixture
def place(one_place: Path) -> Path:
    """As if nothing had been there."""
    shutil.rmtree(one_place)
    one_place.mkdir()
    return one_place


@pytest.fixture(scope="module")
def box_of_module() -> Iterator[Sandbox]:
    """A sandbox that keeps sha1 and size, not content."""
    with Sandbox(content="hash") as box:
        yield box


@pytest.fixture
def box(box_of_module: Sandbox) -> Sandbox:
    """A clean one with the people of both trees."""
    box_of_module.reset()
    for login in TREES.values():
        box_of_module.add_user(login, name=login)
    return box_of_module


@pytest.mark.gate(IN_THE_GATE)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_history(place: Path, box: Sandbox, seed: int) -> None:
    """Nothing of a person is lost, nobody sees what he may not, and Box is what the policy says."""
    play(place, box, seed)


@pytest.mark.parametrize("seed", [170, 725])
def test_history_that_found_something(place: Path, box: Sandbox, seed: int) -> None:
    """A name that was held by what stepped aside, was gone, and was renamed or deleted in Box by a person, is free."""
    play(place, box, seed)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(SEEDS, SEEDS + 20))
def test_long_history(place: Path, box: Sandbox, seed: int) -> None:
    """The same of fifty steps."""
    play(place, box, seed, steps=50)

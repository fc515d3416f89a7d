"""The crash matrix (P3, P4): killed anywhere, up to three times, started again without a flag: Box is the source."""

from __future__ import annotations

import signal

import pytest

from tests.torture import small_share
from tests.torture.points import Day
from tests.torture.scenarios import Scenario, scenario
from tests.torture.world import MakeWorld, World

pytest_plugins = ["tests.torture.stage"]

#: In `make torture`; the first ones go through every named place.
SEEDS = 230
#: Of them, in the ordinary suite: spread over the places.
FEW = range(0, SEEDS, SEEDS // 11)


@pytest.mark.parametrize("seed", FEW)
def test_killed_and_resumed(
    seed: int, make_world: MakeWorld, place_counts: dict[Day, dict[str, int]]
) -> None:
    """Wherever it is killed: at every kill what is written down is true, and after the resume Box equals the source."""
    play(scenario(seed, place_counts), make_world)


@pytest.mark.torture
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_kill(seed: int, make_world: MakeWorld, place_counts: dict[Day, dict[str, int]]) -> None:
    """The same for every named place before and after, every call unheard and unanswered, and random instants."""
    play(scenario(seed, place_counts), make_world)


def play(line: Scenario, make_world: MakeWorld) -> World:
    """Kill as the scenario says, then let the program end and look."""
    print(line)
    world = make_world(line.state, line.source, uploaders=line.uploaders)
    versions: dict[str, int] = {}
    parts = small_share.PARTS
    if line.day is not Day.FIRST:
        _migrate(world)
    if line.day is Day.CHANGED:
        versions = small_share.change_share(world.root)
        parts += small_share.CHANGED_PARTS
    if line.day is Day.FOLLOWED:
        world.follow()
    for kill in line.kills:
        finished = world.victims.run_and_kill(world.program, world.box, kill)
        assert finished.code in (0, -signal.SIGKILL), finished.output
        print(f"{kill}: {finished.code}")
        world.after_kill()
    _migrate(world)
    world.at_end(versions=versions, parts=parts)
    return world


def _migrate(world: World) -> None:
    finished = world.victims.run(world.program, "migrate")
    assert finished.code == 0, finished.output

"""What a kill may leave at Box: upload sessions of files that are not sent any more. Found by seed 112 and its kin."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.torture import small_share
from tests.torture.points import Kill
from tests.torture.world import MakeWorld, World

pytest_plugins = ["tests.torture.stage"]

IN_PARTS = Kill("after", "state.checkpoint:Checkpoint.add_upload_part", 3)
COMMIT = "POST /files/upload_sessions/:id/commit"
CREATE = "POST /files/upload_sessions"
LARGE = next(iter(small_share.LARGE))


def _kill(world: World, kill: Kill) -> None:
    finished = world.victims.run_and_kill(world.program, world.box, kill)
    assert -signal.SIGKILL == finished.code, finished.output
    world.after_kill()


def _complete(world: World) -> None:
    finished = world.victims.run(world.program, "migrate")
    assert finished.code == 0, finished.output


def _shrink(world: World) -> None:
    for path in small_share.LARGE:
        (world.root / path).write_bytes(b"small by now")


def _remove(world: World) -> None:
    for path in small_share.LARGE:
        (world.root / path).unlink()


def _waive(world: World) -> None:
    for path in small_share.LARGE:
        waived = world.victims.run(world.program, "waive", path, "--pending", "--why", "not worth it")
        assert waived.code == 0, waived.output


@pytest.mark.parametrize("change", [_shrink, _remove, _waive])
def test_session_of_a_file_that_is_not_sent_in_parts_any_more(
    make_world: MakeWorld, change: Callable[[World], None]
) -> None:
    """A file that shrinks, vanishes or is waived between kill and resume leaves no session open at Box."""
    world = make_world()
    _kill(world, IN_PARTS)
    assert world.box.open_sessions() != []
    change(world)

    for _ in range(2):  # the first run ends the pass that was walked before the change
        world.victims.run(world.program, "migrate")

    assert [] == world.box.open_sessions()
    assert set() == world.recorded_sessions()


def test_version_whose_commit_nobody_heard_of(make_world: MakeWorld) -> None:
    """A version that Box made although nobody heard the answer is adopted, and its session is forgotten."""
    world = make_world()
    _complete(world)
    versions = small_share.change_share(world.root)
    _kill(world, Kill("unanswered", COMMIT, 1))

    _complete(world)

    world.at_end(versions=versions, parts=small_share.PARTS + small_share.CHANGED_PARTS)


def test_session_whose_id_died_with_the_process(make_world: MakeWorld) -> None:
    """Box lists no sessions, so one that was opened but not written down is lost; no part is in it, and it expires."""
    world = make_world()
    _kill(world, Kill("unanswered", CREATE, 1))
    assert 1 == len(world.orphans)
    _complete(world)
    world.at_end()

    world.box.settings.clock_offset_seconds = 7 * 24 * 3600 + 1.0
    assert [] == world.box.open_sessions()


def test_killed_at_every_part(make_world: MakeWorld) -> None:
    """Killed at the first part of a run, four times: every part is sent once."""
    world = make_world()
    kill = Kill("unanswered", "PUT /files/upload_sessions/:id", 1)
    while world.kills < 4:
        if world.victims.run_and_kill(world.program, world.box, kill).code != -signal.SIGKILL:
            break
        world.after_kill()

    assert world.kills >= 2
    _complete(world)
    world.at_end()

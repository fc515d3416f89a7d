"""Killed in a pass over touched and changed files: what was touched is not sent, what was sent is compared with Box."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import requests

from tests.sampling import sampled
from tests.torture import small_share
from tests.torture.points import Kill
from tests.torture.world import MakeWorld, World

pytest_plugins = ["tests.torture.stage"]

CHECKPOINT = "state.checkpoint:Checkpoint."
RECORD, VERIFIED = f"{CHECKPOINT}record_results", f"{CHECKPOINT}record_verified"
LISTING = "GET /folders/:id/items"
VERSION = "POST /files/:id/content"
SESSION = "POST /files/:id/upload_sessions"

#: One file in one folder of each tree.
EDITED = ("Accounting/2024/file 01.txt", "Legal/Contracts/file 05.txt")


def _complete(world: World) -> None:
    finished = world.victims.run(world.program, "migrate")
    assert 0 == finished.code, finished.output


def _kill(world: World, kill: Kill) -> None:
    finished = world.victims.run_and_kill(world.program, world.box, kill)
    assert -signal.SIGKILL == finished.code, finished.output
    world.after_kill()


def _touch(root: Path) -> None:
    """Other rights for every file: its change time moves, its bytes and its date stay."""
    for path in small_share.contents(root):
        (root / path).chmod(0o600)


def _edit(root: Path) -> None:
    for path in EDITED:
        (root / path).write_bytes(b"edited after the first pass")


def _delete_in_box(world: World, path: str) -> None:
    file_id = world.box.files()[path].id
    answer = requests.delete(
        f"{world.box.url}/2.0/files/{file_id}",
        headers={"Authorization": f"Bearer {world.box.token()}"},
        timeout=10,
    )
    assert 204 == answer.status_code


@pytest.mark.parametrize(
    ("state", "kill"),
    sampled(
        [
            ("sqlite", Kill("inside", RECORD)),
            ("postgres", Kill("after", RECORD)),
            ("postgres", Kill("unanswered", VERSION, 2)),
            ("sqlite", Kill("before", VERIFIED)),
        ],
        every=2,
    ),
    ids=str,
)
def test_touched_files_are_not_sent_after_a_kill(make_world: MakeWorld, state: str, kill: Kill) -> None:
    """Among touched files the changed ones alone become versions, large ones included, wherever the run is killed."""
    world = make_world(state)
    _complete(world)
    versions = small_share.change_share(world.root)
    _touch(world.root)
    changed_large = sum(path in versions for path in small_share.LARGE)
    sent = {route: world.box.calls.by_route[route] for route in (VERSION, SESSION)}
    _kill(world, kill)

    _complete(world)

    # A version whose answer nobody heard, or which was not written down, is offered once more and adopted.
    in_flight = world.program.plan["transfer"]["threads"]
    changed_small = len(versions) - changed_large
    assert changed_small <= world.box.calls.by_route[VERSION] - sent[VERSION] <= changed_small + in_flight
    assert changed_large <= world.box.calls.by_route[SESSION] - sent[SESSION] <= changed_large + 1
    world.at_end(versions=versions, parts=small_share.PARTS + small_share.CHANGED_PARTS)


@pytest.mark.parametrize(
    ("kill", "listed"),
    sampled(
        [
            (Kill("inside", VERIFIED), 2),
            (Kill("after", RECORD), 2),
            (Kill("before", VERIFIED), 2),
            (Kill("after", VERIFIED), 1),
        ],
        every=3,
    ),
    ids=str,
)
def test_folders_that_were_not_compared_yet_are_compared_after_a_kill(
    make_world: MakeWorld, kill: Kill, listed: int
) -> None:
    """The next run lists the folders that the killed one put files into and did not prove, and no other."""
    world = make_world()
    _complete(world)
    _edit(world.root)
    _kill(world, kill)
    before = world.box.calls.by_route[LISTING]

    _complete(world)

    assert listed == world.box.calls.by_route[LISTING] - before
    world.at_end(versions=dict.fromkeys(EDITED, 2))


def test_loss_in_box_between_the_kill_and_the_comparison_is_found(make_world: MakeWorld) -> None:
    """What Box loses after it was written down and before it was compared is found by the next run and sent again."""
    world = make_world()
    _complete(world)
    _edit(world.root)
    _kill(world, Kill("before", VERIFIED))
    for path in EDITED:
        _delete_in_box(world, path)

    _complete(world)

    world.at_end()


def test_touched_file_that_changes_after_the_kill(make_world: MakeWorld) -> None:
    """A file that was only touched when the run died, and whose bytes changed since, becomes a version."""
    world = make_world()
    _complete(world)
    _touch(world.root)
    _kill(world, Kill("after", RECORD))
    _edit(world.root)

    for _ in range(2):  # the first run ends the pass that was walked before the change
        _complete(world)

    world.at_end(versions=dict.fromkeys(EDITED, 2))

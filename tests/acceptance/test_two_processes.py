"""Two processes that run one plan, and one that slept past its lease.

Every one ends with one line that says what to do, a true `status`, and a next run without a flag that completes.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.acceptance.checkpoint_faults import (
    CHECKPOINT,
    assert_stopped,
    first_on,
    migrate,
    signals,
    wait_for,
    world_on,
)
from tests.program import Program
from tests.servers.postgres import PostgresServer
from tests.torture import small_share
from tests.torture.victims import Victims
from tests.torture.world import MakeWorld, World

pytest_plugins = ["tests.torture.stage"]


@first_on("postgres")
def test_second_process_is_refused(
    make_world: MakeWorld, server: PostgresServer | None, other_victims: Victims, tmp_path: Path
) -> None:
    """The same plan started twice: the second one says in one line who runs it, and the first is not disturbed."""
    world = world_on(make_world, server)
    where = signals(tmp_path)
    # After the claim, so that nothing of the database is held meanwhile.
    other_victims.start(world.program, "migrate", crash=f"hold|{CHECKPOINT}claim_batch|1", signals=where)
    wait_for(where / "paused")

    finished = migrate(world)
    asked = world.victims.status(world.program)
    (where / "go").touch()
    first = other_victims.finish()

    assert_stopped(
        finished, "is in use by", "pid", "wait for it, stop it, or give this process another identity"
    )
    assert len(small_share.TREES) == len(asked["trees"])
    assert first.code == 0, first.output
    world.at_end()


def test_second_process_with_an_identity_of_its_own(
    make_world: MakeWorld, other_victims: Victims, tmp_path: Path
) -> None:
    """Folders and people are the service account's, so a second `migrate` is refused with whatever uploader it has;
    more processes join as senders (tests/acceptance/prefect/test_many_workers.py)."""
    world = make_world("postgres", uploaders=2)
    where, (one, other) = signals(tmp_path), world.program.plan["box"]["identities"]
    second = Program(tmp_path / "second", {**world.program.plan}, world.program.environment)
    second.folder.mkdir()
    shutil.copyfile(world.program.folder / "box_config.json", second.folder / "box_config.json")
    second.write_plan(box={**world.program.plan["box"], "identities": [other]})
    world.program.write_plan(box={**world.program.plan["box"], "identities": [one]})
    other_victims.start(world.program, "migrate", crash=f"hold|{CHECKPOINT}claim_batch|1", signals=where)
    wait_for(where / "paused")

    finished = world.victims.run(second, "migrate")
    (where / "go").touch()
    first = other_victims.finish()

    assert_stopped(finished, f"the Box user {world.box.service_account.id} is in use by")
    assert first.code == 0, first.output
    world.at_end()


def assert_taken_over(world: World, victims: Victims, how: str, where: Path) -> None:
    """Frozen at a claim for longer than its lease, one process loses its work to another, and stops when it wakes."""
    script = f"{how}|{CHECKPOINT}claim_batch|2;lease||1.0"
    victims.start(world.program, "migrate", crash=script, signals=where)
    wait_for(where / "paused")
    with victims.frozen():
        time.sleep(1.2)
        finished = migrate(world, "lease||20.0")
    (where / "go").touch()
    sleeper = victims.finish()

    assert finished.code == 0, finished.output
    assert_stopped(sleeper, "lease", "taken over; it stops")
    world.at_end()


def test_process_that_slept_past_its_lease(
    make_world: MakeWorld, server: PostgresServer | None, other_victims: Victims, tmp_path: Path
) -> None:
    """Frozen for longer than its lease, a process is taken over; awake again it writes nothing and says so."""
    world = world_on(make_world, server)

    assert_taken_over(world, other_victims, "hold", signals(tmp_path))


def test_process_frozen_within_a_transaction(
    make_world: MakeWorld, other_victims: Victims, tmp_path: Path
) -> None:
    """A process that freezes with rows locked on PostgreSQL does not hold up the one that takes over."""
    world = make_world("postgres")

    assert_taken_over(world, other_victims, "pause", signals(tmp_path))

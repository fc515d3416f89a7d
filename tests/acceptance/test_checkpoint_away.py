"""A PostgreSQL that restarts, stays away, or loses a connection.

Every one ends with one line that says what to do, a true `status`, and a next run without a flag that completes.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.acceptance.checkpoint_faults import CHECKPOINT, assert_stopped, complete, signals, wait_for
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy
from tests.torture.world import MakeWorld

pytest_plugins = ["tests.torture.stage"]


@pytest.mark.parametrize(
    ("place", "how"),
    [
        pytest.param("register_worker", signal.SIGQUIT, marks=pytest.mark.torture),
        pytest.param("record_listings", signal.SIGINT, marks=pytest.mark.torture),
        pytest.param("claim_batch", signal.SIGQUIT, marks=pytest.mark.torture),
        pytest.param("record_folder_created", signal.SIGQUIT, marks=pytest.mark.torture),
        ("add_upload_part", signal.SIGQUIT),
        ("record_results", signal.SIGINT),
        pytest.param("record_results", signal.SIGQUIT, marks=pytest.mark.torture),
        pytest.param("record_collaboration", signal.SIGQUIT, marks=pytest.mark.torture),
    ],
)
@pytest.mark.gate(1)
def test_postgres_restarted_in_the_middle_of_a_commit(
    make_world: MakeWorld, postgres_server: PostgresServer, tmp_path: Path, place: str, how: signal.Signals
) -> None:
    """The server restarts, or crashes and recovers, between the last statement and the commit: it costs only time."""
    world = make_world("postgres")
    where = signals(tmp_path)
    world.victims.start(world.program, "migrate", crash=f"pause|{CHECKPOINT}{place}|1", signals=where)
    wait_for(where / "paused")
    postgres_server.stop(how)
    postgres_server.start()
    (where / "go").touch()

    finished = world.victims.finish()

    assert finished.code == 0, finished.output
    world.at_end()


def test_postgres_away_for_too_long(
    make_world: MakeWorld, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """A server that does not come back stops the run with one line; when it is there again the next run goes on."""
    world = make_world("postgres")
    where = signals(tmp_path)
    script = f"pause|{CHECKPOINT}record_results|1;patience||1"
    world.victims.start(world.program, "migrate", crash=script, signals=where)
    wait_for(where / "paused")
    postgres_server.stop(signal.SIGQUIT)
    try:
        (where / "go").touch()
        finished = world.victims.finish()
        asked = world.victims.run(world.program, "status")
    finally:
        postgres_server.start()

    line = ("does not answer; check that the server runs and can be reached, then start again",)
    assert_stopped(finished, *line)
    assert_stopped(asked, *line)
    world.after_kill()
    complete(world)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("register_worker", marks=pytest.mark.torture),
        pytest.param("lease_identity", marks=pytest.mark.torture),
        pytest.param("claim_folders_to_walk", marks=pytest.mark.torture),
        "claim_batch",
    ],
)
@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.gate(1)
def test_connection_lost_while_leasing(
    make_world: MakeWorld, postgres_server: PostgresServer, tmp_path: Path, place: str, committed: bool
) -> None:
    """A connection that breaks in the middle of a lease or a claim: nothing is held twice, nothing is left held."""
    world = make_world("postgres")
    where = signals(tmp_path)
    with Proxy(postgres_server.port) as proxy:
        through = make_url(world.state_url).set(port=proxy.port).render_as_string(hide_password=False)
        world.program.environment["STATE_URL"] = through
        pause = "pause-committed" if committed else "pause"
        world.victims.start(world.program, "migrate", crash=f"{pause}|{CHECKPOINT}{place}|1", signals=where)
        wait_for(where / "paused")
        proxy.drop()
        (where / "go").touch()
        finished = world.victims.finish()
        world.program.environment["STATE_URL"] = world.state_url

    assert finished.code == 0, finished.output
    world.at_end()

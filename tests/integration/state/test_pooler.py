"""Pooler: the checkpoint through pgbouncer, which gives one session to many and each transaction another one."""

from __future__ import annotations

import signal
import threading

import psycopg
import pytest
from sqlalchemy import Connection, text

from state.checkpoint import Checkpoint
from state.database.engine import Database
from state.errors import StateUnavailable
from tests.integration.state.scene import Scene
from tests.integration.state.test_holders import (  # noqa: F401  the same tests, on `state_url` of this file
    test_database_itself_refuses_a_second_holder,
)
from tests.integration.state.test_migrations import test_opened_by_many_at_once  # noqa: F401
from tests.integration.state.test_reports import test_status_document  # noqa: F401
from tests.integration.state.test_sending import (  # noqa: F401
    test_batches_follow_folders,
    test_upload_session_outlives_the_process,
)
from tests.integration.state.test_workers import (  # noqa: F401
    test_expired_lease_frees_everything,
    test_threads_never_share_a_file_or_a_folder,
)
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer


@pytest.fixture(params=["transaction", "session"])
def state_url(request: pytest.FixtureRequest, pgbouncers: dict[str, PgBouncer], postgres_url: str) -> str:
    """An empty database behind a pooler of each kind."""
    return pgbouncers[request.param].url(postgres_url)


def test_statements_that_differ_and_repeat_in_every_session(state_url: str) -> None:
    """Many threads ask one thing and another again and again: each gets its own answer, whoever's session it is."""
    database = Database(state_url)
    wrong: list[object] = []

    def ask(number: int) -> None:
        for turn in range(30):
            expected = f"{number} {turn}" if number % 2 else number * 1000 + turn
            query = "SELECT :value" if number % 2 else "SELECT :value + 0"
            answer = database.read(lambda connection: connection.scalar(text(query), {"value": expected}))  # noqa: B023
            if answer != expected:
                wrong.append((expected, answer))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()

    assert wrong == []


def test_nothing_is_left_in_a_session_of_others(state_url: str) -> None:
    """What the checkpoint sets, it sets for its own transaction; the next user of the session finds nothing of it."""
    url = state_url.replace("+psycopg", "")
    with Checkpoint.open(state_url) as checkpoint:
        ours = checkpoint.database.read(_idle_limit)
        with psycopg.connect(url) as other:
            theirs = other.execute("SHOW idle_in_transaction_session_timeout").fetchone()

    assert ours == "20s"
    assert theirs == ("0",)


def _idle_limit(connection: Connection) -> str:
    return str(connection.scalar(text("SHOW idle_in_transaction_session_timeout")))


def test_restarted_server_behind_the_pooler_is_waited_for(
    postgres_server: PostgresServer, state_url: str
) -> None:
    """A server that crashes behind its pooler costs nothing but time."""
    with Checkpoint.open(state_url) as checkpoint:
        scene = Scene(checkpoint)
        postgres_server.stop(signal.SIGQUIT)
        postgres_server.start()

        assert scene.plan_id == checkpoint.find_plan("p")


def test_pooler_of_statements_is_refused(pgbouncers: dict[str, PgBouncer], postgres_url: str) -> None:
    """Without transactions there is no checkpoint: one line says what to set."""
    with pytest.raises(StateUnavailable, match="pool_mode to transaction or session"):
        Checkpoint.open(pgbouncers["statement"].url(postgres_url))


def test_unknown_database_behind_the_pooler(pgbouncers: dict[str, PgBouncer]) -> None:
    """A database, or a user, that nobody made is refused at once as without a pooler."""
    url = pgbouncers["transaction"].url(pgbouncers["transaction"].postgres.url("nobody_made_this"))

    with pytest.raises(StateUnavailable, match="refused the login or the database"):
        Checkpoint.open(url)
    with pytest.raises(StateUnavailable, match="refused the login or the database"):
        Checkpoint.open(url.replace("postgres:", "nobody:"))

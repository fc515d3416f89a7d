"""Migrations: up, down, in step with the models, and refused where database and program do not fit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from state.checkpoint import Checkpoint
from state.database.engine import Database
from state.errors import SchemaAhead, SchemaBehind

ROOT = Path(__file__).parents[3]


def alembic(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Alembic as CI calls it."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def _execute(url: str, statement: str) -> None:
    database = Database(url)
    database.write(lambda connection: connection.execute(text(statement)))
    database.close()


@pytest.mark.gate(1)
def test_models_and_migrations_agree(state_url: str) -> None:
    """After `alembic upgrade head`, `alembic check` finds nothing to add."""
    upgraded = alembic("-x", f"url={state_url}", "upgrade", "head")
    checked = alembic("check", BOXHAUL_STATE_URL=state_url)

    assert upgraded.returncode == 0, upgraded.stderr
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.gate(1)
def test_migrations_go_down_and_up_again(state_url: str) -> None:
    """Every migration can be undone."""
    Checkpoint.open(state_url).close()
    down = alembic("-x", f"url={state_url}", "downgrade", "base")

    assert down.returncode == 0, down.stderr

    with Checkpoint.open(state_url) as checkpoint:
        assert None is checkpoint.find_plan("p")


def test_database_of_a_newer_version_is_refused(state_url: str) -> None:
    """A revision that this program does not know is SchemaAhead, whether it may upgrade or not."""
    Checkpoint.open(state_url).close()
    _execute(state_url, "UPDATE boxhaul_version SET version_num = '9999'")

    with pytest.raises(SchemaAhead, match="9999, made by a newer version; update Boxhaul"):
        Checkpoint.open(state_url)
    with pytest.raises(SchemaAhead):
        Checkpoint.open(state_url, upgrade=False)


def test_older_database_is_not_upgraded_unasked(state_url: str) -> None:
    """With `upgrade=False` a schema that is not at head is SchemaBehind, and stays as it is."""
    with pytest.raises(SchemaBehind, match="empty"):
        Checkpoint.open(state_url, upgrade=False)

    Checkpoint.open(state_url).close()
    with Checkpoint.open(state_url, upgrade=False) as checkpoint:
        assert None is checkpoint.find_plan("p")


def test_opened_by_many_at_once(state_url: str) -> None:
    """Processes and threads that open an empty database at the same time all find the schema there."""
    errors: list[BaseException] = []

    def open_it() -> None:
        try:
            Checkpoint.open(state_url).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []

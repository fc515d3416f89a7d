"""Alembic's entry: where the database is, and what the models say. Holds no migration."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from alembic import context
from sqlalchemy import Connection

from state.database.engine import Database
from state.database.tables import METADATA
from state.database.version import VERSION_TABLE, take_over_former_table


def database_url() -> str:
    """`-x url=…`, else BOXHAUL_STATE_URL, else a throw-away SQLite file per user, enough for `alembic check`."""
    given = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get("BOXHAUL_STATE_URL")
    if given:
        return given
    return f"sqlite:///{Path(tempfile.gettempdir()) / f'boxhaul-alembic-{os.getuid()}.db'}"


def run(connection: Connection) -> None:
    """Apply what the command line asks for."""
    take_over_former_table(connection)
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        render_as_batch=True,
        user_module_prefix="columns.",
    )
    with context.begin_transaction():
        context.run_migrations()


given_connection = context.config.attributes.get("connection")
if given_connection is not None:
    run(given_connection)
elif context.is_offline_mode():
    context.configure(
        url=database_url(),
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        literal_binds=True,
        render_as_batch=True,
        user_module_prefix="columns.",
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    database = Database(database_url())
    database.write(run)
    database.close()

"""The schema's version: upgrade it, or say that database and program do not fit. Holds no migration."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from state.database.engine import Database
from state.errors import SchemaAhead, SchemaBehind

_MIGRATIONS = Path(__file__).parent / "migrations"

#: Any number, the same in every process: upgrades of one PostgreSQL database go one after the other.
_UPGRADE_LOCK = 7_265_318_449


def bring_to_head(database: Database, *, upgrade: bool) -> None:
    """Create or upgrade the schema.

    Raises SchemaAhead when the database is newer than the program, SchemaBehind when it is older (or empty) and
    `upgrade` is False.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    known = {revision.revision for revision in script.walk_revisions()}
    current = database.read(_current_revision)
    if current == head:
        return
    if current is not None and current not in known:
        raise SchemaAhead(
            f"the checkpoint's schema is {current}, made by a newer version; update Boxhaul first"
        )
    if not upgrade:
        raise SchemaBehind(
            f"the checkpoint's schema is {current or 'empty'}, this version needs {head}; open it once for a migration"
        )
    database.write(lambda connection: _upgrade(connection, config))


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection, config: Config) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    # A second process that waited for the first one finds the work done: an upgrade from head to head is empty.
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

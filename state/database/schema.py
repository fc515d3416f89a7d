"""The schema: made new from the models, or upgraded; or said that database and program do not fit.

Holds no migration. A new database is not led through the history of the schema: that takes a third of a short first
run. A test compares, name by name, what the models make with what the migrations make.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from state.database.engine import Database, display_url
from state.database.rights import require_creation, require_tables, require_unicode
from state.database.tables import METADATA
from state.database.version import HEAD, VERSION_TABLE, current_revision, record_head
from state.errors import SchemaAhead, SchemaBehind

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"

#: Any number, the same in every process: upgrades of one PostgreSQL database go one after the other.
_UPGRADE_LOCK = 7_265_318_449


def bring_to_head(database: Database, *, upgrade: bool) -> None:
    """Create or upgrade the schema.

    Raises SchemaAhead when the database is newer than the program, SchemaBehind when it is older (or empty) and
    `upgrade` is False, and StateUnavailable where the database or the rights in it will not do.
    """
    shown = display_url(database.url)
    current = database.read(lambda connection: _look(connection, shown))
    if current == HEAD:
        return
    if current is None and upgrade:
        database.write(_make_new)
        return
    config = _migrations()
    if current is not None and current not in _revisions(config):
        raise SchemaAhead(
            f"the checkpoint's schema is {current}, made by a newer version; update Boxhaul first"
        )
    if not upgrade:
        raise SchemaBehind(
            f"the checkpoint's schema is {current or 'empty'}, this version needs {HEAD}; open it once for a migration"
        )
    database.write(lambda connection: _upgrade(connection, config))


def _migrations() -> Config:
    """Alembic, which a database that has every migration needs no more: it takes long to import."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _revisions(config: Config) -> set[str]:
    from alembic.script import ScriptDirectory

    return {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}


def _look(connection: Connection, shown: str) -> str | None:
    """Return the revision, once it is sure that the role may do what comes next."""
    require_unicode(connection, shown)
    require_tables(connection, shown, [VERSION_TABLE, *METADATA.tables])
    current = current_revision(connection)
    if current != HEAD:
        require_creation(connection, shown)
    return current


def _make_new(connection: Connection) -> None:
    _lock(connection)
    if current_revision(connection) is None:  # a second process that waited for the first one finds it done
        METADATA.create_all(connection, checkfirst=False)
        record_head(connection)


def _upgrade(connection: Connection, config: Config) -> None:
    from alembic import command

    _lock(connection)
    # A second process that waited for the first one finds the work done: an upgrade from head to head is empty.
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})

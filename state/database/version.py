"""The version table: under which name the schema's revision is kept. Knows no migration."""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, text

#: The newest migration, so that nobody asks Alembic for it who finds it in the database; a test compares them.
HEAD = "0018"

#: A name of our own: other programs (Prefect's server) may keep their tables in the same database.
VERSION_TABLE = "boxhaul_version"
#: What it was called before: Alembic's own default, which belongs to whoever came first.
_FORMER_TABLE = "alembic_version"
#: Tables of ours that were there under the former name, too.
_OURS = ("plans", "upload_parts")
#: As Alembic makes it.
_TABLE = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


def current_revision(connection: Connection) -> str | None:
    """Return the schema's revision, wherever it is kept; None for a database without our tables."""
    return _revision(connection, VERSION_TABLE) or _former_revision(connection)


def record_head(connection: Connection) -> None:
    """Make the version table of a database that got the newest schema at once."""
    _TABLE.create(connection, checkfirst=True)  # one that was led back to its beginning has it, empty
    connection.execute(_TABLE.insert().values(version_num=HEAD))


def take_over_former_table(connection: Connection) -> None:
    """Rename the version table of an older schema. Nothing where it has its name, or is somebody else's."""
    if _revision(connection, VERSION_TABLE) is not None or _former_revision(connection) is None:
        return
    connection.execute(text(f"ALTER TABLE {_FORMER_TABLE} RENAME TO {VERSION_TABLE}"))
    if connection.dialect.name == "postgresql":
        # The key's name stays taken otherwise, and the next program cannot make its own table.
        renamed = f"RENAME CONSTRAINT {_FORMER_TABLE}_pkc TO {VERSION_TABLE}_pkc"
        connection.execute(text(f"ALTER TABLE {VERSION_TABLE} {renamed}"))


def _former_revision(connection: Connection) -> str | None:
    tables = inspect(connection)
    # Our tables and no table of our name for their version: then the former one is ours and nobody else's.
    if not all(tables.has_table(name) for name in (*_OURS, _FORMER_TABLE)):
        return None
    return _revision(connection, _FORMER_TABLE)


def _revision(connection: Connection, table: str) -> str | None:
    if not inspect(connection).has_table(table):
        return None
    revision: str | None = connection.execute(text(f"SELECT version_num FROM {table}")).scalar_one_or_none()  # noqa: S608
    return revision

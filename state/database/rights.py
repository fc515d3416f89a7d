"""What a PostgreSQL database must be and allow, each lack in one line that says how to mend it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from state.errors import StateUnavailable


def require_unicode(connection: Connection, shown: str) -> None:
    """StateUnavailable for a database that cannot keep every name. `shown`: how messages call it."""
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise StateUnavailable(
            f"the checkpoint {shown} is a database in {encoding}, which cannot keep every name; make one with: "
            "CREATE DATABASE boxhaul ENCODING 'UTF8' TEMPLATE template0"
        )


def require_creation(connection: Connection, shown: str) -> None:
    """StateUnavailable where the role may not make tables: on PostgreSQL 15 nobody may in `public` unless told so."""
    if connection.dialect.name != "postgresql":
        return
    role, schema, allowed = connection.execute(
        text(
            "SELECT quote_ident(current_user), quote_ident(coalesce(current_schema(), 'public')), "
            "has_schema_privilege(coalesce(current_schema(), 'public'), 'CREATE')"
        )
    ).one()
    if not allowed:
        raise StateUnavailable(
            f"the role {role} may not make tables in the schema {schema} of {shown}; the database's owner grants it: "
            f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}"
        )


def require_tables(connection: Connection, shown: str, names: Iterable[str]) -> None:
    """StateUnavailable where the role may not read and write each of these tables: another role made them."""
    if connection.dialect.name != "postgresql":
        return
    role, owner = connection.execute(
        text(
            "SELECT quote_ident(current_user), (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class "
            "WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname = ANY(:names) AND NOT "
            "(has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') AND "
            "has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')) LIMIT 1)"
        ),
        {"names": list(names)},
    ).one()
    if owner is not None:
        raise StateUnavailable(
            f"the role {role} may not read and write the checkpoint's tables in {shown}; their owner lets it in: "
            f"GRANT {owner} TO {role}"
        )

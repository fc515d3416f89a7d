"""Many rows at once, by the driver's own means: statements compiled once, and PostgreSQL's COPY. Knows no sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Text,
    TextClause,
    any_,
    bindparam,
    case,
    column,
    false,
    select,
    text,
    true,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from state.database.base import Base
from state.statements.base import insert_into

#: Rows of one call of the driver: little memory for a folder of 100,000 entries.
ROWS_PER_CALL = 2_000
#: From so many rows on a table to copy into is worth its making.
COPY_FROM_ROWS = 64

Row = Mapping[str, Any]
_Processor = Callable[[Any], Any]


def is_postgresql(connection: Connection) -> bool:
    """Tell which of the two databases it is."""
    return connection.dialect.name == "postgresql"


def one_of(searched: Any, *, postgresql: bool, name: str = "ids") -> ColumnElement[bool]:
    """A condition for a statement that is built once: the column is one of the bound list `name`.

    One array on PostgreSQL, however many there are; on SQLite as many parameters as ids.
    """
    if postgresql:
        kind = Text() if searched.type.python_type is str else BigInteger()
        return cast("ColumnElement[bool]", searched == any_(bindparam(name, type_=ARRAY(kind))))
    return cast("ColumnElement[bool]", searched.in_(bindparam(name, expanding=True)))


def checked(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """A condition beside a row's own id: looked at where the row is found, and never a way to find it.

    PostgreSQL guesses from old figures how many rows are of some state, or a worker's. Where it believes that these are
    few, it goes through all of them, and through those that were so since the last VACUUM, once for each row that is
    wanted. Of what a CASE says it believes nothing.
    """
    return case((condition, true()), else_=false())


class Prepared:
    """A statement that is compiled once for each kind of database and then run for many rows by the driver alone.

    Parameters of the rows are bound by name; whatever else the statement binds is fixed when it is compiled. Values go
    through the same types as everywhere. Safe for threads.
    """

    def __init__(self, build: Callable[[Connection], Any]) -> None:
        """`build` makes the statement for the kind of database that a connection leads to."""
        self._build = build
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Run it once per row, and return how many rows of the table it changed; nothing happens for no rows."""
        if not rows:
            return 0
        compiled = self._compiled.get(connection.dialect.name)
        if compiled is None:
            compiled = _Compiled(self._build(connection), connection.dialect, rows[0])
            self._compiled[connection.dialect.name] = compiled
        changed = 0
        for start in range(0, len(rows), ROWS_PER_CALL):
            chunk = compiled.parameters(rows[start : start + ROWS_PER_CALL])
            changed += connection.exec_driver_sql(compiled.text, chunk).rowcount
        return changed


class _Compiled:
    """One statement as the driver takes it."""

    def __init__(self, statement: Any, dialect: Dialect, row: Row) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        kinds = {name: bind.type for name, bind in compiled.binds.items()}
        processors = {name: processor_of(kind, dialect) for name, kind in kinds.items()}
        self._fixed = {
            name: _plain(processors[name], value)
            for name, value in compiled.params.items()
            if name not in row
        }
        self._processors = [(name, found) for name, found in processors.items() if found and name in row]
        names = compiled.positiontup if compiled.positional else None
        self._tuple = None if names is None else itemgetter(*names)

    def parameters(self, rows: Sequence[Row]) -> Any:
        full = [{**self._fixed, **row} for row in rows]
        for name, process in self._processors:
            for row in full:
                row[name] = process(row[name])
        return full if self._tuple is None else [self._tuple(row) for row in full]


def processor_of(kind: TypeEngine[Any], dialect: Dialect) -> _Processor | None:
    """What a value of this type goes through on its way to the driver; None: it goes as it is."""
    return cast("_Processor | None", kind.dialect_impl(dialect).bind_processor(dialect))


def _plain(process: _Processor | None, value: Any) -> Any:
    value = value if process is None else process(value)
    return str(value) if isinstance(value, str) else value


class BulkInsert:
    """New rows of a table, as many as there are; those that are there already stay as they are."""

    def __init__(
        self, table: type[Base], columns: Sequence[str], **others: ColumnElement[Any] | TextClause
    ) -> None:
        """`columns` are what each row names; `others` are what every row has alike."""
        self._table = table
        self._columns = columns
        self._others = others
        self._insert = Prepared(self._statement)

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert them, in their order."""
        if not copies(connection, rows):
            self._insert.run(connection, rows)
            return
        with copied(connection, self._table, self._columns, rows) as source:
            there: Any = select(*(column(name) for name in self._columns), *self._others.values())
            insert = insert_into(connection, self._table).from_select(
                [*self._columns, *self._others], there.select_from(text(source)), include_defaults=False
            )
            connection.execute(insert.on_conflict_do_nothing())

    def _statement(self, connection: Connection) -> Any:
        values: dict[str, Any] = {name: bindparam(name) for name in self._columns}
        return (
            insert_into(connection, self._table).values({**values, **self._others}).on_conflict_do_nothing()
        )


def copies(connection: Connection, rows: Sequence[Row]) -> bool:
    """Tell whether to copy these rows into a table first: on PostgreSQL, many of them, and where the role may.

    A database that was hardened may refuse temporary tables; asked once for each connection.
    """
    if not is_postgresql(connection) or len(rows) < COPY_FROM_ROWS:
        return False
    if "boxhaul_copies" not in connection.info:
        query = text("SELECT has_database_privilege(current_database(), 'TEMPORARY')")
        connection.info["boxhaul_copies"] = bool(connection.execute(query).scalar_one())
    return bool(connection.info["boxhaul_copies"])


@contextmanager
def copied(
    connection: Connection, table: type[Base], columns: Sequence[str], rows: Sequence[Row]
) -> Iterator[str]:
    """The name of a temporary table with these columns of `table`, filled with the rows; it is gone after the body.

    Within the one transaction, and never beyond it: behind a pooler the session is another program's afterwards.
    PostgreSQL alone, see copies().
    """
    name = f"pg_temp.boxhaul_{table.__tablename__}"
    names = ", ".join(f'"{each}"' for each in columns)
    source = table.__tablename__
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE boxhaul_{source} ON COMMIT DROP AS SELECT {names} FROM {source} WITH NO DATA"  # noqa: S608  names of ours
    )
    _copy(connection, f"COPY {name} ({names}) FROM STDIN", table, columns, rows)
    yield name
    connection.exec_driver_sql(f"DROP TABLE {name}")


def _copy(
    connection: Connection, statement: str, table: type[Base], columns: Sequence[str], rows: Sequence[Row]
) -> None:
    import psycopg  # only where it is the driver: the command line starts without it

    value_of = [
        (name, processor_of(table.__table__.c[name].type, connection.dialect) or _as_text) for name in columns
    ]
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    try:
        with driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row([process(row[name]) for name, process in value_of])
    except psycopg.Error as error:
        raise DBAPIError(statement, None, error, hide_parameters=True) from error


def _as_text(value: Any) -> Any:
    """A status is no word of the driver's."""
    return str(value) if isinstance(value, str) else value

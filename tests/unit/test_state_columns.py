"""Column types: names without loss, times with a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from state.database.columns import UTCTime, escape_name, unescape_name

#: Every code point, lone surrogates, NUL and the escape character included.
ANYTHING = st.text(st.characters() | st.sampled_from(["\x00", "\x1a", "\ud800", "\udcff", "\udfff"]))


@given(ANYTHING)
def test_names_survive_escaping(name: str) -> None:
    """Escaping is reversible, and what it gives fits into UTF-8 and into PostgreSQL."""
    escaped = escape_name(name)

    assert name == unescape_name(escaped)
    assert b"\x00" not in escaped.encode("utf-8")


@given(ANYTHING, ANYTHING)
def test_escaping_keeps_names_apart(one: str, other: str) -> None:
    """Two names are the same in the database only when they are the same in the source."""
    assert (one == other) == (escape_name(one) == escape_name(other))


@given(ANYTHING, ANYTHING)
def test_escaping_keeps_prefixes(start: str, rest: str) -> None:
    """What begins a path still begins it."""
    assert escape_name(start + rest) == escape_name(start) + escape_name(rest)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_times_come_back_in_utc(dialect: object) -> None:
    """A time in any zone is the same instant afterwards, in UTC, on both databases."""
    column = UTCTime()
    time = datetime(2026, 3, 1, 12, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=-8)))
    back = column.process_result_value(column.process_bind_param(time, dialect), dialect)  # type: ignore[arg-type]

    assert back is not None
    assert (time, UTC) == (back, back.tzinfo)


def test_naive_times_are_refused() -> None:
    """A time without a zone is a mistake at the place that made it."""
    with pytest.raises(ValueError, match="without a zone"):
        UTCTime().process_bind_param(datetime(2026, 1, 1), sqlite.dialect())

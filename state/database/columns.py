"""Column types that both databases keep without loss: names from POSIX, and aware times in UTC. No tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

#: What UTF-8 or PostgreSQL cannot hold, and the escape character itself (U+001A, "substitute").
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


def escape_name(value: str) -> str:
    """The value with every lone surrogate written as U+001A and four hex digits; prefixes stay prefixes."""
    if _UNSTORABLE.search(value) is None:
        return value
    return _UNSTORABLE.sub(lambda match: f"\x1a{ord(match[0]):04x}", value)


def unescape_name(value: str) -> str:
    """What `escape_name` was given."""
    if "\x1a" not in value:
        return value
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)


class SourceText(TypeDecorator[str]):
    """Text from a share: may hold undecodable bytes (lone surrogates); sorted by code point on both databases."""

    impl = Text
    cache_ok = True

    def __init__(self) -> None:
        super().__init__()
        self.impl = Text().with_variant(Text(collation="C"), "postgresql")  # type: ignore[assignment]

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else escape_name(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """From the database."""
        return None if value is None else unescape_name(value)


class UTCTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC; a naive one is refused with ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

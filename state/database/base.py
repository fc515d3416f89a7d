"""What every table of the checkpoint is made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column
from sqlalchemy.schema import MetaData

#: SQLite makes a 64-bit row id of INTEGER only.
RowId = BigInteger().with_variant(Integer, "sqlite")


def row_id() -> MappedColumn[int]:
    """A primary key that the database counts."""
    return mapped_column(RowId, primary_key=True, autoincrement=True)


class Base(DeclarativeBase):
    """Every table of the checkpoint."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

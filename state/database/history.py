"""The tables of what happened: events of a plan and of Box, samples and counts of its runs, what looking found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from state.database.base import Base, RowId, row_id
from state.database.columns import UTCTime


class Event(Base):
    """Something worth telling an auditor."""

    #: Prefect's server has a table called events.
    __tablename__ = "plan_events"
    __table_args__ = (Index("ix_events_plan", "plan_id", "at", "id"),)
    id: Mapped[int] = row_id()
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    tree_id: Mapped[int | None] = mapped_column(ForeignKey("trees.id"))
    at: Mapped[datetime] = mapped_column(UTCTime)
    kind: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


class Watch(Base):
    """How far a plan has read Box's events."""

    __tablename__ = "watches"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), primary_key=True, autoincrement=False)
    stream: Mapped[str] = mapped_column(Text)
    position: Mapped[str] = mapped_column(Text)
    #: Date of the newest event that was read, by Box's clock.
    seen_until: Mapped[datetime | None] = mapped_column(UTCTime)
    #: Findings up to this row of `plan_events` were told.
    told_id: Mapped[int] = mapped_column(RowId, server_default=text("0"), default=0)
    read_at: Mapped[datetime] = mapped_column(UTCTime)


class WatchedEvent(Base):
    """An event of Box that a finding was made of: Box may send it again."""

    __tablename__ = "watched_events"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), primary_key=True, autoincrement=False)
    event_id: Mapped[str] = mapped_column(Text, primary_key=True)


class Sample(Base):
    """What a process had done at one time since it began; few of them are kept, see statements/sampling.py."""

    __tablename__ = "samples"
    __table_args__ = (Index("ix_samples_plan_id_id", "plan_id", "id"),)
    id: Mapped[int] = row_id()
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    #: No foreign key: a sample outlives whatever becomes of its worker.
    worker_id: Mapped[int] = mapped_column(RowId)
    at: Mapped[datetime] = mapped_column(UTCTime)
    calls: Mapped[int] = mapped_column(BigInteger)
    rate_limited: Mapped[int] = mapped_column(BigInteger)
    bytes_sent: Mapped[int] = mapped_column(BigInteger)
    #: The process ended by itself.
    last: Mapped[bool]


class CallCount(Base):
    """How many calls of one route a plan has made."""

    __tablename__ = "call_counts"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), primary_key=True, autoincrement=False)
    route: Mapped[str] = mapped_column(Text, primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class Survey(Base):
    """What was found by looking at a plan's share: an inventory, or a forecast. Needs no plan that has begun."""

    __tablename__ = "surveys"
    __table_args__ = (Index("ix_surveys_last", "plan_name", "kind", "id"),)
    id: Mapped[int] = row_id()
    #: As plans.name.
    plan_name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(UTCTime)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)

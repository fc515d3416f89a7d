"""Surveys: what looks at a share found, kept by the plan's name, since a plan need not have begun for one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from state.database.history import Survey
from state.statements.base import Statements
from state.statuses import SurveyKind


class SurveyStatements(Statements):
    """Inventories and forecasts."""

    def record_survey(self, plan_name: str, kind: SurveyKind, document: Mapping[str, Any]) -> None:
        """Keep what was found now, beside what earlier ones of this plan and kind found."""

        def record(connection: Connection) -> None:
            row = {"plan_name": plan_name, "kind": kind, "document": dict(document)}
            connection.execute(insert(Survey), {**row, "at": self.now(connection)})

        self.database.write(record)

    def last_survey(self, plan_name: str, kind: SurveyKind) -> tuple[datetime, dict[str, Any]] | None:
        """When the last one of this kind was made, and what it found; None where there was none."""
        query = select(Survey.at, Survey.document).where(Survey.plan_name == plan_name, Survey.kind == kind)
        query = query.order_by(Survey.id.desc()).limit(1)
        row = self.database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else (row.at, row.document)

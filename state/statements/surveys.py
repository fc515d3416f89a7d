"""Surveys: what looks at a share found, kept by the plan's name, since a plan need not have begun for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

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

    def reports_in_box(self, plan_name: str) -> dict[str, dict[str, Any]]:
        """The plan's own reports that were put into Box, by what each is of: id, version, sha1, name."""
        kept = self.last_survey(plan_name, SurveyKind.REPORTS)
        return {} if kept is None else kept[1]["files"]

    def own_files(self, plan_name: str) -> set[tuple[str, str]]:
        """Ids and sha1 of those files, as they were left."""
        return {(file["id"], file["sha1"]) for file in self.reports_in_box(plan_name).values()}

    def report_intents(self, plan_name: str) -> dict[str, dict[str, Any]]:
        """What was about to be put there and was not recorded, by the same: folder, name, sha1."""
        kept = self.last_survey(plan_name, SurveyKind.REPORTS)
        return {} if kept is None else kept[1].get("intents", {})

    def intend_report(self, plan_name: str, key: str, intent: Mapping[str, Any]) -> None:
        """Keep what is about to be put there, beside what is there."""

        def intend(kept: dict[str, Any]) -> None:
            kept["intents"][key] = dict(intent)

        self._change_reports(plan_name, intend)

    def record_report_in_box(self, plan_name: str, key: str, file: Mapping[str, Any]) -> None:
        """Keep this in place of what was known under this key, and of what was intended."""

        def settle(kept: dict[str, Any]) -> None:
            kept["files"][key] = dict(file)
            kept["intents"].pop(key, None)

        self._change_reports(plan_name, settle)

    def _change_reports(self, plan_name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """One document is kept of them, changed in one transaction."""
        ours = (Survey.plan_name == plan_name) & (Survey.kind == SurveyKind.REPORTS)

        def replace(connection: Connection) -> None:
            query = select(Survey.document).where(ours).order_by(Survey.id.desc()).limit(1)
            document = {"files": {}, "intents": {}, **(connection.execute(query).scalar_one_or_none() or {})}
            change(document)
            connection.execute(delete(Survey).where(ours))
            row = {"plan_name": plan_name, "kind": SurveyKind.REPORTS, "document": document}
            connection.execute(insert(Survey), {**row, "at": self.now(connection)})

        self.database.write(replace)

    def last_survey(self, plan_name: str, kind: SurveyKind) -> tuple[datetime, dict[str, Any]] | None:
        """When the last one of this kind was made, and what it found; None where there was none."""
        query = select(Survey.at, Survey.document).where(Survey.plan_name == plan_name, Survey.kind == kind)
        query = query.order_by(Survey.id.desc()).limit(1)
        row = self.database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else (row.at, row.document)

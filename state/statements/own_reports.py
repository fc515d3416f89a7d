"""Own reports: which files of Box are a plan's own reports, a row for each, whatever their number.

They are kept beside what was found by looking at the share, under a kind of their own each, so that writing one down
and finding it costs the same for five trees and for five thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from state.database.history import Survey
from state.statements.base import Statements
from state.statuses import SurveyKind

#: How the kinds of these rows begin, and how each part of a report is told in them: a kind has 16 characters.
_PREFIX = "r:"
_PARTS = {"report.html": ".h", "items.csv": ".c"}
_NAMES = {short: part for part, short in _PARTS.items()}


class OwnReportStatements(Statements):
    """The reports of plans in Box. Each has a key: the tree's row, or nothing for the whole plan, "|", and the file."""

    def reports_in_box(self, plan_name: str) -> dict[str, dict[str, Any]]:
        """All that were put into Box, by their keys: id, version, sha1, name, folder, and `at`."""
        return {key: file for key, (file, _) in self._reports(plan_name).items() if file is not None}

    def report_intents(self, plan_name: str) -> dict[str, dict[str, Any]]:
        """All that were about to be put there and were not recorded, by the same: folder, name, sha1."""
        return {key: intent for key, (_, intent) in self._reports(plan_name).items() if intent is not None}

    def report_in_box(self, plan_name: str, key: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """What is known of one of them, and what was intended for it."""

        def find(connection: Connection) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
            return _one(connection, plan_name, key)

        return self.database.read(find)

    def reports_mark(self) -> int:
        """Another number whenever one of any plan was written down."""
        query = select(func.coalesce(func.max(Survey.id), 0))
        return int(self.database.read(lambda connection: connection.execute(query).scalar_one()))

    def intend_report(self, plan_name: str, key: str, intent: Mapping[str, Any]) -> None:
        """Keep what is about to be put there, beside what is there."""

        def intend(connection: Connection) -> None:
            file, _ = _one(connection, plan_name, key)
            self._keep(connection, plan_name, key, file, dict(intent))

        self.database.write(intend)

    def record_report_in_box(self, plan_name: str, key: str, file: Mapping[str, Any]) -> None:
        """Keep this in place of what was known under this key, and of what was intended."""
        self.database.write(lambda connection: self._keep(connection, plan_name, key, dict(file), None))

    def _keep(
        self,
        connection: Connection,
        plan_name: str,
        key: str,
        file: dict[str, Any] | None,
        intent: dict[str, Any] | None,
    ) -> None:
        """The new row before the old one goes: its number is one that nobody has seen."""
        row = {"plan_name": plan_name, "kind": _kind(key), "document": {"file": file, "intent": intent}}
        inserted = connection.execute(
            insert(Survey), {**row, "at": self.now(connection)}
        ).inserted_primary_key
        assert inserted is not None  # noqa: S101  one row
        is_older = (Survey.plan_name == plan_name) & (Survey.kind == _kind(key)) & (Survey.id != inserted[0])
        connection.execute(delete(Survey).where(is_older))

    def _reports(self, plan_name: str) -> dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]]:
        def all_of_them(
            connection: Connection,
        ) -> dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]]:
            found = dict(_kept_together(connection, plan_name))
            ours = (Survey.plan_name == plan_name) & Survey.kind.startswith(_PREFIX)
            for row in connection.execute(select(Survey.kind, Survey.at, Survey.document).where(ours)):
                found[_key(row.kind)] = _pair(row.document, row.at)
            return found

        return self.database.read(all_of_them)


def _kind(key: str) -> str:
    tree, _, part = key.partition("|")
    return f"{_PREFIX}{tree}{_PARTS[part]}"


def _key(kind: str) -> str:
    return f"{kind[len(_PREFIX) : -2]}|{_NAMES[kind[-2:]]}"


def _pair(document: Mapping[str, Any], at: datetime) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    file = document["file"]
    return None if file is None else {**file, "at": at.isoformat(timespec="seconds")}, document["intent"]


def _one(
    connection: Connection, plan_name: str, key: str
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    query = select(Survey.at, Survey.document).where(Survey.plan_name == plan_name, Survey.kind == _kind(key))
    row = connection.execute(query.order_by(Survey.id.desc()).limit(1)).one_or_none()
    if row is not None:
        return _pair(row.document, row.at)
    return _kept_together(connection, plan_name).get(key, (None, None))


def _kept_together(
    connection: Connection, plan_name: str
) -> dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Those that an older version kept as one document; what was written since by itself counts before them."""
    query = select(Survey.document).where(Survey.plan_name == plan_name, Survey.kind == SurveyKind.REPORTS)
    document = connection.execute(query.order_by(Survey.id.desc()).limit(1)).scalar_one_or_none() or {}
    files, intents = document.get("files", {}), document.get("intents", {})
    return {key: (files.get(key), intents.get(key)) for key in {*files, *intents}}

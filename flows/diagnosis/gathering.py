"""Gathering: everything that a colleague needs, part by part. What cannot be had is said in its place."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from connectors.box.config import BlockAuthConfig
from connectors.errors import ConnectorError
from flows.checks.table import check_table
from flows.diagnosis.archive import Archive, new_archive
from flows.diagnosis.commands import PATIENCE_SECONDS, asked
from flows.diagnosis.machine import environment, machine, packages
from flows.diagnosis.names import Names
from flows.diagnosis.redaction import Redactor, known_secrets, shown_plan
from flows.errors import PlanError
from flows.orchestration.run_log import usual_log_file
from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.file import load_plan, read_document
from flows.plan.model import MigrationPlan
from flows.reporting.failures import LOOKED_AT, first_by_reason
from flows.reporting.status import status_table
from flows.words import printable
from state.database.engine import sqlite_file
from state.errors import StateError
from state.reports.lines import failures
from state.reports.machinery import machinery
from state.reports.sums import failures_by_reason

#: Failed entries, and lines of the log, that are in it.
EXAMPLES, LOG_LINES, LOG_BYTES = 200, 2_000, 2_000_000

#: What of a line of the log, text or JSON, is no name.
_LOG_LINE = re.compile(r"\S+ [A-Z]+(?= )|\s+File \S+, line \d+|\s+\w*(?:Error|Exception)\b")

WITH_NAMES = "It holds names of files, folders and people; --no-names replaces them."
WITHOUT_NAMES = "Names of files, folders and people are replaced, and messages of the log left out."


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What is asked for."""

    plan: Path
    out: Path
    without_names: bool = False
    #: Seconds that `check` and `status` have, each.
    patience_seconds: float = PATIENCE_SECONDS


def diagnose(wanted: Diagnosis, say: Callable[[str], None]) -> str:
    """Write the archive and return what to know of it. PlanError when it cannot be written; all else is told in it."""
    plan, fault = _loaded(wanted.plan)
    redactor = Redactor(known_secrets(wanted.plan, plan))
    with new_archive(wanted.out, redactor) as archive:
        _Gathering(wanted, plan, fault, archive, say).run()
    return WITHOUT_NAMES if wanted.without_names else WITH_NAMES


def _loaded(file: Path) -> tuple[MigrationPlan | None, str]:
    try:
        return load_plan(file), ""
    except (PlanError, StateError, ConnectorError) as exc:
        return None, str(exc)


class _Gathering:
    """One archive on its way."""

    def __init__(
        self,
        wanted: Diagnosis,
        plan: MigrationPlan | None,
        fault: str,
        archive: Archive,
        say: Callable[[str], None],
    ) -> None:
        self._wanted, self._plan, self._fault, self._archive, self._say = wanted, plan, fault, archive, say
        self._names = Names() if wanted.without_names else None

    def run(self) -> None:
        """Every part, and the index at the end."""
        self._add(
            "machine.json",
            "this machine and the versions on it",
            lambda: {"machine": machine(self._folder())},
        )
        self._add("packages.json", "every installed package", lambda: {"packages": packages()})
        self._add(
            "environment.json",
            "names of variables; values of harmless ones",
            lambda: {"environment": environment()},
        )
        self._add("plan.json", "the plan without secrets", self._written)
        self._ask("check", check_table)
        self._ask("status", status_table)
        self._say("looking into the checkpoint and the log")
        self._add("failures.json", "what failed, by reason, with examples", lambda: self._of_plan(_failures))
        self._add(
            "database.json",
            "the checkpoint: kind, size, rows, query plans",
            lambda: self._of_plan(_machinery),
        )
        self._log()
        self._index()

    def _add(self, name: str, what: str, made: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            document = made()
        except Exception as exc:  # noqa: BLE001  whatever is broken here is what somebody is asked about
            document = {"error": f"{type(exc).__name__}: {exc}"}
        return self._add_document(name, what, document)

    def _add_document(self, name: str, what: str, document: dict[str, Any]) -> dict[str, Any]:
        if self._names is not None:
            document = self._names.hidden(document)
        self._archive.add_json(name, f"{what}: not to be had" if "error" in document else what, document)
        return document

    def _ask(self, command: str, table: Callable[[dict[str, Any]], RenderableType]) -> None:
        seconds = self._wanted.patience_seconds
        if self._plan is not None:
            self._say(f"asking boxhaul {command}; {seconds:.0f} s at most")
        what = f"boxhaul {command}"
        document = self._add(
            f"{command}.json",
            f"{what} --json",
            lambda: self._of_plan(
                lambda plan: asked(command, self._wanted.plan, seconds=seconds, with_server=_has_blocks(plan))
            ),
        )
        text = document["error"] if "error" in document else _rendered(table(document))
        self._archive.add_text(f"{command}.txt", what, f"{text}\n")

    def _of_plan(self, look: Callable[[MigrationPlan], dict[str, Any]]) -> dict[str, Any]:
        return look(self._loaded_plan())

    def _loaded_plan(self) -> MigrationPlan:
        if self._plan is None:
            raise PlanError(self._fault)
        return self._plan

    def _written(self) -> dict[str, Any]:
        written = shown_plan(read_document(self._wanted.plan), valid=self._plan is not None)
        return {"plan": written, "fault": self._fault or None}

    def _folder(self) -> Path:
        if self._plan is not None:
            file = sqlite_file(self._plan.resolved_state_url())
            if file is not None and file.parent.is_dir():
                return file.parent
        return self._wanted.plan.resolve().parent

    def _log(self) -> None:
        what = f"the last {LOG_LINES:,} lines of the log"
        try:
            file = usual_log_file(self._loaded_plan())
            lines = list(_last_lines(file)) if file is not None else []
        except (PlanError, StateError, OSError) as exc:
            lines, what = [f"{type(exc).__name__}: {exc}"], f"{what}: not to be had"
        if self._names is not None:
            lines = [without_message(line) for line in lines]
        self._archive.add_text("log.txt", what, "".join(f"{line}\n" for line in lines))

    def _index(self) -> None:
        width = max(len(name) for name, _ in self._archive.index)
        lines = [f"{name:<{width}}  {what}" for name, what in self._archive.index]
        note = WITHOUT_NAMES if self._wanted.without_names else WITH_NAMES
        head = "What boxhaul doctor found; no password, key or token is in it.\n"
        self._archive.add_text("INDEX.txt", "this page", "\n".join([head, *lines, "", note, ""]))


def _failures(plan: MigrationPlan) -> dict[str, Any]:
    with closing(open_checkpoint(plan)) as checkpoint:
        plan_id = known_plan(plan, checkpoint)
        lines = first_by_reason(islice(failures(checkpoint, plan_id), LOOKED_AT), limit=EXAMPLES)
        return {
            "by_reason": failures_by_reason(checkpoint, plan_id),
            "examples": [
                {
                    "tree": line.tree,
                    "path": line.path,
                    "kind": line.kind,
                    "size": line.size,
                    "reason": line.reason,
                    "detail": line.detail,
                    "attempts": line.attempts,
                }
                for line in lines
            ],
        }


def _has_blocks(plan: MigrationPlan) -> bool:
    return isinstance(plan.box.auth, BlockAuthConfig) or bool(plan.source.credentials_block)


def _machinery(plan: MigrationPlan) -> dict[str, Any]:
    return machinery(plan.resolved_state_url())


def _last_lines(file: Path) -> Iterator[str]:
    """As they are, without what a terminal would obey; a log that is not there has none."""
    if not file.exists():
        return
    with file.open("rb") as log:
        size = log.seek(0, io.SEEK_END)
        log.seek(max(0, size - LOG_BYTES))
        text = log.read().decode("utf-8", "backslashreplace")
    yield from (printable(line) for line in text.splitlines()[-LOG_LINES:])


def without_message(line: str) -> str:
    """When it was, and how bad; nothing that somebody named."""
    try:
        record = json.loads(line)
        return f"{record['time']} {str(record['level']).upper()} {record['logger']}"
    except (ValueError, TypeError, KeyError):
        found = _LOG_LINE.match(line)
        return found[0] if found else "..."


def _rendered(table: RenderableType) -> str:
    output = io.StringIO()
    Console(file=output, width=160, no_color=True).print(table)
    return output.getvalue()

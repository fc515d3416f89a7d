"""Row: one precondition of a plan as data: what it is, how it stands, what was found, what to do. Asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connectors.errors import ConnectorError, FatalError
from flows.plan.model import MigrationPlan
from flows.words import counted


class State(StrEnum):
    """How a precondition stands."""

    OK = "ok"
    #: The run goes on; a person should know.
    WARNING = "warning"
    #: The run, or part of it, will fail.
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of `boxhaul check`."""

    name: str
    state: State
    found: str
    #: For a person, in the order of doing it; empty when there is nothing to do.
    what_to_do: str = ""
    #: What the start of a run raises for a problem; None: the run begins all the same.
    stops: type[FatalError] | None = None

    def document(self) -> dict[str, str]:
        """As JSON has it."""
        return {
            "name": self.name,
            "state": self.state.value,
            "found": self.found,
            "what_to_do": self.what_to_do,
        }


def ok(name: str, found: str, what_to_do: str = "") -> Row:
    """Nothing to do; what_to_do may hold a hint."""
    return Row(name=name, state=State.OK, found=found, what_to_do=what_to_do)


def warning(name: str, found: str, what_to_do: str) -> Row:
    """The run goes on; a person should know."""
    return Row(name=name, state=State.WARNING, found=found, what_to_do=what_to_do)


def problem(name: str, found: str, what_to_do: str, *, stops: type[FatalError] | None = None) -> Row:
    """The run, or part of it, will fail; `stops` keeps a run from beginning."""
    return Row(name=name, state=State.PROBLEM, found=found, what_to_do=what_to_do, stops=stops)


def worst(rows: Sequence[Row]) -> State:
    """The state of all of them together."""
    states = {row.state for row in rows}
    return next((state for state in (State.PROBLEM, State.WARNING) if state in states), State.OK)


def said(error: Exception) -> str:
    """What an error says, on one line, without the advice that opens the message."""
    text = str(error)
    if isinstance(error, ConnectorError):
        text = getattr(error, "said", "") or text
    return " ".join(text.split())


def document(plan: MigrationPlan, rows: Sequence[Row], *, can_go_on: bool) -> dict[str, Any]:
    """What `boxhaul check --json` prints: plan, state, can_go_on, problems, warnings, checks."""
    return {
        "plan": plan.name,
        "state": worst(rows).value,
        "can_go_on": can_go_on,
        "problems": sum(row.state is State.PROBLEM for row in rows),
        "warnings": sum(row.state is State.WARNING for row in rows),
        "checks": [row.document() for row in rows],
    }


def sums_words(shown: dict[str, Any]) -> str:
    return f"{counted(shown['problems'], 'problem')}, {counted(shown['warnings'], 'warning')}"

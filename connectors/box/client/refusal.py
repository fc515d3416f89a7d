"""Refusal: what Box answered in place of what was asked for, fit for a log; and how an error is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Facts of one refusal that a message names.
NAMED_REASONS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """What Box answered, fit for a log."""

    status: int
    code: str | None = None
    message: str = ""
    request_id: str | None = None
    retry_after_seconds: float | None = None
    context: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        said = [part for part in (self.message, *self.reasons) if part]
        parts = [str(self.status), self.code or "", (said and f"({'; '.join(said)})") or ""]
        text = " ".join(part for part in parts if part)
        return f"{text}, request id {self.request_id}" if self.request_id else text

    @property
    def reasons(self) -> list[str]:
        """What Box says beside code and message: the parameters it does not take, or other short facts."""
        errors = self.context.get("errors")
        if isinstance(errors, list):
            named = [each for each in errors if isinstance(each, Mapping)]
            facts = [joined(each.get("name"), each.get("message") or each.get("reason")) for each in named]
        else:
            plain = {name: value for name, value in self.context.items() if isinstance(value, str | int)}
            facts = [joined(name, value) for name, value in plain.items()]
        return [fact for fact in facts if fact and fact != self.message][:NAMED_REASONS]

    @property
    def conflict(self) -> Mapping[str, Any]:
        """The item that is in the way: Box sends an object for files and an array for folders, or nothing."""
        found = self.context.get("conflicts")
        if isinstance(found, list):
            found = found[0] if found else None
        return found if isinstance(found, Mapping) else {}


def refusal_of(error: BaseException) -> Refusal | None:
    """Return what Box said, when this error came from an answer of Box."""
    refusal = getattr(error, "refusal", None)
    return refusal if isinstance(refusal, Refusal) else None


def status_of(error: BaseException) -> int:
    """Return the HTTP status behind an error, 0 without an answer."""
    refusal = refusal_of(error)
    return refusal.status if refusal else 0


def code_of(error: BaseException) -> str | None:
    """Return Box's error code behind an error, None without one."""
    refusal = refusal_of(error)
    return refusal.code if refusal else None


def printable(text: str, limit: int = 300) -> str:
    """Return one line without control characters: what a server sends may end on a terminal."""
    clean = "".join(each if each.isprintable() else " " for each in text)
    return clean if len(clean) <= limit else clean[:limit] + "…"


def joined(name: object, value: object) -> str:
    """Return "name: value" in one short line; the name alone where there is no value."""
    return printable(": ".join(str(part) for part in (name, value) if part not in (None, "")), limit=120)

"""The log of a run in a file: rotated, for its owner alone, each record with plan, run and tree. Knows no Prefect."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from connectors import box
from flows.errors import PlanError
from flows.words import printable

#: A file of this size is put aside, and so many of those are kept.
FILE_BYTES, FILES_KEPT = 10_000_000, 4

#: In a wheel our packages are below a name of its own.
_ABOVE = (__package__ or "").rpartition("flows")[0]
OURS = tuple(f"{_ABOVE}{name}" for name in ("flows", "connectors", "state"))
#: What is said in the log alone: on a terminal others say it.
FILE_ONLY = f"{OURS[0]}.log"
#: Whose records are written: our own, and what a flow run says in Prefect. Whoever says the warnings of two rooms
#: keeps them from the loggers above.
LOGGERS = (*OURS, box.__name__, f"{OURS[0]}.checks", "prefect.flow_runs", "prefect.task_runs")

#: A word that hides a secret.
HIDDEN = "***"

#: The tree that this thread works on.
_tree: ContextVar[str | None] = ContextVar("tree", default=None)

#: What its records call this run.
_run: ContextVar[str] = ContextVar("run", default="")


class LogFormat(StrEnum):
    """How records are written."""

    TEXT = "text"
    JSON = "json"


@contextmanager
def of_tree(name: str | None) -> Iterator[None]:
    """What is logged inside is about this tree."""
    token = _tree.set(name)
    try:
        yield
    finally:
        _tree.reset(token)


@contextmanager
def logged(
    file: Path,
    *,
    plan: str,
    form: LogFormat = LogFormat.TEXT,
    level: int = logging.INFO,
    hidden: Sequence[str] = (),
) -> Iterator[None]:
    """Append what is logged to this file while the body lasts; `hidden`: texts that never stand in it.

    PlanError when it cannot be written.
    """
    try:
        handler = _PrivateFile(file)
    except OSError as exc:
        raise PlanError(f"--log-file: {file}: {exc.strerror}") from None
    run = secrets.token_hex(4)
    named = _run.set(run)
    handler.setFormatter((_JSONLines if form is LogFormat.JSON else _Lines)(plan, run, hidden))
    try:
        with listening(handler, level):
            yield
    finally:
        _run.reset(named)


def run_id() -> str:
    """What the records of this run call it; empty where nothing is logged into a file."""
    return _run.get()


@contextmanager
def listening(handler: logging.Handler, level: int) -> Iterator[None]:
    """Hand our records from this level on to the handler, once each; nobody else sees more than without it."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    handler.setLevel(level)
    handler.addFilter(_once(handler))
    for logger in loggers:
        logger.setLevel(min(level, logger.getEffectiveLevel()))
        logger.addHandler(handler)
        if logger.name in OURS:
            logger.addHandler(_ONWARD)  # once, however many listen
            logger.propagate = False
    try:
        yield
    finally:
        for logger, own, propagate, others in before:
            logger.removeHandler(handler)
            if _ONWARD not in others:
                logger.removeHandler(_ONWARD)
            logger.setLevel(own)
            logger.propagate = propagate
        handler.close()


def _once(handler: logging.Handler) -> Callable[[logging.LogRecord], bool]:
    mark = f"seen_by_{id(handler)}"

    def is_new(record: logging.LogRecord) -> bool:
        seen = hasattr(record, mark)
        setattr(record, mark, True)
        return not seen

    return is_new


class _Onward(logging.Handler):
    """To everybody else what they would see if nobody listened."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on to the handlers of the root, which may have come later than this one."""
        root = logging.getLogger()
        if record.levelno >= root.getEffectiveLevel() and record.name != FILE_ONLY:
            root.handle(record)


_ONWARD = _Onward()


class _PrivateFile(RotatingFileHandler):
    """Readable by its owner alone, from its first byte on."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=False)

    def _open(self) -> Any:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        # One that was there before, for others to read.
        os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:
        """The bytes go on, whatever becomes of a log: its disk may be full."""


class _Lines(logging.Formatter):
    """One line a record."""

    def __init__(self, plan: str, run: str, hidden: Sequence[str]) -> None:
        super().__init__()
        self.plan, self.run = plan, run
        self._hidden = sorted((text for text in hidden if text), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Time in UTC, level, plan, run and tree; then what happened."""
        tree = f" {printable(name)}" if (name := _tree.get()) else ""
        return (
            f"{_time(record)} {record.levelname:<7} {self.plan} {self.run}{tree} | {self.message(record)}"
            + "".join(f"\n    {line}" for line in self.trace(record))
        )

    def message(self, record: logging.LogRecord) -> str:
        """Without control characters or secrets."""
        return printable(self.without_secrets(record.getMessage()))

    def trace(self, record: logging.LogRecord) -> list[str]:
        """Lines about an error that nobody foresaw."""
        if not record.exc_info:
            return []
        text = self.without_secrets(self.formatException(record.exc_info))
        return [printable(line) for line in text.splitlines()]

    def without_secrets(self, text: str) -> str:
        """The text with each secret hidden."""
        for secret in self._hidden:
            text = text.replace(secret, HIDDEN)
        return text


class _JSONLines(_Lines):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "plan": self.plan,
            "run": self.run,
            "tree": _tree.get(),
            "logger": record.name,
            "message": self.message(record),
        }
        trace = self.trace(record)
        return json.dumps(document | ({"trace": trace} if trace else {}))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

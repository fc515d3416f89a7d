"""Rows about this machine and what it reaches besides Box: source, state database, clock, disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.errors import ConnectorError, ItemError
from connectors.source import Source
from flows.checks.rows import Row, ok, problem, said, warning
from flows.plan.model import MigrationPlan
from flows.survey.coverage import Uncovered
from flows.survey.needs import Needs
from flows.words import HIDDEN_NAMES, HIDDEN_NAMES_ADVICE, counted, size_words
from state.checkpoint import Checkpoint
from state.database.engine import sqlite_file
from state.errors import SchemaBehind, StateError

#: Seconds between Box's clock and ours that nobody needs to think about, and that endanger logins and leases.
TOLERATED_SKEW, DANGEROUS_SKEW = 5.0, 60.0

#: Bytes of the checkpoint per file, with its indexes; measured on SQLite.
CHECKPOINT_BYTES_PER_FILE = 1_000

#: What no plan can find out by itself.
ONE_DATABASE = (
    "Plans for one Box account keep within its limits together in one database alone: give them all this state_url, or "
    "run one after the other."
)

#: A full disk stops the run; this much should stay free beyond what the checkpoint grows by.
SPARE_BYTES, LEAST_BYTES = 1_000_000_000, 100_000_000


def source_failed(error: Exception) -> Row:
    """The share does not answer, or refuses the login."""
    return problem("source", said(error), "Check source.url, port, user, password and the firewall.")


def source_empty(source: Source, found: str) -> Row:
    """There is nothing at all: the wrong folder, or a disk that is not mounted."""
    return problem(
        "source", f"{source.display_url}: {found}", "Correct source.url, or mount what should be there."
    )


def source_rows(source: Source, needs: Needs, roots: Sequence[str]) -> Iterator[Row]:
    """Reachable and readable; a file is opened, because listing proves less."""
    name = "source"
    if source.hides_names():
        yield warning("hidden names", f"{source.display_url}: {HIDDEN_NAMES}", HIDDEN_NAMES_ADVICE)
    for path in needs.missing:
        yield problem(
            f"tree {path}", f"{source.display_url} has no folder {path}", "Correct trees: source in the plan."
        )
    seen = f"{source.display_url} answers"
    if needs.largest_path:
        try:
            with source.open(needs.largest_path) as file:
                file.read(1)
        except ConnectorError as exc:
            yield _unreadable(name, exc, needs.largest_path)
            return
        seen += ", a file could be read"
    beyond = "" if needs.exact else " and more"
    yield ok(
        name,
        f"{seen}; {counted(needs.files, 'file')}{beyond} to send from {counted(len(roots), 'tree')}",
    )


def coverage_rows(left: Uncovered) -> Iterator[Row]:
    """What of the share no tree of the plan contains: nobody decided that it stays behind (P2)."""
    if not left.count and not left.unlisted:
        return
    more = ", ..." if left.count > len(left.paths) else ""
    entries = counted(left.count, "entry", "entries")
    found = f"{entries} of the share: {', '.join(left.paths)}{more}"
    told = [found] if left.count else []
    told += (
        [f"what else is in {', '.join(left.unlisted)} is unknown: it cannot be listed"]
        if left.unlisted
        else []
    )
    yield warning(
        "not in a tree",
        "; ".join(told),
        "Add trees for what should move; the report names what does not.",
    )


def _unreadable(name: str, error: ConnectorError, path: str) -> Row:
    advice = "Give the account read access to everything (Backup Operators, or a read-only share for it)."
    found = f"{path} cannot be read: {said(error)}"
    return warning(name, found, advice) if isinstance(error, ItemError) else problem(name, found, advice)


#: SQLite makes its log beside the file.
WRITABLE = "Correct state_url, or give this account the right to write into the folder."


def state_row(plan: MigrationPlan) -> tuple[Row, Checkpoint | None]:
    """Reachable and at the right schema; opened as it is, never changed here. Whoever gets it closes it."""
    name, url = "state database", plan.resolved_state_url()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        if not file.parent.is_dir():
            return problem(
                name, f"{file.parent} is not a folder", "Correct state_url, or make the folder."
            ), None
        if not os.access(file.parent, os.W_OK | os.X_OK):
            return problem(name, f"{file} cannot be made: {file.parent} may not be written", WRITABLE), None
        return ok(name, f"{file} is made by the first run", ONE_DATABASE), None
    if file is not None and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)):
        return problem(name, f"{file}, or its folder, may not be written", WRITABLE), None
    try:
        checkpoint = Checkpoint.open(url, upgrade=False)
    except SchemaBehind as exc:
        return ok(name, f"reachable; the next run brings its schema up to date ({said(exc)})"), None
    except StateError as exc:
        return problem(
            name, said(exc), "Check state_url, the server and its rights; update Boxhaul if it is older."
        ), None
    return ok(name, f"{file or 'the server'} answers, its schema is this version's", ONE_DATABASE), checkpoint


def clock_row(skew_seconds: float | None) -> Row:
    """This machine's clock against Box's, from an answer's Date header."""
    name = "clock"
    if skew_seconds is None:
        return warning(name, "not compared: Box gave no answer", "See login.")
    found = f"{abs(skew_seconds):.0f} s {'behind' if skew_seconds > 0 else 'ahead of'} Box's"
    if abs(skew_seconds) <= TOLERATED_SKEW:
        return ok(name, f"agrees with Box's within {TOLERATED_SKEW:.0f} s")
    if abs(skew_seconds) <= DANGEROUS_SKEW:
        return warning(name, found, "Set this machine's clock by NTP.")
    return problem(
        name,
        found,
        "Set this machine's clock by NTP. Logins are signed by Box's clock until then, but times in the report are "
        "wrong, and other programs' logins fail.",
    )


def disk_row(folder: Path, free: int, needs: Needs) -> Row:
    """Room for the checkpoint and the report where the plan's state lives."""
    name = "disk"
    growth = needs.files * CHECKPOINT_BYTES_PER_FILE
    grows = f"about {size_words(growth)}" if needs.files or needs.exact else "what is not known: see source"
    found = f"{size_words(free)} free in {folder}; the checkpoint grows by {grows}"
    advice = "Free space there, or point state_url to a larger disk."
    if free < growth + LEAST_BYTES:
        return problem(name, found, advice)
    if free < growth + SPARE_BYTES:
        return warning(name, found, advice)
    return ok(name, found)


def state_folder(plan: MigrationPlan) -> Path:
    """The folder that must not run full: the SQLite file's, else the plan's."""
    file = sqlite_file(plan.resolved_state_url())
    folder = file.parent if file is not None else Path(plan.base_dir or ".")
    return folder if folder.is_dir() else Path()


def free_bytes(folder: Path) -> int:
    """What is left on the disk of this folder."""
    return shutil.disk_usage(folder).free

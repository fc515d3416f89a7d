"""The live display of a run on a terminal, and its plain lines where there is none. Everything goes to stderr."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from enum import StrEnum

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flows.orchestration.run_warnings import said
from flows.run.forecast import left_words
from flows.run.in_flight import OnItsWay
from flows.run.log_file import FILE_ONLY, listening
from flows.run.progress import Snapshot, bytes_words
from flows.transfer.migration import Migration
from flows.words import counted, duration_words, failed_words, printable, size_words

#: Seconds between two pictures of the live display.
REFRESH_SECONDS = 0.5

#: Files that are shown of those on their way, the oldest first, and how much of their names.
FILES_SHOWN, NAME_CHARACTERS = 5, 60

#: Phases in which nothing was listed yet.
BEFORE_WALK = ("starting", "checking")

#: Seconds between two lines where there is no terminal.
LINE_SECONDS = 10.0


class Loudness(StrEnum):
    """How much a run says on a terminal."""

    #: Only what is wrong.
    QUIET = "quiet"
    #: How far it is.
    USUAL = "usual"
    #: What it does, too, each file by name.
    VERBOSE = "verbose"


_loudness: ContextVar[Loudness] = ContextVar("loudness", default=Loudness.USUAL)


@contextmanager
def loudness(wanted: Loudness) -> Iterator[None]:
    """Every run that begins inside says so much."""
    token = _loudness.set(wanted)
    try:
        yield
    finally:
        _loudness.reset(token)


def is_quiet() -> bool:
    """Tell whether only what is wrong is to be said."""
    return _loudness.get() is Loudness.QUIET


@contextmanager
def terminal_watcher(migration: Migration) -> Iterator[None]:
    """Show the run's progress while the body lasts, and what is warned of above it."""
    console = Console(stderr=True)
    done = threading.Event()
    if is_quiet():
        with _warnings_said(console):
            yield
        return
    show = _show_live if console.is_terminal else _show_lines
    thread = threading.Thread(target=show, args=(console, migration, done), name="display", daemon=True)
    thread.start()
    try:
        with _warnings_said(console), _doings_said(console):
            yield
    finally:
        done.set()
        thread.join()


def _warnings_said(console: Console) -> AbstractContextManager[None]:
    return said(lambda text: console.print(Text(text, style="yellow"), soft_wrap=True, highlight=False))


def _doings_said(console: Console) -> AbstractContextManager[None]:
    """Lines of what is done, above the live display; warnings are said anyway."""
    if _loudness.get() is not Loudness.VERBOSE:
        return nullcontext()
    return listening(_Doings(console), logging.DEBUG)


class _Doings(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """One line without control characters."""
        if record.levelno < logging.WARNING and record.name != FILE_ONLY:
            text = Text(printable(record.getMessage()), style="dim")
            self._console.print(text, soft_wrap=True, highlight=False)


def _show_live(console: Console, migration: Migration, done: threading.Event) -> None:
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while not done.wait(REFRESH_SECONDS):
            state, under_way = _snapshot(migration), migration.in_flight.longest(FILES_SHOWN)
            live.update(picture(migration.plan.name, state, under_way))
        # A run that was refused before it began says why, and has done nothing.
        last = picture(migration.plan.name, _snapshot(migration)) if migration.pass_id else Text("")
        live.update(last)


def _show_lines(console: Console, migration: Migration, done: threading.Event) -> None:
    while not done.wait(LINE_SECONDS):
        console.print(line(_snapshot(migration)), soft_wrap=True, highlight=False)
    if migration.pass_id:
        console.print(line(_snapshot(migration)), soft_wrap=True, highlight=False)


def _snapshot(migration: Migration) -> Snapshot:
    statistics = migration.box.statistics()
    migration.progress.called(
        calls=statistics.calls, rate_limited=statistics.rate_limited, bytes_sent=statistics.bytes_sent
    )
    return migration.progress.snapshot()


def line(state: Snapshot) -> Text:
    """One line of plain progress."""
    out = f" ({state.files_left_out:,} left out)" if state.files_left_out else ""
    left = f", {left_words(state.eta_seconds, walks_on=state.walks_on)}" if state.eta_seconds else ""
    return Text(
        f"{state.phase}: {state.files_uploaded:,} of {state.files_total:,} files{out},"
        f" {size_words(state.bytes_uploaded)} of {size_words(state.bytes_total)},"
        f" {state.files_per_second:.1f} files/s, {failed_words(state.failed)}, {state.rate_limited} x 429{left}"
    )


def picture(name: str, state: Snapshot, under_way: Sequence[OnItsWay] = ()) -> RenderableType:
    """The live display: a bar, the numbers that somebody waiting wants to know, and files that are on their way."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", justify="right")
    table.add_column()
    total = state.files_total
    bar = ProgressBar(total=max(1, total), completed=min(total, state.files_uploaded), width=46)
    table.add_row("files", bar)
    # A run that goes on may have nothing left to walk.
    walked = f", {counted(state.folders_walked, 'folder')} walked" if state.folders_walked else ""
    out = f", {state.files_left_out:,} left out" if state.files_left_out else ""
    table.add_row("", f"{state.files_uploaded:,} of {total:,} in Box{out}{walked}")
    table.add_row("bytes", bytes_words(state))
    table.add_row("rate", f"{state.files_per_second:.1f} files/s, {size_words(state.bytes_per_second)}/s")
    # Before anything was listed nobody knows.
    left = (
        f", {left_words(state.eta_seconds, walks_on=state.walks_on)}"
        if state.phase not in BEFORE_WALK
        else ""
    )
    table.add_row("time", f"{duration_words(state.seconds)}{left}")
    table.add_row("Box", f"{counted(state.calls, 'call')}, {state.rate_limited} answered 429")
    table.add_row("failed", _failures(state))
    for number, each in enumerate(under_way):
        table.add_row("" if number else "sending", _file_words(each))
    return Group(Text(f"{name}: {state.phase}", style="bold"), table)


def _file_words(file: OnItsWay) -> Text:
    """How much of it was read, of how much, and its name, the end of it where it is long."""
    path = printable(file.path)
    name = path if len(path) <= NAME_CHARACTERS else f"…{path[1 - NAME_CHARACTERS :]}"
    return Text(f"{file.percent:3d} %  {size_words(file.size):>8}  {name}", no_wrap=True)


def _failures(state: Snapshot) -> Text:
    text = Text(failed_words(state.failed), style="red" if state.failed else "")
    if state.failures:
        text.append(f" ({_by_reason(state.failures)})")
    if state.tried_again:
        text.append(f"; tried again: {_by_reason(state.tried_again)}", style="yellow")
    return text


def _by_reason(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {reason}" for reason, number in sorted(numbers.items()))

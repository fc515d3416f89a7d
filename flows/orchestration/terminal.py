"""The live display of a run on a terminal, and its plain lines where there is none. Everything goes to stderr."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flows.orchestration.run_warnings import said
from flows.run.forecast import left_words
from flows.run.progress import Snapshot, bytes_words
from flows.transfer.migration import Migration
from flows.words import counted, duration_words, failed_words, size_words

#: Seconds between two pictures of the live display.
REFRESH_SECONDS = 0.5

#: Seconds between two lines where there is no terminal.
LINE_SECONDS = 10.0


@contextmanager
def terminal_watcher(migration: Migration) -> Iterator[None]:
    """Show the run's progress while the body lasts, and what is warned of above it."""
    console = Console(stderr=True)
    done = threading.Event()
    show = _show_live if console.is_terminal else _show_lines
    thread = threading.Thread(target=show, args=(console, migration, done), name="display", daemon=True)
    thread.start()
    try:
        with said(lambda text: console.print(Text(text, style="yellow"), soft_wrap=True, highlight=False)):
            yield
    finally:
        done.set()
        thread.join()


def _show_live(console: Console, migration: Migration, done: threading.Event) -> None:
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while not done.wait(REFRESH_SECONDS):
            live.update(picture(migration.plan.name, _snapshot(migration)))
        live.update(picture(migration.plan.name, _snapshot(migration)))


def _show_lines(console: Console, migration: Migration, done: threading.Event) -> None:
    while not done.wait(LINE_SECONDS):
        console.print(line(_snapshot(migration)), soft_wrap=True, highlight=False)
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


def picture(name: str, state: Snapshot) -> RenderableType:
    """The live display: a bar and the numbers that somebody waiting wants to know."""
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
    left = left_words(state.eta_seconds, walks_on=state.walks_on)
    table.add_row("time", f"{duration_words(state.seconds)}, {left}")
    table.add_row("Box", f"{counted(state.calls, 'call')}, {state.rate_limited} answered 429")
    table.add_row("failed", _failures(state))
    return Group(Text(f"{name}: {state.phase}", style="bold"), table)


def _failures(state: Snapshot) -> Text:
    text = Text(failed_words(state.failed), style="red" if state.failed else "")
    if state.failures:
        text.append(f" ({_by_reason(state.failures)})")
    if state.tried_again:
        text.append(f"; tried again: {_by_reason(state.tried_again)}", style="yellow")
    return text


def _by_reason(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {reason}" for reason, number in sorted(numbers.items()))

"""Counting: how far a walk or a verification is, as a line on stderr now and then; in a flow run, in its log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from flows.orchestration.on_demand import FlowRunContext, get_run_logger
from flows.reconciliation.differences import Ledger
from flows.words import counted, printable, size_words

#: Seconds between two lines.
LINE_SECONDS = 10.0


@contextmanager
def counting(plan: str, ledger: Ledger) -> Iterator[None]:
    """Say where a verification is while the body lasts; a short one says nothing."""
    with saying(lambda: line(plan, ledger)):
        yield


@contextmanager
def saying(words: Callable[[], str]) -> Iterator[None]:
    """Say these words, as they are by then, every ten seconds while the body lasts."""
    done = threading.Event()
    say = _sayer()

    def tell() -> None:
        while not done.wait(LINE_SECONDS):
            say(words())

    thread = threading.Thread(target=tell, name="counting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _sayer() -> Callable[[str], object]:
    if FlowRunContext.get() is not None:
        log = get_run_logger()
        return lambda text: log.info("%s", text)
    console = Console(stderr=True)
    return lambda text: console.print(text, soft_wrap=True, highlight=False, markup=False)


def line(plan: str, ledger: Ledger) -> str:
    """One line: the part of the work, how much of it, and what was found so far."""
    of = f" of {ledger.total:,}" if ledger.total else ""
    checked = ledger.checked
    return printable(
        f"{plan}: {ledger.phase}: {ledger.done:,}{of}; compared so far: {counted(checked.files, 'file')},"
        f" {counted(checked.folders, 'folder')}, {size_words(checked.bytes)};"
        f" {counted(ledger.count, 'difference')}"
    )

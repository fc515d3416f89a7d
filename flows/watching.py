"""Watching: show progress while a run lasts, in whatever way the caller of the flow asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from flows.open_plan import OpenPlan

Watcher = Callable[[OpenPlan], AbstractContextManager[None]]

#: What the command line set up; nothing by default.
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching_with(watcher: Watcher) -> Iterator[None]:
    """Every run that begins inside is shown by this watcher."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def watched(opened: OpenPlan) -> AbstractContextManager[None]:
    """Show this run while the body lasts."""
    watcher = _watcher.get()
    return watcher(opened) if watcher is not None else nullcontext()

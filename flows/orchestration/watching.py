"""Watching: show progress while a run lasts, in whatever way the caller of the flow asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar

from flows.orchestration.log_lines import told
from flows.orchestration.on_demand import FlowRunContext, get_run_logger
from flows.orchestration.run_warnings import said
from flows.transfer.migration import Migration

Watcher = Callable[[Migration], AbstractContextManager[None]]

#: What the command line set up; nothing by default.
_watchers: ContextVar[tuple[Watcher, ...]] = ContextVar("watchers", default=())


@contextmanager
def watching_with(watcher: Watcher) -> Iterator[None]:
    """Every run that begins inside is shown by this watcher, too."""
    token = _watchers.set((*_watchers.get(), watcher))
    try:
        yield
    finally:
        _watchers.reset(token)


@contextmanager
def watched(migration: Migration) -> Iterator[None]:
    """Show this run while the body lasts; inside a flow run on its page, too, where it also listens for a pause."""
    with ExitStack() as stack:
        for watcher in _watchers.get():
            stack.enter_context(watcher(migration))
        if FlowRunContext.get() is not None:
            # These speak to Prefect's server, which nothing else here needs.
            from flows.orchestration.page import shown
            from flows.orchestration.pause import obeyed

            log = get_run_logger()
            stack.enter_context(said(log.warning))
            stack.enter_context(told(migration, log.info, log.warning))
            stack.enter_context(shown(migration))
            stack.enter_context(obeyed(migration))
        yield

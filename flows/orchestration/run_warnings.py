"""Saying: what the Box connector and the checks warn of while a run lasts reaches whoever watches it.

Decides nothing, keeps nothing.

Senders are threads without Prefect's context, and a live display overwrites what others print: a plain log line of
theirs would be lost in both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connectors import box
from flows import checks
from flows.words import printable

#: The loggers whose warnings are said: Box's, and the checks' at the start of a run.
SAID = (logging.getLogger(box.__name__), logging.getLogger(checks.__name__))


@contextmanager
def said(say: Callable[[str], object]) -> Iterator[None]:
    """Hand every warning over while the body lasts, to everybody who asked for it and to no other log."""
    handler = _Saying(say)
    for logger in SAID:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in SAID:
            logger.removeHandler(handler)
            logger.propagate = not any(isinstance(each, _Saying) for each in logger.handlers)


class _Saying(logging.Handler):
    def __init__(self, say: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """One line without control characters."""
        try:
            self._say(printable(record.getMessage()))
        except Exception:  # noqa: BLE001  the bytes go on, whatever a display does
            self.handleError(record)

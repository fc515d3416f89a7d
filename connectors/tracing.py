"""Spans: how long a step takes, for a tracer that somebody set up; nothing where nobody did. Knows no OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
Attributes = Mapping[str, str | int | Sequence[str]]


class Tracer(Protocol):
    """Who takes the spans. Safe for many threads."""

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[None]:
        """Measure what the body does; spans inside of it are its children."""
        ...

    def about(self, tree: str, file: str) -> AbstractContextManager[None]:
        """Every span inside is about this tree, and about this file where files may be named."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Say more of the span that this thread is in."""
        ...

    def carried(self, function: Function) -> Function:
        """Return the function for another thread, where its spans are children of this thread's."""
        ...


_OFF: AbstractContextManager[None] = nullcontext()
_tracer: Tracer | None = None


def trace_with(tracer: Tracer | None) -> None:
    """Hand every span of this process to a tracer from now on; None: to nobody."""
    global _tracer
    _tracer = tracer


def span(name: str, attributes: Attributes | None = None) -> AbstractContextManager[None]:
    """Measure what the body does. Neither name nor attributes hold a path or a secret."""
    return _OFF if _tracer is None else _tracer.span(name, attributes or {})


def about(tree: str, file: str = "") -> AbstractContextManager[None]:
    """Every span inside is about this tree, and this file."""
    return _OFF if _tracer is None else _tracer.about(tree, file)


def note(attributes: Attributes) -> None:
    """Say more of the span that this thread is in."""
    if _tracer is not None:
        _tracer.note(attributes)


def carried(function: Function) -> Function:
    """Return the function for another thread, where its spans are children of this thread's."""
    return function if _tracer is None else _tracer.carried(function)

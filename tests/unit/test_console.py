"""How a command ends that somebody stops, wherever that finds it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from flows.console import run_flow
from flows.errors import Interrupted


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A command answers SIGTERM in its own way; this process goes on as before."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def in_a_commit() -> dict[str, str]:
    """What a stop becomes where a library asserts something of its own while it cleans up."""
    try:
        raise KeyboardInterrupt
    finally:
        raise AssertionError


def at_once() -> dict[str, str]:
    """The plain case."""
    raise KeyboardInterrupt


def fails() -> dict[str, str]:
    """Nobody stopped this one."""
    raise ValueError


@pytest.mark.parametrize(
    ("command", "ends"), [(at_once, Interrupted), (in_a_commit, Interrupted), (fails, ValueError)]
)
def test_a_stop_is_a_stop_wherever_it_strikes(command: object, ends: type[BaseException]) -> None:
    """And no other error is one."""
    with pytest.raises(ends):
        run_flow(command, plainly=True)  # type: ignore[arg-type]

"""Saying: a warning of the Box connector reaches whoever watches, and no other log meanwhile."""

from __future__ import annotations

import logging

import pytest

from flows.orchestration.run_warnings import said

log = logging.getLogger("connectors.box.client.outage")


def test_everybody_who_watches_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Two watchers get each warning once, as a line without control characters; information is nobody's concern."""
    first: list[str] = []
    second: list[str] = []
    with said(first.append), said(second.append):
        log.warning("away since %s\x1b", "12:03")
        log.info("nothing")

    assert ["away since 12:03\\x1b"] == first == second
    assert [] == caplog.records


def test_afterwards_the_log_has_it(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is swallowed once nobody watches, in whatever order they go."""
    first: list[str] = []
    one, two = said(first.append), said(first.append)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    two.__exit__(None, None, None)
    log.warning("later")

    assert [] == first
    assert ["later"] == [record.getMessage() for record in caplog.records]

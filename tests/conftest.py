"""A clean room for every test: none of our environment, no telemetry, servers shared by the session."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import settings

# Generated tests have no time limit of their own: on a loaded machine it would fail for no fault.
settings.register_profile("boxhaul", deadline=None)
settings.load_profile("boxhaul")

os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"

# A shell that starts the tests in the background has them ignore Ctrl-C, and every program that they start with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.servers.fixtures", "tests.servers.postgres"]

#: Set by a person's shell; a test must never depend on them.
OURS = (
    "BOXHAUL_STATE_URL",
    "PREFECT_API_URL",
    "PREFECT_API_KEY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of Prefect tests, which wait more than they work, one after two others: several files run at a time."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = [path for path in files if path.parent.name == "prefect"]
    working = iter([path for path in files if path.parent.name != "prefect"])
    order = [path for each in waiting for path in (each, *islice(working, 2))]
    items[:] = [item for path in (*order, *working) for item in files[path]]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remove what a person's shell may have set."""
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield

"""A clean room for every test: none of our environment, no telemetry, servers shared by the session."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.gate import leave_to_torture
from tests.readings import READINGS, take

# What is imported and collected stays to the end: looking through it for garbage takes a fifth of a test process.
gc.set_threshold(50_000, 20, 50)

# Generated tests have no time limit of their own: on a loaded machine it would fail for no fault.
settings.register_profile("boxhaul", deadline=None)
settings.load_profile("boxhaul")

os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"

# The profile of whoever runs the tests may name a Prefect server: theirs is an empty one.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="boxhaul-prefect-home-")
atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)

# A shell that starts the tests in the background has them ignore Ctrl-C, and every program that they start with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: What a reading of Box does not change is not run again under another one.
STRICT_ONLY = "strict_reading"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--reading NAME`: how Box answers what is unknown of it, see `tests/readings.py`."""
    parser.addoption(
        "--reading", choices=sorted(READINGS), default="strict", help="how Box reads what is unknown"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Every sandbox of this process answers as the chosen reading says."""
    take(config.getoption("reading"))


pytest_plugins = ["tests.servers.fixtures", "tests.servers.postgres", "tests.servers.pgbouncer"]

#: Set by a person's shell; a test must never depend on them.
OURS = (
    "BOXHAUL_STATE_URL",
    "PREFECT_API_URL",
    "PREFECT_API_KEY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_SDK_DISABLED",
)


#: Its tests wait more than they work, and share one server.
PREFECT = "tests/acceptance/prefect/"


class PrefectInOneLane(LoadFileScheduling):
    """Files go to the next free process; those of Prefect's tests all to one, the first: it has the only server."""

    def _split_scope(self, nodeid: str) -> str:
        return PREFECT if nodeid.startswith(PREFECT) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> PrefectInOneLane | None:
    """Stand in for `--dist loadfile`; elsewhere tests go one by one to whoever is free."""
    return PrefectInOneLane(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Prefect's tests begin first, since they last longest; tests of the strict reading alone stay with it.

    First of all plugins: `-m "not torture"` chooses among the marks that are made here.
    """
    leave_to_torture(items)
    items.sort(key=lambda item: not item.nodeid.startswith(PREFECT))
    if config.getoption("reading") != "strict":
        strict = [item for item in items if item.get_closest_marker(STRICT_ONLY)]
        config.hook.pytest_deselected(items=strict)
        items[:] = [item for item in items if item not in strict]


def pytest_collection_finish() -> None:
    """Nobody looks for garbage among what was imported and collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remove what a person's shell may have set."""
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield

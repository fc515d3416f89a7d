"""A run's numbers for Prometheus, over HTTP while it lasts. Asks neither Box nor the share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from flows.errors import PlanError
from flows.orchestration.watching import watching_with
from flows.transfer.migration import Migration

#: Where it listens unless somebody says otherwise: nobody else's machine may ask.
USUAL_ADDRESS = "127.0.0.1"


def address_of(text: str) -> tuple[str, int]:
    """Return address and port of ADDR:PORT, :PORT or PORT. PlanError."""
    address, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise PlanError(f"--metrics: {text!r} is no ADDR:PORT, such as 127.0.0.1:9464")
    return address.strip("[]") or USUAL_ADDRESS, int(port)


@contextmanager
def metrics_served(text: str, plan: str) -> Iterator[None]:
    """Answer scrapes at this ADDR:PORT about the run that the body makes. PlanError when it is taken."""
    address, port = address_of(text)
    numbers = _Numbers(plan)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(numbers)
    try:
        server, thread = start_http_server(port, addr=address, registry=registry)
    except (OSError, OverflowError) as exc:
        raise PlanError(f"--metrics: {text}: {getattr(exc, 'strerror', None) or exc}") from None
    try:
        with watching_with(numbers.watched):
            yield
    finally:
        _end(server, thread)


def _end(server: WSGIServer, thread: threading.Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()


class _Numbers(Collector):
    """Whatever is asked for is read when it is asked for. Safe for threads."""

    def __init__(self, plan: str) -> None:
        self._plan = plan
        self._migration: Migration | None = None

    @contextmanager
    def watched(self, migration: Migration) -> Iterator[None]:
        """Tell of this run from now on, also when it is over and the command not yet."""
        self._migration = migration
        yield

    def collect(self) -> Iterator[Metric]:
        """Yield every number, each with the plan's name."""
        yield InfoMetricFamily(
            "boxhaul", "The program.", value={"plan": self._plan, "version": version("boxhaul")}
        )
        if self._migration is None:
            return
        yield from self._of_files(self._migration)
        yield from self._of_box(self._migration)

    def _of_files(self, migration: Migration) -> Iterator[Metric]:
        state = migration.progress.snapshot()
        yield self._gauges(
            "files",
            "Files that are to move: all of them, and those that are in Box, failed, or left out by filters.",
            "state",
            {
                "total": state.files_total,
                "uploaded": state.files_uploaded,
                "failed": state.files_failed,
                "left_out": state.files_left_out,
            },
        )
        yield self._gauges(
            "bytes",
            "Bytes of those files.",
            "state",
            {"total": state.bytes_total, "uploaded": state.bytes_uploaded, "left_out": state.bytes_left_out},
        )
        yield self._gauges(
            "entries_failed", "Files and folders that are failed now.", "reason", state.failures
        )
        yield self._counters(
            "tries_failed", "Tries that failed and are made again.", "reason", state.tried_again
        )
        yield self._gauges("phase", "What is happening now.", "phase", {state.phase: 1})
        yield self._gauge("files_per_second", "Over the last minute.", state.files_per_second)
        yield self._gauge("bytes_per_second", "Over the last minute.", state.bytes_per_second)
        yield self._gauge("walking", "1 while the share is walked.", float(state.walks_on))
        if state.eta_seconds is not None:
            yield self._gauge(
                "eta_seconds", "Time that is left at least, under Box's limits.", state.eta_seconds
            )
        yield self._counter("folders_walked", "Folders of the share that were listed.", state.folders_walked)

    def _of_box(self, migration: Migration) -> Iterator[Metric]:
        statistics = migration.box.statistics()
        yield self._counters("box_calls", "Calls to Box, by route.", "route", migration.box.call_counts())
        yield self._counter("box_rate_limited", "Answers 429.", statistics.rate_limited)
        yield self._counter("box_retries", "Calls that were made again.", statistics.retries)
        yield self._counter("box_sent_bytes", "Content that Box took.", statistics.bytes_sent)
        yield self._counter(
            "box_paced_seconds", "Waited for Box's limits, all threads.", statistics.paced_seconds
        )

    def _gauge(self, name: str, help_: str, value: float) -> Metric:
        metric = GaugeMetricFamily(f"boxhaul_{name}", help_, labels=["plan"])
        metric.add_metric([self._plan], value)
        return metric

    def _counter(self, name: str, help_: str, value: float) -> Metric:
        metric = CounterMetricFamily(f"boxhaul_{name}", help_, labels=["plan"])
        metric.add_metric([self._plan], value)
        return metric

    def _gauges(self, name: str, help_: str, label: str, values: dict[str, int]) -> Metric:
        metric = GaugeMetricFamily(f"boxhaul_{name}", help_, labels=["plan", label])
        for key, value in values.items():
            metric.add_metric([self._plan, key], value)
        return metric

    def _counters(self, name: str, help_: str, label: str, values: dict[str, int]) -> Metric:
        metric = CounterMetricFamily(f"boxhaul_{name}", help_, labels=["plan", label])
        for key, value in values.items():
            metric.add_metric([self._plan, key], value)
        return metric

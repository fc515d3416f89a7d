"""Whether a run is traced: OpenTelemetry's variables say it. Without them nothing of it is imported.

Fewer rights than a log: no path leaves unless somebody asks for it, and whatever is wrong with it, the run goes on.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from connectors.tracing import trace_with
from flows.orchestration.on_demand import FlowRunContext
from flows.orchestration.tasks import run_log
from flows.run.log_file import run_id

if TYPE_CHECKING:
    from flows.run.tracing import OpenTelemetry

#: Either names a receiver.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

#: Where Prefect keeps the span that a flow run is below; it hands it on to the runs that this one starts.
LABEL = "__OTEL_TRACEPARENT"

_lock = threading.Lock()
_users = 0
_tracer: OpenTelemetry | None = None


@contextmanager
def traced(plan: str, command: str) -> Iterator[None]:
    """Measure the run that the body makes, and what it is made of, where a receiver is named."""
    if not wanted():
        yield
        return
    tracer = _begin()
    try:
        if tracer is None:
            yield
            return
        labels = _labels()
        attributes = {"boxhaul.plan": plan, "boxhaul.run": run_id() or secrets.token_hex(4), **_flow_run()}
        with tracer.run(f"boxhaul {command}", attributes, str(labels.get(LABEL) or "")) as here:
            labels.setdefault(LABEL, here)
            yield
    finally:
        _end()


def wanted() -> bool:
    """Tell whether the environment names a receiver, and nothing there switches it off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "").lower() == "none":
        return False
    return any(os.environ.get(name, "").strip() for name in ENDPOINTS)


def _begin() -> OpenTelemetry | None:
    """The tracer of this process; None where it cannot be had, which is a line of the log."""
    global _users, _tracer
    with _lock:
        _users += 1
        if _tracer is None:
            _tracer = _opened()
            trace_with(_tracer)
        return _tracer


def _end() -> None:
    global _users, _tracer
    with _lock:
        _users -= 1
        if _users or _tracer is None:
            return
        ended, _tracer = _tracer, None
        trace_with(None)
    ended.close()


def _opened() -> OpenTelemetry | None:
    warn = run_log().warning
    try:
        from flows.run.tracing import OpenTelemetry
    except ImportError:
        warn(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and the run is not traced:"
            " pipx inject boxhaul 'boxhaul[otel]' brings it"
        )
        return None
    try:
        return OpenTelemetry(version("boxhaul"), warn)
    except Exception as exc:  # noqa: BLE001  the bytes go on, whatever a variable says; its text may hold a secret
        warn("the run is not traced: OpenTelemetry refuses one of its variables (%s)", type(exc).__name__)
        return None


def _flow_run() -> dict[str, str]:
    context = FlowRunContext.get()
    return {"prefect.flow_run.id": str(context.flow_run.id)} if context and context.flow_run else {}


def _labels() -> MutableMapping[str, Any]:
    """What Prefect says of this flow run; nothing is kept of it outside of one."""
    context = FlowRunContext.get()
    labels: MutableMapping[str, Any] = context.flow_run.labels if context and context.flow_run else {}
    return labels

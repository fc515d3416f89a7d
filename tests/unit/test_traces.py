"""Whether a run is traced, and that nothing of it is there where nobody asked."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest

from connectors import tracing
from flows.orchestration import traces
from flows.orchestration.traces import LABEL, traced, wanted

RECEIVER = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({RECEIVER: " "}, False),
        ({RECEIVER: "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({RECEIVER: "http://collector:4318", "OTEL_SDK_DISABLED": "True"}, False),
        ({RECEIVER: "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_variables_say_whether_a_run_is_traced(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: bool
) -> None:
    """OpenTelemetry's own."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert expected is wanted()


def test_without_a_receiver_a_span_is_nothing() -> None:
    """One and the same object, whatever is measured."""
    with traced("plan", "migrate"):
        assert tracing.span("batch", {"boxhaul.files": 3}) is tracing.span("walk")
        assert tracing.carried(len) is len


@pytest.mark.parametrize(
    "missing", ["opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter"]
)
def test_missing_extra_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    """The run goes on, and the line says what to install."""
    monkeypatch.setenv(RECEIVER, "http://127.0.0.1:9")
    monkeypatch.delitem(sys.modules, "flows.run.tracing", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with caplog.at_level(logging.WARNING), traced("plan", "migrate"):
        ran = True
    assert ran
    assert [
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, and the run is not traced: pipx install --force 'boxhaul[otel]' brings it"
    ] == (caplog.messages)


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_BSP_MAX_QUEUE_SIZE"])
def test_nonsense_in_a_variable_ends_no_run(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever OpenTelemetry makes of it."""
    monkeypatch.setenv(RECEIVER, "http://127.0.0.1:9")
    monkeypatch.setenv(name, "-nonsense-")
    with traced("plan", "migrate"):
        ran = True
    assert ran


def test_flow_run_hands_its_span_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs that it starts take it from the label that Prefect hands on, and are below it."""
    monkeypatch.setenv(RECEIVER, "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    seen = []
    for labels in ({}, {LABEL: "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}):
        run = SimpleNamespace(id="1", labels=labels)
        monkeypatch.setattr(traces.FlowRunContext, "get", lambda run=run: SimpleNamespace(flow_run=run))
        monkeypatch.setattr(traces, "run_log", lambda: logging.getLogger("test"))
        with traced("plan", "migrate"):
            from opentelemetry import trace

            seen.append((labels[LABEL], trace.get_current_span().get_span_context()))
    (own, ours), (_, below) = seen
    assert f"00-{ours.trace_id:032x}-{ours.span_id:016x}" == own[:-3]
    assert "0123456789abcdef0123456789abcdef" == f"{below.trace_id:032x}"

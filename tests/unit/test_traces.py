"""Whether a run is traced, and that nothing of it is there where nobody asked."""

from __future__ import annotations

import logging
import sys

import pytest

from connectors import tracing
from flows.orchestration.traces import traced, wanted

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
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, and the run is not traced: pipx inject boxhaul 'boxhaul[otel]' brings it"
    ] == (caplog.messages)

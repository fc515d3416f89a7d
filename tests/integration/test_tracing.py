"""A run's spans, up to a real receiver: what variables do, and what a flow run hands on to those that it starts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace

import pytest

from connectors.errors import NotFound
from flows.orchestration import traces
from flows.orchestration.traces import LABEL, traced
from tests.servers.otlp import OtlpReceiver, otlp_receiver

RECEIVER = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Where the traces go."""
    with otlp_receiver() as started:
        yield started


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_BSP_MAX_QUEUE_SIZE"])
def test_nonsense_in_a_variable_ends_no_run(
    monkeypatch: pytest.MonkeyPatch, receiver: OtlpReceiver, name: str
) -> None:
    """Whatever OpenTelemetry makes of it."""
    monkeypatch.setenv(RECEIVER, receiver.url)
    monkeypatch.setenv(name, "-nonsense-")
    with traced("plan", "migrate"):
        ran = True
    assert ran


@pytest.mark.parametrize("header", ["Authorization: Bearer s3cr3t", "x-key=s3 cr3t\ts3cr3t"])
def test_header_that_cannot_be_read_is_said_by_nobody(
    monkeypatch: pytest.MonkeyPatch, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    """OpenTelemetry would write the whole of it, with the secret, into the log."""
    from flows.run.tracing import OpenTelemetry

    said = logging.getLogger("opentelemetry")
    monkeypatch.setattr(said, "propagate", True)
    monkeypatch.setattr(said, "handlers", [])
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", header)
    monkeypatch.setenv(RECEIVER, receiver.url)
    OpenTelemetry("1", lambda words: None).close()
    assert [] == [line for line in caplog.messages if "s3cr3t" in line]


def test_foreign_errors_own_words_are_no_attribute(
    monkeypatch: pytest.MonkeyPatch, receiver: OtlpReceiver
) -> None:
    """What a library calls its reason may be a sentence with a path; ours is a code."""
    from flows.run.tracing import OpenTelemetry

    class Foreign(Exception):
        reason = "no such file: /Wages/payslip.txt"

    monkeypatch.setenv(RECEIVER, receiver.url)
    tracer = OpenTelemetry("1", lambda words: None)
    for error in (Foreign(), NotFound("/Wages/payslip.txt")):
        with suppress(Exception), tracer.span("batch", {}):
            raise error
    tracer.close()
    told = sorted(span.attributes["error.type"] for span in receiver.spans)
    assert ["Foreign", "not_found"] == told


def test_flow_run_hands_its_span_on(monkeypatch: pytest.MonkeyPatch, receiver: OtlpReceiver) -> None:
    """The runs that it starts take it from the label that Prefect hands on, and are below it."""
    monkeypatch.setenv(RECEIVER, receiver.url)
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

"""A run's spans for OpenTelemetry, sent over OTLP/HTTP from a thread of their own. Imported when traces are asked for.

A receiver that is slow or away costs a run nothing but its last seconds: what does not fit its queue is dropped.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from connectors.errors import ConnectorError
from connectors.tracing import Attributes

Function = TypeVar("Function", bound=Callable[..., Any])

#: Set to 1, spans name the file that they are about.
FILE_NAMES = "BOXHAUL_TRACE_FILE_NAMES"

#: Seconds that the end of a run waits for its last spans; none when the receiver took nothing before.
LAST_SECONDS = 2.0

#: Seconds that one request may take, where the environment does not say it.
REQUEST_SECONDS = 5.0

#: What every span of this thread says.
_about: ContextVar[Mapping[str, Any] | None] = ContextVar("about", default=None)


class OpenTelemetry:
    """The tracer of a process, while it is at work on a plan."""

    def __init__(self, version: str, warn: Callable[[str], object]) -> None:
        """`warn`: told once when the receiver takes nothing."""
        self._exporter = _Quiet(warn)
        resource = Resource.create(
            {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or "boxhaul", "service.version": version}
        )
        # Its own end at exit would wait for a receiver that is away.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(self._exporter)
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("boxhaul", version)
        self._names_files = os.environ.get(FILE_NAMES, "").lower() in ("1", "true", "yes")
        #: Runs under way, the youngest last: threads that nobody handed a span begin below it.
        self._runs: list[tuple[Span, Mapping[str, Any]]] = []

    @contextmanager
    def run(self, name: str, attributes: Attributes, parent: str) -> Iterator[str]:
        """Measure a run; `parent`: the traceparent of whoever started it, or nothing. Yield its own."""
        above = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
        with self._current(name, attributes, SpanKind.INTERNAL, above) as span:
            told = _about.set(attributes)
            self._runs.append((span, attributes))
            try:
                carrier: dict[str, str] = {}
                TraceContextTextMapPropagator().inject(carrier)
                yield carrier.get("traceparent", "")
            finally:
                self._runs.remove((span, attributes))
                _about.reset(told)

    @contextmanager
    def span(self, name: str, attributes: Attributes) -> Iterator[None]:
        """As connectors.tracing.Tracer.span. A name with a blank is a call to Box: method and route."""
        method, _, route = name.partition(" /")
        kind = SpanKind.CLIENT if route else SpanKind.INTERNAL
        if route:
            attributes = {"http.request.method": method, "http.route": f"/{route}", **attributes}
        with self._current(name, {**self._said(), **attributes}, kind, self._above()):
            yield

    @contextmanager
    def about(self, tree: str, file: str) -> Iterator[None]:
        """As connectors.tracing.Tracer.about."""
        named = {"boxhaul.file": file} if file and self._names_files else {}
        told = _about.set({**self._said(), "boxhaul.tree": tree, **named})
        try:
            yield
        finally:
            _about.reset(told)

    def note(self, attributes: Attributes) -> None:
        """As connectors.tracing.Tracer.note."""
        trace.get_current_span().set_attributes(dict(attributes))

    def carried(self, function: Function) -> Function:
        """As connectors.tracing.Tracer.carried."""
        here, told = contexts.get_current(), _about.get()

        @wraps(function)
        def there(*args: Any, **options: Any) -> Any:
            above, before = contexts.attach(here), _about.set(told)
            try:
                return function(*args, **options)
            finally:
                _about.reset(before)
                contexts.detach(above)

        return there  # type: ignore[return-value]  # the same function, seen from outside

    def close(self) -> None:
        """Send what is left, but do not wait long for it."""
        ends = threading.Thread(target=self._processor.shutdown, name="traces", daemon=True)
        ends.start()
        ends.join(LAST_SECONDS if self._exporter.reaches else 0.1)

    # --- private ---

    def _said(self) -> Mapping[str, Any]:
        said = _about.get()
        if said is None:
            return self._runs[-1][1] if self._runs else {}
        return said

    def _above(self) -> contexts.Context | None:
        """The context that this thread's next span is below: its own, or the run's where nobody handed it one."""
        if trace.get_current_span().get_span_context().is_valid or not self._runs:
            return None
        return trace.set_span_in_context(self._runs[-1][0])

    @contextmanager
    def _current(
        self, name: str, attributes: Attributes, kind: SpanKind, above: contexts.Context | None
    ) -> Iterator[Span]:
        """An error's text may hold a path: its reason code alone is said, or its type where it is not ours (P8)."""
        with self._tracer.start_as_current_span(
            name,
            context=above,
            kind=kind,
            attributes=dict(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as exc:
                reason = exc.reason if isinstance(exc, ConnectorError) else type(exc).__name__
                span.set_attribute("error.type", reason)
                span.set_status(StatusCode.ERROR)
                raise


class _Quiet(SpanExporter):
    """OTLP's own exporter, without OpenTelemetry's words: they may hold what the headers or the address hold."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        asked = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT") or os.environ.get(
            "OTEL_EXPORTER_OTLP_TIMEOUT"
        )
        logger = logging.getLogger("opentelemetry")
        if logger.propagate:  # for good: a thread that is not waited for may speak later
            logger.addHandler(logging.NullHandler())
            logger.propagate = False
        # A header that it cannot read is shown at once.
        self._exporter = OTLPSpanExporter(timeout=None if asked else REQUEST_SECONDS)
        self._warn = warn
        #: False once a request was not taken, until one is.
        self.reaches = True
        self._told = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, and say once when they are not taken."""
        taken = self._exporter.export(spans)
        self.reaches = taken is SpanExportResult.SUCCESS
        if not self.reaches and not self._told:
            self._told = True
            self._warn(
                "traces are not taken by what OTEL_EXPORTER_OTLP_ENDPOINT names; the run goes on without"
            )
        return taken

    def shutdown(self) -> None:
        """End a request that is waiting to be made again."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK leaves it unannotated

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held here."""
        return True

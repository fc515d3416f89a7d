"""Traces of a run, from `boxhaul migrate` to a receiver that reads them, and what a bad receiver costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.program import Program, program_for
from tests.servers import free_port
from tests.servers.otlp import OtlpReceiver, otlp_receiver
from tests.trees import build_tree

UPLOAD = "POST /files/content"
#: Words of the share and of the environment that no trace may hold.
FILES, FOLDERS, SECRET = ("payroll-x.txt", "layoffs-x.bin"), ("secret-plans",), "canary-9f31"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Where the traces go."""
    with otlp_receiver() as started:
        yield started


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, receiver: OtlpReceiver) -> Program:
    """Two trees; one file is a large one, and Box answers its first upload with 503."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(
        share,
        {
            "Accounting": {"payroll-x.txt": b"1", "secret-plans": {"a.txt": b"2"}},
            "Legal": {"layoffs-x.bin": bytes(21 << 20)},
        },
    )
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{SECRET}",
    }
    made = program_for(tmp_path / "run", box, {"url": share.as_uri()}, environment=environment)
    made.write_plan(box=made.plan["box"] | {"direct_upload_limit_bytes": 20_000_000})
    return made


def test_run_is_a_tree_of_spans_without_names_or_secrets(
    program: Program, receiver: OtlpReceiver, box: Sandbox
) -> None:
    """The run above all, whatever makes a call above the call; files are named where somebody says so."""
    box.faults.next(UPLOAD).status(503)
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    _holds_together(receiver, next(program.folder.glob("*.log")).read_text())
    _tells_of_calls(receiver, box)
    sent = b"".join(receiver.bodies)
    for word in (*FILES, *FOLDERS, SECRET, str(program.folder)):
        assert word.encode() not in sent

    receiver.bodies.clear()
    (program.folder.parent / "share" / "Accounting" / "payroll-x.txt").write_bytes(b"changed")
    program.environment["BOXHAUL_TRACE_FILE_NAMES"] = "1"
    program.run("migrate")
    sent = b"".join(receiver.bodies)
    assert b"payroll-x.txt" in sent
    assert SECRET.encode() not in sent


#: Commands that send nothing, the parts below each, and above which part its calls to Box are (none: it makes none).
LOOKS: list[tuple[list[str], set[str], str | None]] = [
    (["inventory", "--hashes"], {"walk", "compare files"}, None),
    (["simulate"], {"walk"}, None),
    (["check"], {"survey"}, "boxhaul check"),
    (["verify", "--deep"], {"compare with Box", "walk", "read again"}, "compare with Box"),
]


def test_commands_that_only_look_are_traced(program: Program, receiver: OtlpReceiver) -> None:
    """One span for the command, and below it what it is made of; no name of the share is in them."""
    for words, parts, above in LOOKS:
        if words[0] == "verify":
            assert 0 == program.run("migrate").code
        receiver.bodies.clear()
        finished = program.run(*words)
        assert 0 == finished.code, finished.output
        (command,) = receiver.named(f"boxhaul {words[0]}")
        by_id = {span.id: span for span in receiver.spans}
        assert parts == {
            span.name for span in receiver.spans if span.parent == command.id and " /" not in span.name
        }
        calls = [span for span in receiver.spans if " /" in span.name]
        assert bool(above) is bool(calls), words
        if above:
            assert above in {by_id[span.parent].name for span in calls}
        sent = b"".join(receiver.bodies)
        assert not [word for word in (*FILES, *FOLDERS, SECRET) if word.encode() in sent]


def _holds_together(receiver: OtlpReceiver, log: str) -> None:
    (run,) = receiver.named("boxhaul migrate")
    by_id = {span.id: span for span in receiver.spans}
    assert "" == run.parent
    assert {"boxhaul"} == receiver.services
    assert {"test"} == {span.attributes["boxhaul.plan"] for span in receiver.spans}
    assert {run.attributes["boxhaul.run"]} == {span.attributes["boxhaul.run"] for span in receiver.spans}
    assert f" test {run.attributes['boxhaul.run']} " in log
    assert {run.trace} == {span.trace for span in receiver.spans}
    assert all(span.parent in by_id for span in receiver.spans if span is not run)

    def above(name: str) -> set[str]:
        return {by_id[span.parent].name for span in receiver.named(name)}

    assert {"boxhaul migrate"} == above("walk") == above("batch") == above("complete tree")
    assert {"walk"} == above("walk folders")
    assert {"batch"} == above(UPLOAD) == above("PUT /files/upload_sessions/:id")
    assert {"complete tree"} == above("GET /folders/:id/items")


def _tells_of_calls(receiver: OtlpReceiver, box: Sandbox) -> None:
    """A route is a template: neither its name nor what is said of it holds an id."""
    uploads = receiver.named(UPLOAD)
    assert 2 == len(uploads)
    assert {201} == {span.attributes["http.response.status_code"] for span in uploads}
    assert [1] == [again for span in uploads if (again := span.attributes.get("boxhaul.retries"))]
    assert {"Accounting"} == {span.attributes["boxhaul.tree"] for span in uploads}
    assert {"POST"} == {span.attributes["http.request.method"] for span in uploads}
    assert {"/files/content"} == {span.attributes["http.route"] for span in uploads}
    calls = sum(" /" in span.name for span in receiver.spans)
    assert calls + 1 == sum(box.calls.by_route.values())
    assert not [span.name for span in receiver.spans if re.search(r"\d{3}", span.name)]


def test_receiver_that_never_answers_costs_the_last_seconds_alone(
    program: Program, receiver: OtlpReceiver
) -> None:
    """The run ends as without it, long before the receiver's own patience."""
    receiver.answers.clear()
    finished = program.run("migrate", timeout=50)
    assert 0 == finished.code, finished.output
    assert "Traceback" not in finished.output


def test_receiver_that_is_away_is_one_line(program: Program) -> None:
    """Nothing of its own words, which hold an address, and no failed run."""
    program.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://user:{SECRET}@127.0.0.1:{free_port()}"
    program.environment["OTEL_EXPORTER_OTLP_TIMEOUT"] = "1"
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    assert 1 == finished.output.count("traces are not taken"), finished.output
    assert SECRET not in finished.output + next(program.folder.glob("*.log")).read_text()
    assert "opentelemetry" not in finished.output

"""PREFECT_API_URL names a server that is down, busy, closed to us or no Prefect: one line, exit 3, in seconds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from connectors.box.sandbox import Sandbox
from flows.errors import PrefectUnreachable
from flows.orchestration.reachable import require_server
from tests.program import program_for
from tests.servers import free_port
from tests.trees import build_tree


@contextmanager
def answering(status: int, body: bytes = b"{}") -> Iterator[str]:
    """A server that has one answer for everything; the address of its API."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "login", "words"),
    [
        (503, None, r"is not ready \(503\)"),
        (502, None, r"is not ready \(502\)"),
        (401, None, r"asks for a login \(401\); set PREFECT_API_AUTH_STRING"),
        (401, "me:sesame", r"does not admit us \(401\)"),
        (403, None, "asks for a login"),
        (200, None, "is no Prefect server"),
    ],
)
@pytest.mark.gate(2)
def test_what_the_server_answers_is_told(status: int, login: str | None, words: str) -> None:
    """Each in one line that says what to do, without the password."""
    with answering(status, b"<html>") as url:
        settings = {PREFECT_API_URL: url} | ({PREFECT_API_AUTH_STRING: login} if login else {})
        with temporary_settings(settings), pytest.raises(PrefectUnreachable, match=words) as told:
            require_server(url)

    assert "sesame" not in str(told.value)
    assert "unset PREFECT_API_URL" in str(told.value)


def test_a_server_that_knows_another_question_is_there() -> None:
    """404 is an answer: an older server, or Prefect's cloud."""
    with answering(404) as url, temporary_settings({PREFECT_API_URL: url}):
        require_server(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/api", "http://nowhere.invalid/api", "127.0.0.1:4200"])
@pytest.mark.gate(1)
def test_no_server_at_all(url: str) -> None:
    """Down, unknown, or no address."""
    with (
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(PrefectUnreachable, match="no Prefect server"),
    ):
        require_server(url)


@pytest.mark.parametrize("command", [["check"], ["migrate"]])
@pytest.mark.gate(1)
def test_every_command_says_it_in_one_line(tmp_path: Path, command: list[str]) -> None:
    """Exit code 3 and nothing sent; what needs no run (status) goes on without the server."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"a": {"1.txt": b"1"}})
    with Sandbox(content="hash") as box:
        program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
        program.environment["PREFECT_API_URL"] = f"http://127.0.0.1:{free_port()}/api"
        run = program.run(*command)

        assert 3 == run.code, run.output
        assert 1 == run.output.count("\n"), run.output
        assert "no Prefect server answers at http://127.0.0.1" in run.output
        assert {} == box.calls.by_route

"""`boxhaul deploy` and a Prefect server that admits nobody without a password. A real HTTP server."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.deploy.options import DeployOptions
from flows.deploy.register import deploy_plan
from flows.errors import PlanError
from flows.plan.model import MigrationPlan


class Closed(BaseHTTPRequestHandler):
    """Prefect's answers to who has no password, or another one: its health is told to everybody."""

    def do_GET(self) -> None:
        """Health, or nothing."""
        self._answer(200 if self.path.endswith("/health") else 401)

    def do_POST(self) -> None:
        """Nothing."""
        self._answer(401)

    def _answer(self, status: int) -> None:
        body = b'{"exception_message": "Unauthorized"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def closed_server() -> Iterator[str]:
    """Its API address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Closed)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("known", [False, True], ids=["none", "another one"])
def test_a_server_with_a_password_names_the_variable(closed_server: str, known: bool) -> None:
    """One line with the name of the variable on both sides, and no password."""
    password = f"admin:{secrets.token_hex(8)}"
    auth = {"method": "block", "name": "finance"}
    plan = MigrationPlan.model_validate(
        {"name": "Finance", "source": {"url": "file:///srv"}, "box": {"auth": auth}}
    )
    settings = {PREFECT_API_URL: closed_server, PREFECT_API_AUTH_STRING: password if known else None}

    with temporary_settings(settings), pytest.raises(PlanError) as refused:
        list(deploy_plan(plan, DeployOptions()))

    told = str(refused.value)
    assert "PREFECT_API_AUTH_STRING" in told
    assert closed_server in told
    assert ("does not admit" if known else "got none") in told
    assert password not in told

"""One Prefect server and one worker for the session; each test deploys a plan of its own to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.browser import browsing
from tests.acceptance.prefect.chat import Messages
from tests.program import Program, program_for
from tests.servers.postgres import PostgresServer
from tests.servers.prefect import PrefectServer, PrefectWorker, working

#: Files of a small share: with the latency below a run lasts some seconds.
TREES, FOLDERS, FILES = ("Accounting", "Legal"), 4, 40

#: Seconds of each answer of the sandbox, so that there is something to watch and to interrupt.
LATENCY = 0.25


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[PrefectServer]:
    """A running server with the settings of deployments/server.env."""
    server = PrefectServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def worker_environment(postgres_server: PostgresServer) -> Iterator[dict[str, str]]:
    """What workers have in their environment: the address of a checkpoint that many may share."""
    database = postgres_server.create_database()
    yield {"FLEET_STATE_URL": postgres_server.url(database)}
    postgres_server.drop_database(database)


@pytest.fixture(scope="session")
def prefect_worker(
    prefect_server: PrefectServer, worker_environment: dict[str, str]
) -> Iterator[PrefectWorker]:
    """A process worker of the pool that runs three flows at a time."""
    prefect_server.ask("POST", "/work_pools/", {"name": "boxhaul", "type": "process"})
    with working(prefect_server, worker_environment, limit=3) as worker:
        yield worker


@pytest.fixture
def slow_box(box: Sandbox) -> Sandbox:
    """The sandbox, answering like something far away."""
    box.limits.update({"latency_seconds": LATENCY})
    return box


def build_share(
    root: Path, *, trees: tuple[str, ...] = TREES, folders: int = FOLDERS, files: int = FILES
) -> Path:
    """Trees with so many folders of so many small files each."""
    for tree in trees:
        for folder in range(folders):
            place = root / tree / f"Q{folder + 1}"
            place.mkdir(parents=True)
            for number in range(files):
                (place / f"file {number:03d}.txt").write_bytes(os.urandom(200))
    return root


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("BOXHAUL_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a real Chromium."""
    with browsing() as page:
        yield page


@pytest.fixture
def messages() -> Iterator[Messages]:
    """A webhook on this machine."""
    messages = Messages()
    yield messages
    messages.stop()


@pytest.fixture
def webhook(prefect_server: PrefectServer, messages: Messages) -> Iterator[str]:
    """A notification block that posts there; the automations that use it go with it."""
    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        block = CustomWebhookNotificationBlock(
            name="chat", url=messages.url, json_data={"text": "{{subject}} | {{body}}"}
        )
        block.save("chat", overwrite=True)
        yield f"{block.get_block_type_slug()}/chat"
        with get_client(sync_client=True) as client:
            for automation in client.read_automations():
                client.delete_automation(automation.id)


PlanFor = Callable[..., Program]


@pytest.fixture
def plan_for(
    tmp_path: Path, box: Sandbox, prefect_server: PrefectServer, request: pytest.FixtureRequest
) -> PlanFor:
    """Makes a share and a program with a plan for it, whose runs are seen by the server."""

    def make(name: str, *, share: Path | None = None, **plan: Any) -> Program:
        root = share or build_share(tmp_path / "share")
        return program_for(
            tmp_path / "run",
            box,
            {"url": root.as_uri()},
            environment=prefect_server.environment,
            **{"name": name, "transfer": {"batch_items": 20}, **plan},
        )

    return make


def deploy(program: Program, name: str) -> str:
    """`boxhaul deploy PLAN`, its deployments kept apart from those of other tests; the suffix of their names."""
    finished = program.run("deploy", "--suffix", name)
    assert finished.code == 0, finished.output
    return name

"""PrefectServer: a real Prefect server with the settings that are shipped, and real process workers of it."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil

from flows.demo.warden import WARDEN
from flows.deploy.options import DEPLOYMENTS
from flows.deploy.server import read_settings
from tests.servers import free_port
from tests.servers.process import ServerProcess

ROOT = Path(__file__).parents[2]

#: Seconds for the first start, which makes the database.
START_SECONDS = 120.0

#: A request line of the server's access log.
REQUEST = re.compile(r'"(GET|POST|PATCH|PUT|DELETE) (/api/\S*) HTTP')

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class PrefectServer(ServerProcess):
    """One server in a folder of its own. `environment` is what whoever talks to it needs."""

    def __init__(self) -> None:
        super().__init__("prefect", free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        self.api_url = f"{self.url}/api"
        #: User and password, where the server asks for them.
        self.auth: tuple[str, str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The shipped settings of workers, in a clean profile, and the way to this server."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT")},
            **read_settings(DEPLOYMENTS / "worker.env"),
            "PREFECT_HOME": str(self.home / "client"),
            "PREFECT_API_URL": self.api_url,
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
        }

    def command(self) -> Sequence[str]:
        """With the access log, from which calls are counted."""
        settings = {
            **read_settings(DEPLOYMENTS / "server.env"),
            "PREFECT_HOME": str(self.home / "server"),
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_LOGGING_SERVER_LEVEL": "INFO",
        }
        words = [f"{name}={value}" for name, value in settings.items()]
        return ["/usr/bin/env", *words, sys.executable, "-m", "prefect", "server", "start"]

    def start(self) -> None:
        """Start and wait until it answers."""
        with open(self.home / "output.txt", "ab") as output:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        WARDEN.watch(self.pid, self.home)
        wait_until(self.is_healthy, "the Prefect server answers", seconds=START_SECONDS)

    def is_healthy(self) -> bool:
        """Whether it answers; RuntimeError when it has ended."""
        if not self.running:
            raise RuntimeError((self.home / "output.txt").read_text(errors="replace")[-3000:])
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.api_url}/health", timeout=5).is_success
        return False

    # --- what it knows ---

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One API call, repeated while SQLite is locked."""
        for _ in range(20):
            answer = httpx.request(method, f"{self.api_url}{path}", json=body, timeout=60, auth=self.auth)
            if answer.status_code != 503:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment by flow/name."""
        found: dict[str, Any] = self.ask("GET", f"/deployments/name/{name}")
        return found

    def start_run(self, deployment: str, *, queue: str = "default", **parameters: Any) -> str:
        """Start a run of a deployment, as a click on Run does; its id."""
        path = f"/deployments/{self.deployment(deployment)['id']}/create_flow_run"
        return str(self.ask("POST", path, {"parameters": parameters, "work_queue_name": queue})["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """A flow run."""
        found: dict[str, Any] = self.ask("GET", f"/flow_runs/{run_id}")
        return found

    def state(self, run_id: str) -> str:
        """The name of its state."""
        return str(self.run(run_id)["state"]["name"])

    def set_state(self, run_id: str, **state: Any) -> None:
        """What the buttons of the UI do."""
        self.ask("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

    def retry(self, run_id: str) -> None:
        """The button Retry."""
        self.set_state(run_id, type="SCHEDULED", name="AwaitingRetry")

    def wait_for(self, run_id: str, *names: str, seconds: float = 90) -> str:
        """Wait until the run's state has one of these names."""

        def is_there() -> bool:
            now = self.run(run_id)["state"]
            if now["type"] in FINAL and now["name"] not in names:
                raise AssertionError(f"{now['name']}: {now['message']}\n{self.log_of(run_id)}")
            return now["name"] in names

        wait_until(is_there, f"the run is {' or '.join(names)}", seconds=seconds)
        return self.state(run_id)

    def artifacts(self, run_id: str) -> list[dict[str, Any]]:
        """What the run shows."""
        body = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
        found: list[dict[str, Any]] = self.ask("POST", "/artifacts/filter", body)
        return found

    def progress(self, run_id: str, key: str) -> float:
        """The newest progress artifact with this key; 0 before there is one."""
        found = [each for each in self.artifacts(run_id) if each["key"] == key]
        return float(max(found, key=lambda each: each["created"])["data"]) if found else 0.0

    def task_runs(self, run_id: str) -> dict[str, tuple[str, str]]:
        """The tasks of a run: name → type and name of the state; the server writes them down some seconds later."""
        body = {"task_runs": {"flow_run_id": {"any_": [run_id]}}}
        found = self.ask("POST", "/task_runs/filter", body)
        return {each["name"]: (each["state"]["type"], each["state"]["name"]) for each in found}

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Events with these names, or prefixes ending in a dot."""
        body = {"filter": {"event": {"prefix": list(names)}}, "limit": 50}
        found: list[dict[str, Any]] = self.ask("POST", "/events/filter", body)["events"]
        return found

    def resources_of(self, *names: str) -> set[str]:
        """What such events are about; the server writes them down some seconds later."""
        return {event["resource"]["prefect.resource.id"] for event in self.events(*names)}

    def log_of(self, run_id: str) -> str:
        """The run's log as text."""
        body = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
        return "\n".join(str(line["message"]) for line in self.ask("POST", "/logs/filter", body))

    def logged(self, run_id: str, text: str) -> datetime:
        """When the run wrote a line that begins like this, the last time."""
        body = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
        lines = [line for line in self.ask("POST", "/logs/filter", body) if line["message"].startswith(text)]
        assert lines, f"no line {text!r} in\n{self.log_of(run_id)}"
        return max(datetime.fromisoformat(line["timestamp"]) for line in lines)

    # --- what it costs ---

    def requests(self) -> list[str]:
        """Every request so far as "METHOD path", websockets and health left out."""
        text = (self.home / "output.txt").read_text(errors="replace")
        return [
            f"{method} {path}" for method, path in REQUEST.findall(text) if not path.startswith("/api/health")
        ]

    def database(self) -> Path:
        """The file of its database."""
        return self.home / "server" / "prefect.db"

    def database_bytes(self) -> int:
        """Pages in use, those of the write-ahead log included."""
        with sqlite3.connect(f"file:{self.database()}?mode=ro", uri=True, timeout=30) as connection:
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        connection.close()
        return int((pages - free) * size)


class PrefectWorker:
    """A process worker; its flow runs are its children."""

    def __init__(
        self,
        server: PrefectServer,
        environment: Mapping[str, str] | None = None,
        *,
        limit: int = 0,
        queue: str = "",
    ) -> None:
        self._output = open(server.home / f"worker-{time.monotonic_ns()}.txt", "ab")  # noqa: SIM115
        command = [
            sys.executable,
            "-m",
            "prefect",
            "worker",
            "start",
            "--pool",
            "boxhaul",
            "--type",
            "process",
        ]
        self.process = subprocess.Popen(
            [
                *command,
                *(["--limit", str(limit)] if limit else []),
                *(["--work-queue", queue] if queue else []),
            ],
            env={**server.environment, **(environment or {})},
            cwd=server.home,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )
        WARDEN.watch(self.process.pid)

    @property
    def output(self) -> str:
        """What it and its flow runs printed."""
        return Path(self._output.name).read_text(errors="replace")

    def flow_processes(self) -> list[psutil.Process]:
        """The processes of its flow runs."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in children if "prefect.engine" in _command_line(child)]
        return []

    def lose_power(self) -> None:
        """SIGKILL, the worker first and all of its flow runs at once."""
        victims = self.flow_processes()
        self.process.send_signal(signal.SIGKILL)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        self.process.wait(timeout=10)

    def stop(self) -> None:
        """End it and what it runs."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.terminate()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=10)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(timeout=10)
        WARDEN.release(self.process.pid)
        self._output.close()


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@contextmanager
def working(
    server: PrefectServer, environment: Mapping[str, str] | None = None, *, limit: int = 0, queue: str = ""
) -> Iterator[PrefectWorker]:
    """A worker while the body lasts."""
    worker = PrefectWorker(server, environment, limit=limit, queue=queue)
    try:
        yield worker
    finally:
        worker.stop()


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for a condition; AssertionError says what did not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")

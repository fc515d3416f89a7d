"""The Prefect server that a plan is registered with: found, started, asked for a work pool."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import (
    PREFECT_HOME,
    get_current_settings,
)

from flows.deploy.options import DEPLOYMENTS, DeployOptions
from flows.errors import PlanError

#: Where a server that was started here listens.
LOCAL_API_URL = "http://127.0.0.1:4200/api"

#: The first start of a server makes its database.
START_SECONDS = 90.0

#: One that is told to end may take so long.
STOP_SECONDS = 10.0

WORK_POOL = "boxhaul"


def ui_url(api_url: str) -> str:
    """Where a person looks."""
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc}"


def ensure_server(url: str, options: DeployOptions) -> Iterator[str]:
    if answers(url):
        return
    if not options.start:
        raise PlanError(
            f"no Prefect server answers at {url}; start one with `boxhaul deploy PLAN --start`,"
            " or set PREFECT_API_URL to the address of yours"
        )
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
        raise PlanError(f"{url} is not on this machine; start the server there")
    log = PREFECT_HOME.value() / "boxhaul-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | read_settings(DEPLOYMENTS / "server.env")
    environment["PREFECT_SERVER_API_PORT"] = str(urlsplit(url).port or 80)
    process = start_server([sys.executable, "-m", "prefect", "server", "start"], url, environment, log)
    yield f"server: started at {ui_url(url)}, process {process.pid}, log {log}"
    settings = read_settings(DEPLOYMENTS / "worker.env") | {"PREFECT_API_URL": url}
    command = [sys.executable, "-m", "prefect", "config", "set"]
    run_prefect(
        [*command, *(f"{name}={value}" for name, value in settings.items() if name != "DO_NOT_TRACK")], url
    )
    yield "profile: the settings of deployments/worker.env are in Prefect's active profile now"


def start_server(
    command: Sequence[str],
    url: str,
    environment: Mapping[str, str],
    log: Path,
    *,
    seconds: float = START_SECONDS,
) -> subprocess.Popen[bytes]:
    """Start a server that outlives this process, wait until it answers, and return its process.

    PlanError when it ends, or does not answer in time; then nothing that was started here is left behind.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(log, flags, 0o600), "ab") as output:
        process = subprocess.Popen(  # noqa: S603  our own interpreter
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + seconds
    try:
        while not answers(url):
            if process.poll() is not None:
                raise PlanError(f"the Prefect server ended with {process.returncode}; see {log}")
            if time.monotonic() > deadline:
                raise PlanError(
                    f"the Prefect server did not answer in {seconds:.0f} s and was stopped again; see {log}, or start"
                    " it by hand (prefect server start) and deploy once it answers"
                )
            time.sleep(0.5)
    except BaseException:  # whoever presses Ctrl-C leaves no server behind, either
        _stop_group(process)
        raise
    return process


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session of its own, and what it started: first asked, then killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)


def answers(url: str) -> bool:
    """Tell whether a server answers there."""
    try:
        return httpx.get(f"{url}/health", timeout=5).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def admitted(url: str) -> Iterator[None]:
    """A server that asks for a password and gets none, or another one: a plan cannot mend it, a variable does."""
    try:
        yield
    except PrefectHTTPStatusError as exc:
        if exc.response.status_code not in (401, 403):
            raise
        given = (
            "does not admit"
            if get_current_settings().api.auth_string
            else "asks for a password and got none from"
        )
        raise PlanError(
            f"the Prefect server at {url} {given} this process: set PREFECT_API_AUTH_STRING"
            " to the value that PREFECT_SERVER_API_AUTH_STRING has on the server"
        ) from None


def read_settings(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of an environment file."""
    lines = (line.split("  #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def prefect_command() -> str:
    """Prefect's command as a shell takes it: its own, which pipx puts on nobody's PATH."""
    own = Path(sys.executable).with_name("prefect")
    if not own.exists():  # a system's Python has its programs elsewhere
        return f"{shlex.quote(sys.executable)} -m prefect"
    found = shutil.which("prefect")
    is_on_path = found is not None and Path(found).resolve() == own.resolve()
    return "prefect" if is_on_path else shlex.quote(str(own))


def ensure_work_pool(client: SyncPrefectClient) -> str:
    try:
        client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))
        return f"work pool: {WORK_POOL} made"
    return f"work pool: {WORK_POOL} is there"


def run_prefect(command: list[str], url: str) -> None:
    done = subprocess.run(  # noqa: S603  our own interpreter
        command,
        env={**os.environ, "PREFECT_API_URL": url, "NO_COLOR": "1"},
        # In a checkout that is not installed the modules are found here.
        cwd=Path(__file__).parents[len(__package__.split("."))],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise PlanError(f"{' '.join(command[1:4])} failed: {(done.stderr + done.stdout).strip()[-800:]}")

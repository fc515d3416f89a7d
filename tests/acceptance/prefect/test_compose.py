"""deployments/compose.yaml without a container engine: Compose's own check of it, then its services by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from flows.deploy.options import DEPLOYMENTS
from tests.program import Program
from tests.servers import free_port, require
from tests.servers.fixtures import empty
from tests.servers.postgres import PostgresServer
from tests.servers.prefect import PrefectServer, working
from tests.servers.process import ServerProcess
from tests.servers.samba import Samba
from tests.trees import build_tree

HINT = "apt-get install -y --no-install-recommends docker-compose"

SHARE = {"Legal": {"a.txt": b"a", "b.txt": b"bb"}, "Sales": {"c.txt": b"ccc"}}


def compose(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`docker-compose config`: schema, references, variables and files of env_file; no engine is asked."""
    program = require("docker-compose", HINT)
    shutil.copytree(DEPLOYMENTS, folder / "deployments", dirs_exist_ok=True)
    path = folder / "deployments" / "compose.yaml"
    # Debian's is of the first generation, which knows no name of the project.
    text = path.read_text()
    path.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith("name:")))
    return subprocess.run(
        [program, "--file", str(path), "config"],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def installed(program: str) -> str:
    """A command of the environment that runs the tests, activated or not."""
    return str(Path(sys.executable).with_name(program))


class Sandboxed(ServerProcess):
    """The service `sandbox`: its command, elsewhere."""

    def __init__(self, words: Sequence[str], port: int) -> None:
        super().__init__("compose-box", port)
        self._words = words

    def command(self) -> Sequence[str]:
        """As compose.yaml says."""
        return [installed(self._words[0]), *self._words[1:]]


class Served(PrefectServer):
    """The service `prefect-server`: its settings, on another port and with another database."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__()
        self._settings = {
            **settings,
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_UI_API_URL": self.api_url,
            "PREFECT_HOME": str(self.home / "server"),
        }

    def command(self) -> Sequence[str]:
        """As compose.yaml says."""
        words = [f"{name}={value}" for name, value in self._settings.items()]
        return ["/usr/bin/env", *words, installed("prefect"), "server", "start"]


def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    """With its passwords it is whole; without one of them it is refused before anything starts."""
    good = compose(tmp_path, POSTGRES_PASSWORD="p", SHARE_PASSWORD="s", PREFECT_PASSWORD="f")
    bad = compose(tmp_path, POSTGRES_PASSWORD="p", SHARE_PASSWORD="s")

    assert 0 == good.returncode, good.stderr
    assert 0 != bad.returncode
    assert "set it in the environment" in bad.stderr


@pytest.mark.torture
@pytest.mark.timeout(400)
def test_the_services_of_compose_move_a_share(
    tmp_path: Path, postgres_server: PostgresServer, samba: Samba
) -> None:
    """Prefect on PostgreSQL, two workers, Samba, a local Box, each as compose.yaml starts it: the share arrives."""
    resolved = compose(tmp_path, POSTGRES_PASSWORD="p", SHARE_PASSWORD=samba.password, PREFECT_PASSWORD="f")
    services = yaml.safe_load(resolved.stdout)["services"]
    box_folder, box_port = tmp_path / "box", free_port()
    box_folder.mkdir()
    empty(samba.root)
    build_tree(samba.root, SHARE)
    with ExitStack() as stack:
        databases = [stack.enter_context(database(postgres_server)) for _ in range(2)]
        words = [str(word) for word in services["sandbox"]["command"]]
        assert "8555" in words
        stack.enter_context(
            started(Sandboxed([elsewhere(word, box_folder, box_port) for word in words], box_port))
        )
        settings = services["prefect-server"]["environment"]
        address = settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
        assert address.startswith("postgresql+asyncpg://prefect:p@prefect-database/")
        settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = postgres_server.url(databases[0]).replace(
            "psycopg", "asyncpg"
        )
        server = Served(settings)
        server.auth = ("boxhaul", "f")
        stack.callback(server.stop)
        server.start()
        worker = {
            **services["worker"]["environment"],
            "PREFECT_API_URL": server.api_url,
            "PREFECT_HOME": str(server.home / "client"),
            "BOXHAUL_STATE_URL": postgres_server.url(databases[1]),
        }
        program = rehearsal(tmp_path, samba, worker, box_folder, box_port)
        deployed = program.run("deploy")
        assert 0 == deployed.code, deployed.output
        for _ in range(services["worker"]["deploy"]["replicas"]):
            stack.enter_context(working(server, worker))

        assert 401 == httpx.get(f"{server.api_url}/block_types/slug/box-service-account").status_code
        run = server.start_run("run-plan/on-demand")
        server.wait_for(run, "Completed")

        trees = program.status()["trees"]
        assert [("Legal", "complete", 2), ("Sales", "complete", 1)] == [
            (tree["name"], tree["state"], tree["items"]["uploaded"]) for tree in trees
        ]
        with psycopg.connect(postgres_server.url(databases[0]).replace("+psycopg", "")) as connection:
            states = connection.execute("SELECT state_name FROM flow_run").fetchall()
        assert [("Completed",)] == states


def elsewhere(word: str, folder: Path, port: int) -> str:
    """A word of the sandbox's command for this machine."""
    return str(port) if word == "8555" else word.replace("/box", str(folder), 1) if word[0] == "/" else word


def rehearsal(
    tmp_path: Path, samba: Samba, environment: Mapping[str, str], box_folder: Path, box_port: int
) -> Program:
    """The plan plans/compose.yaml, its hosts and ports those of this machine."""
    text = (DEPLOYMENTS / "plans" / "compose.yaml").read_text()
    plan: dict[str, Any] = yaml.safe_load(
        text.replace("/box/", f"{box_folder}/").replace(":8555", f":{box_port}")
    )
    plan["source"] |= {"url": samba.url, "port": samba.port, "username": samba.username}
    program = Program(tmp_path, plan, dict(environment))
    program.write_plan()
    return program


@contextmanager
def database(server: PostgresServer) -> Iterator[str]:
    """A database while the body lasts."""
    name = server.create_database()
    try:
        yield name
    finally:
        server.drop_database(name)


@contextmanager
def started(process: ServerProcess) -> Iterator[None]:
    """A server while the body lasts."""
    try:
        process.start()
        yield
    finally:
        process.stop()

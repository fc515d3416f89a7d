"""A real PostgreSQL on 127.0.0.1 for the session, and a fresh database for each test that asks for one."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from flows.demo.warden import WARDEN
from tests.servers import SERVER_FOLDERS, free_port, missing

HINT = "apt-get install postgresql (Debian keeps its programs in /usr/lib/postgresql/15/bin)"
#: Seconds for a start or a stop; both take less than two here.
PATIENCE = 60


class PostgresServer:
    """One cluster in a temporary folder: start, stop, restart, kill; databases by name."""

    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        self.folder = folder
        self.port = free_port()
        self.password = secrets.token_urlsafe(16)
        self._programs = programs
        # PostgreSQL refuses to run as root.
        self._as_user: dict[str, Any] = (
            {} if user is None else {"user": user, "group": user, "extra_groups": []}
        )
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the cluster's files; its only user is `postgres`, with a password of this run."""
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        command = [
            "--pgdata",
            str(self._data),
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]
        command += ["--no-locale", "--no-sync", f"--pwfile={password_file}"]
        if self._as_user:
            for path in (self.folder, password_file):
                shutil.chown(path, self._as_user["user"], self._as_user["group"])
        subprocess.run(
            [str(self._programs / "initdb"), *command],
            check=True,
            capture_output=True,
            timeout=PATIENCE,
            cwd=self.folder,
            **self._as_user,
        )
        password_file.unlink()

    def start(self) -> None:
        """Start and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 100,
            "log_destination": "stderr",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *settings],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._as_user,
            )
        WARDEN.watch(self._process.pid, self.folder)
        self._wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: disconnect everybody and end cleanly; SIGQUIT: crash, to be recovered at the next start."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=PATIENCE)
            WARDEN.release(self._process.pid)
            self._process = None

    def remove(self) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """For Checkpoint.open; holds the password."""
        return f"postgresql+psycopg://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Its name."""
        name = f"boxhaul_{secrets.token_hex(6)}"
        self._administer(f"CREATE DATABASE {name} STRATEGY file_copy")
        return name

    @contextmanager
    def database(self, *options: str) -> Iterator[str]:
        """The URL of an empty database that is made with these options, for as long as it is needed."""
        name = f"boxhaul_{secrets.token_hex(6)}"
        self._administer(f"CREATE DATABASE {name} {' '.join(options)}")
        try:
            yield self.url(name)
        finally:
            self.drop_database(name)

    def drop_database(self, name: str) -> None:
        """Also when somebody is still connected."""
        self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _administer(self, statement: str) -> None:
        with self._connect() as connection:
            connection.execute(statement)

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=10,
        )

    def _wait_until_ready(self) -> None:
        """`pg_ctl status` knows the process only; `pg_isready` knows whether it accepts connections."""
        for _ in range(PATIENCE * 10):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(
                    f"PostgreSQL ended while starting:\n{(self.folder / 'log').read_text()[-2000:]}"
                )
            ready = [
                str(self._programs / "pg_isready"),
                "-q",
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-t",
                "1",
            ]
            if subprocess.run(ready, check=False).returncode == 0:
                return
            try:
                self._process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
        raise RuntimeError(f"PostgreSQL does not answer after {PATIENCE} s")


def find_programs() -> Path:
    """The folder of initdb and postgres; skips, or fails where skips are forbidden, when there is none."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
    )
    for folder in [
        *debian,
        *map(Path, os.environ.get("PATH", "").split(os.pathsep)),
        *map(Path, SERVER_FOLDERS),
    ]:
        if all((folder / program).exists() for program in ("initdb", "postgres", "pg_isready")):
            return folder
    missing("postgres", HINT)
    return None


def unprivileged_user() -> str | None:
    """Whom to run it as: None for oneself, `postgres` when root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        missing("the user postgres", HINT)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL; whoever stops it starts it again."""
    programs, user = find_programs(), unprivileged_user()
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="boxhaul-pg-")), programs, user)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def role_url(postgres_url: str) -> Iterator[str]:
    """The same database for an ordinary role, which owns nothing."""
    name, password = f"role_{secrets.token_hex(4)}", secrets.token_hex(8)
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        yield (
            make_url(postgres_url).set(username=name, password=password).render_as_string(hide_password=False)
        )
        owner.execute(f"DROP OWNED BY {name}")
        owner.execute(f"DROP ROLE {name}")

"""A real pgbouncer before the session's PostgreSQL, one process for each way of pooling."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence

import pytest

from tests.servers import free_port, require
from tests.servers.postgres import PostgresServer, unprivileged_user
from tests.servers.process import ServerProcess

HINT = "apt-get install -y --no-install-recommends pgbouncer"


class PgBouncer(ServerProcess):
    """`mode`: session, transaction or statement. Few server sessions, so that clients do get each other's."""

    def __init__(self, postgres: PostgresServer, mode: str) -> None:
        self._program = require("pgbouncer", HINT)
        super().__init__("pgbouncer", free_port())
        self._user = unprivileged_user()
        self.postgres = postgres
        users = self.home / "users.txt"
        users.write_text(f'"postgres" "{postgres.password}"\n')
        (self.home / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {users}\npool_mode = {mode}\n"
            f"default_pool_size = {3 if mode == 'transaction' else 20}\nmax_client_conn = 500\n"
            "server_login_retry = 1\n"
        )
        if self._user is not None:
            for path in (self.home, *self.home.iterdir()):
                shutil.chown(path, self._user)

    def command(self) -> Sequence[str]:
        """In the foreground; it refuses to run as root."""
        as_user = [] if self._user is None else ["-u", self._user]
        return [self._program, "-q", *as_user, os.fspath(self.home / "pgbouncer.ini")]

    def url(self, direct: str) -> str:
        """The same database, through the pooler."""
        return direct.replace(f":{self.postgres.port}/", f":{self.port}/")


@pytest.fixture(scope="session")
def pgbouncers(postgres_server: PostgresServer) -> Iterator[dict[str, PgBouncer]]:
    """One for each mode."""
    poolers: dict[str, PgBouncer] = {}
    try:
        for mode in ("session", "transaction", "statement"):
            poolers[mode] = PgBouncer(postgres_server, mode)
            poolers[mode].start()
        yield poolers
    finally:
        for pooler in poolers.values():
            pooler.stop()

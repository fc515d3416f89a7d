"""`Sandbox`: a local Box on 127.0.0.1, in a thread of this process. Start, stop, look inside.

What it imitates and what it leaves out is in `README.md` beside this file.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from connectors.box.sandbox import dumps
from connectors.box.sandbox.control.faults import Faults
from connectors.box.sandbox.control.limits import Limits
from connectors.box.sandbox.control.observe import Calls, Violation
from connectors.box.sandbox.core import Core
from connectors.box.sandbox.enrolment import Enrolment, enrol
from connectors.box.sandbox.http import app
from connectors.box.sandbox.http.openapi import Validator
from connectors.box.sandbox.http.routes.control import control_app
from connectors.box.sandbox.loading import load
from connectors.box.sandbox.person import Person
from connectors.box.sandbox.rules.keys import Application, new_application
from connectors.box.sandbox.settings import SandboxConfig, Settings
from connectors.box.sandbox.store.contents import Contents
from connectors.box.sandbox.store.persistence import SQLiteJournal
from connectors.box.sandbox.store.records import Group, User

START_SECONDS = 10.0
STOP_SECONDS = 5.0


class Sandbox:
    """A context manager: the server runs inside the `with`.

    Takes a `SandboxConfig`, or its fields by name. All methods may be called from any thread.
    """

    def __init__(self, config: SandboxConfig | None = None, **fields: Any) -> None:
        self.config = config or SandboxConfig(**{k: v for k, v in fields.items() if v is not None})
        settings, limits = Settings(), Limits()
        settings.update(self.config.settings)
        limits.update(self.config.limits)
        folder = Path(self.config.data) if self.config.data is not None else None
        contents = Contents(
            self.config.content, self.config.memory_bytes, None if folder is None else folder / "contents"
        )
        self.core = _core(folder, contents, settings, limits)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    # --- life ---

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve, and return when a connection is accepted; RuntimeError after ten seconds."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self._port or self.config.port))
        sock.listen(512)
        self._port = sock.getsockname()[1]
        validator = Validator() if self.config.validate else None
        certificate, key = self.config.tls or (None, None)
        config = uvicorn.Config(
            app.Application(self.core, control_app(self.core), validator),
            http=_Protocol,
            loop="auto",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._serve, args=(self._server, sock), name="box-sandbox", daemon=True
        )
        self._thread.start()
        self._wait()

    def stop(self) -> None:
        """Stop serving for good; the state in a data folder is complete."""
        self.pause()
        self.core.store.contents.close()
        if self.core.store.journal is not None:
            self.core.store.journal.close()
            self.core.store.journal = None

    def pause(self) -> None:
        """Stop serving and drop every connection, as in an outage; `start` serves the same state again."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(STOP_SECONDS)
        self._server = self._thread = None

    def _serve(self, server: uvicorn.Server, sock: socket.socket) -> None:
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(server.serve(sockets=[sock]))

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._server is not None and self._server.started:
                with socket.create_connection(("127.0.0.1", self._port), timeout=START_SECONDS):
                    return
            time.sleep(0.01)
        raise RuntimeError("the sandbox did not start")

    # --- addresses and credentials ---

    @property
    def port(self) -> int:
        """The TCP port, once started."""
        return self._port

    @property
    def url(self) -> str:
        """Base of the API: `/2.0/...` and `/oauth2/token` follow."""
        return f"{'https' if self.config.tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def upload_url(self) -> str:
        """Base of uploads: `/2.0/files/content` follows."""
        return f"{self.url}/api"

    @property
    def jwt_config(self) -> dict[str, Any]:
        """What `write_config` writes: the SDK's JWT configuration with addresses and ids beside it."""
        application = self.core.application
        settings = application.settings()
        account = self.service_account
        return {
            **settings,
            "jwt": settings,
            "base_url": self.url,
            "upload_url": self.upload_url,
            "service_account": {"id": account.id, "login": account.login},
            "enterprise_id": application.enterprise_id,
            "ccg": {"client_id": application.client_id, "client_secret": application.client_secret},
        }

    def write_config(self, path: str | os.PathLike[str]) -> None:
        """Write `jwt_config` as JSON, readable by its owner only: it holds the private key."""
        target = Path(path)
        target.unlink(missing_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self.jwt_config, file, indent=2)

    def token(self, user: User | None = None) -> str:
        """An access token without asking the token endpoint, for raw requests."""
        with self.core.store.lock:
            return self.core.auth.issue(user or self.service_account)

    # --- switches ---

    @property
    def settings(self) -> Settings:
        """Strict and lenient switches."""
        return self.core.settings

    @property
    def limits(self) -> Limits:
        """Rate limits and shaping."""
        return self.core.limits

    @property
    def faults(self) -> Faults:
        """Faults to come."""
        return self.core.faults

    def reset(self) -> None:
        """Everything as after the start, with the same credentials; tokens are void."""
        self.core.reset()
        self.core.settings.update(self.config.settings)
        self.core.limits.update(self.config.limits)

    def expire_tokens(self) -> None:
        """Let every token expire now."""
        with self.core.store.lock:
            self.core.auth.expire_all()

    # --- people ---

    @property
    def service_account(self) -> User:
        """The app's own user."""
        return self.core.service_account

    def add_user(
        self, login: str, name: str | None = None, kind: str = "managed", space_amount: int | None = None
    ) -> User:
        """A new user: managed, external, app or admin."""
        with self.core.store.lock:
            user = self.core.people.add_user(login, name, kind, space_amount)
            self.core.store.flush()
            return user

    def add_group(self, name: str, members: Iterable[User | str] = ()) -> Group:
        """A new group with these users, given themselves or by their ids."""
        with self.core.store.lock:
            group = self.core.people.add_group(name)
            for member in members:
                user = self.core.store.users[member] if isinstance(member, str) else member
                self.core.people.add_member(user, group)
            self.core.store.flush()
            return group

    def enrol(self, wanted: Enrolment) -> None:
        """Make the users, groups and folders that are not there yet."""
        enrol(self.core, wanted)

    def add_alias(self, user: User, address: str) -> None:
        """Give a user a secondary address: invitations to it reach him, his login stays what it is."""
        with self.core.store.lock:
            self.core.people.add_alias(user, address)
            self.core.store.flush()

    def change_login(self, user: User, login: str) -> None:
        """Change a user's login; the old one reaches nobody then."""
        with self.core.store.lock:
            self.core.people.change_login(user, login)
            self.core.store.flush()

    def rename_group(self, group: Group, name: str) -> None:
        """Give a group another name, as its administrator does."""
        with self.core.store.lock:
            self.core.people.rename_group(group, name)
            self.core.store.flush()

    def person(self, user: User | None = None) -> Person:
        """The hands of a user in the web app; the service account's by default."""
        return Person(self.core, user or self.service_account)

    def download_by_link(self, file_id: str) -> None:
        """Let somebody who is not logged in fetch a file by an open link on it or on a folder above."""
        with self.core.store.lock:
            self.core.changes.download_by_link(file_id)

    def set_space(self, user_id: str, size: int) -> None:
        """Change a user's quota; -1 is unlimited."""
        with self.core.store.lock:
            user = self.core.store.users[user_id]
            user.space_amount = size
            self.core.store.save(user)
            self.core.store.flush()

    # --- looking inside ---

    def tree(self, folder_id: str = "0", user_id: str | None = None) -> dict[str, dict[str, Any]]:
        """Path → item with ids, sizes, digests, dates, versions, owner, collaborations."""
        with self.core.store.lock:
            return dumps.tree(self.core, folder_id, user_id)

    def files(self) -> dict[str, dumps.FileDump]:
        """Path → file of all users."""
        with self.core.store.lock:
            return dumps.files(self.core)

    def folders(self) -> list[str]:
        """All folder paths, duplicates included."""
        with self.core.store.lock:
            return dumps.folders(self.core)

    def collaborations(self) -> list[dict[str, Any]]:
        """All grants."""
        with self.core.store.lock:
            return dumps.collaborations(self.core)

    def open_sessions(self) -> list[dict[str, Any]]:
        """Upload sessions in progress."""
        with self.core.store.lock:
            return dumps.open_sessions(self.core)

    def content(self, file_id: str) -> bytes | None:
        """A file's current bytes; None when only digests are kept."""
        with self.core.store.lock:
            blob = self.core.store.files[file_id].blob
            return None if blob is None else blob.whole()

    @property
    def calls(self) -> Calls:
        """Counts of what was asked."""
        return self.core.calls

    @property
    def mails(self) -> list[tuple[str, str]]:
        """(address, name of the item) of every mail about a new collaboration that `notify` did not stop."""
        return list(self.core.mails)

    @property
    def violations(self) -> list[Violation]:
        """Requests that Box would have refused for their form, and misfits with the OpenAPI, oldest first."""
        return self.core.violations


def _core(folder: Path | None, contents: Contents, settings: Settings, limits: Limits) -> Core:
    """A new enterprise, or the one that the data folder holds."""
    if folder is None:
        core = Core(new_application(), contents, settings, limits)
        core.populate()
        return core
    journal = SQLiteJournal(folder, contents)
    kept = dict(journal.rows("application"))
    application = Application(**kept["app"]) if kept else new_application()
    core = Core(application, contents, settings, limits)
    load(core, journal)
    core.store.journal = journal
    if not kept:
        core.store.save(("application", "app", application.as_dict()))
        core.populate()
    return core


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol; the transport is put into the scope for the faults that drop connections."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport

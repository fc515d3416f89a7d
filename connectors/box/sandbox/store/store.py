"""The whole state of one Box: every record by id, the clock, and the order in which records are saved.

Holds no rules; they are in the room `rules`.
All of it is used under `lock`, by the server's thread and by the threads of tests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

from connectors.box.sandbox.settings import Settings
from connectors.box.sandbox.store.contents import Contents
from connectors.box.sandbox.store.events import Events
from connectors.box.sandbox.store.records import (
    ROOT_ID,
    Collaboration,
    File,
    Folder,
    Group,
    Item,
    Membership,
    UploadSession,
    User,
)

FIRST_ID = 300_000_000_000


class Journal(Protocol):
    """Where changed records go; `persistence.SQLiteJournal` is the one there is."""

    def save(self, record: Any) -> None:
        """Note that the record has to be written again."""

    def drop(self, record: Any) -> None:
        """Note that the record is gone."""

    def flush(self) -> None:
        """Write everything noted, in one transaction."""

    def clear(self) -> None:
        """Remove every record but the application's credentials."""

    def close(self) -> None:
        """Write everything noted and let go of the file."""


class Store:
    """Every record of the enterprise and of the users outside it."""

    def __init__(self, settings: Settings, contents: Contents, enterprise_id: str) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.contents = contents
        self.enterprise_id = enterprise_id
        self.journal: Journal | None = None
        #: Ids that somebody chose, and that no other record gets.
        self.given_ids: set[str] = set()
        self.clear()

    def clear(self) -> None:
        """Forget every record; ids go on, as at Box none is given twice."""
        self.users: dict[str, User] = {}
        self.logins: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.memberships: dict[str, Membership] = {}
        self.folders: dict[str, Folder] = {}
        self.files: dict[str, File] = {}
        self.collaborations: dict[str, Collaboration] = {}
        self.sessions: dict[str, UploadSession] = {}
        self.ended_sessions: dict[str, str] = {}
        #: Items in the trash by id, per owner.
        self.trash: dict[str, dict[str, Item]] = {}
        #: Users' and groups' accepted collaborations, which are what their roots show.
        self.shared_with: dict[str, dict[str, Collaboration]] = {}
        #: Metadata templates of the enterprise by key.
        self.templates: dict[str, dict[str, Any]] = {}
        #: Collaboration allow-list entries and exempt targets by id.
        self.allowlist: dict[str, dict[str, Any]] = {}
        self.exempt: dict[str, dict[str, Any]] = {}
        self.events = Events()
        self.last_id = getattr(self, "last_id", FIRST_ID)

    def now(self) -> int:
        """The server's clock in whole seconds."""
        return int(time.time() + self.settings.clock_offset_seconds)

    def new_id(self) -> str:
        """A decimal id that was never used before."""
        self.last_id += 1
        while str(self.last_id) in self.given_ids:
            self.last_id += 1
        return str(self.last_id)

    def save(self, *records: Any) -> None:
        """Note changed records for the data folder; nothing happens without one."""
        if self.journal is not None:
            for record in records:
                self.journal.save(record)

    def drop(self, *records: Any) -> None:
        """Note removed records for the data folder."""
        if self.journal is not None:
            for record in records:
                self.journal.drop(record)

    def flush(self) -> None:
        """Write what was noted; called once after every call that may change something."""
        if self.journal is not None:
            self.journal.save(("meta", "last_id", self.last_id))
            self.journal.save(("meta", "last_event", self.events.last_position))
            self.journal.flush()

    def root_of(self, user: User) -> Folder:
        """A new, empty root for a new user."""
        root = Folder(
            id=ROOT_ID,
            name="All Files",
            parent=None,
            owner=user,
            created_by=user,
            modified_by=user,
            created=user.created,
            modified=user.created,
        )
        user.root = root
        return root

    def items(self) -> Iterator[Item]:
        """Every folder and file, the trash included, roots excluded."""
        yield from self.folders.values()
        yield from self.files.values()

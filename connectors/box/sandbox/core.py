"""One Box put together: state, rules and switches, without HTTP. The routes and the facade both hold it."""

from __future__ import annotations

import secrets

from connectors.box.sandbox.control.faults import Faults
from connectors.box.sandbox.control.limits import Limits
from connectors.box.sandbox.control.observe import VIOLATIONS_SIZE, Calls, Violation
from connectors.box.sandbox.rules.auth import Auth
from connectors.box.sandbox.rules.changes import Changes
from connectors.box.sandbox.rules.collaborations import Collaborations
from connectors.box.sandbox.rules.copying import Copying
from connectors.box.sandbox.rules.items import Items
from connectors.box.sandbox.rules.keys import Application
from connectors.box.sandbox.rules.listing import Listings
from connectors.box.sandbox.rules.metadata import Metadata
from connectors.box.sandbox.rules.people import People
from connectors.box.sandbox.rules.sessions import Sessions
from connectors.box.sandbox.rules.trash import Trash
from connectors.box.sandbox.settings import Settings
from connectors.box.sandbox.store.contents import Contents
from connectors.box.sandbox.store.downloads import Downloads
from connectors.box.sandbox.store.records import User
from connectors.box.sandbox.store.store import Store


class Core:
    """Everything that one sandbox knows and decides."""

    def __init__(
        self, application: Application, contents: Contents, settings: Settings, limits: Limits
    ) -> None:
        self.application = application
        self.settings = settings
        self.limits = limits
        self.faults = Faults()
        self.calls = Calls()
        self.violations: list[Violation] = []
        #: (address, name of the item) of every mail that Box would have sent about a new collaboration.
        self.mails: list[tuple[str, str]] = []
        self.store = Store(settings, contents, application.enterprise_id)
        self.people = People(self.store)
        self.items = Items(self.store, self.faults.hidden)
        self.copying = Copying(self.store, self.items)
        self.collaborations = Collaborations(self.store, self.items, self.people)
        self.trash = Trash(self.store, self.items, self.collaborations)
        self.changes = Changes(self.store, self.items)
        self.sessions = Sessions(self.store, self.items)
        self.metadata = Metadata(self.store, self.items)
        self.listings = Listings(self.store, self.items)
        self.downloads = Downloads()
        self.auth = Auth(self.store, application)

    @property
    def service_account(self) -> User:
        """The app's own user, which owns what is uploaded."""
        return next(user for user in self.store.users.values() if user.kind == "service")

    def violate(self, route: str, kind: str, message: str) -> None:
        """Note a violation; the first `VIOLATIONS_SIZE` are kept."""
        if len(self.violations) < VIOLATIONS_SIZE:
            self.violations.append(Violation(route, kind, message))

    def populate(self) -> None:
        """The users that exist in every enterprise: the service account and the first admin."""
        digits = secrets.randbelow(10**9)
        login = f"AutomationUser_{self.store.enterprise_id}_{digits:09d}@boxdevedition.com"
        self.people.add_user(login, "Boxhaul", "service")
        self.people.add_user("admin@example.com", "Admin", "admin", space_amount=-1)
        self.store.flush()

    def reset(self) -> None:
        """A new, empty enterprise with the same credentials and the initial switches."""
        with self.store.lock:
            self.store.contents.clear()
            if self.store.journal is not None:
                self.store.journal.clear()
            self.store.clear()
            self.downloads.clear()
            self.auth.tokens.clear()
            self.auth.refresh_tokens.clear()
            self.settings.reset()
            self.limits.reset()
            self.faults.clear()
            self.calls.reset()
            self.violations.clear()
            self.mails.clear()
            self.populate()

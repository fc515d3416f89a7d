"""Errors of the checkpoint.

* StateError
  + IllegalTransition    a step that statuses.py does not allow
  + LostLease            this worker's lease was taken over; stop writing
  + LeaseHeld            somebody else runs this plan with this identity
  + SchemaBehind         the database is older than the program and was opened without upgrading
  + SchemaAhead          the database is newer than the program
  + PlanMismatch         the database holds this plan's name for another source or landing folder
  + StateUnavailable     the database cannot be reached, is full or stays locked
"""

from __future__ import annotations

from datetime import datetime


class StateError(Exception):
    """The checkpoint database refused."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n")[0])


class IllegalTransition(StateError):
    """This status cannot follow that one."""


class LostLease(StateError):
    """Another process took this one's place; it stops."""


class LeaseHeld(StateError):
    """Another process is running this plan; wait for it, or stop it."""

    def __init__(
        self, message: str | None = None, *, lives: bool = True, lease_until: datetime | None = None
    ) -> None:
        super().__init__(message)
        #: True when the holder is seen to live; False where only its lease will tell.
        self.lives = lives
        #: When its lease ends unless it is prolonged.
        self.lease_until = lease_until


class SchemaBehind(StateError):
    """The database was made by an older version; open it once with this version to upgrade it."""


class SchemaAhead(StateError):
    """The database was made by a newer version; update Boxhaul before using it."""


class PlanMismatch(StateError):
    """This database holds a plan of the same name for another share; give one of them another name."""


class StateUnavailable(StateError):
    """The checkpoint database does not answer; check state_url, the disk and the server."""

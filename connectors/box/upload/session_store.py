"""SessionStore: where the upload session of one file is kept; MemorySessions keeps it in memory alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from connectors.box.types import PartState, SessionState


class SessionStore(Protocol):
    """Where the upload session of one file survives the process. Called by one thread at a time."""

    def load(self) -> SessionState | None:
        """Return the kept session with its finished parts, or None."""
        ...

    def save(self, session: SessionState) -> None:
        """Keep a new session, in place of an older one."""
        ...

    def add_part(self, part: PartState) -> None:
        """Keep one more finished part of the kept session."""
        ...

    def clear(self) -> None:
        """Forget the session: it is over."""
        ...


class MemorySessions:
    """A SessionStore for files whose session need not survive."""

    def __init__(self) -> None:
        self._session: SessionState | None = None

    def load(self) -> SessionState | None:
        return self._session

    def save(self, session: SessionState) -> None:
        self._session = session

    def add_part(self, part: PartState) -> None:
        if self._session:
            self._session = replace(self._session, parts=(*self._session.parts, part))

    def clear(self) -> None:
        self._session = None

"""SMBNotices: what a server tells by itself of changes in a share (CHANGE_NOTIFY). Looks at nothing that changed."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from connectors.source import Noticed
from connectors.sources.smb import wire
from connectors.sources.smb.backup import BackupIntent
from connectors.sources.smb.connection import SMBLink, data_of
from connectors.sources.smb.login import LoginGate, SMBAccount
from connectors.sources.smb.status import TOO_MANY_CHANGES, SMBConnectionLostError, SMBStatusError

log = logging.getLogger(__name__)

#: Changed paths that are held; where there are more, all of the share is to be looked at (P9).
HELD = 20_000
#: Seconds without a change after which those before are told: of a rename both names are, by then. And the longest time
#: that the first of them waits for the others.
SETTLED_SECONDS, PATIENCE_SECONDS = 1.0, 30.0
#: Nothing may change for days. After that much of nothing the connection is taken for lost.
SILENT_SECONDS = 10.0 * 86_400


class SMBNotices:
    """A connection of its own, and a thread that waits on it for what the server tells.

    The folder that is open meanwhile is the top of the share: with any other one open, Windows would refuse to rename
    a folder above it (P5).
    """

    def __init__(self, account: SMBAccount, gate: LoginGate, root: str) -> None:
        """`root`: what is told of is below this folder. Raises what SMBLink raises; SMBStatusError where the account
        may not list the top of the share."""
        self._prefix = f"{root}/" if root else ""
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._first = self._last = 0.0
        self._lost = self._over = self._closed = False
        patient = replace(account, plain=True, request_timeout_seconds=SILENT_SECONDS)
        self._link = SMBLink(patient, gate, BackupIntent())
        try:
            [opened] = self._link.answers(wire.open_folder(""), [])
            self._handle = wire.created_file(data_of(opened, ""))[0]
        except BaseException:
            self._link.abandon()
            raise
        threading.Thread(target=self._listen, name="smb-notices", daemon=True).start()

    @property
    def is_over(self) -> bool:
        """True once nothing more is told."""
        with self._lock:
            return self._over

    def take(self) -> Noticed:
        """What was told since the last call, once it has settled."""
        with self._lock:
            now = time.monotonic()
            if now - self._last < SETTLED_SECONDS and now - self._first < PATIENCE_SECONDS and not self._over:
                return Noticed(frozenset())
            paths, self._paths, lost, self._lost = self._paths, set(), self._lost, False
        below = (path.removeprefix(self._prefix) for path in paths if path.startswith(self._prefix))
        return Noticed(frozenset(below), lost=lost)

    def close(self) -> None:
        """Tell nothing any more."""
        self._closed = True
        self._link.abandon()

    def _listen(self) -> None:
        message = wire.change_notify(self._link.answer_buffer)(self._handle)
        try:
            while True:
                try:
                    [data] = self._link.ask_together("", [message])
                    self._note(wire.changed_paths(wire.output_buffer(data)))
                except SMBStatusError as exc:
                    if exc.status != TOO_MANY_CHANGES:
                        raise
                    self._note(set())
        except (SMBStatusError, SMBConnectionLostError, OSError) as exc:
            if not self._closed:
                log.info("the server tells nothing more of what changes: %s", exc)
        finally:
            with self._lock:
                self._over = self._lost = True

    def _note(self, paths: set[str]) -> None:
        """An answer without a path says that there was more than it could hold."""
        with self._lock:
            self._last = time.monotonic()
            self._first = self._first if self._paths or self._lost else self._last
            self._lost = self._lost or not paths or len(self._paths) > HELD
            self._paths = set() if self._lost else self._paths | paths

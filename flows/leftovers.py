"""Leftovers: upload sessions that a stopped run began for files that nobody will send. Sends nothing itself."""

from __future__ import annotations

import logging

from connectors.errors import ConnectorError
from flows.transfer.migration import Migration
from flows.transfer.sending import CheckpointSessions

log = logging.getLogger(__name__)


def give_back_sessions(migration: Migration) -> None:
    """Abort the sessions of files that shrank, vanished, were excluded or waived since: no call when there are none.

    One that Box does not take back now stays written down for the next pass, and ends by itself after seven days.
    """
    for item_id in migration.checkpoint.abandoned_upload_sessions(migration.plan_id):
        kept = CheckpointSessions(migration.checkpoint, item_id)
        session = kept.load()
        try:
            if session is not None:
                migration.box.abort_session(session)
            kept.clear()
        except ConnectorError as exc:
            log.warning("an upload session could not be given back to Box: %s", exc)

"""Sessions: upload sessions kept in the checkpoint, so that they outlive the process; and those nobody needs."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from connectors.box.types import PartState, SessionState
from connectors.errors import ConnectorError
from flows.transfer.migration import Migration
from state.checkpoint import Checkpoint
from state.records import StoredPart, StoredSession, WorkerLease

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckpointSessions:
    """The upload session of one item, kept in the checkpoint so that it outlives the process (P3)."""

    checkpoint: Checkpoint
    worker: WorkerLease
    item_id: int

    def load(self) -> SessionState | None:
        """Return the stored session with its finished parts, or None."""
        stored = self.checkpoint.upload_session(self.item_id)
        if stored is None:
            return None
        parts = tuple(
            PartState(part_id=part.part_id, offset=part.offset, size=part.size, sha1=part.sha1)
            for part in stored.parts
        )
        return SessionState(
            session_id=stored.session_id,
            endpoints=stored.endpoints,
            part_size=stored.part_size,
            total_parts=stored.total_parts,
            expires_at=stored.expires_at,
            fingerprint=stored.fingerprint,
            identity=stored.identity,
            parts=parts,
        )

    def save(self, session: SessionState) -> None:
        """Keep a session that Box has just opened."""
        self.checkpoint.save_upload_session(
            self.item_id,
            StoredSession(
                session_id=session.session_id,
                endpoints=session.endpoints,
                part_size=session.part_size,
                total_parts=session.total_parts,
                expires_at=session.expires_at,
                fingerprint=session.fingerprint,
                identity=session.identity,
            ),
            worker=self.worker,
        )

    def add_part(self, part: PartState) -> None:
        """Keep a part that Box has answered for."""
        self.checkpoint.add_upload_part(
            self.item_id,
            StoredPart(part_id=part.part_id, offset=part.offset, size=part.size, sha1=part.sha1),
            worker=self.worker,
        )

    def clear(self) -> None:
        """Forget the session: committed, aborted or gone."""
        self.checkpoint.clear_upload_session(self.item_id, worker=self.worker)


def give_back_sessions(migration: Migration) -> None:
    """Abort the sessions of files that shrank, vanished, were excluded or waived since: no call when there are none.

    One that Box does not take back now stays written down for the next pass, and ends by itself after seven days.
    """
    for item_id in migration.checkpoint.abandoned_upload_sessions(migration.plan_id):
        kept = CheckpointSessions(migration.checkpoint, migration.worker, item_id)
        session = kept.load()
        try:
            if session is not None:
                migration.box.abort_session(session)
            kept.clear()
        except ConnectorError as exc:
            log.warning("an upload session could not be given back to Box: %s", exc)

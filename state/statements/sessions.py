"""Upload sessions that outlive the process."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, not_, or_, select

from connectors.entry import Fingerprint
from state.database.models import Item, Tree, UploadPart, UploadSession
from state.records import StoredPart, StoredSession, WorkerLease
from state.statements.base import Statements, execute_many, insert_into
from state.statuses import ItemStatus


class SessionStatements(Statements):
    """Upload sessions of large files, with their finished parts.

    With a worker, LostLease when it was taken over: its successor has a session of its own for the item by now.
    """

    def upload_session(self, item_id: int) -> StoredSession | None:
        """The open session of this item with its finished parts, lowest first."""

        def read(connection: Connection) -> StoredSession | None:
            query = select(UploadSession.__table__).where(UploadSession.item_id == item_id)
            row = connection.execute(query).one_or_none()
            return None if row is None else _stored_session(row, _parts(connection, item_id))

        return self.database.read(read)

    def save_upload_session(
        self, item_id: int, session: StoredSession, *, worker: WorkerLease | None = None
    ) -> None:
        """Instead of what was kept for this item, parts included."""

        def save(connection: Connection) -> None:
            _clear_session(connection, item_id)
            values = {
                "item_id": item_id,
                "session_id": session.session_id,
                "endpoints": dict(session.endpoints),
                "part_size": session.part_size,
                "total_parts": session.total_parts,
                "expires_at": session.expires_at,
                "size": session.fingerprint.size,
                "modified_ns": session.fingerprint.modified_ns,
                "changed_ns": session.fingerprint.changed_ns,
                "source_file_id": session.fingerprint.file_id,
                "identity": session.identity,
            }
            connection.execute(insert_into(connection, UploadSession), values)
            parts = [_part_values(item_id, part) for part in session.parts]
            execute_many(connection, insert_into(connection, UploadPart), parts)

        self.write_as(worker, save)

    def add_upload_part(self, item_id: int, part: StoredPart, *, worker: WorkerLease | None = None) -> None:
        """This part is in Box; the same offset again replaces what was kept. Nothing without an open session."""

        def add(connection: Connection) -> None:
            known = select(UploadSession.item_id).where(UploadSession.item_id == item_id)
            if connection.execute(known.with_for_update(read=True)).one_or_none() is None:
                return
            insert = insert_into(connection, UploadPart)
            values = _part_values(item_id, part)
            replaced = {name: values[name] for name in ("part_id", "size", "sha1")}
            connection.execute(
                insert.on_conflict_do_update(index_elements=["item_id", "offset"], set_=replaced), values
            )

        self.write_as(worker, add)

    def clear_upload_session(self, item_id: int, *, worker: WorkerLease | None = None) -> None:
        """The session is committed or aborted; nothing happens when none is kept."""
        self.write_as(worker, lambda connection: _clear_session(connection, item_id))

    def open_upload_sessions(self, plan_id: int) -> list[tuple[int, StoredSession]]:
        """Every kept session of the plan by item id: a few per worker."""

        def read(connection: Connection) -> list[tuple[int, StoredSession]]:
            query = (
                select(UploadSession.__table__)
                .join(Item, Item.id == UploadSession.item_id)
                .join(Tree, Tree.id == Item.tree_id)
                .where(Tree.plan_id == plan_id)
                .order_by(UploadSession.item_id)
            )
            rows = connection.execute(query).all()
            return [(row.item_id, _stored_session(row, _parts(connection, row.item_id))) for row in rows]

        return self.database.read(read)

    def abandoned_upload_sessions(self, plan_id: int) -> list[int]:
        """Ids of the items that keep a session although nobody will send them: uploaded otherwise, gone, excluded,
        waived."""
        will_be_sent = or_(
            Item.status.in_((ItemStatus.PENDING, ItemStatus.FAILED)), Item.claimed_by.is_not(None)
        )
        query = (
            select(UploadSession.item_id)
            .join(Item, Item.id == UploadSession.item_id)
            .join(Tree, Tree.id == Item.tree_id)
            .where(Tree.plan_id == plan_id, not_(will_be_sent))
            .order_by(UploadSession.item_id)
        )
        return self.database.read(lambda connection: list(connection.execute(query).scalars()))


def _clear_session(connection: Connection, item_id: int) -> None:
    connection.execute(delete(UploadPart).where(UploadPart.item_id == item_id))
    connection.execute(delete(UploadSession).where(UploadSession.item_id == item_id))


def _parts(connection: Connection, item_id: int) -> tuple[StoredPart, ...]:
    query = select(UploadPart.__table__).where(UploadPart.item_id == item_id).order_by(UploadPart.offset)
    return tuple(
        StoredPart(part_id=row.part_id, offset=row.offset, size=row.size, sha1=row.sha1)
        for row in connection.execute(query)
    )


def _part_values(item_id: int, part: StoredPart) -> dict[str, Any]:
    values = {"item_id": item_id, "offset": part.offset, "part_id": part.part_id}
    return {**values, "size": part.size, "sha1": part.sha1}


def _stored_session(row: Any, parts: tuple[StoredPart, ...]) -> StoredSession:
    return StoredSession(
        session_id=row.session_id,
        endpoints=row.endpoints,
        part_size=row.part_size,
        total_parts=row.total_parts,
        expires_at=row.expires_at,
        fingerprint=Fingerprint(
            size=row.size, modified_ns=row.modified_ns, changed_ns=row.changed_ns, file_id=row.source_file_id
        ),
        identity=row.identity,
        parts=parts,
    )

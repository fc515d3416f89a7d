"""What people changed in Box: put back, or left to Box by the plan and restored there since."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select, update

from connectors.entry import EntryKind
from state.database.models import ITEM_IS_IN_BOX, Folder, Item
from state.records import WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks
from state.statements.digests import forget_listings_of_items
from state.statements.listing import unverify
from state.statements.listing_updates import NO_WAIVER
from state.statuses import LEFT_IN_TRASH, LEFT_TO_BOX, ItemStatus

#: An etag that no file of Box has: whoever sends it with If-Match is refused, and looks at the file first.
NO_ETAG = "0-unknown"


class InBoxStatements(Statements):
    """Changes of people in Box."""

    def record_put_back(
        self, kind: EntryKind, row_id: int, *, box_etag: str | None, worker: WorkerLease | None = None
    ) -> None:
        """It has its name and its place again, and this etag. LostLease when the worker was taken over."""
        table = Folder if kind is EntryKind.FOLDER else Item

        def record(connection: Connection) -> None:
            connection.execute(update(table).where(table.id == row_id).values(box_etag=box_etag))

        self.write_as(worker, record)

    def left_to_box(self, folder_id: int) -> dict[str, tuple[int, bool]]:
        """By id in Box, the rows of this folder's files that a plan left to Box, and whether in its trash."""
        query = select(Item.box_file_id, Item.id, Item.reason).where(
            Item.folder_id == folder_id,
            Item.status == ItemStatus.WAIVED,
            Item.reason.in_((LEFT_TO_BOX, LEFT_IN_TRASH)),
            ITEM_IS_IN_BOX,
        )
        return self.database.read(
            lambda connection: {
                row.box_file_id: (row.id, row.reason == LEFT_IN_TRASH) for row in connection.execute(query)
            }
        )

    def take_up_restored(
        self, tree_id: int, item_ids: Sequence[int], *, worker: WorkerLease | None = None
    ) -> None:
        """Files that were left in Box's trash and lie in their folder again → PENDING: they are looked at, and sent
        only where they differ. LostLease when the worker was taken over."""
        values = {**NO_WAIVER, "status": ItemStatus.PENDING, "reason": None, "detail": None, "attempts": 0}

        def take_up(connection: Connection) -> None:
            for chunk in in_chunks(item_ids, IDS_PER_STATEMENT):
                which = and_(Item.id.in_(chunk), Item.status == ItemStatus.WAIVED)
                forget_listings_of_items(connection, which)
                connection.execute(update(Item).where(which).values({**values, "box_etag": NO_ETAG}))
            unverify(connection, tree_id)

        self.write_as(worker, take_up)

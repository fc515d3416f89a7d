"""Who acts and who is told: uploaders, editors of a tree, mail, removed collaborators, shared links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import aliased

from connectors.entry import EntryKind
from state.database.models import FOLDER_IS_WALKED, Collaboration, Folder, Item, Plan, Tree, Uploader
from state.records import CollaborationRecord, UploaderRecord
from state.statements.base import Statements, insert_into
from state.statements.verifying import collaboration_record
from state.statuses import ItemStatus


class AccountStatements(Statements):
    """Uploaders and editors, mail, what the plan no longer wants, what is published."""

    # --- who owns what arrives ---

    def record_owner(self, plan_id: int, login: str) -> None:
        """The owner of the landing folder owns, and pays for, everything below it."""
        other = (Plan.id == plan_id) & (Plan.owner.is_distinct_from(login))
        self._database.write(
            lambda connection: connection.execute(update(Plan).where(other).values(owner=login))
        )

    # --- uploader app users ---

    def remember_uploader(
        self, plan_id: int, *, box_user_id: str, number: int, login: str, name: str
    ) -> None:
        """This app user uploads for this plan; known already: nothing changes."""
        values = {"box_user_id": box_user_id, "number": number, "login": login, "name": name}
        self._database.write(
            lambda connection: connection.execute(
                insert_into(connection, Uploader).on_conflict_do_nothing(), {"plan_id": plan_id, **values}
            )
        )

    def uploaders(self, plan_id: int) -> list[UploaderRecord]:
        """Every uploader that was ever made for this plan, in the order of creation."""
        query = select(Uploader.__table__).where(Uploader.plan_id == plan_id).order_by(Uploader.number)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [
            UploaderRecord(
                box_user_id=row.box_user_id,
                number=row.number,
                login=row.login,
                name=row.name,
                retired_at=row.retired_at,
            )
            for row in rows
        ]

    def record_uploader_retired(self, plan_id: int, box_user_id: str) -> None:
        """It was deactivated in Box."""

        def retire(connection: Connection) -> None:
            chosen = (Uploader.plan_id == plan_id) & (Uploader.box_user_id == box_user_id)
            values = {"retired_at": self._now(connection)}
            connection.execute(update(Uploader).where(chosen).values(values))

        self._database.write(retire)

    # --- editors of a tree's folder ---

    def tree_editors(self, tree_id: int) -> list[str]:
        """Box user ids of uploaders that may be editors of the tree's folder."""
        query = select(Tree.editors).where(Tree.id == tree_id)
        found = self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return list(found or [])

    def add_tree_editors(self, tree_id: int, box_user_ids: Sequence[str]) -> list[str]:
        """These are about to be let in: written down before, so that none is forgotten by a kill.

        Returns those that were written down earlier.
        """

        def add(connection: Connection) -> list[str]:
            query = select(Tree.editors).where(Tree.id == tree_id).with_for_update()
            before = list(connection.execute(query).scalar_one() or [])
            editors = sorted({*before, *box_user_ids})
            connection.execute(update(Tree).where(Tree.id == tree_id).values(editors=editors))
            return before

        return self._database.write(add)

    def record_tree_editors_removed(self, tree_id: int, box_user_ids: Sequence[str]) -> None:
        """These have left the tree's folder."""

        def remove(connection: Connection) -> None:
            query = select(Tree.editors).where(Tree.id == tree_id).with_for_update()
            left = sorted(set(connection.execute(query).scalar_one() or []) - set(box_user_ids))
            connection.execute(update(Tree).where(Tree.id == tree_id).values(editors=left or None))

        self._database.write(remove)

    # --- mail ---

    def claim_mail(self, plan_id: int, collaboration_id: int) -> bool:
        """True when nobody has been mailed in this plan under this collaborator's key: now this one is.

        To be asked before the invitation is sent: a kill in between costs the mail, it never sends a second one.
        """

        def claim(connection: Connection) -> bool:
            # Two trees name the same person in two rows, so no row of theirs is one that both would have to lock:
            # the plan's is. Without it two processes could both find nobody mailed.
            connection.execute(select(Plan.id).where(Plan.id == plan_id).with_for_update(key_share=True))
            key = select(Collaboration.key).where(Collaboration.id == collaboration_id).scalar_subquery()
            other = aliased(Collaboration)
            mailed = (
                select(other.id)
                .join(Tree, Tree.id == other.tree_id)
                .where(Tree.plan_id == plan_id, other.key == key, other.mailed)
            )
            chosen = (Collaboration.id == collaboration_id) & ~mailed.exists()
            return connection.execute(update(Collaboration).where(chosen).values(mailed=True)).rowcount == 1

        return self._database.write(claim)

    def release_mail(self, collaboration_id: int) -> None:
        """Box refused the invitation, so no mail went out."""
        self._database.write(lambda connection: _set_mailed(connection, collaboration_id, mailed=False))

    # --- collaborators that the plan no longer names ---

    def forget_collaboration(self, collaboration_id: int) -> None:
        """It was removed in Box. That the person was mailed is kept with the row."""
        gone = {"box_collaboration_id": None, "status": "planned", "detail": None}
        self._database.write(
            lambda connection: connection.execute(
                update(Collaboration).where(Collaboration.id == collaboration_id).values(gone)
            )
        )

    def all_collaborations(self, tree_id: int) -> list[CollaborationRecord]:
        """Every collaborator that this tree ever had in the plan."""
        query = select(Collaboration.__table__).where(Collaboration.tree_id == tree_id)
        rows = self._database.read(
            lambda connection: connection.execute(query.order_by(Collaboration.id)).all()
        )
        return [collaboration_record(row) for row in rows]

    # --- shared links ---

    def record_shared_link(self, tree_id: int, link: Mapping[str, Any] | None) -> None:
        """The tree is published; `link` fits into JSON and holds no password."""
        values = {"shared_link": dict(link) if link is not None else None}
        self._database.write(
            lambda connection: connection.execute(update(Tree).where(Tree.id == tree_id).values(values))
        )

    # --- what is still to be sent ---

    def largest_open_file(self, tree_ids: Sequence[int]) -> int:
        """Bytes of the largest file that is pending or failed; 0 when there is none."""

        def largest(connection: Connection) -> int:
            sizes = [
                connection.execute(
                    select(func.max(Item.size)).where(
                        Item.tree_id == tree_id, Item.status == status, Item.kind == EntryKind.FILE
                    )
                ).scalar()
                for tree_id in tree_ids
                for status in (ItemStatus.PENDING, ItemStatus.FAILED)
            ]
            return max((int(size) for size in sizes if size is not None), default=0)

        return self._database.read(largest)

    def tree_was_walked(self, tree_id: int) -> bool:
        """True once every folder of the tree was listed, in whatever pass."""
        query = select(Folder.id).where(Folder.tree_id == tree_id, FOLDER_IS_WALKED, Folder.walked_pass == 0)
        return self._database.read(lambda connection: connection.execute(query.limit(1)).first() is None)


def _set_mailed(connection: Connection, collaboration_id: int, *, mailed: bool) -> None:
    connection.execute(
        update(Collaboration).where(Collaboration.id == collaboration_id).values(mailed=mailed)
    )

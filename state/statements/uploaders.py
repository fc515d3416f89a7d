"""Who acts: uploader app users, and where they are editors."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, update

from state.database.models import Tree, Uploader
from state.records import UploaderRecord
from state.statements.base import Statements, insert_into

_EDITORS = select(Tree.editors).where(Tree.id == bindparam("tree"))


class UploaderStatements(Statements):
    """Uploaders, and the trees that they are editors of."""

    def remember_uploader(
        self, plan_id: int, *, box_user_id: str, number: int, login: str, name: str
    ) -> None:
        """This app user uploads for this plan; known already: nothing changes."""
        values = {"box_user_id": box_user_id, "number": number, "login": login, "name": name}
        self.database.write(
            lambda connection: connection.execute(
                insert_into(connection, Uploader).on_conflict_do_nothing(), {"plan_id": plan_id, **values}
            )
        )

    def uploaders(self, plan_id: int) -> list[UploaderRecord]:
        """Every uploader that was ever made for this plan, in the order of creation."""
        query = select(Uploader.__table__).where(Uploader.plan_id == plan_id).order_by(Uploader.number)
        rows = self.database.read(lambda connection: connection.execute(query).all())
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
            values = {"retired_at": self.now(connection)}
            connection.execute(update(Uploader).where(chosen).values(values))

        self.database.write(retire)

    def tree_editors(self, tree_id: int) -> list[str]:
        """Box user ids of uploaders that may be editors of the tree's folder."""
        which = {"tree": tree_id}
        found = self.database.read(
            lambda connection: connection.execute(_EDITORS, which).scalar_one_or_none()
        )
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

        return self.database.write(add)

    def record_tree_editors_removed(self, tree_id: int, box_user_ids: Sequence[str]) -> None:
        """These have left the tree's folder."""

        def remove(connection: Connection) -> None:
            query = select(Tree.editors).where(Tree.id == tree_id).with_for_update()
            left = sorted(set(connection.execute(query).scalar_one() or []) - set(box_user_ids))
            connection.execute(update(Tree).where(Tree.id == tree_id).values(editors=left or None))

        self.database.write(remove)

"""People: collaborators of a tree, who was mailed, and its shared link."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.orm import aliased

from state.database.models import Collaboration, Plan, Tree
from state.people_records import CollaborationRecord, CollaboratorSpec
from state.statements.base import Statements, insert_into
from state.statuses import CollaborationStatus


class PeopleStatements(Statements):
    """Collaborations, mail, shared links."""

    def ensure_collaborations(
        self, tree_id: int, specs: Sequence[CollaboratorSpec]
    ) -> list[CollaborationRecord]:
        """The plan's collaborators of this tree, PLANNED where new; a changed role goes back to PLANNED, and so does
        who had left the plan: nobody looked after them meanwhile. Who declined is not asked again.

        Those that the plan names no more are kept, and neither returned nor reported. Writes nothing where nothing
        changed.
        """
        as_they_are = self.database.read(lambda connection: collaborations_of(connection, tree_id))
        if [record.spec for record in as_they_are] == list(specs):
            return as_they_are

        def ensure(connection: Connection) -> list[CollaborationRecord]:
            known = {
                record.spec.key: record for record in collaborations_of(connection, tree_id, all_of_them=True)
            }
            wanted = {record.id for record in collaborations_of(connection, tree_id)}
            connection.execute(
                update(Collaboration).where(Collaboration.tree_id == tree_id).values(wanted=False)
            )
            for spec in specs:
                values = {**_spec_values(spec), "wanted": True}
                before = known.get(spec.key)
                if before is not None and _is_back(before, wanted):
                    values |= {"status": CollaborationStatus.PLANNED, "box_collaboration_id": None}
                if before is None or before.spec != spec:
                    values |= {"status": CollaborationStatus.PLANNED, "detail": None}
                if before is None:
                    place = {"tree_id": tree_id, "key": spec.key}
                    connection.execute(insert_into(connection, Collaboration), {**place, **values})
                else:
                    connection.execute(
                        update(Collaboration).where(Collaboration.id == before.id).values(values)
                    )
            return collaborations_of(connection, tree_id)

        return self.database.write(ensure)

    def record_collaboration(
        self,
        collaboration_id: int,
        *,
        status: CollaborationStatus,
        box_collaboration_id: str | None,
        detail: str | None = None,
    ) -> None:
        """What Box said of this collaborator."""
        values = {"status": status, "box_collaboration_id": box_collaboration_id, "detail": detail}
        self.database.write(
            lambda connection: connection.execute(
                update(Collaboration).where(Collaboration.id == collaboration_id).values(values)
            )
        )

    def forget_collaboration(self, collaboration_id: int) -> None:
        """It was removed in Box. That the person was mailed is kept with the row."""
        gone = {"box_collaboration_id": None, "status": "planned", "detail": None}
        self.database.write(
            lambda connection: connection.execute(
                update(Collaboration).where(Collaboration.id == collaboration_id).values(gone)
            )
        )

    def all_collaborations(self, tree_id: int) -> list[CollaborationRecord]:
        """Every collaborator that this tree ever had in the plan."""
        return self.database.read(lambda connection: collaborations_of(connection, tree_id, all_of_them=True))

    def claim_mail(self, plan_id: int, collaboration_id: int, *, also_called: Collection[str] = ()) -> bool:
        """True when nobody has been mailed in this plan under this collaborator's key: now this one is.

        `also_called`: other keys by which the plan names the same person.
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
                .where(
                    Tree.plan_id == plan_id, or_(other.key == key, other.key.in_(also_called)), other.mailed
                )
            )
            chosen = (Collaboration.id == collaboration_id) & ~mailed.exists()
            return connection.execute(update(Collaboration).where(chosen).values(mailed=True)).rowcount == 1

        return self.database.write(claim)

    def release_mail(self, collaboration_id: int) -> None:
        """Box refused the invitation, so no mail went out."""
        self.database.write(lambda connection: _set_mailed(connection, collaboration_id, mailed=False))

    def record_shared_link(self, tree_id: int, link: Mapping[str, Any] | None) -> None:
        """The tree is published; `link` fits into JSON and holds no password."""
        values = {"shared_link": dict(link) if link is not None else None}
        self.database.write(
            lambda connection: connection.execute(update(Tree).where(Tree.id == tree_id).values(values))
        )


def _is_back(before: CollaborationRecord, wanted: Collection[int]) -> bool:
    return before.id not in wanted and before.status is not CollaborationStatus.REJECTED


def _spec_values(spec: CollaboratorSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in CollaboratorSpec.__dataclass_fields__}


def collaborations_of(
    connection: Connection, tree_id: int, *, all_of_them: bool = False
) -> list[CollaborationRecord]:
    rows = connection.execute(_EVERY_ONE if all_of_them else _WANTED, {"tree": tree_id}).all()
    return [collaboration_record(row) for row in rows]


_EVERY_ONE = (
    select(Collaboration.__table__)
    .where(Collaboration.tree_id == bindparam("tree"))
    .order_by(Collaboration.id)
)
_WANTED = _EVERY_ONE.where(Collaboration.wanted)


def collaborations_by_tree(
    connection: Connection, tree_ids: Sequence[int]
) -> dict[int, list[CollaborationRecord]]:
    """By tree: those whom the plan names."""
    query = select(Collaboration.__table__).where(Collaboration.tree_id.in_(tree_ids), Collaboration.wanted)
    found: dict[int, list[CollaborationRecord]] = {tree_id: [] for tree_id in tree_ids}
    for row in connection.execute(query.order_by(Collaboration.id)):
        found[row.tree_id].append(collaboration_record(row))
    return found


def collaboration_record(row: Any) -> CollaborationRecord:
    """A row of collaborations as others see it."""
    return CollaborationRecord(
        id=row.id,
        tree_id=row.tree_id,
        spec=CollaboratorSpec(**{name: getattr(row, name) for name in CollaboratorSpec.__dataclass_fields__}),
        status=CollaborationStatus(row.status),
        box_collaboration_id=row.box_collaboration_id,
        detail=row.detail,
    )


def _set_mailed(connection: Connection, collaboration_id: int, *, mailed: bool) -> None:
    connection.execute(
        update(Collaboration).where(Collaboration.id == collaboration_id).values(mailed=mailed)
    )

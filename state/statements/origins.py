"""Origins: what each plan of the checkpoint was begun with, and plans that make room for another beginning."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, exists, select, update

from state.database.models import Plan, Tree
from state.records import BoxIdentity, PlanOrigin
from state.statements.base import Statements
from state.statements.plans import TREE_IS_BEGUN

_ORIGINS = select(
    Plan.id,
    Plan.name,
    Plan.source_url,
    Plan.landing_folder_id,
    Plan.client_id,
    Plan.enterprise_id,
    Plan.account_id,
    Plan.account_login,
    exists().where(Tree.plan_id == Plan.id, TREE_IS_BEGUN).label("is_begun"),
)


class OriginStatements(Statements):
    """What a plan was begun with: source, landing folder, Box."""

    def plan_origin(self, name: str) -> PlanOrigin | None:
        """What the plan of this name was begun with; None when it was never begun here."""
        query = _ORIGINS.where(Plan.name == name)
        row = self.database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _origin(row)

    def plan_origins(self) -> list[PlanOrigin]:
        """Every plan that was begun here, in the order of beginning."""
        query = _ORIGINS.order_by(Plan.id)
        return self.database.read(lambda connection: [_origin(row) for row in connection.execute(query)])

    def record_box(self, plan_id: int, box: BoxIdentity) -> None:
        """Write down which Box the plan belongs to, as far as that is not known yet; what is known stays.

        Before the plan is begun the last one counts: what somebody mistyped binds nobody.
        """

        def record(connection: Connection) -> None:
            known = _origin(connection.execute(_ORIGINS.where(Plan.id == plan_id)).one())
            new = {
                key: value
                for key, value in asdict(box).items()
                if (value and not (known.is_begun and getattr(known.box, key)))
                or (not known.is_begun and box.account_id is None)
            }
            if new:
                connection.execute(update(Plan).where(Plan.id == plan_id).values(new))

        self.database.write(record)

    def set_plan_aside(self, plan_id: int) -> None:
        """Give the plan another name, with its number and the time: all of it stays, and its name is free."""

        def rename(connection: Connection) -> None:
            mine = Plan.id == plan_id
            name = connection.execute(select(Plan.name).where(mine)).scalar_one()
            aside = f"{name} (set aside {self.now(connection):%Y-%m-%d %H:%M} UTC, {plan_id})"
            connection.execute(update(Plan).where(mine).values(name=aside))

        self.database.write(rename)


def _origin(row: Any) -> PlanOrigin:
    return PlanOrigin(
        id=row.id,
        name=row.name,
        source_url=row.source_url,
        landing_folder_id=row.landing_folder_id,
        box=BoxIdentity(
            client_id=row.client_id,
            enterprise_id=row.enterprise_id,
            account_id=row.account_id,
            account_login=row.account_login,
        ),
        is_begun=bool(row.is_begun),
    )

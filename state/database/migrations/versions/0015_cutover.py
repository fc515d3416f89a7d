"""Cutovers, and trees that are closed.

Why: a cutover is done step by step, and a step that was done is not done again after a kill; a tree that was handed
over refuses further passes, and says who closed it and when.

Revision: 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state.database import columns

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.add_column("trees", sa.Column("closed_at", columns.UTCTime(timezone=True), nullable=True))
    op.add_column("trees", sa.Column("closed_by", columns.SourceText(), nullable=True))
    op.create_table(
        "cutovers",
        sa.Column("plan_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("begun_at", columns.UTCTime(timezone=True), nullable=False),
        sa.Column("begun_by", columns.SourceText(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_cutovers_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_cutovers")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("cutovers")
    op.drop_column("trees", "closed_by")
    op.drop_column("trees", "closed_at")

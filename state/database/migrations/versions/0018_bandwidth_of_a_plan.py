"""The bandwidth of a plan.

Why: all processes of a plan keep one limit of bytes a second together, whichever of them has something to send.

Revision: 0018, after 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "lines",
        sa.Column("plan_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("free_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_lines_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_lines")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("lines")

"""Uploaders, editors of a tree, mail and shared links.

Why: app users that upload are remembered with the plan and leave a tree's folder when it completes, even after a
kill; a person is mailed once in a plan; a published tree keeps its link; the report says who owns what arrived.

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state.database import columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("plans", sa.Column("owner", sa.Text(), nullable=True))
    op.add_column("trees", sa.Column("editors", sa.JSON(), nullable=True))
    op.add_column("trees", sa.Column("shared_link", sa.JSON(), nullable=True))
    op.add_column("collaborations", sa.Column("app_user", sa.Text(), nullable=True))
    op.add_column(
        "collaborations", sa.Column("mailed", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.create_table(
        "uploaders",
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("box_user_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("retired_at", columns.UTCTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_uploaders_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", "box_user_id", name=op.f("pk_uploaders")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("uploaders")
    with op.batch_alter_table("collaborations") as batch_op:
        batch_op.drop_column("mailed")
        batch_op.drop_column("app_user")
    with op.batch_alter_table("trees") as batch_op:
        batch_op.drop_column("shared_link")
        batch_op.drop_column("editors")
    with op.batch_alter_table("plans") as batch_op:
        batch_op.drop_column("owner")

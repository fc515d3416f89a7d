"""What is watched in Box.

Why: `boxhaul watch` keeps how far it has read Box's events, and which of them it has written down, in one transaction
with what it found, so that a restart loses and repeats nothing.

Revision: 0014, after 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state.database import columns

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "watches",
        sa.Column("plan_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("seen_until", columns.UTCTime(timezone=True), nullable=True),
        sa.Column("told_id", ROW_ID, server_default=sa.text("0"), nullable=False),
        sa.Column("read_at", columns.UTCTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_watches_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_watches")),
    )
    op.create_table(
        "watched_events",
        sa.Column("plan_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_watched_events_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", "event_id", name=op.f("pk_watched_events")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("watched_events")
    op.drop_table("watches")

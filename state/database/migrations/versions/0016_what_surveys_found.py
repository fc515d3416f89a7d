"""What surveys of a share found.

Why: `boxhaul inventory` says how much a share has grown since the last one, and `status` sets the forecast of
`boxhaul simulate` beside what came of it. Both are looks at a share, before any plan has begun: no row of a pass.

Revision: 0016, after 0015.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state.database import columns

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "surveys",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("plan_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", columns.UTCTime(timezone=True), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surveys")),
    )
    op.create_index("ix_surveys_last", "surveys", ["plan_name", "kind", "id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_surveys_last", table_name="surveys")
    op.drop_table("surveys")

"""When a tree came into its plan.

Why: what this account put into the tree's folder in Box before then is another plan's.

Revision: 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state.database import columns

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("trees", sa.Column("begun_at", columns.UTCTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("trees", "begun_at")

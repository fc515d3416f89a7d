"""When the creation of a folder was claimed first.

Why: a folder that Box made without its answer arriving is told from somebody else's by who made it since then.

Revision: 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state.database import columns

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("folders", sa.Column("create_claimed_at", columns.UTCTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("folders", "create_claimed_at")

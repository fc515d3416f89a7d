"""The exclude rules of a pass.

Why: what was found under other rules is compared again before it is sent, and an open pass ends when they change.

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("passes", sa.Column("rules", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("passes", "rules")

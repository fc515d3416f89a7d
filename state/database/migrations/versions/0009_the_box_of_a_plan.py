"""The Box that a plan belongs to.

Why: a checkpoint that was made with another Box, enterprise or account says what is in that one, and nothing of this.

Revision: 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = ("client_id", "enterprise_id", "account_id", "account_login")


def upgrade() -> None:
    """Apply."""
    for name in COLUMNS:
        op.add_column("plans", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo."""
    for name in COLUMNS:
        op.drop_column("plans", name)

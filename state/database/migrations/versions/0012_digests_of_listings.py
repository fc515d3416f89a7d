"""Digests of listings.

Why: a folder whose listing has the digest that is remembered here is not compared with its rows. It counts only while
it is of the walk that the folder was last part of, so that a listing which a worker of an earlier version recorded,
which knows nothing of it, makes it void.

Revision: 0012, after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.add_column("folders", sa.Column("listing_digest", sa.String(length=64), nullable=True))
    op.add_column("folders", sa.Column("digest_pass", ROW_ID, nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("folders", "digest_pass")
    op.drop_column("folders", "listing_digest")

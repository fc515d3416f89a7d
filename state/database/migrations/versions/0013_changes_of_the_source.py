"""Changes of the source: dates that Box has, ids of folders, etags of folders.

Why: a file whose date alone changed gets it in Box by one call, so what date Box has must be known; what moved at the
source is found by its id there, folders included, and moved in Box with the etag that it had.

Revision: 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

HAS_ID = sa.text("source_file_id IS NOT NULL")
GONE_IN_BOX = sa.text("status = 'missing' AND box_file_id IS NOT NULL")


def upgrade() -> None:
    """Apply."""
    op.add_column("items", sa.Column("box_modified_ns", sa.BigInteger(), nullable=True))
    op.add_column("folders", sa.Column("source_file_id", sa.Text(), nullable=True))
    op.add_column("folders", sa.Column("box_etag", sa.String(length=64), nullable=True))
    op.create_index(
        "ix_folders_source_id",
        "folders",
        ["source_file_id"],
        sqlite_where=HAS_ID,
        postgresql_where=HAS_ID,
    )
    op.create_index(
        "ix_items_gone",
        "items",
        ["source_file_id"],
        sqlite_where=GONE_IN_BOX,
        postgresql_where=GONE_IN_BOX,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_items_gone", table_name="items")
    op.drop_index("ix_folders_source_id", table_name="folders")
    op.drop_column("folders", "box_etag")
    op.drop_column("folders", "source_file_id")
    op.drop_column("items", "box_modified_ns")

"""Proof by folder, and notes.

Why: after a small change only the folders that it touched are compared with Box's listing again, not the whole tree;
what a source says does not arrive (extended attributes) stands in the report.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state.database import columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UNPROVEN = sa.text("folders.unproven AND folders.box_folder_id IS NOT NULL")


def upgrade() -> None:
    """Apply."""
    op.add_column("folders", sa.Column("unproven", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("items", sa.Column("note", columns.SourceText(), nullable=True))
    op.create_index(
        "ix_folders_unproven",
        "folders",
        ["tree_id", "id"],
        unique=False,
        sqlite_where=UNPROVEN,
        postgresql_where=UNPROVEN,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_folders_unproven", table_name="folders")
    op.drop_column("items", "note")
    op.drop_column("folders", "unproven")

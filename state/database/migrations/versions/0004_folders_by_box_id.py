"""Folders by their id in Box.

Why: a folder of Box that another folder of the source holds already is not adopted a second time (P7).

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

IN_BOX = sa.text("folders.box_folder_id IS NOT NULL")


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_folders_box_id",
        "folders",
        ["box_folder_id"],
        unique=False,
        sqlite_where=IN_BOX,
        postgresql_where=IN_BOX,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_folders_box_id", table_name="folders")

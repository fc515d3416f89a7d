"""Events under a name of their own.

Why: Prefect's server keeps a table `events`, too, and may share the database. The first migration makes it under this
name by now; what an older version made is renamed, with everything in it. A run of that version that is under way stops
at its next event; the new version goes on from there.

Revision: 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table("plan_events"):
        return
    op.rename_table("events", "plan_events")
    if connection.dialect.name == "postgresql":
        for old, new in (
            ("pk_events", "pk_plan_events"),
            ("fk_events_plan_id", "fk_plan_events_plan_id"),
            ("fk_events_tree_id", "fk_plan_events_tree_id"),
        ):
            op.execute(f"ALTER TABLE plan_events RENAME CONSTRAINT {old} TO {new}")


def downgrade() -> None:
    """Undo: the first migration knows the table by this name."""

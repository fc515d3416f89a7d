"""${message}

Why: …

A database is upgraded while workers of the previous release may still run on it (PostgreSQL): every migration
leaves a schema that the previous release can read and write. Add columns with a server default or NULL; rename and
drop in three releases: add and write both, read the new one, drop the old one.

Revision: ${up_revision}, after ${down_revision | comma,n}, ${create_date.date()}.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from state.database import columns
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Apply."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Undo."""
    ${downgrades if downgrades else "pass"}

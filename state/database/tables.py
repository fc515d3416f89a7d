"""Every table of the checkpoint, in whichever file it stands."""

from __future__ import annotations

from state.database import history, models  # noqa: F401  what is imported is known to METADATA
from state.database.base import Base

METADATA = Base.metadata

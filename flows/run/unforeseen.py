"""An error that nobody foresaw, for one file or folder: what the log and the report say of it."""

from __future__ import annotations

import logging

from state.statuses import UNFORESEEN

log = logging.getLogger(__name__)


def unforeseen(error: BaseException) -> tuple[str, str]:
    """Return reason code and line for a person, and log all that is known of it: its text may hold anything (P8)."""
    log.error("an error that nobody foresaw", exc_info=error)
    return UNFORESEEN, f"unforeseen error ({type(error).__name__}); the log has the whole of it"

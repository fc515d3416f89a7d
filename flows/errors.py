"""Errors of the layer that people talk to.

* PlanError      the plan file or a command's arguments are wrong: exit code 2
* CheckFailed    a precondition is not met and nothing was sent: exit code 3 (a FatalError of the connectors' tree)
* TooManyDeletions  more is gone from the source than the plan lets a run trash; nothing was trashed: exit code 3
* NotFrozen      a cutover found the source changing; nobody was let in, nothing was closed: exit code 3
* NotApproved    a person did not approve a cutover: exit code 3
* PrefectUnreachable  PREFECT_API_URL names a server that does not answer, or does not admit us: exit code 3
* Interrupted    somebody stopped the run; state is saved: exit code 130
  + WindowClosed the hours in which files may be sent are over
* NotComplete    a run or a tree came to its end and something is left: exit code 1; carries what there is to say
"""

from __future__ import annotations

from typing import Any

from connectors.errors import FatalError


class PlanError(Exception):
    """The plan cannot be used as it is."""


class CheckFailed(FatalError):
    """A precondition of the run is not met; nothing was sent."""

    reason = "check_failed"


class TooManyDeletions(FatalError):
    """More is gone from the source than the plan lets a run put into Box's trash."""

    reason = "too_many_deletions"


class NotFrozen(FatalError):
    """The source does not stand still; nobody was let in and nothing was closed."""

    reason = "not_frozen"


class NotApproved(FatalError):
    """Somebody was asked, and did not approve."""

    reason = "not_approved"


class PrefectUnreachable(FatalError):
    """The Prefect server does not answer; start it, or unset PREFECT_API_URL."""

    reason = "prefect_unreachable"


class Interrupted(Exception):
    """Stopped on request; the next run goes on from the checkpoint."""


class WindowClosed(Interrupted):
    """The hours in which files may be sent are over; the next run goes on from the checkpoint."""


class NotComplete(Exception):
    """It came to its end, and not everything is complete. Never raised by our own code: Prefect carries it along with
    a state that is not green, and `outcome` is what the function returns elsewhere."""

    def __init__(self, message: str, outcome: Any) -> None:
        super().__init__(message)
        self.outcome = outcome

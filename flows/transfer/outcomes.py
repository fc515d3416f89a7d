"""Outcomes: what an error means for one file: try again, failed, given back, or the end of the run."""

from __future__ import annotations

from enum import Enum, auto

from connectors.errors import (
    AccessDenied,
    ChangedWhileReading,
    ConnectorError,
    DestinationGone,
    DigestMismatch,
    FatalError,
    Locked,
    NameAwaited,
    NotFound,
    ReadFailed,
    Stopped,
    TransientError,
    WayRefused,
)
from connectors.on_error import OnError
from flows.errors import Interrupted
from flows.run.unforeseen import unforeseen
from flows.transfer.choosing import leave_out_refused
from flows.transfer.migration import Migration
from state.errors import StateError
from state.records import ClaimedItem, Failed


class Outcome(Enum):
    """What becomes of a file that was not sent, and of the run."""

    #: Nothing was decided: it waits for the next run.
    PARKED = auto()
    #: It waits for the next run, and this one ends.
    STOP = auto()
    #: It is tried again in this pass, until its tries are used up.
    AGAIN = auto()
    #: It needs a person, or another pass.
    FAILED = auto()
    #: It is no file's business.
    RAISED = auto()


#: The first row that an error belongs to counts; what belongs to none ends the batch with the error: it is no file's
#: business (the state database, memory), or asks for the end of the program.
TABLE: tuple[tuple[type[BaseException], Outcome], ...] = (
    (Stopped, Outcome.PARKED),
    (Interrupted, Outcome.PARKED),
    (FatalError, Outcome.STOP),
    (WayRefused, Outcome.PARKED),
    (TransientError, Outcome.AGAIN),
    (DestinationGone, Outcome.AGAIN),
    (Locked, Outcome.AGAIN),
    (ChangedWhileReading, Outcome.AGAIN),
    (DigestMismatch, Outcome.AGAIN),
    (ReadFailed, Outcome.AGAIN),
    (NameAwaited, Outcome.AGAIN),
    (ConnectorError, Outcome.FAILED),
    (StateError, Outcome.RAISED),
    (MemoryError, Outcome.RAISED),
    # Nobody foresaw it: one strange file must not end the run for all others (P11).
    (Exception, Outcome.FAILED),
)


def outcome_of(error: BaseException) -> Outcome:
    """Return what this error means."""
    return next((outcome for kind, outcome in TABLE if isinstance(error, kind)), Outcome.RAISED)


def failure_of(error: BaseException) -> tuple[str, str]:
    """Return reason code and line for a person; an unforeseen error is logged with all that is known of it."""
    if isinstance(error, ConnectorError):
        return error.reason, str(error)
    return unforeseen(error)


def outcome(migration: Migration, item: ClaimedItem) -> OnError:
    """Turn any error of the body into what becomes of this file: a result, or given back; or stop the run."""
    return OnError(_decide, migration, item)


def _decide(error: BaseException, migration: Migration, item: ClaimedItem) -> bool:
    if isinstance(error, NotFound | AccessDenied) and not migration.stop.is_set():
        try:
            migration.guard.require_root(item.tree_id)
        except Exception as exc:  # noqa: BLE001  it is what is wrong, and is decided on like any other
            return _decided(exc, migration, item)
    return _decided(error, migration, item)


def _decided(error: BaseException, migration: Migration, item: ClaimedItem) -> bool:
    means = outcome_of(error)
    if means is Outcome.RAISED:
        raise error
    if means is Outcome.STOP:
        migration.stop.fail(error)
    if isinstance(error, WayRefused):
        leave_out_refused(migration, error)
    if migration.stop.is_set() or means is Outcome.PARKED:
        migration.claims.give_back(item)
        return True
    again = means is Outcome.AGAIN
    reason, detail = failure_of(error)
    migration.recorder.put(Failed(item_id=item.id, reason=reason, detail=detail, retry=again))
    return True

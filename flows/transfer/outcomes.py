"""Outcomes: what an error means for one file: try again, failed, given back, or the end of the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from connectors.errors import (
    AccessDenied,
    ChangedWhileReading,
    ConnectorError,
    DestinationGone,
    DigestMismatch,
    FatalError,
    Locked,
    NotFound,
    ReadFailed,
    Stopped,
    TransientError,
)
from flows.errors import Interrupted
from flows.transfer.migration import Migration
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


#: The first row that an error belongs to counts; what belongs to none ends the batch with the error.
TABLE: tuple[tuple[type[BaseException], Outcome], ...] = (
    (Stopped, Outcome.PARKED),
    (Interrupted, Outcome.PARKED),
    (FatalError, Outcome.STOP),
    (TransientError, Outcome.AGAIN),
    (DestinationGone, Outcome.AGAIN),
    (Locked, Outcome.AGAIN),
    (ChangedWhileReading, Outcome.AGAIN),
    (DigestMismatch, Outcome.AGAIN),
    (ReadFailed, Outcome.AGAIN),
    (ConnectorError, Outcome.FAILED),
)


def outcome_of(error: BaseException) -> Outcome | None:
    """Return what this error means; None for one that is no file's business."""
    return next((outcome for kind, outcome in TABLE if isinstance(error, kind)), None)


@contextmanager
def outcome(migration: Migration, item: ClaimedItem) -> Iterator[None]:
    """Turn any error of the body into what becomes of this file: a result, or given back; or stop the run."""
    try:
        try:
            yield
        except ConnectorError as exc:
            if isinstance(exc, NotFound | AccessDenied) and not migration.stop.is_set():
                migration.guard.require_root(item.tree_id)
            raise
    except Exception as exc:
        means = outcome_of(exc)
        if means is None:
            raise
        if means is Outcome.STOP:
            migration.stop.fail(exc)
        if migration.stop.is_set() or means is Outcome.PARKED:
            migration.claims.give_back(item)
            return
        again = means is Outcome.AGAIN
        reason = exc.reason if isinstance(exc, ConnectorError) else ""
        migration.recorder.put(Failed(item_id=item.id, reason=reason, detail=str(exc), retry=again))

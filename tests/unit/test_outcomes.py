"""What an error means for one file, and who else may hold what Box says is in use."""

from __future__ import annotations

import threading

import pytest

from connectors.errors import (
    ChangedInBox,
    ConnectorError,
    FatalError,
    ItemError,
    Locked,
    QuotaExceeded,
    ServerBusy,
    Stopped,
    TransientError,
)
from flows.errors import Interrupted
from flows.run.in_flight import InFlight
from flows.run.stop import StopSignal
from flows.transfer.outcomes import Outcome, failure_of, outcome_of
from state.errors import StateError
from state.statuses import UNFORESEEN


@pytest.mark.parametrize(
    ("means", "error"),
    [
        (Outcome.PARKED, Stopped()),
        (Outcome.PARKED, Interrupted()),
        (Outcome.STOP, QuotaExceeded()),
        (Outcome.AGAIN, ServerBusy()),
        (Outcome.AGAIN, Locked()),
        (Outcome.FAILED, ChangedInBox()),
        (Outcome.FAILED, KeyError("a field that Box left out")),
        (Outcome.FAILED, RecursionError()),
        (Outcome.RAISED, StateError("gone")),
        (Outcome.RAISED, MemoryError()),
        (Outcome.RAISED, KeyboardInterrupt()),
    ],
)
def test_what_an_error_means(means: Outcome, error: BaseException) -> None:
    """One table decides; an error that nobody foresaw fails one file."""
    assert means is outcome_of(error)


def test_every_error_of_a_connector_has_its_row() -> None:
    """Fatal ones stop the run, passing ones are tried again, and no other one ends a batch."""
    kinds: list[type[ConnectorError]] = [TransientError, ItemError, FatalError]
    for kind in kinds:  # grows while it is gone through
        kinds += kind.__subclasses__()
    for kind in kinds:
        wanted = (
            {Outcome.STOP}
            if issubclass(kind, FatalError)
            else {Outcome.PARKED if issubclass(kind, Stopped | Interrupted) else Outcome.AGAIN}
            if issubclass(kind, TransientError)
            else {Outcome.AGAIN, Outcome.FAILED, Outcome.PARKED}
        )
        assert outcome_of(kind.__new__(kind)) in wanted, kind


def test_unforeseen_error_is_told_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """Its text may hold anything: the report names its kind, and the log has the whole of it."""
    reason, detail = failure_of(KeyError("a secret"))

    assert UNFORESEEN == reason
    assert "KeyError" in detail
    assert "a secret" not in detail
    assert "nobody foresaw" in caplog.text


def test_conflict_waits_for_the_others_of_its_folder() -> None:
    """Until the result of whoever is on its way into the same folder is handed in; not for another folder's."""
    in_flight = InFlight(StopSignal())
    order: list[str] = []
    begun, end = threading.Event(), threading.Event()

    def other() -> None:
        with in_flight.sending(1, 11):
            begun.set()
            end.wait(10)
            order.append("handed in")

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait(10)
    with in_flight.sending(2, 21):
        in_flight.wait_for_others(2, 21)
        order.append("other folder")
    with in_flight.sending(1, 12):
        end.set()
        in_flight.wait_for_others(1, 12)
        order.append("same folder")
    thread.join()

    assert ["other folder", "handed in", "same folder"] == order


def test_two_conflicts_do_not_wait_for_each_other() -> None:
    """Both are undecided for the same reason, and neither holds anything."""
    in_flight = InFlight(StopSignal())
    together = threading.Barrier(2, timeout=10)
    done: list[int] = []

    def conflict(item_id: int) -> None:
        with in_flight.sending(1, item_id):
            together.wait()
            in_flight.wait_for_others(1, item_id)
            done.append(item_id)

    threads = [threading.Thread(target=conflict, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [1, 2] == sorted(done)

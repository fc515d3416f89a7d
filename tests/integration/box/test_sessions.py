"""Upload sessions: parts, resume, commit, and every way in which they end early."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.entry import Fingerprint
from connectors.errors import (
    ChangedWhileReading,
    ConnectionLost,
    ConnectorError,
    DigestMismatch,
    Locked,
    NameInUse,
    ServerBusy,
)
from tests.integration.box.files import Sessions, Source, content, opener, sha1, upload
from tests.integration.box.sessions import (
    ABORT,
    COMMIT,
    CREATE,
    DATA,
    ITEM,
    PART,
    PARTS,
    calls,
    kill_after,
)


def test_a_large_file_goes_in_parts(box: Sandbox, destination: BoxDestination) -> None:
    """One create, each part once, one commit; bytes and dates as in the source; nothing left open."""
    store = Sessions()
    receipt = destination.put(ITEM, opener(DATA), store)
    stored = box.files()["big ü.bin"]

    assert {CREATE: 1, PART: 21, COMMIT: 1} == calls(destination)
    assert (receipt.sha1, receipt.size, receipt.parts_sent) == (sha1(DATA), len(DATA), 21)
    assert (receipt.file_id, 1_500_000_000, 1_600_000_000) == (
        stored.id,
        stored.content_created,
        stored.content_modified,
    )
    assert DATA == box.content(receipt.file_id)
    assert box.service_account.id == receipt.identity == store.saved[0].identity
    assert 21 == len(store.recorded) == len({part.offset for part in store.recorded})
    assert [] == box.open_sessions()
    assert None is store.load()


def test_a_killed_upload_goes_on_where_it_was(box: Sandbox, config: BoxConfig) -> None:
    """Another process sends only what Box lacks, and asks for the list of parts once."""
    with BoxDestination(config) as first:
        store = kill_after(first, parts=8)
    in_box = len(box.open_sessions()[0]["parts"])
    with BoxDestination(config) as second:
        receipt = second.put(ITEM, opener(DATA), store)

        assert {PARTS: 1, PART: 21 - in_box, COMMIT: 1} == calls(second)
    assert 21 - in_box == receipt.parts_sent
    assert in_box >= 8
    assert DATA == box.content(receipt.file_id)
    assert [] == box.open_sessions()


def test_parts_that_the_store_lacks_are_found(box: Sandbox, destination: BoxDestination) -> None:
    """Killed between Box's answer and the record: the part is not sent again, and the store learns of it."""
    store = kill_after(destination, parts=5)
    in_box = set(box.open_sessions()[0]["parts"])
    box.calls.reset()
    destination.put(ITEM, opener(DATA), store)

    assert 21 - len(in_box) == box.calls.by_route[PART]
    assert 21 == len({part.offset for part in store.recorded})


def test_parts_that_box_lost_are_sent_again(box: Sandbox, destination: BoxDestination) -> None:
    """Box's list is the truth, not ours."""
    store = kill_after(destination, parts=5)
    session = store.load()
    assert session is not None
    lie = replace(session.parts[0], offset=20_000, size=500, sha1=sha1(DATA[20_000:]), part_id="FEEDBEEF")
    store.save(replace(session, parts=(*session.parts, lie)))
    receipt = destination.put(ITEM, opener(DATA), store)

    assert DATA == box.content(receipt.file_id)


def test_a_changed_file_gets_a_new_session(box: Sandbox, destination: BoxDestination) -> None:
    """Another fingerprint: the old session is given back, everything is sent anew."""
    store = kill_after(destination, parts=5)
    newer = content(20_500, seed=2)
    receipt = destination.put(replace(ITEM, modified_ns=1_700_000_000 * 10**9), opener(newer), store)

    assert newer == box.content(receipt.file_id)
    assert (2, 1, 21) == (box.calls.by_route[CREATE], box.calls.by_route[ABORT], receipt.parts_sent)
    assert [] == box.open_sessions()


def test_a_file_that_hides_its_change_gets_a_new_session(box: Sandbox, destination: BoxDestination) -> None:
    """The same size and times but other bytes: re-reading notices, and nothing of both is mixed."""
    store = kill_after(destination, parts=5)
    newer = content(20_500, seed=2)
    receipt = destination.put(ITEM, opener(newer), store)

    assert newer == box.content(receipt.file_id)
    assert (2, 1, 21) == (box.calls.by_route[CREATE], box.calls.by_route[ABORT], receipt.parts_sent)
    assert [] == box.open_sessions()


def test_a_session_that_could_not_be_given_back_is_given_back_later(
    box: Sandbox, destination: BoxDestination
) -> None:
    """It holds other bytes than the file, and Box cannot be reached for its end: it is not forgotten."""
    store = kill_after(destination, parts=5)
    changed = content(len(DATA), 78)
    box.faults.next(ABORT).status(500).times(None)
    with pytest.raises(ServerBusy):
        destination.put(ITEM, opener(changed), store)
    kept = store.load()
    box.faults.clear()

    receipt = destination.put(ITEM, opener(changed), store)

    assert kept is not None
    assert sha1(changed) == receipt.sha1
    assert [] == box.open_sessions()


def test_an_explicit_fingerprint_is_kept_with_the_session(destination: BoxDestination) -> None:
    """What the source knows of the file (change time, file id) decides whether a session still fits."""
    fingerprint = Fingerprint(size=len(DATA), modified_ns=1, changed_ns=2, file_id="3")
    store = Sessions()
    destination.put(replace(ITEM, fingerprint=fingerprint), opener(DATA), store)

    assert fingerprint == store.saved[0].fingerprint


@pytest.mark.parametrize("ending", ["expired", "aborted", "nearly expired"])
def test_a_session_that_ended_is_replaced(box: Sandbox, destination: BoxDestination, ending: str) -> None:
    """Seven days passed, or somebody aborted it: a new session, all parts again, one file."""
    store = kill_after(destination, parts=5)
    session = store.load()
    assert session is not None
    if ending == "nearly expired":
        store.save(replace(session, expires_at=datetime.now(UTC) + timedelta(seconds=30)))
    else:
        destination.abort_session(session)
        destination.abort_session(session)
    if ending == "expired":
        box.faults.next(PARTS).status(410, error="session_expired")
    receipt = destination.put(ITEM, opener(DATA), store)

    assert DATA == box.content(receipt.file_id)
    assert (21, 1) == (receipt.parts_sent, box.files()["big ü.bin"].versions)


def test_a_session_of_another_user_is_not_touched(box: Sandbox, destination: BoxDestination) -> None:
    """Box refuses parts of anybody but the opener: a new session is begun in place of a stolen one."""
    store = kill_after(destination, parts=5)
    box.faults.next(PART).status(403, error="forbidden")
    receipt = destination.put(ITEM, opener(DATA), store)

    assert DATA == box.content(receipt.file_id)
    assert 2 == box.calls.by_route[CREATE]


@pytest.mark.parametrize(
    ("status", "code"), [(404, "not_found"), (410, "session_expired"), (410, "upload_failed")]
)
@pytest.mark.parametrize("route", [PART, COMMIT])
def test_a_session_that_ends_in_the_middle_is_replaced(
    box: Sandbox, destination: BoxDestination, route: str, status: int, code: str
) -> None:
    """Box gives the session up while parts or the commit are under way: begun anew, once."""
    box.faults.next(route).nth(1 if route == COMMIT else 7).status(status, error=code)
    receipt = destination.put(ITEM, opener(DATA), Sessions())

    assert DATA == box.content(receipt.file_id)
    assert 2 == box.calls.by_route[CREATE]
    assert 1 == box.files()["big ü.bin"].versions


@pytest.mark.parametrize("route", [PART, COMMIT])
@pytest.mark.parametrize(
    "code",
    [
        "forbidden_by_policy",
        "access_denied_item_locked",
        "insufficient_scope",
        "access_from_location_blocked",
    ],
)
def test_a_refusal_that_names_its_cause_is_no_lost_session(
    box: Sandbox, destination: BoxDestination, route: str, code: str
) -> None:
    """A policy, a lock, a scope: the cause is told, no other session is begun and no part is sent a second time."""
    box.faults.next(route).status(403, error=code).times(None)

    with pytest.raises(ConnectorError) as caught:
        destination.put(ITEM, opener(DATA), Sessions())

    assert code in str(caught.value)
    assert 1 == box.calls.by_route[CREATE]
    assert 21 >= box.calls.by_route[PART]


def test_a_session_that_box_does_not_take_back_stops_nobody(
    box: Sandbox, destination: BoxDestination
) -> None:
    """Somebody else's by now, or the right to it is gone: it ends by itself, and the file goes on without it."""
    store = kill_after(destination, 3)
    box.faults.next(ABORT).status(403, error="access_denied_insufficient_permissions")
    changed = content(20_500, 77)

    receipt = destination.put(replace(ITEM, modified_ns=5), opener(changed), store)

    assert sha1(changed) == receipt.sha1


def test_sessions_that_end_for_ever_are_given_up(box: Sandbox, destination: BoxDestination) -> None:
    """Three sessions, then the file waits for another time."""
    box.faults.next(PART).status(410, error="session_expired").times(None)
    with pytest.raises(ServerBusy, match="again and again"):
        destination.put(ITEM, opener(DATA), Sessions())

    assert 3 == box.calls.by_route[CREATE]


@pytest.mark.parametrize("after_effect", [True, False])
def test_a_part_answered_by_500(box: Sandbox, destination: BoxDestination, after_effect: bool) -> None:
    """The list of parts decides whether it is sent again: stored parts never are."""
    box.faults.next(PART).nth(4).status(500, after_effect=after_effect)
    receipt = destination.put(ITEM, opener(DATA), Sessions())

    assert DATA == box.content(receipt.file_id)
    assert (1, 21 if after_effect else 22) == (box.calls.by_route[PARTS], box.calls.by_route[PART])


@pytest.mark.parametrize("when", ["before_effect", "after_effect"])
def test_a_part_whose_answer_is_lost(box: Sandbox, destination: BoxDestination, when: str) -> None:
    """A dropped connection is treated the same way."""
    box.faults.next(PART).nth(4).reset(when)
    receipt = destination.put(ITEM, opener(DATA), Sessions())

    assert DATA == box.content(receipt.file_id)
    assert 21 + (when == "before_effect") == box.calls.by_route[PART]


def test_a_part_that_is_there_already(box: Sandbox, destination: BoxDestination) -> None:
    """409 on a part counts as done when offset, size and sha1 agree."""
    box.faults.next(PART).nth(3).status(409, error="range_overlaps_existing_part", after_effect=True)
    receipt = destination.put(ITEM, opener(DATA), Sessions())

    assert DATA == box.content(receipt.file_id)
    assert 21 == box.calls.by_route[PART]


@pytest.mark.parametrize(("status", "code"), [(412, "precondition_failed"), (400, "bad_digest")])
def test_a_damaged_part_is_sent_again(
    box: Sandbox, destination: BoxDestination, status: int, code: str
) -> None:
    """Box says that the digest does not fit and keeps nothing: the same part once more."""
    box.faults.next(PART).nth(3).status(status, error=code)
    receipt = destination.put(ITEM, opener(DATA), Sessions())

    assert DATA == box.content(receipt.file_id)
    assert 22 == box.calls.by_route[PART]


def test_a_part_stored_wrongly_ends_the_session(box: Sandbox, destination: BoxDestination) -> None:
    """Parts cannot be replaced, so the session is given back and nothing is committed."""
    box.faults.next(PART).nth(3).wrong_digest()
    store = Sessions()
    with pytest.raises(DigestMismatch):
        destination.put(ITEM, opener(DATA), store)

    assert ([], None, {}) == (box.open_sessions(), store.load(), box.files())


def test_a_commit_answered_202_forty_times(box: Sandbox, destination: BoxDestination) -> None:
    """The same commit is asked again until the file is there."""
    box.settings.commit_202_rounds = 40
    box.settings.commit_retry_after_seconds = 0
    destination._service.pacer._sleep = lambda seconds: None
    receipt = destination.put(ITEM, opener(DATA), Sessions())

    assert DATA == box.content(receipt.file_id)
    assert (41, 21) == (box.calls.by_route[COMMIT], box.calls.by_route[PART])


def test_a_commit_that_never_ends_keeps_its_parts(box: Sandbox, destination: BoxDestination) -> None:
    """After a hundred rounds the session stays for the next attempt, which sends no part."""
    box.settings.commit_202_rounds = 120
    destination._service.pacer._sleep = lambda seconds: None
    store = Sessions()
    with pytest.raises(ServerBusy, match="assembling"):
        destination.put(ITEM, opener(DATA), store)
    box.calls.reset()
    receipt = destination.put(ITEM, opener(DATA), store)

    assert (0, 0) == (receipt.parts_sent, box.calls.by_route[PART])
    assert DATA == box.content(receipt.file_id)


def test_parts_mismatch_right_after_the_last_part(box: Sandbox, destination: BoxDestination) -> None:
    """It passes by itself: the commit is asked again, nothing is sent again."""
    box.settings.parts_mismatch_rounds = 4
    destination._service.pacer._sleep = lambda seconds: None
    receipt = destination.put(ITEM, opener(DATA), Sessions())

    assert DATA == box.content(receipt.file_id)
    assert (5, 21) == (box.calls.by_route[COMMIT], box.calls.by_route[PART])


@pytest.mark.parametrize("fault", ["reset", "500", "truncate"])
def test_a_commit_whose_answer_is_lost(box: Sandbox, destination: BoxDestination, fault: str) -> None:
    """The file is there: adopted by its sha1, with one version, and nothing is sent again."""
    rule = box.faults.next(COMMIT)
    {"reset": lambda: rule.reset("after_effect"), "truncate": rule.truncate}.get(
        fault, lambda: rule.status(500, after_effect=True)
    )()
    receipt = destination.put(ITEM, opener(DATA), Sessions())

    assert receipt.adopted
    assert (21, 1) == (box.calls.by_route[PART], box.files()["big ü.bin"].versions)
    assert [] == box.open_sessions()


def test_a_process_killed_between_commit_and_record(box: Sandbox, destination: BoxDestination) -> None:
    """The next process finds the session gone and the file there: adopted, no part sent."""
    store = kill_after(destination, parts=5)
    before = store.load()
    assert before is not None
    first = destination.put(ITEM, opener(DATA), store)
    store.save(before)
    box.calls.reset()
    second = destination.put(ITEM, opener(DATA), store)

    assert (True, first.file_id) == (second.adopted, second.file_id)
    assert 0 == box.calls.by_route[PART]
    assert [] == box.open_sessions()


def test_the_name_is_taken_before_the_session(box: Sandbox, destination: BoxDestination) -> None:
    """Other content under the name: a conflict, and no session left open."""
    theirs = destination.put(upload("0", "big ü.bin", b"small"), opener(b"small"))
    with pytest.raises(NameInUse) as caught:
        destination.put(ITEM, opener(DATA), Sessions())

    assert (theirs.file_id, sha1(b"small")) == (caught.value.box_id, caught.value.sha1)
    assert ([], 0) == (box.open_sessions(), box.calls.by_route[PART])


def test_the_name_is_taken_while_parts_are_sent(box: Sandbox, config: BoxConfig) -> None:
    """Somebody stores another file meanwhile: the commit fails, the session is given back."""
    with BoxDestination(config) as ours, BoxDestination(config) as theirs:
        small = upload("0", "big ü.bin", b"small")
        source = Source(DATA, at=9_000, act=lambda: theirs.put(small, opener(b"small")))
        store = Sessions()
        with pytest.raises(NameInUse) as caught:
            ours.put(ITEM, source, store)

    assert sha1(b"small") == caught.value.sha1
    assert ([], None) == (box.open_sessions(), store.load())


@pytest.mark.parametrize("size", [20_499, 20_501])
def test_a_large_file_of_another_size_is_not_stored(
    box: Sandbox, destination: BoxDestination, size: int
) -> None:
    """It shrank or grew while it was read: nothing is committed, the session is given back."""
    store = Sessions()
    with pytest.raises(ChangedWhileReading):
        destination.put(ITEM, opener(content(size)), store)

    assert ([], None, {}) == (box.open_sessions(), store.load(), box.files())


def test_the_source_is_asked_before_the_commit(box: Sandbox, destination: BoxDestination) -> None:
    """check_source says that the file moved: no commit."""

    def moved() -> None:
        raise ChangedWhileReading("mtime moved")

    with pytest.raises(ChangedWhileReading, match="mtime moved"):
        destination.put(ITEM, opener(DATA), Sessions(), check_source=moved)

    assert ([], {}, 0) == (box.open_sessions(), box.files(), box.calls.by_route[COMMIT])


@pytest.mark.parametrize("error", [Locked("open elsewhere"), ConnectionLost("share away"), OSError(5, "bad")])
def test_a_source_that_fails_in_the_middle_keeps_the_session(
    box: Sandbox, destination: BoxDestination, error: Exception
) -> None:
    """The source's error comes out as it was; the next attempt goes on with the parts that Box has."""

    def fail() -> None:
        raise error

    store = Sessions()
    with pytest.raises(type(error)) as caught:
        destination.put(ITEM, Source(DATA, at=9_000, act=fail), store)
    sent = box.calls.by_route[PART]
    receipt = destination.put(ITEM, opener(DATA), store)

    assert error is caught.value
    assert 21 == sent + receipt.parts_sent
    assert 1 == box.calls.by_route[CREATE]


def test_memory_is_bounded_by_threads_not_by_size(box: Sandbox, config: BoxConfig) -> None:
    """With one thread never more than two parts are read ahead of what Box took."""
    read: list[int] = []
    ahead: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            read.append(size or 0)
            ahead.append(len(read) - box.calls.by_route[PART])
            return super().read(size)

    with BoxDestination(config.model_copy(update={"part_threads": 1})) as destination:
        destination.put(ITEM, lambda: Watched(DATA), Sessions())  # type: ignore[arg-type, return-value]

    assert max(ahead) <= 2

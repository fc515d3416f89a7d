"""Large files, part two: new versions, whose unchanged parts are kept, and what ends or stops an upload for good."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

import pytest

from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.errors import (
    DigestMismatch,
    NameInUse,
    QuotaExceeded,
    Stopped,
)
from tests.integration.box.files import Sessions, Source, content, opener, sha1, upload
from tests.integration.box.sessions import (
    COMMIT,
    CREATE_VERSION,
    DATA,
    INFO,
    ITEM,
    PART,
    PLAN,
    kill_after,
)


def test_a_new_version_of_a_large_file_sends_what_changed(box: Sandbox, destination: BoxDestination) -> None:
    """The plan endpoint tells which parts an older version holds; they are not sent."""
    first = destination.put(ITEM, opener(DATA), Sessions())
    changed = DATA[:5_000] + content(1_000, seed=9) + DATA[6_000:]
    box.calls.reset()
    store = Sessions()
    second = destination.put(replace(ITEM, file_id=first.file_id, etag=first.etag), opener(changed), store)

    assert (first.file_id, changed) == (second.file_id, box.content(second.file_id))
    assert (1, 1, 21) == (second.parts_sent, box.calls.by_route[PART], box.calls.by_route[PLAN])
    assert 2 == box.files()["big ü.bin"].versions
    assert [] == box.open_sessions()


def test_a_new_version_without_plan_sends_everything(box: Sandbox, destination: BoxDestination) -> None:
    """A Box without that endpoint gets all parts."""
    first = destination.put(ITEM, opener(DATA), Sessions())
    box.settings.expose_plan_endpoint = False
    changed = content(20_500, seed=5)
    second = destination.put(
        replace(ITEM, file_id=first.file_id, etag=first.etag), opener(changed), Sessions()
    )

    assert (21, changed) == (second.parts_sent, box.content(second.file_id))


def test_a_killed_version_goes_on_where_it_was(box: Sandbox, destination: BoxDestination) -> None:
    """Parts that the plan endpoint knew are not asked for again either."""
    first = destination.put(ITEM, opener(DATA), Sessions())
    changed = content(9_000, seed=5) + DATA[9_000:]
    item = replace(ITEM, file_id=first.file_id, etag=first.etag)
    store = kill_after(destination, 15, item, changed)
    box.calls.reset()
    second = destination.put(item, opener(changed), store)

    assert changed == box.content(second.file_id)
    assert box.calls.by_route[PART] + box.calls.by_route[PLAN] <= 12
    assert 2 == box.files()["big ü.bin"].versions


@pytest.mark.parametrize("kill", [True, False])
def test_a_version_commit_whose_answer_is_lost(box: Sandbox, destination: BoxDestination, kill: bool) -> None:
    """In this process or the next one: the file itself shows that the version is there; no third one."""
    first = destination.put(ITEM, opener(DATA), Sessions())
    changed = content(20_500, seed=5)
    item = replace(ITEM, file_id=first.file_id, etag=first.etag)
    if not kill:
        box.faults.next(COMMIT).reset("after_effect")
    second = destination.put(item, opener(changed), Sessions())
    if kill:
        box.calls.reset()
        second = destination.put(item, opener(changed), Sessions())

        assert {INFO: 2} == dict(box.calls.by_route)
    else:
        assert (2, 1) == (box.calls.by_route[COMMIT] - 1, box.calls.by_route[CREATE_VERSION])
    assert second.adopted
    assert 2 == box.files()["big ü.bin"].versions


def test_a_large_version_over_somebody_elses_change(box: Sandbox, config: BoxConfig) -> None:
    """If-Match guards the commit: a change made meanwhile is not overwritten."""
    with BoxDestination(config) as ours, BoxDestination(config) as theirs:
        first = ours.put(ITEM, opener(DATA), Sessions())
        changed = content(20_500, seed=5)
        small = upload("0", "big ü.bin", b"theirs", file_id=first.file_id, etag=first.etag)
        source = Source(changed, at=9_000, act=lambda: source.at == -1 or theirs_once())
        done: list[bool] = []

        def theirs_once() -> None:
            if not done:
                done.append(True)
                theirs.put(small, opener(b"theirs"))

        with pytest.raises(NameInUse) as caught:
            ours.put(replace(ITEM, file_id=first.file_id, etag=first.etag), source, Sessions())

    assert (first.file_id, sha1(b"theirs")) == (caught.value.box_id, caught.value.sha1)
    assert b"theirs" == box.content(first.file_id)
    assert [] == box.open_sessions()


def test_the_digest_of_the_whole_file_is_sent(box: Sandbox, destination: BoxDestination) -> None:
    """The commit carries the sha1 of exactly what was read in this run."""
    receipt = destination.put(ITEM, opener(DATA))

    assert hashlib.sha1(DATA).hexdigest() == receipt.sha1 == box.files()["big ü.bin"].sha1


def test_a_part_that_is_damaged_for_ever(box: Sandbox, destination: BoxDestination) -> None:
    """Three times, then the file is given up for this attempt and nothing stays open."""
    box.faults.next(PART).status(412, error="precondition_failed").times(None)
    store = Sessions()
    with pytest.raises(DigestMismatch, match="does not take the part"):
        destination.put(ITEM, opener(DATA), store)

    assert ([], None) == (box.open_sessions(), store.load())


def test_quota_that_runs_out_in_the_middle_keeps_the_parts(box: Sandbox, destination: BoxDestination) -> None:
    """The pass stops; once there is space again only the commit is missing."""
    box.faults.next(COMMIT).status(403, error="storage_limit_exceeded")
    store = Sessions()
    with pytest.raises(QuotaExceeded):
        destination.put(ITEM, opener(DATA), store)
    receipt = destination.put(ITEM, opener(DATA), store)

    assert (0, DATA) == (receipt.parts_sent, box.content(receipt.file_id))


def test_a_stop_in_the_middle_keeps_the_parts(
    box: Sandbox, destination: BoxDestination, config: BoxConfig, stop: threading.Event
) -> None:
    """Stopped comes out; the next process goes on."""
    store = Sessions()
    with pytest.raises(Stopped):
        destination.put(ITEM, Source(DATA, at=9_000, act=stop.set), store)
    in_box = len(box.open_sessions()[0]["parts"])
    with BoxDestination(config) as second:
        receipt = second.put(ITEM, opener(DATA), store)

    assert 21 - in_box == receipt.parts_sent
    assert in_box >= 1
    assert DATA == box.content(receipt.file_id)

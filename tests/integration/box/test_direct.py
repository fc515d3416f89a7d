"""Direct uploads: one call, proof or error, and nothing stored that was not whole."""

from __future__ import annotations

import threading

import pytest

from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.errors import (
    ChangedWhileReading,
    ConnectionLost,
    DestinationGone,
    DigestMismatch,
    Locked,
    NameInUse,
    NameRejected,
    QuotaExceeded,
    Rejected,
    RequestTooLarge,
    Stopped,
    TooLarge,
)
from tests.integration.box.files import Source, content, opener, sha1, upload


def test_a_small_file_costs_one_call(box: Sandbox, destination: BoxDestination) -> None:
    """One POST stores bytes and dates; the receipt is Box's answer."""
    data = content(3000)
    receipt = destination.put(upload("0", "Bericht ü😀.txt", data), opener(data))
    stored = box.files()["Bericht ü😀.txt"]

    assert {"POST /oauth2/token": 1, "POST /files/content": 1} == destination.call_counts()
    assert (receipt.file_id, receipt.sha1, receipt.size) == (stored.id, sha1(data), 3000)
    assert data == box.content(receipt.file_id)
    assert (1_500_000_000, 1_600_000_000) == (stored.content_created, stored.content_modified)
    assert not receipt.adopted
    assert receipt.version_id and receipt.etag == "0"


def test_an_empty_file_arrives(box: Sandbox, destination: BoxDestination) -> None:
    """Zero bytes are a file like any other."""
    receipt = destination.put(upload("0", "empty", b""), opener(b""))

    assert (0, sha1(b"")) == (receipt.size, receipt.sha1)
    assert b"" == box.content(receipt.file_id)


def test_dates_before_1970_become_1970(box: Sandbox, destination: BoxDestination) -> None:
    """Box refuses earlier dates, so they are clamped."""
    item = upload("0", "old", b"x")
    destination.put(type(item)(folder_id="0", name="old", size=1, modified_ns=-(10**18)), opener(b"x"))

    assert 0 == box.files()["old"].content_modified


def test_a_file_without_dates_is_sent_without(box: Sandbox, destination: BoxDestination) -> None:
    """A source that knows no times does not stop the upload."""
    item = upload("0", "undated", b"x")
    receipt = destination.put(type(item)(folder_id="0", name="undated", size=1), opener(b"x"))

    assert "undated" == receipt.name


def test_the_same_content_is_adopted(box: Sandbox, destination: BoxDestination) -> None:
    """A name in use with our content is ours: no second version, no further call."""
    first = destination.put(upload("0", "a.txt", b"hello"), opener(b"hello"))
    box.calls.reset()
    second = destination.put(upload("0", "a.txt", b"hello"), opener(b"hello"))

    assert second.adopted
    assert (first.file_id, first.version_id) == (second.file_id, second.version_id)
    assert {"POST /files/content": 1} == dict(box.calls.by_route)
    assert 1 == box.files()["a.txt"].versions


def test_other_content_under_the_name_is_a_conflict(destination: BoxDestination) -> None:
    """The error says which file is in the way and what it holds."""
    first = destination.put(upload("0", "a.txt", b"theirs"), opener(b"theirs"))
    with pytest.raises(NameInUse) as caught:
        destination.put(upload("0", "A.TXT", b"ours"), opener(b"ours"))

    assert (first.file_id, "file", sha1(b"theirs"), "0") == (
        caught.value.box_id,
        caught.value.box_type,
        caught.value.sha1,
        caught.value.etag,
    )


def test_a_folder_of_the_name_is_a_conflict(destination: BoxDestination) -> None:
    """Files and folders share one namespace."""
    folder = destination.create_folder("0", "x")
    with pytest.raises(NameInUse) as caught:
        destination.put(upload("0", "x", b"1"), opener(b"1"))

    assert (folder.id, "folder") == (caught.value.box_id, caught.value.box_type)


def test_a_new_version_keeps_the_file(box: Sandbox, destination: BoxDestination) -> None:
    """file_id and etag make it a version of that file, under If-Match."""
    first = destination.put(upload("0", "a.txt", b"one"), opener(b"one"))
    second = destination.put(
        upload("0", "a.txt", b"two", file_id=first.file_id, etag=first.etag), opener(b"two")
    )

    assert first.file_id == second.file_id
    assert first.version_id != second.version_id
    assert b"two" == box.content(first.file_id)
    assert 2 == box.files()["a.txt"].versions


def test_a_version_over_somebody_elses_change_is_a_conflict(
    box: Sandbox, destination: BoxDestination
) -> None:
    """When the file moved on in Box, nothing is overwritten."""
    first = destination.put(upload("0", "a.txt", b"one"), opener(b"one"))
    destination.put(upload("0", "a.txt", b"other", file_id=first.file_id, etag=first.etag), opener(b"other"))
    with pytest.raises(NameInUse) as caught:
        destination.put(upload("0", "a.txt", b"two", file_id=first.file_id, etag=first.etag), opener(b"two"))

    assert (first.file_id, sha1(b"other"), "1") == (caught.value.box_id, caught.value.sha1, caught.value.etag)
    assert b"other" == box.content(first.file_id)


def test_a_version_without_etag_looks_first(box: Sandbox, destination: BoxDestination) -> None:
    """An unknown etag is asked for, so that a lost answer makes no second version."""
    first = destination.put(upload("0", "a.txt", b"one"), opener(b"one"))
    box.faults.next("POST /files/:id/content").reset("after_effect")
    second = destination.put(upload("0", "a.txt", b"two", file_id=first.file_id), opener(b"two"))

    assert second.adopted
    assert 2 == box.files()["a.txt"].versions


@pytest.mark.parametrize("wrong_size", [2999, 3001])
def test_a_file_of_another_size_is_not_stored(
    box: Sandbox, destination: BoxDestination, wrong_size: int
) -> None:
    """A file that shrank or grew since the walk breaks the upload off before Box keeps anything."""
    data = content(wrong_size)
    item = upload("0", "moving", content(3000))
    with pytest.raises(ChangedWhileReading):
        destination.put(item, opener(data))

    assert {} == box.files()


def test_an_empty_file_that_grew_is_not_stored(box: Sandbox, destination: BoxDestination) -> None:
    """The end of the file is looked at even when nothing is to be read."""
    with pytest.raises(ChangedWhileReading):
        destination.put(upload("0", "was empty", b""), opener(b"x"))

    assert {} == box.files()


def test_the_source_is_asked_before_the_last_byte_leaves(box: Sandbox, destination: BoxDestination) -> None:
    """check_source says that the file moved: nothing is stored."""
    data = content(3000)

    def moved() -> None:
        raise ChangedWhileReading("mtime moved")

    with pytest.raises(ChangedWhileReading, match="mtime moved"):
        destination.put(upload("0", "moving", data), opener(data), check_source=moved)

    assert {} == box.files()


@pytest.mark.parametrize(
    "error", [Locked("open elsewhere"), ConnectionLost("the share went away"), OSError(5, "bad")]
)
def test_source_errors_stay_what_they_are(destination: BoxDestination, error: Exception) -> None:
    """An error of the source in the middle of the upload is neither Box's fault nor repeated here."""
    data = content(4000)

    def fail() -> None:
        raise error

    source = Source(data, at=2000, act=fail)
    with pytest.raises(type(error)) as caught:
        destination.put(upload("0", "a", data), source)

    assert error is caught.value
    assert 1 == source.opened


def test_an_error_of_opening_stays_what_it_is(destination: BoxDestination) -> None:
    """The source refuses to open the file: no call, and the source's own error."""

    def refuse() -> Source:
        raise Locked("open elsewhere")

    with pytest.raises(Locked, match="open elsewhere"):
        destination.put(upload("0", "a", b"x"), refuse)

    assert {} == destination.call_counts()


def test_wrong_bytes_in_box_are_noticed(box: Sandbox, destination: BoxDestination) -> None:
    """Box stored something else: the error names the file, so that a version can be sent over it."""
    box.faults.next("POST /files/content").wrong_digest()
    with pytest.raises(DigestMismatch) as caught:
        destination.put(upload("0", "a", b"right"), opener(b"right"))
    receipt = destination.put(
        upload("0", "a", b"right", file_id=caught.value.box_id, etag=caught.value.etag), opener(b"right")
    )

    assert b"right" == box.content(receipt.file_id)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "storage_limit_exceeded", QuotaExceeded),
        (409, "storage_limit_exceeded", QuotaExceeded),
        (403, "file_size_limit_exceeded", TooLarge),
        (413, "request_entity_too_large", RequestTooLarge),
        (400, "item_name_invalid", NameRejected),
        (404, "not_found", DestinationGone),
        (403, "forbidden_by_policy", Rejected),
        (418, "teapot", Rejected),
    ],
)
def test_refusals_say_what_happens_next(
    box: Sandbox, destination: BoxDestination, status: int, code: str, expected: type[Exception]
) -> None:
    """Box's code decides the class; it is not repeated."""
    box.faults.next("POST /files/content").status(status, error=code)
    with pytest.raises(expected, match=code):
        destination.put(upload("0", "a", b"x"), opener(b"x"))

    assert 1 == box.calls.by_route["POST /files/content"]


def test_a_parent_that_is_gone(destination: BoxDestination) -> None:
    """An unknown folder is the destination's absence, not the source's."""
    with pytest.raises(DestinationGone):
        destination.put(upload("999", "a", b"x"), opener(b"x"))


def test_a_full_account_stops_the_pass(box: Sandbox, destination: BoxDestination) -> None:
    """The owner's quota is one for everything, so it is fatal."""
    box.set_space(box.service_account.id, 10)
    with pytest.raises(QuotaExceeded):
        destination.put(upload("0", "a", content(11)), opener(content(11)))


def test_a_locked_subtree_is_waited_for(box: Sandbox, destination: BoxDestination) -> None:
    """409 with a passing code is repeated, not taken for a conflict."""
    for code in ("name_temporarily_reserved", "operation_blocked_temporary"):
        box.faults.next("POST /files/content").status(409, error=code)
    receipt = destination.put(upload("0", "a", b"x"), opener(b"x"))

    assert not receipt.adopted
    assert 2 == destination.statistics().retries


def test_a_stop_ends_the_waiting(box: Sandbox, destination: BoxDestination, stop: threading.Event) -> None:
    """A pause that Box asked for ends at once when the pass is stopped."""
    box.faults.next("POST /files/content").status(429, retry_after=3000)
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    with pytest.raises(Stopped):
        destination.put(upload("0", "a", b"x"), opener(b"x"))
    timer.join()


def test_many_threads_at_once(box: Sandbox, destination: BoxDestination) -> None:
    """Sixteen threads share one destination: every file once, one token."""
    data = {f"{n}.bin": content(2000, seed=n) for n in range(60)}
    names = iter(data)
    lock = threading.Lock()
    failed: list[BaseException] = []

    def work() -> None:
        while True:
            with lock:
                name = next(names, None)
            if name is None:
                return
            try:
                destination.put(upload("0", name, data[name]), opener(data[name]))
            except BaseException as exc:
                failed.append(exc)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failed
    assert {name: sha1(each) for name, each in data.items()} == {
        path: file.sha1 for path, file in box.files().items()
    }
    assert {"POST /oauth2/token": 1, "POST /files/content": 60} == destination.call_counts()


def test_a_version_whose_name_another_file_has(box: Sandbox, destination: BoxDestination) -> None:
    """The conflict names another file: never adopted, not even with the same content."""
    first = destination.put(upload("0", "a.txt", b"one"), opener(b"one"))
    other = destination.put(upload("0", "b.txt", b"two"), opener(b"two"))
    with pytest.raises(NameInUse) as caught:
        destination.put(upload("0", "b.txt", b"two", file_id=first.file_id, etag=first.etag), opener(b"two"))

    assert other.file_id == caught.value.box_id


@pytest.mark.parametrize("data", [b"same", b"other"])
def test_a_name_that_box_alone_takes_for_the_same(
    box: Sandbox, destination: BoxDestination, data: bytes
) -> None:
    """Box holds another name's file there: not even the same content is adopted from it (P7)."""
    box.settings.repair_file_names = True
    first = destination.put(upload("0", "ab", b"same"), opener(b"same"))
    with pytest.raises(NameInUse) as caught:
        destination.put(upload("0", "a/b", data), opener(data))
    box.violations.clear()

    assert (first.file_id, "ab") == (caught.value.box_id, caught.value.box_name)
    assert b"same" == box.content(first.file_id)


def test_a_name_that_box_changed_is_told(box: Sandbox, destination: BoxDestination) -> None:
    """Box stores the file under another name than was asked for: the receipt has both."""
    box.settings.repair_file_names = True
    plain = destination.put(upload("0", "ab", b"1"), opener(b"1"))
    receipt = destination.put(upload("0", "a/c", b"1"), opener(b"1"))
    box.violations.clear()

    assert (None, "ab") == (plain.renamed_from, plain.name)
    assert ("a/c", "ac") == (receipt.renamed_from, receipt.name)

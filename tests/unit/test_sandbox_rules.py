"""The sandbox's pure parts: names, dates, multipart bodies, limits, faults, pages, permissions' table."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.box.sandbox.control import limits as limits_module
from connectors.box.sandbox.control.faults import Faults
from connectors.box.sandbox.control.limits import Limits
from connectors.box.sandbox.errors import BoxError
from connectors.box.sandbox.http.multipart import parse_upload
from connectors.box.sandbox.http.openapi import DOCUMENT, KNOWN_ERRORS
from connectors.box.sandbox.http.routes.table import Table
from connectors.box.sandbox.rules.listing import marker_page
from connectors.box.sandbox.rules.names import check_file_name, check_folder_name, name_key, wide_key
from connectors.box.sandbox.rules.permissions import CAPABILITIES, RANKS
from connectors.box.sandbox.settings import Settings
from connectors.box.sandbox.store.contents import Blob
from connectors.box.sandbox.store.dates import format_date, parse_date


@given(st.integers(0, 7_258_118_400))
def test_dates_survive_the_round_trip(seconds: int) -> None:
    """A formatted date, which has Pacific time's offset, names the same instant."""
    text = format_date(seconds)

    assert seconds == parse_date(text, "date") == int(datetime.fromisoformat(text).timestamp())
    assert text[-6:] in {"-07:00", "-08:00"}


@given(st.text(max_size=300))
def test_accepted_file_names_are_clean(name: str) -> None:
    """A repaired name has nothing forbidden, and is accepted as it is where nothing is repaired."""
    try:
        stored = check_file_name(name, Settings(repair_file_names=True))
    except BoxError as error:
        assert error.code in {"item_name_invalid", "item_name_too_long"}
        return

    assert stored == check_file_name(stored, Settings())
    assert not set(stored) & set("/\\\0\n\x7f")
    assert not stored.endswith(" ")


@given(st.text(max_size=20))
def test_accepted_names_are_unchanged(name: str) -> None:
    """A name is accepted as it is, or refused, for files as for folders."""
    outcomes = []
    for check in (check_file_name, check_folder_name):
        try:
            outcomes.append(check(name, Settings()))
        except BoxError as error:
            assert 400 == error.status
            outcomes.append(None)

    assert outcomes in ([name, name], [None, None])


@given(st.text(max_size=20))
def test_wide_keys_see_more_than_name_keys(name: str) -> None:
    """What is one name for `name_key` is one name in NFKC too, and the NFKC form of a name has its own key."""
    assert wide_key(name) == wide_key(name_key(name)) == wide_key(wide_key(name))
    assert wide_key(name) == wide_key(unicodedata.normalize("NFKC", name))


@given(st.text(max_size=20))
def test_name_keys_ignore_case(name: str) -> None:
    """Keys do not depend on case, and are stable."""
    assert name_key(name.casefold()) == name_key(name) == name_key(name_key(name))


@given(st.binary(max_size=200), st.sampled_from(["B", "--", "x" * 70]))
def test_multipart_content_is_exact(content: bytes, boundary: str) -> None:
    """The content comes out byte for byte, unless it holds the delimiter itself."""
    delimiter = b"\r\n--" + boundary.encode()
    if delimiter in b"\r\n" + content + delimiter[:-1]:
        return
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="attributes"\r\n\r\n{{}}'.encode()
        + delimiter
        + b'\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        + content
        + delimiter
        + b"--\r\n"
    )

    assert (b"{}", content) == parse_upload(f"multipart/form-data; boundary={boundary}", body)


@given(st.binary(max_size=200))
def test_multipart_rubbish_is_refused(body: bytes) -> None:
    """Any other body is a 400."""
    with pytest.raises(BoxError) as error:
        parse_upload("multipart/form-data; boundary=boundary", body)

    assert 400 == error.value.status


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_sliding_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused call says exactly when the next one fits, and takes nothing from the budget."""
    clock = Clock()
    monkeypatch.setattr(limits_module, "monotonic", clock)
    limits = Limits(uploads_per_minute=2)
    for at in (0.0, 10.0):
        clock.now = 1000.0 + at
        limits.charge(("u",), is_upload=True)
    clock.now = 1020.5
    for _ in range(5):
        with pytest.raises(BoxError) as error:
            limits.charge(("u",), is_upload=True)
        assert (b"retry-after", b"40") in error.value.headers
    limits.charge(("u",), is_upload=False)
    clock.now += 40

    limits.charge(("u",), is_upload=True)


@given(st.lists(st.integers(0, 20 * 64).map(lambda number: number / 64), max_size=60), st.integers(1, 5))
def test_no_window_holds_more_than_the_limit(gaps: list[float], limit: int) -> None:
    """However calls are spaced, no window of 60 seconds has more accepted calls than the limit.

    Steps of 1/64 s: their sums are exact, so that 60 seconds are 60.
    """
    clock = Clock()
    accepted: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits_module, "monotonic", clock)
        limits = Limits(calls_per_minute=limit)
        for gap in gaps:
            clock.now += gap
            try:
                limits.charge(("u",), is_upload=False)
            except BoxError:
                continue
            accepted.append(clock.now)

    assert all(later - earlier >= 60 for earlier, later in zip(accepted, accepted[limit:], strict=False))


@pytest.mark.parametrize("counting", ["sliding", "fixed", "bucket"])
@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 30))
def test_retry_after_is_exact(counting: str, gaps: list[float], limit: int) -> None:
    """In each way of counting a call that waits as long as Retry-After says is accepted."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits_module, "monotonic", clock)
        limits = Limits(calls_per_minute=limit, counting=counting)
        for gap in gaps:
            clock.now += gap
            try:
                limits.charge(("u",), is_upload=False)
            except BoxError as error:
                clock.now += int(dict(error.headers)[b"retry-after"])
                limits.charge(("u",), is_upload=False)


@pytest.mark.parametrize(("counting", "at_once"), [("sliding", 20), ("fixed", 20), ("bucket", 2)])
def test_ways_of_counting(counting: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket takes a tenth of the budget at once, windows all of it; evenly spread calls pass in all three."""
    clock = Clock()
    monkeypatch.setattr(limits_module, "monotonic", clock)
    limits = Limits(calls_per_minute=20, counting=counting)
    accepted = 0
    with pytest.raises(BoxError):
        while accepted < 21:
            limits.charge(("u",), is_upload=False)
            accepted += 1

    assert at_once == accepted
    clock.now += 60
    for _ in range(60):
        clock.now += 3.0
        limits.charge(("u",), is_upload=False)


def test_fixed_windows_let_two_budgets_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the border of two fixed windows twice the budget passes, which a sliding one refuses."""
    clock = Clock()
    monkeypatch.setattr(limits_module, "monotonic", clock)
    refused = {}
    for counting in ("fixed", "sliding"):
        limits = Limits(calls_per_minute=5, counting=counting)
        limits.charge(("u",), is_upload=False)
        statuses = []
        for step in (59.0, 0, 0, 0, 1.5, 0, 0, 0, 0):
            clock.now += step
            try:
                limits.charge(("u",), is_upload=False)
                statuses.append(200)
            except BoxError as error:
                statuses.append(error.status)
        refused[counting] = statuses.count(429)

    assert {"fixed": 0, "sliding": 4} == refused


@pytest.mark.parametrize(
    ("form", "expected"), [("429", (429, True)), ("429_bare", (429, False)), ("403", (403, True))]
)
def test_forms_of_refusal(form: str, expected: tuple[int, bool]) -> None:
    """A limit is told by 429 with or without Retry-After, or by 403 with it."""
    limits = Limits(calls_per_minute=1, refusal=form)
    limits.charge(("u",), is_upload=False)
    with pytest.raises(BoxError) as refused:
        limits.charge(("u",), is_upload=False)

    assert expected == (refused.value.status, b"retry-after" in dict(refused.value.headers))


def test_unknown_ways_of_counting_are_refused() -> None:
    """A limit that is mistyped is an error, and changes nothing."""
    limits = Limits()
    for wrong in ({"counting": "guessing"}, {"refusal": "500"}, {"callsperminute": 3}):
        with pytest.raises(ValueError, match=r"guessing|500|callsperminute"):
            limits.update(wrong)

    assert Limits() == limits


def test_faults_count_and_skip() -> None:
    """A rule strikes the n-th matching call, as often as told, and is then forgotten."""
    faults = Faults()
    faults.next("PUT *").status(500).nth(2).times(2)
    struck = [faults.find("PUT /x") is not None for _ in range(5)]

    assert [False, True, True, False, False] == struck
    assert (None, []) == (faults.find("GET /x"), faults.rules)


def test_faults_about_one_thing() -> None:
    """A rule about a subject strikes only calls that mention it."""
    faults = Faults()
    faults.next("POST *").about("ann").status(403).times(None)

    assert faults.find("POST /x", {"bob"}.__contains__) is None
    assert faults.find("POST /x") is None
    assert faults.find("POST /x", {"ann"}.__contains__) is not None


def test_faults_from_json() -> None:
    """A rule may come as JSON; unknown kinds and fields are errors."""
    faults = Faults()
    faults.load({"route": "*", "status": 429, "retry_after": "3", "times": 1})
    effect = faults.find("GET /x")
    assert effect is not None
    assert (429, "3") == (effect.status, effect.retry_after)
    for wrong in ({"statuss": 5}, {"probability": 1.0, "kinds": ["boom"]}):
        with pytest.raises((TypeError, ValueError)):
            faults.load(wrong)


@given(st.sets(st.integers(0, 50)), st.sets(st.integers(0, 50)), st.integers(1, 5))
def test_marker_pages_survive_deletions(numbers: set[int], deleted: set[int], limit: int) -> None:
    """What is not deleted between two pages is on exactly one of them."""
    items = sorted(numbers)
    first, rest = marker_page(items, None, limit, lambda n: (0, n))
    left = [n for n in items if n not in deleted or n in first]
    seen = list(first)
    while rest["next_marker"] is not None:
        page, rest = marker_page(left, rest["next_marker"], limit, lambda n: (0, n))
        seen += page

    assert left == seen


@given(st.lists(st.binary(max_size=9), max_size=6), st.integers(0, 60), st.integers(0, 60))
def test_blobs_read_any_piece(chunks: list[bytes], start: int, stop: int) -> None:
    """A blob of chunks, and one of blobs, give the same bytes as the whole."""
    whole = b"".join(chunks)
    start, stop = min(start, len(whole)), min(stop, len(whole))
    flat = Blob(len(whole), data=tuple(chunks))
    nested = Blob(len(whole), pieces=tuple(Blob(len(c), data=(c,)) for c in chunks))

    assert whole[start:stop] == b"".join(flat.read(start, stop)) == b"".join(nested.read(start, stop))


def test_roles_only_grow_along_their_order() -> None:
    """co-owner can all that editor can, editor all that the lower roles can."""
    assert set(CAPABILITIES) | {"owner"} == set(RANKS)
    for role in set(CAPABILITIES) - {"co-owner"}:
        assert CAPABILITIES[role] < CAPABILITIES["co-owner"]


def test_document_is_licensed_and_small() -> None:
    """The trimmed OpenAPI carries its licence, and every known error its reason."""
    document = json.loads(DOCUMENT.read_text())

    assert "Apache License, Version 2.0" in document["notice"]
    assert DOCUMENT.stat().st_size < 400_000
    assert all(reason.endswith(".") for reason in KNOWN_ERRORS.values())


def test_served_calls_are_in_the_document() -> None:
    """Every served call is in the document, but for those that Box has and the document lacks."""
    operations = json.loads(DOCUMENT.read_text())["operations"]
    missing = {route.template for route in Table().routes()} - set(operations)

    assert missing == {
        "OPTIONS /files/:id/content",
        "POST /files/upload_sessions/:id/plan",
        "POST /files/upload_sessions/:id/log",
        "GET /files/:id/thumbnail.png",
        "GET /files/:id/thumbnail.jpg",
        "GET /subscribe",
    }

"""What no SDK sends: names, malformed bodies, odd parameters, ranges, dates."""

from __future__ import annotations

import hashlib
import json

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.integration.sandbox.conftest import Raw

BOUNDARY = {"Content-Type": "multipart/form-data; boundary=B"}


def multipart(*parts: tuple[str, bytes]) -> bytes:
    """A body of parts, each with its Content-Disposition."""
    made = b"".join(
        b"--B\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + body + b"\r\n"
        for head, body in parts
    )
    return made + b"--B--\r\n"


ATTRIBUTES = ('name="attributes"', b'{"name":"f","parent":{"id":"0"}}')
FILE = ('name="file"; filename=""', b"abc")


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a\tb", "a\x7fb", ".", "..", "trailing ", ""])
def test_folder_names_are_refused(raw: Raw, name: str) -> None:
    """Folders do not get names with separators, control characters, dots alone or a trailing space."""
    answer = raw.folder(name)

    assert (400, "item_name_invalid") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("sent", "stored"),
    [("a/b\\c", "abc"), ("a\tb\x7f", "ab"), ("trailing  ", "trailing"), (" leading", " leading")],
)
def test_file_names_are_repaired(box: Sandbox, raw: Raw, sent: str, stored: str) -> None:
    """With the switch files lose in silence what they may not have; the answer has the name that was stored."""
    box.settings.repair_file_names = True

    assert stored == raw.upload(sent).json()["entries"][0]["name"]


@pytest.mark.parametrize("name", [".", "..", "/", " "])
def test_file_names_that_leave_nothing(raw: Raw, name: str) -> None:
    """A name of which nothing usable is left is refused."""
    assert (400, "item_name_invalid") == (raw.upload(name).status_code, raw.upload(name).json()["code"])


def test_name_length_counts_utf16_units(raw: Raw) -> None:
    """255 units are accepted, 256 are not; an emoji has two."""
    assert [201, 400, 201, 400] == [
        raw.folder(name).status_code for name in ("x" * 255, "x" * 256, "💩" * 127, "💩" * 128)
    ]


@pytest.mark.parametrize(
    ("first", "second"), [("README", "readme"), ("é", "e\u0301"), ("Straße", "STRASSE"), ("İ", "i̇")]
)
def test_equal_names(raw: Raw, first: str, second: str) -> None:
    """Names that differ in case or in Unicode form are one name."""
    assert [201, 409] == [raw.folder(first).status_code, raw.upload(second).status_code]


def test_switches_for_documented_names(box: Sandbox, raw: Raw) -> None:
    """Leading spaces and Windows' characters are refused when the switches say so."""
    assert [201, 201] == [raw.folder(name).status_code for name in (" a", "a:b")]
    box.settings.refuse_leading_spaces = box.settings.refuse_windows_characters = True

    assert [400, 400] == [raw.folder(name).status_code for name in (" b", "b:b")]


def test_lone_surrogates(raw: Raw) -> None:
    """A JSON escape of half a character is a bad request, not a defect."""
    body = b'{"name":"a\\udcff","parent":{"id":"0"}}'

    assert 400 == raw("POST", "/2.0/folders", data=body).status_code


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (multipart(FILE, ATTRIBUTES), BOUNDARY, (400, "metadata_after_file_contents")),
        (multipart(ATTRIBUTES), BOUNDARY, (400, "bad_request")),
        (multipart(FILE), BOUNDARY, (400, "metadata_after_file_contents")),
        (multipart(ATTRIBUTES, FILE)[:-10], BOUNDARY, (400, "bad_request")),
        (b"", BOUNDARY, (400, "bad_request")),
        (b"--B", BOUNDARY, (400, "bad_request")),
        (b"garbage", BOUNDARY, (400, "bad_request")),
        (b"{}", {"Content-Type": "application/json"}, (415, "unsupported_media_type")),
        (multipart(ATTRIBUTES, FILE), {"Content-Type": "multipart/form-data"}, (400, "bad_request")),
        (multipart((ATTRIBUTES[0], b"[]"), FILE), BOUNDARY, (400, "bad_request")),
        (multipart((ATTRIBUTES[0], b"{"), FILE), BOUNDARY, (400, "bad_request")),
        (multipart((ATTRIBUTES[0], b'{"name":"f"}'), FILE), BOUNDARY, (400, "bad_request")),
        (multipart((ATTRIBUTES[0], b'{"name":"f","parent":{"id":0}}'), FILE), BOUNDARY, (400, "bad_request")),
        (multipart((ATTRIBUTES[0], b'{"name":5,"parent":{"id":"0"}}'), FILE), BOUNDARY, (400, "bad_request")),
    ],
)
def test_malformed_uploads(
    raw: Raw, box: Sandbox, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """Every malformed upload is refused with its code, and stores nothing."""
    answer = raw("POST", "/api/2.0/files/content", data=body, headers=headers)

    assert expected == (answer.status_code, answer.json()["code"])
    assert {} == box.files()


def test_delimiters_inside_the_content(raw: Raw, box: Sandbox) -> None:
    """Content that looks like a delimiter, or ends in line breaks, arrives unchanged."""
    for number, content in enumerate([b"\r\n", b"\r\n--", b"--B", b"\n--B--", b"\r\n\r\n--A--\r\n", b""]):
        attributes = json.dumps({"name": str(number), "parent": {"id": "0"}}).encode()
        body = multipart((ATTRIBUTES[0], attributes), (FILE[0], content))
        entry = raw("POST", "/api/2.0/files/content", data=body, headers=BOUNDARY).json()["entries"][0]
        assert (content, hashlib.sha1(content).hexdigest()) == (box.content(entry["id"]), entry["sha1"])


def test_chunked_transfer_encoding(raw: Raw, box: Sandbox) -> None:
    """A body without a declared length is taken, as an independent client has long relied on."""
    body = multipart(ATTRIBUTES, FILE)
    answer = raw("POST", "/api/2.0/files/content", data=iter([body[:20], body[20:]]), headers=BOUNDARY)

    assert (201, b"abc") == (answer.status_code, box.content(answer.json()["entries"][0]["id"]))


@pytest.mark.parametrize(
    "date",
    ["1969-12-31T23:59:59Z", "2012-12-12T10:53:43", "2012-12-12", "2012-13-12T10:53:43Z", "2012-12-12T10:53:43.123456Z",
     "yesterday", 5, "1970-01-01T00:00:00+01:00"],
)  # fmt: skip
def test_dates_are_refused(raw: Raw, date: object) -> None:
    """Dates before 1970, without a zone, with microseconds, or no dates at all answer 400."""
    assert 400 == raw.upload("f", content_modified_at=date).status_code


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2012-12-12T10:53:43.500Z", 1_355_309_623),
        ("2012-12-12T10:53:43-08:00", 1_355_338_423),
        ("2038-01-19T03:14:08Z", 2_147_483_648),
    ],
)
def test_dates_are_kept_to_the_second(raw: Raw, box: Sandbox, date: str, seconds: int) -> None:
    """Dates with any offset are kept as instants, in whole seconds."""
    raw.upload("f", content_modified_at=date)

    assert seconds == box.files()["f"].content_modified


def test_answers_carry_the_enterprises_offset(raw: Raw) -> None:
    """Answers have Pacific time, which changes over the year: texts must not be compared."""
    summer = raw.upload("s", content_modified_at="2020-07-01T00:00:00Z").json()["entries"][0]
    winter = raw.upload("w", content_modified_at="2020-01-01T00:00:00Z").json()["entries"][0]

    assert "2020-06-30T17:00:00-07:00" == summer["content_modified_at"]
    assert "2019-12-31T16:00:00-08:00" == winter["content_modified_at"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=1000", 200), ("limit=1001", 200), ("limit=0", 400), ("limit=x", 400), ("limit=-1", 400),
        ("offset=9999", 200), ("offset=300000", 400), ("usemarker=True", 200), ("usemarker=FALSE", 200),
        ("usemarker=maybe", 400), ("usemarker=true&marker=rubbish", 400), ("usemarker=true&sort=name", 400),
        ("sort=colour", 400), ("direction=sideways", 400), ("fields=nothing,%00", 200),
        ("usemarker=true&marker=" + "9" * 5000, 400),
    ],
)  # fmt: skip
def test_listing_parameters(raw: Raw, query: str, status: int) -> None:
    """Limits, offsets, markers and booleans are checked; booleans in any case."""
    assert status == raw("GET", f"/2.0/folders/0/items?{query}").status_code


@pytest.mark.parametrize(
    ("header", "status", "content"),
    [
        ("bytes=0-2", 206, b"012"), ("bytes=7-", 206, b"789"), ("bytes=-2", 206, b"89"), ("bytes=5-99", 206, b"56789"),
        ("bytes=10-", 416, None), ("bytes=3-2", 200, b"0123456789"), ("items=0-2", 200, b"0123456789"),
        ("bytes=-0", 416, None), ("bytes=-99", 206, b"0123456789"),
    ],
)  # fmt: skip
def test_download_ranges(raw: Raw, header: str, status: int, content: bytes | None) -> None:
    """One range is served; those outside the file answer 416; malformed ones are ignored."""
    file_id = raw.upload("f", b"0123456789").json()["entries"][0]["id"]
    answer = raw("GET", f"/2.0/files/{file_id}/content", headers={"Range": header})

    assert status == answer.status_code
    assert content is None or content == answer.content


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/2.0/nothing", 404), ("GET", "/", 404), ("PATCH", "/2.0/folders/0", 405),
        ("DELETE", "/2.0/users/me", 405),
        ("POST", "/2.0/files/content", 405), ("GET", "/api/2.0/users/me", 404), ("GET", "/2.0/folders//items", 404),
        ("GET", "/2.0/folders/999", 404), ("GET", "/2.0/files/abc", 404), ("GET", "/oauth2/token", 405),
        ("OPTIONS", "/2.0/files/content/", 400),
    ],
)  # fmt: skip
def test_paths(raw: Raw, method: str, path: str, status: int) -> None:
    """Unknown paths answer 404, known ones with another method 405; each host has its own calls."""
    assert status == raw(method, path).status_code


def test_error_body(raw: Raw) -> None:
    """A refusal has Box's shape, and two request ids."""
    answer = raw.folder("..")

    assert {"type", "status", "code", "help_url", "message", "request_id"} <= set(answer.json())
    assert answer.headers["box-request-id"] != answer.json()["request_id"]


def test_refused_requests_are_listed(raw: Raw, box: Sandbox) -> None:
    """A request that is wrong by its form is among the violations; one that only meets a conflict is not."""
    raw.folder("a")
    raw.folder("a")
    raw.folder("..")

    assert ["refused"] == [
        v.kind for v in box.violations if v.route == "POST /folders" and v.kind == "refused"
    ]


def test_requests_beyond_the_document_are_listed(raw: Raw, box: Sandbox) -> None:
    """An accepted request with an unknown key is found to be lenient."""
    raw("POST", "/2.0/folders", json={"name": "a", "parent": {"id": "0"}, "colour": "red"})
    kinds = [violation.kind for violation in box.violations]
    box.violations.clear()

    assert ["lenient"] == kinds


def test_huge_numbers_are_refused(raw: Raw) -> None:
    """Numbers of thousands of digits are refused like other wrong values."""
    many = "9" * 5000

    assert 400 == raw("GET", f"/2.0/folders/0/items?limit={many}").status_code
    assert 400 == raw("GET", f"/2.0/events?stream_position={many}").status_code
    assert 400 == raw("GET", "/2.0/events?stream_position=²").status_code


def test_huge_folder_sizes_have_an_exponent(raw: Raw, box: Sandbox) -> None:
    """The size of a folder beyond 10^11 bytes comes in exponent form, as Box writes it."""
    folder_id = raw.folder("huge").json()["id"]
    box.core.store.folders[folder_id].size = 123_456_789_000
    answer = raw("GET", f"/2.0/folders/{folder_id}?fields=size")

    assert '"size":1.23456789e+11' in answer.text
    assert 123_456_789_000 == answer.json()["size"]


def test_sessions_have_addresses_of_their_own(raw: Raw, box: Sandbox) -> None:
    """A session's addresses lie elsewhere than the upload host; with the switch only they work."""
    body = {"folder_id": "0", "file_size": 5000, "file_name": "f"}
    session = raw("POST", "/api/2.0/files/upload_sessions", json=body).json()
    status = session["session_endpoints"]["status"].removeprefix(box.url)
    assert not status.startswith("/api/2.0")
    constructed = f"/api/2.0/files/upload_sessions/{session['id']}"
    assert [200, 200] == [raw("GET", path).status_code for path in (status, constructed)]
    box.settings.only_session_endpoints = True

    assert [200, 404] == [raw("GET", path).status_code for path in (status, constructed)]


def test_outage(raw: Raw, box: Sandbox) -> None:
    """A paused sandbox refuses connections, and afterwards holds what it held."""
    raw.folder("before")
    box.pause()
    try:
        with pytest.raises(requests.ConnectionError):
            raw.folder("during")
    finally:
        box.start()

    assert 201 == raw.folder("after").status_code
    assert ["after", "before"] == box.folders()

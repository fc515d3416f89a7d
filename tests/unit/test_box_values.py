"""Small parts of the Box connector: tokens' times, dates, readers, records."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import cast

import pytest

from connectors.box.client.errors import NotBox
from connectors.box.client.tokens import Token
from connectors.box.types import Invitee, PartState, Upload
from connectors.box.upload.part_threads import PartSenders
from connectors.box.upload.reader import PIECE_BYTES, HashingReader, read_exactly, sha1_of
from connectors.box.values import box_date
from connectors.entry import Fingerprint
from connectors.errors import ChangedWhileReading
from connectors.source import SourceFile


def source(data: bytes) -> SourceFile:
    return cast("SourceFile", io.BytesIO(data))


class Short(io.BytesIO):
    """Gives less than it is asked for, as network files do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, size) if size and size > 0 else size)


@pytest.mark.parametrize(
    ("expires_in", "refresh_after"),
    [(4123, 3000), (3600, 3000), (3000, 2700), (1500, 1200), (600, 480), (10, 8), (1, 0.8)],
)
def test_tokens_are_replaced_ahead_of_their_end(expires_in: float, refresh_after: float) -> None:
    """300 s before the end, after 50 minutes at the latest, short ones after four fifths."""
    token = Token.issued("secret", at=1000.0, expires_in=expires_in)

    assert (1000.0 + refresh_after, 1000.0 + expires_in) == (token.refresh_at, token.expires_at)
    assert "secret" not in repr(token)


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1970-01-01T00:00:00Z"),
        (1_600_000_000_999_999_999, "2020-09-13T12:26:40Z"),
        (10**20, "5138-11-16T09:46:40Z"),
        (9_223_372_036 * 10**18, "9999-12-31T23:59:59Z"),
    ],
)
def test_dates_are_whole_seconds_in_boxs_range(nanoseconds: int, expected: str) -> None:
    """Rounded down, never before 1970, never beyond four digits of a year."""
    assert expected == box_date(nanoseconds)


@pytest.mark.parametrize("size", [1, 6, 7, 8, PIECE_BYTES, PIECE_BYTES + 1])
@pytest.mark.parametrize("kind", [io.BytesIO, Short])
def test_a_reader_gives_exactly_the_bytes(size: int, kind: Callable[[bytes], io.BytesIO]) -> None:
    """Whatever sizes are asked for and given, the bytes and their hash are the file's."""
    data = bytes(n % 251 for n in range(size))
    if kind is Short and size > 1000:
        data = data[:1000]
    reader = HashingReader(cast("SourceFile", kind(data)), len(data))
    pieces = []
    while piece := reader.read(5):
        pieces.append(piece)

    assert data == b"".join(pieces)
    assert hashlib.sha1(data).hexdigest() == reader.hexdigest()
    assert reader.complete
    assert (len(data), len(data)) == (reader.tell(), reader.len)


def test_a_reader_reads_the_source_in_large_pieces() -> None:
    """However little the network asks for, the source is asked for a piece."""
    asked: list[int | None] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return super().read(size)

    reader = HashingReader(cast("SourceFile", Watched(bytes(100_000))), 100_000)
    while reader.read(16):
        pass

    assert [100_000, 1] == asked


@pytest.mark.parametrize("size", [0, 4, 6])
def test_a_reader_of_a_file_that_moved(size: int) -> None:
    """More or fewer bytes than declared come out as NotBox around ChangedWhileReading."""
    reader = HashingReader(source(b"12345"), size)
    with pytest.raises(NotBox) as caught:
        reader.finish()
        while reader.read(2):
            pass

    assert isinstance(caught.value.error, ChangedWhileReading)


def test_reading_without_sending() -> None:
    """sha1_of() and read_exactly() notice the same changes."""
    assert hashlib.sha1(b"12345").hexdigest() == sha1_of(lambda: source(b"12345"), 5)
    assert b"12345" == read_exactly(cast("SourceFile", Short(b"12345xyz")), 5)
    for size in (4, 6):
        with pytest.raises(ChangedWhileReading):
            sha1_of(lambda: source(b"12345"), size)


def test_an_invitee_is_exactly_one() -> None:
    """Nobody, or two at once, cannot be invited."""
    assert ("a@b.c", "Finance", "user 7", "group 8") == (
        str(Invitee(login="a@b.c")),
        str(Invitee(group="Finance")),
        str(Invitee(user_id="7")),
        str(Invitee(group_id="8")),
    )
    for wrong in ({}, {"login": "a@b.c", "group": "x"}, {"login": ""}):
        with pytest.raises(ValueError, match="exactly one"):
            Invitee(**wrong)


def test_an_upload_knows_its_content() -> None:
    """The fingerprint given, or size and time."""
    given = Fingerprint(size=1, modified_ns=2, file_id="3")

    assert given == Upload(folder_id="0", name="a", size=1, fingerprint=given).content
    assert (
        Fingerprint(size=1, modified_ns=2) == Upload(folder_id="0", name="a", size=1, modified_ns=2).content
    )


def test_parts_fail_fast_and_leave_nothing_running() -> None:
    """The first failure ends room() or join(), and all room is given back."""
    senders = PartSenders(2)

    def fail() -> PartState:
        raise LookupError("first")

    with pytest.raises(LookupError, match="first"), senders.file() as parts:
        for _ in range(100):
            parts.room()
            parts.send(fail)
    with senders.file() as parts:
        for offset in range(20):
            parts.room()
            parts.send(lambda offset=offset: PartState(part_id="p", offset=offset, size=1, sha1=""))

        assert list(range(20)) == [part.offset for part in parts.join()]
    senders.close()
    senders.close()

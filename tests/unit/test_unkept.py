"""What the report says of streams that Box does not keep: words, sums, bounds."""

from __future__ import annotations

from connectors.entry import NO_STREAMS, Entry, EntryKind, NamedStream, Streams
from flows.transfer.remarks import NAMED
from flows.transfer.streams import UnkeptStreams, streams_words, with_streams

MARK = Streams((NamedStream("Zone.Identifier", 26),))
HIDDEN = Streams((NamedStream("hidden", 1_500),))


def test_streams_are_told_with_their_sizes() -> None:
    """Names and sizes, so that a reader sees what is worth saving."""
    streams = Streams((NamedStream("hidden", 1_500), NamedStream("Zone.Identifier", 26)))

    assert "has alternate data streams, which Box does not keep: hidden (1.5 kB), Zone.Identifier (26 B)" == (
        streams_words(streams)
    )


def test_the_mark_of_a_download_is_told_as_harmless() -> None:
    """Alone, in any spelling, it is nothing to worry about; beside anything else, or unnamed others, it is."""
    lower = Streams((NamedStream("zone.identifier", 1),))

    assert streams_words(MARK) == streams_words(lower)
    assert "harmless" in streams_words(MARK)
    for streams in (HIDDEN, Streams(MARK.found, more=True), Streams(MARK.found + HIDDEN.found)):
        assert "harmless" not in streams_words(streams)


def test_many_streams_are_a_short_line() -> None:
    """No more than a few names, and a word for the rest; also where the server named none."""
    many = Streams(tuple(NamedStream(f"s{number}", 1) for number in range(NAMED + 1)))

    assert streams_words(many).endswith(f"s{NAMED - 1} (1 B), more")
    assert "more than the server lists" in streams_words(Streams((), more=True))


def test_a_note_of_the_listing_is_kept() -> None:
    """What the listing told and what opening showed stand beside each other; without streams nothing changes."""
    tagged = Entry(path="a", kind=EntryKind.FILE, note="has extended attributes, which Box does not keep")

    assert f"{tagged.note}; {streams_words(HIDDEN)}" == with_streams(tagged, HIDDEN).note
    assert streams_words(HIDDEN) == with_streams(Entry(path="a", kind=EntryKind.FILE), HIDDEN).note
    assert tagged is with_streams(tagged, NO_STREAMS)


def test_a_folder_is_one_remark_and_one_more_for_marks() -> None:
    """Ten thousand files with a stream each, all named differently, are two remarks with a few names (P9)."""
    unkept = UnkeptStreams()
    for number in range(10_000):
        unkept.add(f"a/b/{number:05}", Streams((NamedStream(f"s{number}", 1),)))
        unkept.add(f"a/b/plain {number}", NO_STREAMS)
        unkept.add(f"a/b/marked {number}", MARK)
    (one, first), (other, second) = unkept.remarks()

    assert ("not_kept", "not_kept") == (one, other)
    assert ("a/b", 10_000, "a/b", 10_000) == (
        first["path"],
        first["count"],
        second["path"],
        second["count"],
    )
    assert [f"{number:05}" for number in range(NAMED)] == first["names"]
    assert first["note"].endswith(f"s{NAMED - 1} (1 B), more")
    assert "harmless" in second["note"]


def test_sizes_of_a_folder_are_sums() -> None:
    """A stream that many files have is named once, with all its bytes; every folder has its own remark."""
    unkept = UnkeptStreams()
    for path in ("top", "a/1", "a/2"):
        unkept.add(path, HIDDEN)
    told = {
        detail["path"]: (detail["count"], detail["note"].rpartition(": ")[2])
        for _, detail in unkept.remarks()
    }

    assert {"": (1, "hidden (1.5 kB)"), "a": (2, "hidden (3.0 kB)")} == told


def test_nothing_sent_is_nothing_told() -> None:
    """A batch whose files have no streams leaves no remark."""
    unkept = UnkeptStreams()
    unkept.add("a/plain", NO_STREAMS)

    assert [] == list(unkept.remarks())

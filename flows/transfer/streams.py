"""What sending leaves behind: alternate data streams, which only opening a file shows. Their words and sums alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from connectors.entry import Entry, NamedStream, Streams
from flows.transfer.remarks import NAMED, Remark
from flows.words import size_words
from state.statuses import EventKind

#: What Windows puts on every file that comes from the internet; it says where from, and nothing of the content.
DOWNLOAD_MARK = "Zone.Identifier"


class UnkeptStreams:
    """The named streams of the files that a batch sent. For many threads.

    One remark per folder, and one more for files that lose no more than the mark of a download (P9).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, bool], _Sum] = {}

    def add(self, path: str, streams: Streams) -> None:
        """This file was sent, without these."""
        if not streams:
            return
        folder, _, name = path.rpartition("/")
        with self._lock:
            self._sums.setdefault((folder, is_harmless(streams)), _Sum()).add(name, streams)

    def remarks(self) -> Iterator[Remark]:
        """What the report will say, folder by folder, in the form of flows.transfer.remarks."""
        for (folder, _), found in sorted(self._sums.items(), key=lambda item: item[0]):
            yield (
                EventKind.NOT_KEPT,
                {
                    "path": folder,
                    "count": found.files,
                    "names": found.names,
                    "note": streams_words(found.streams),
                },
            )


@dataclass
class _Sum:
    """Of one folder: how many files, some of their names, some of the streams with their sizes added up."""

    files: int = 0
    names: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    more: bool = False

    def add(self, name: str, streams: Streams) -> None:
        self.files += 1
        if len(self.names) < NAMED:
            self.names.append(name)
        self.more |= streams.more
        for stream in streams.found:
            if stream.name in self.sizes or len(self.sizes) < NAMED:
                self.sizes[stream.name] = self.sizes.get(stream.name, 0) + stream.size
            else:
                self.more = True

    @property
    def streams(self) -> Streams:
        return Streams(tuple(NamedStream(name, size) for name, size in self.sizes.items()), self.more)


def is_harmless(streams: Streams) -> bool:
    """True when nothing is lost but the mark of a download."""
    marks = {stream.name.casefold() == DOWNLOAD_MARK.casefold() for stream in streams.found}
    return marks == {True} and not streams.more


def streams_words(streams: Streams) -> str:
    """Named streams as the report tells them, as many as fit on a line."""
    if is_harmless(streams):
        return (
            f"has the mark that Windows puts on downloads (alternate data stream {DOWNLOAD_MARK}),"
            " which Box does not keep; harmless"
        )
    listed = [f"{stream.name} ({size_words(stream.size)})" for stream in streams.found[:NAMED]]
    if streams.more or len(streams.found) > NAMED:
        listed.append("more" if listed else "more than the server lists")
    return f"has alternate data streams, which Box does not keep: {', '.join(listed)}"


def with_streams(entry: Entry, streams: Streams) -> Entry:
    """The entry with its note completed by what opening the file showed."""
    if not streams:
        return entry
    words = streams_words(streams)
    return replace(entry, note=f"{entry.note}; {words}" if entry.note else words)

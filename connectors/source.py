"""Source: the contract between a share and everything above it. No implementation lives here."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from connectors.entry import NO_STREAMS, Entry, Streams
from connectors.errors import ConnectorError


class SourceFile(Protocol):
    """A file opened for reading: binary, seekable, read-only, never locking its users out (P5)."""

    @property
    def streams(self) -> Streams:
        """Named streams that reading leaves out and no listing shows; empty where the protocol has none."""
        ...

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, b"" at the end. Raises TransientError, ItemError or FatalError only."""
        ...

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Fill the buffer, less of it only at the end; the number of bytes. Raises as read."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move, as io.RawIOBase.seek."""
        ...

    def tell(self) -> int:
        """The position in bytes."""
        ...

    def close(self) -> None:
        """Release the handle; never raises, may be called twice."""
        ...

    def __enter__(self) -> SourceFile: ...

    def __exit__(self, *exc_info: object) -> None: ...


class WholeFile(NamedTuple):
    """A small file with all its bytes, and what it was before and after they were read."""

    before: Entry
    content: bytes
    after: Entry
    streams: Streams = NO_STREAMS
    #: All of it is of one open file: bytes of another one, by a link that came and went, are not among them.
    one_handle: bool = False


class Noticed(NamedTuple):
    """What a server told by itself of changes, since it was asked last."""

    #: Of everything that was made, changed, renamed (both paths) or deleted.
    paths: frozenset[str]
    #: There was more than this: all of it is to be looked at.
    lost: bool = False


class ChangeNotices(Protocol):
    """What a server tells by itself of changes below the root, from now on. Holds a connection of its own."""

    @property
    def is_over(self) -> bool:
        """True once nothing more is told: the server refused it, or the connection was lost."""
        ...

    def take(self) -> Noticed:
        """What was told since the last call; never waits. What is told at this very moment may follow later."""
        ...

    def close(self) -> None:
        """End it; may be called twice."""
        ...


class AccessTimes(StrEnum):
    """What the last access says that a source tells of its files."""

    #: It tells none, or nobody keeps it up to date.
    NONE = "none"
    #: It is right to a day.
    DAILY = "daily"
    EXACT = "exact"
    #: The server may keep it or not, and does not say.
    UNKNOWN = "unknown"


class Source(Protocol):
    """A read-only tree of entries. Safe for use by many threads at once.

    Every path is relative to the root, "/"-separated; a path with a ".." or empty component, or that a link
    would lead out of the root, is refused with AccessDenied before anything is asked of the server (P5).
    All methods retry what is transient by themselves, reconnect when the server dropped the connection, and then
    raise connectors.errors only, with the foreign exception as cause.
    """

    @property
    def display_url(self) -> str:
        """The URL without user, password or query: fit for logs and reports."""
        ...

    def connect(self) -> None:
        """Prove that root and credentials are good: AuthenticationFailed or ShareUnreachable otherwise."""
        ...

    def stop_with(self, stop: threading.Event) -> None:
        """From now on every wait for a server that went away ends soon after this event, with Stopped."""
        ...

    def hides_names(self) -> bool:
        """True when the share says that its listings leave out what the account may not read (P2)."""
        ...

    def access_times(self) -> AccessTimes:
        """What `Entry.accessed_ns` is worth."""
        ...

    def notices(self) -> ChangeNotices | None:
        """What the server tells by itself of changes, from now on; None where nobody tells. Raises FatalError."""
        ...

    def list_folder(self, path: str) -> list[Entry]:
        """The folder's entries, sorted by path, each with all the metadata that the protocol gives in a listing.

        Never one call per entry where the protocol can list in bulk. One bad entry never spoils the others: it is
        listed with a `fault`. Every entry has a name of its own. Raises NotFound or AccessDenied for the folder itself.
        """
        ...

    def list_folders(self, paths: Iterable[str]) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
        """Many folders at once, in any order, each exactly once; an error is yielded, not raised (FatalError is)."""
        ...

    def stat(self, path: str) -> Entry:
        """The entry as it is now, never from a cache. Raises NotFound, AccessDenied."""
        ...

    def was_born_before(self, path: str, moment: datetime) -> bool:
        """True when it is proven that what is there now was made before this moment: its id was given out by then.

        False where the source cannot tell. Raises as `stat`.
        """
        ...

    def require_inside(self, path: str) -> None:
        """Prove anew that no link is among the folders above, where the server would follow one (P5).

        What was seen before does not count. Raises AccessDenied, NotFound.
        """
        ...

    def open(self, path: str) -> SourceFile:
        """Open for reading with full sharing. Raises NotFound, AccessDenied, Locked."""
        ...

    def read_whole(self, path: str, limit: int) -> WholeFile | None:
        """Look at a file, read it and look again, in as few calls as the protocol allows, with full sharing.

        None when it has more than `limit` bytes, is no plain file, or cannot be had so: `stat` and `open` say why. The
        folders above are looked at before, as by `open`; `require_inside` afterwards is the caller's business. Raises
        as `open`.
        """
        ...

    @property
    def reads_together(self) -> bool:
        """True where reading small files together takes fewer calls than reading each by itself."""
        ...

    def read_together(self, wanted: Sequence[tuple[str, int]]) -> dict[str, WholeFile]:
        """What `read_whole` returns of these paths, each with its limit, as far as no second question is needed.

        The others are left out, whatever the reason: `read_whole` is for those. Raises nothing, and waits for no server
        that went away.
        """
        ...

    def close(self) -> None:
        """Release every connection; may be called twice."""
        ...

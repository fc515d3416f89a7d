"""Entry: what a source lists, the one record that all layers share. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class EntryKind(StrEnum):
    """What a directory entry is; everything but FILE and FOLDER is listed and never followed (P5)."""

    FILE = "file"
    FOLDER = "folder"
    #: A symbolic link (POSIX, SFTP) or an SMB symlink reparse point.
    SYMLINK = "symlink"
    #: An NTFS junction or mount point.
    JUNCTION = "junction"
    #: A reparse point that stands for something else and is no link that we know (DFS link, …): never read.
    REPARSE = "reparse"
    #: Socket, FIFO, device.
    SPECIAL = "special"
    #: The source does not say: it may be a folder, a file, anything.
    UNKNOWN = "unknown"


class NamedStream(NamedTuple):
    """Data of a file beside its content (NTFS alternate data stream): Box has no place for it."""

    #: Without the colons and the type around it; untrusted, as every name of a share.
    name: str
    #: Bytes.
    size: int


@dataclass(frozen=True, slots=True)
class Streams:
    """The named streams of one file or of several; false when there are none."""

    found: tuple[NamedStream, ...] = ()
    #: There are others that are not named here.
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.found) or self.more


NO_STREAMS = Streams()


#: How fine the times of a source are: those in whole seconds may as well be in steps of two (FAT), and the others are
#: as fine as the clock of the system that made them ticks.
WHOLE_SECONDS_NS, TICK_NS = 2 * 10**9, 50 * 10**6
#: Later than any time.
NEVER_NS = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprint:
    """What must be equal for a file to count as unchanged; None means that the source cannot tell."""

    size: int
    modified_ns: int | None
    changed_ns: int | None = None
    file_id: str | None = None

    def same_content_as(self, other: Fingerprint) -> bool:
        """True when nothing that both sides know differs."""
        if self == other:
            return True
        pairs = (
            (self.modified_ns, other.modified_ns),
            (self.changed_ns, other.changed_ns),
            (self.file_id, other.file_id),
        )
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        return self.size == other.size and all(a == b for a, b in known)

    def settles_ns(self, seen_ns: int) -> int | None:
        """When this fingerprint begins to prove that content is the same, if it was first seen at `seen_ns`.

        A file may be written again within the granularity of its time, after it was read and without another time.
        Read later than that after the fingerprint was first seen, it cannot: so the clocks of server and client need
        not agree. None: it proves it from the start. Both in nanoseconds since 1970.
        """
        if self.file_id is not None and self.file_id.startswith("etag:"):
            return None  # it names the content
        stamp = self.modified_ns if self.changed_ns is None else self.changed_ns
        if stamp is None:
            return NEVER_NS
        if stamp % 10**9 == 0:
            return seen_ns + WHOLE_SECONDS_NS
        return None if stamp < seen_ns - TICK_NS else seen_ns + TICK_NS


#: Why nobody follows a symbolic link.
LINK_REASON = "symbolic link, not followed"
#: Of a file or folder whose own name the server keeps to itself.
SUBSTITUTE_NAME_NOTE = "looks like what the server shows instead of a name that Windows does not allow"


class Fault(NamedTuple):
    """Why a source cannot say more of an entry than that it is there."""

    #: A reason code, as in connectors.errors.
    reason: str
    #: One line for a person.
    detail: str


#: Times are kept as nanoseconds in 64 bits, as databases do: from 21 September 1677 to 11 April 2262.
FIRST_NS, LAST_NS = -(2**63), 2**63 - 1
_TIMES = ("modified_ns", "created_ns", "changed_ns")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file, folder or unfollowed thing as the source lists it. Times beyond 64 bits are the last that fit."""

    #: Relative to the source's root, "/" between names, no leading slash; "" is the root itself.
    path: str
    kind: EntryKind
    #: Bytes; 0 for anything but files.
    size: int = 0
    #: Nanoseconds since 1970 UTC (may be negative); None where the source has no such time.
    modified_ns: int | None = None
    created_ns: int | None = None
    #: Change time (ctime, SMB ChangeTime): moves when data or metadata change.
    changed_ns: int | None = None
    #: Stable id inside the share (inode, SMB FileId), for P1 and for renames.
    file_id: str | None = None
    #: Why this entry is never followed: it is proven to be a link. None for everything else.
    skip_reason: str | None = None
    #: It is there, and it could not be looked at, told apart or asked for; None for ordinary ones. Size and times may
    #: be unknown then, so that they say nothing of a file that is known.
    fault: Fault | None = None
    #: What of it will not arrive in Box (extended attributes, …), for the report; None when nothing is lost.
    note: str | None = None
    #: Last access, and who owns it, for an inventory: no part of what makes two entries equal. None: not told.
    accessed_ns: int | None = field(default=None, compare=False)
    owner: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        # A share may say 30828 (FILETIME), or anything: one file must not stop the walk.
        modified, created, changed = self.modified_ns or 0, self.created_ns or 0, self.changed_ns or 0
        if min(modified, created, changed) >= FIRST_NS and max(modified, created, changed) <= LAST_NS:
            return
        for name in _TIMES:
            nanoseconds = getattr(self, name)
            if nanoseconds is not None and not FIRST_NS <= nanoseconds <= LAST_NS:
                object.__setattr__(self, name, min(max(nanoseconds, FIRST_NS), LAST_NS))

    @property
    def is_link(self) -> bool:
        """True for what is proven to be a link: it is listed, and nobody follows it (P5)."""
        return self.kind in (EntryKind.SYMLINK, EntryKind.JUNCTION)

    @property
    def may_be_folder(self) -> bool:
        """True where nothing says that it is none: a known folder of this name is not gone then (P2)."""
        return self.kind in (EntryKind.FOLDER, EntryKind.UNKNOWN, EntryKind.REPARSE)

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rpartition("/")[2]

    @property
    def fingerprint(self) -> Fingerprint:
        """What the diff and the before/after comparison of P1 look at."""
        return Fingerprint(
            size=self.size,
            modified_ns=self.modified_ns,
            changed_ns=self.changed_ns,
            file_id=self.file_id,
        )


_NEW = object.__new__
_SETTERS = [Entry.__dict__[name].__set__ for name in Entry.__slots__]


def listed_entry(
    path: str,
    kind: EntryKind,
    size: int,
    modified_ns: int | None,
    created_ns: int | None,
    changed_ns: int | None,
    file_id: str | None,
    accessed_ns: int | None = None,
    owner: str | None = None,
) -> Entry:
    """The same as Entry(path=path, …) of a plain file or folder, three times as fast: walks make millions of them."""
    for ns in (modified_ns, created_ns, changed_ns):
        if ns is not None and not FIRST_NS <= ns <= LAST_NS:
            return Entry(
                path=path, kind=kind, size=size, modified_ns=modified_ns, created_ns=created_ns,
                changed_ns=changed_ns, file_id=file_id, accessed_ns=accessed_ns, owner=owner,
            )  # fmt: skip
    entry = _NEW(Entry)
    a, b, c, d, e, f, g, h, i, j, k, m = _SETTERS
    a(entry, path)
    b(entry, kind)
    c(entry, size)
    d(entry, modified_ns)
    e(entry, created_ns)
    f(entry, changed_ns)
    g(entry, file_id)
    h(entry, None)
    i(entry, None)
    j(entry, None)
    k(entry, accessed_ns)
    m(entry, owner)
    return entry


def moves_as_folder(entry: Entry) -> bool:
    """True for a folder that is walked into."""
    return entry.kind is EntryKind.FOLDER and entry.skip_reason is None

"""The records that go in and out of the checkpoint. Frozen, keyword-only, no behaviour, no SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from connectors.entry import Entry, EntryKind, Fingerprint
from state.people_records import CollaborationRecord
from state.statuses import IncompleteReason, ItemStatus, TreeState


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxIdentity:
    """The Box that a plan belongs to; None: not known."""

    #: Of the platform app; with the user that acts instead of the service account, if any.
    client_id: str | None = None
    enterprise_id: str | None = None
    #: Box user id of the service account, and its login for people.
    account_id: str | None = None
    account_login: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanOrigin:
    """What a plan was begun with."""

    id: int
    name: str
    source_url: str
    landing_folder_id: str
    box: BoxIdentity
    #: False before a run looked for its trees: until then nothing is known that another share or Box would make wrong.
    is_begun: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeSpec:
    """A tree as the plan wants it."""

    #: Path of the tree's folder under the source's root ("" for the root itself).
    source: str
    #: Name (or "/"-separated path) of its folder under the landing folder.
    folder: str
    #: Name shown to people; unique in the plan.
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeRecord:
    """A tree as the checkpoint knows it."""

    id: int
    name: str
    source: str
    folder: str
    #: The folder row that is the tree's root.
    root_folder_id: int
    box_folder_id: str | None
    state: TreeState
    incomplete_reason: IncompleteReason | None
    #: One line that says more than the reason, or None.
    detail: str | None
    #: True once Box's listing agreed and nothing has changed since.
    verified: bool
    #: When it came into the plan, aware; None: not known.
    begun_at: datetime | None = None
    #: What it was published as (url, access, expires_at, password: whether it has one), or None.
    shared_link: dict[str, Any] | None = None
    #: When it was handed over, aware, and by whom: no pass moves it any more; None: it is open.
    closed_at: datetime | None = None
    closed_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderNode:
    """A folder as walking and sending need it."""

    id: int
    tree_id: int
    #: None for a tree's root.
    parent_id: int | None
    #: Source path, as Entry.path.
    path: str
    #: Name in Box.
    box_name: str
    box_folder_id: str | None
    #: When its creation was claimed first, aware; None while nobody tried, and once it is in Box.
    create_claimed_at: datetime | None = None
    #: Of a folder claimed for the walk: the digest that is remembered of its listing, or a mark of the claim. It is to
    #: be handed in with what was found, and says then whether the rows are still those that were read meanwhile.
    listing_digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownChild:
    """What the checkpoint knows of one child of a folder: a file, an excluded thing, or a subfolder."""

    id: int
    name: str
    kind: EntryKind
    box_name: str
    status: ItemStatus
    reason: str | None
    #: The content that Box has (status UPLOADED), or that was last seen (any other status).
    fingerprint: Fingerprint
    #: Box holds the content of exactly this fingerprint, whatever the status (GONE, EXCLUDED) says. Files only.
    in_box: bool = False
    #: Box has a file or folder of this child, of whatever content, so that its name there is not free.
    placed: bool = False
    #: Set when the content in Box was read too early after its fingerprint was first seen: it is read again.
    settles_ns: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedItem:
    """One file handed to a sender."""

    id: int
    tree_id: int
    folder_id: int
    #: Source path, as Entry.path.
    path: str
    box_name: str
    size: int
    #: As the walk saw it.
    fingerprint: Fingerprint
    modified_ns: int | None
    created_ns: int | None
    #: Set when Box already holds an older content of this very path, made by this plan or adopted.
    box_file_id: str | None
    box_etag: str | None
    attempts: int
    box_version_id: str | None = None
    #: Of the content that Box holds under box_file_id, where that is known to be what this plan put there.
    sha1: str | None = None
    #: Read before this moment (nanoseconds since 1970), the fingerprint does not prove that the content stayed.
    settles_ns: int | None = None
    #: What Box holds under box_file_id was there before: this plan's by a lost answer, or a person's own file.
    adopted: bool = False
    #: What the walk saw that does not arrive, as Entry.note.
    note: str | None = None
    #: The date that Box has of it under box_file_id (nanoseconds since 1970); None: not known.
    box_modified_ns: int | None = None
    #: The number of this claim: with it a result is written down without another look at the row.
    claim: int | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """A sender's good result: Box's answer and what was read."""

    item_id: int
    box_file_id: str
    box_version_id: str | None
    box_etag: str | None
    #: As Box stored it (it may differ from what was asked for).
    box_name: str
    #: 40 hex digits, equal on both sides.
    sha1: str
    #: The entry as it was before and after reading; its note says all that did not arrive.
    entry: Entry
    #: True when Box already had this content (a lost answer, an earlier run).
    adopted: bool
    #: Who sent it: a Box user id.
    identity: str | None = None
    #: The date that Box has, where it is another than the entry's.
    box_modified_ns: int | None = None
    #: It was read before this moment, at which its fingerprint begins to prove something; None: it was read later.
    settles_ns: int | None = None
    #: The claim that it was sent by, as it was handed out.
    claimed: ClaimedItem | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """A sender's bad result."""

    item_id: int
    #: Reason code, as in connectors.errors.
    reason: str
    #: One line for a person; no secrets.
    detail: str
    #: True: stays pending and is claimed again in this pass, until attempts reach the limit.
    retry: bool = False
    #: The words of the plan that settle it, so that it is WAIVED by the plan and not FAILED; None: nothing does.
    settled_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPart:
    """A finished part of an upload session."""

    part_id: str
    offset: int
    size: int
    #: 40 hex digits.
    sha1: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSession:
    """An upload session that outlives the process."""

    session_id: str
    #: upload_part, commit, abort, list_parts, status, … → absolute URL, as Box gave them.
    endpoints: dict[str, str]
    part_size: int
    total_parts: int
    expires_at: datetime
    #: The file content that the session was opened for.
    fingerprint: Fingerprint
    #: The Box user that opened it; parts from anybody else are refused (trap 13).
    identity: str | None
    parts: tuple[StoredPart, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """An entry of the source that holds a file or folder of Box."""

    tree_id: int
    path: str
    #: Its name in Box, as the plan knows it.
    box_name: str = field(default="", compare=False)
    #: It is the folder of a whole tree.
    is_tree: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldFile:
    """A result that was not recorded: its file of Box is another entry's."""

    item_id: int
    box_file_id: str
    holder: Holder


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedChild:
    """What a folder's listing in Box must show."""

    kind: EntryKind
    box_name: str
    box_id: str
    #: Files only.
    size: int = 0
    sha1: str | None = None
    #: Files only; None: not known.
    version_id: str | None = None
    #: Id of the item (kind FILE) or of the folder in the checkpoint.
    row_id: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Sums over entries by status; `total` counts what is in the share, so it leaves `gone` out.

    Of bytes, only those of files that are to move: `bytes_total` leaves EXCLUDED and WAIVED out as well.
    """

    total: int = 0
    uploaded: int = 0
    failed: int = 0
    excluded: int = 0
    waived: int = 0
    pending: int = 0
    gone: int = 0
    bytes_total: int = 0
    bytes_uploaded: int = 0

    @property
    def to_move(self) -> int:
        """What is in Box or has to arrive there: all but EXCLUDED and WAIVED."""
        return self.total - self.excluded - self.waived


class ItemLine(NamedTuple):
    """One line of the per-item report. A tuple, since a report makes millions of them."""

    tree: str
    path: str
    kind: EntryKind
    status: ItemStatus
    reason: str | None
    detail: str | None
    size: int
    sha1: str | None
    box_id: str | None
    box_version_id: str | None
    box_name: str
    #: True when the name in Box differs from the name in the source.
    renamed: bool
    modified_ns: int | None
    uploaded_at: datetime | None
    attempts: int
    waived_by: str | None = None
    waived_why: str | None = None
    #: What does not arrive although the content does (extended attributes, streams, ...), as the source says it.
    note: str | None = None
    waived_at: datetime | None = None
    #: As the source had them when it was read; None for folders.
    created_ns: int | None = None
    changed_ns: int | None = None
    source_file_id: str | None = None
    #: Who sent it, a Box user id, and whether Box had it already.
    uploaded_by: str | None = None
    adopted: bool = False
    #: The pass that listed its folder last (of a folder: itself); 0: none.
    walked_pass: int = 0


#: Tree, folder (its row's id), status, size, when it was changed (nanoseconds), when it arrived (seconds since 1970).
#: Plain tuples, since there are millions of them.
FileFacts = tuple[str, int, str, int, int | None, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class EventLine:
    """One event of a plan."""

    at: datetime
    kind: str
    tree_id: int | None
    detail: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class MessagesRefused:
    """Nobody takes what people are to be told."""

    #: The kinds of address; nothing more of it.
    by: str
    since: datetime
    #: When a message was tried last.
    last: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerLease:
    """A process that works on a plan. Everything it claims is free again when the lease ends."""

    id: int
    plan_id: int
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkingProcess:
    """A process that is at work on a plan."""

    lease: WorkerLease
    host: str
    pid: int
    #: Aware.
    started_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class UploaderRecord:
    """An app user that was made to upload for a plan."""

    box_user_id: str
    #: From 1, in the order of creation.
    number: int
    login: str
    name: str
    #: Set once it was deactivated.
    retired_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetBlock:
    """Calls of one identity that were reserved together, for a limit that outlives the process."""

    reserved_at: datetime
    uploads: int
    calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeReport:
    """One tree as status and report show it."""

    tree: TreeRecord
    #: Files and folders and what was excluded: every entry.
    items: Counts
    #: Files alone.
    files: Counts
    #: Folders alone.
    folders: Counts
    collaborations: tuple[CollaborationRecord, ...] = ()
    failures_by_reason: dict[str, int] = field(default_factory=dict)

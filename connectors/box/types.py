"""What goes in and out of Box, as frozen records. No I/O and no SDK types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from connectors.entry import EntryKind, Fingerprint
from connectors.source import SourceFile

#: Opens the source file anew, at its start; called once per attempt.
OpenFile = Callable[[], SourceFile]

#: Asked when every byte was read and before the last of them is sent: raises ChangedWhileReading (P1).
CheckSource = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A Box user as the token, a lookup or a creation shows it."""

    id: str
    login: str
    name: str
    #: active, inactive, cannot_delete_edit or cannot_delete_edit_upload.
    status: str = "active"
    enterprise_id: str | None = None
    enterprise_name: str | None = None
    #: Bytes; -1 is unlimited. The quota is charged to the owner of a folder, not to the uploader.
    space_amount: int = 0
    space_used: int = 0
    #: Bytes; the largest file that the owner of a folder may store.
    max_upload_size: int = 0
    #: Derived from the login: AutomationUser_…@boxdevedition.com (Box has no such flag).
    is_service_account: bool = False
    #: admin, coadmin or user; None where the token may not see it.
    role: str | None = None
    #: An e-mail alias under which notifications arrive, when one is set.
    notification_email: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A Box group."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxFolder:
    """A folder in Box."""

    id: str
    #: As Box stored it.
    name: str
    #: True when Box already had it (a lost answer, an earlier run, somebody else's folder).
    adopted: bool = False
    etag: str | None = None
    parent_id: str | None = None
    owner_id: str | None = None
    owner_login: str | None = None
    created_by_id: str | None = None
    #: When Box made it, aware.
    created_at: datetime | None = None
    #: Who changed anything of it last, its name or its place as well, for people, and when (aware).
    modified_by: str | None = None
    modified_at: datetime | None = None
    #: Only users of the owner's enterprise may be let in.
    enterprise_only: bool = False
    #: Who may open it by its shared link: open, company or collaborators; None: it has none, or was not asked.
    link_access: str | None = None
    #: Whoever is no owner or co-owner may invite, as far as the role allows it.
    others_may_invite: bool = True
    #: What the caller may do: can_upload, can_invite_collaborator, … as Box names them; empty when not asked.
    permissions: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxFile:
    """A file in Box as GET /files/:id shows it."""

    id: str
    name: str
    size: int
    #: 40 hex digits.
    sha1: str
    etag: str | None
    version_id: str | None
    parent_id: str | None
    created_by_id: str | None
    owner_id: str | None
    #: True when it lies in the trash.
    trashed: bool = False
    #: content_modified_at, aware; None when Box shows none.
    content_modified: datetime | None = None
    #: Who changed anything of it last, its name or its place as well, by id and for people, and when.
    modified_by_id: str | None = None
    modified_by: str | None = None
    modified_at: datetime | None = None
    #: When it was put into the trash, aware.
    trashed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxVersion:
    """Who wrote one version of a file, and when; None where Box does not tell."""

    id: str
    author_id: str | None = None
    #: For people.
    author: str | None = None
    written_at: datetime | None = None
    #: 40 hex digits; None: not asked for.
    sha1: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxChild:
    """One entry of a folder's listing."""

    #: file, folder or web_link.
    type: str
    id: str
    name: str
    #: Bytes; of a folder, everything below it.
    size: int
    #: Files only.
    sha1: str | None
    etag: str | None
    #: content_modified_at, aware; None when Box shows none.
    modified: datetime | None
    #: Only where the whole of each entry was asked for: the version of a file, and who may open it by its shared link
    #: (open, company or collaborators; None: it has none).
    version_id: str | None = None
    link_access: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A file or folder of Box as it was written down."""

    kind: EntryKind
    box_id: str
    name: str
    #: None: not known; then it is looked at before anything is done with it.
    etag: str | None
    #: Files only; None: not known.
    version_id: str | None = None
    sha1: str | None = None


class Place(NamedTuple):
    """Where something lies in Box."""

    parent_id: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """What Box says of something that was changed."""

    etag: str | None
    name: str
    #: False when Box has another version of a file than was known: its etag is that of somebody else's content.
    same_content: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """One file to be stored in Box."""

    #: Box folder id; ignored for a new version of file_id.
    folder_id: str
    #: As connectors.box.names made it.
    name: str
    #: Bytes; exactly so many are read and sent.
    size: int
    #: Nanoseconds since 1970 UTC; sent as whole seconds, clamped to 1970 (Box refuses earlier dates).
    modified_ns: int | None = None
    created_ns: int | None = None
    #: Set to store a new version of this Box file; `etag` is then sent as If-Match.
    file_id: str | None = None
    etag: str | None = None
    #: What an upload session is bound to; made of size and modified_ns when left out.
    fingerprint: Fingerprint | None = None
    #: Whether Box's answer is to say which folders it lies in.
    asks_place: bool = False

    @property
    def content(self) -> Fingerprint:
        """The fingerprint that a stored upload session is compared with."""
        return self.fingerprint or Fingerprint(size=self.size, modified_ns=self.modified_ns)


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """Proof that Box holds the content: its sha1 and size equal what was read."""

    file_id: str
    version_id: str | None
    etag: str | None
    #: As Box stored it.
    name: str
    #: 40 hex digits.
    sha1: str
    size: int
    #: True when Box already had this content (a lost answer, an earlier run).
    adopted: bool = False
    #: Parts of an upload session sent by this call; finished earlier ones are not counted.
    parts_sent: int = 0
    #: Who sent it: a Box user id; None for the service account before whoami().
    identity: str | None = None
    #: The name that was asked for, where Box stored another one by its own choice; None where it did not.
    renamed_from: str | None = None
    #: Ids of the folders that it lies in, from the top down, as far as who sent it sees them; empty: not told.
    above: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PartState:
    """A finished part of an upload session."""

    part_id: str
    offset: int
    size: int
    #: 40 hex digits.
    sha1: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionState:
    """An upload session that outlives the process."""

    session_id: str
    #: upload_part, commit, abort, list_parts, status, … → absolute URL, as Box gave them.
    endpoints: dict[str, str]
    part_size: int
    total_parts: int
    expires_at: datetime
    #: The file content that the session was opened for.
    fingerprint: Fingerprint
    #: The Box user that opened it; parts from anybody else are refused.
    identity: str | None
    parts: tuple[PartState, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Invitee:
    """Who is to be collaborated. Exactly one of login, user_id, group (a name), group_id."""

    login: str | None = None
    user_id: str | None = None
    group: str | None = None
    group_id: str | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.login, self.user_id, self.group, self.group_id) if value]
        if len(given) != 1:
            raise ValueError("a collaborator is exactly one of login, user_id, group, group_id")

    def __str__(self) -> str:
        return (
            self.login or self.group or (f"user {self.user_id}" if self.user_id else f"group {self.group_id}")
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Collaboration:
    """A grant on a folder as Box shows it."""

    id: str
    #: editor, viewer, previewer, uploader, previewer uploader, viewer uploader, co-owner or owner.
    role: str
    #: accepted, pending or rejected.
    status: str
    #: user or group; None for somebody who has no Box account yet.
    accessible_by_type: str | None = None
    accessible_by_id: str | None = None
    #: A user's login or a group's name.
    accessible_by_login: str | None = None
    accessible_by_name: str | None = None
    #: Set while an invitation to an unknown address is pending.
    invite_email: str | None = None
    #: The folder it was made on; below it Box lists the same grant. Of a pending one from above: the folder above.
    #: None: Box does not show it, and it cannot be found out; such a grant is nobody's to touch.
    item_id: str | None = None
    created_by_id: str | None = None
    can_view_path: bool = False
    is_access_only: bool = False
    expires_at: datetime | None = None
    #: What collaborate() did: created, updated or unchanged; found when it was only listed.
    outcome: str = "found"


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedLink:
    """A folder's shared link."""

    #: Empty before Box has made it.
    url: str = ""
    #: open, company or collaborators.
    access: str = "open"
    #: When the link ends, aware; None: never.
    expires_at: datetime | None = None
    has_password: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxEvent:
    """Something that happened in Box, as one of its event streams tells it."""

    #: The same whenever Box tells it again.
    id: str
    #: Box's word; the enterprise's stream and a user's have words of their own.
    kind: str
    #: Aware; None where Box gives no date.
    at: datetime | None
    #: Who, by id and for people. Somebody who is not logged in has Box's id "2".
    by_id: str
    by: str
    #: file or folder; None for what is neither.
    item_kind: str | None
    item_id: str
    #: As it was called then.
    item_name: str
    #: The folder that it lay in then, and those above as far as Box tells.
    folder_ids: tuple[str, ...] = ()
    #: Who may use its shared link; None where the stream does not say.
    link_access: str | None = None
    collaboration_id: str | None = None
    role: str | None = None
    #: Whom a collaboration lets in, where the stream says it.
    invited: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """Events, and where to go on."""

    position: str
    events: tuple[BoxEvent, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """What a destination has done so far."""

    #: Requests that left this process, token requests included.
    calls: int = 0
    uploads: int = 0
    bytes_sent: int = 0
    #: Answers 429.
    rate_limited: int = 0
    #: Repeated requests.
    retries: int = 0
    #: Seconds that callers waited for a free place in Box's limits.
    paced_seconds: float = 0.0

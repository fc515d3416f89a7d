"""The things a Box holds, as plain records. No rules: those are in the modules that change them.

Times are whole seconds since the epoch, ids decimal strings. Folders and files know their parent object; the
root of every user is a folder of its own whose id is "0".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from connectors.box.sandbox.store.contents import Blob

ROOT_ID = "0"


@dataclass(slots=True, kw_only=True, eq=False)
class User:
    """An account: `kind` is service, app, managed, admin or external."""

    id: str
    login: str
    name: str
    kind: str
    created: int
    modified: int
    #: Bytes; -1 is unlimited.
    space_amount: int
    #: Bytes of all versions of all owned files, the trash included.
    space_used: int = 0
    max_upload_size: int
    status: str = "active"
    language: str = "en"
    timezone: str = "America/Los_Angeles"
    job_title: str = ""
    phone: str = ""
    address: str = ""
    #: Secondary addresses; mail and invitations to them reach the user, lookups by login do not find them.
    aliases: tuple[str, ...] = ()
    role: str = "user"
    external_app_user_id: str | None = None
    is_external_collab_restricted: bool = False
    root: Folder = field(init=False, repr=False)

    @property
    def in_enterprise(self) -> bool:
        """False for users of other enterprises."""
        return self.kind != "external"

    @property
    def addresses(self) -> set[str]:
        """Login and secondary addresses in lower case."""
        return {self.login.lower(), *(alias.lower() for alias in self.aliases)}


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """A group of the enterprise; `members` maps user id to membership."""

    id: str
    name: str
    created: int
    modified: int
    provenance: str | None = None
    external_sync_identifier: str | None = None
    description: str | None = None
    invitability_level: str = "admins_and_members"
    member_viewability_level: str = "admins_and_members"
    members: dict[str, Membership] = field(default_factory=dict, repr=False)


@dataclass(slots=True, kw_only=True, eq=False)
class Membership:
    """A user in a group; role is member or admin."""

    id: str
    user: User
    group: Group
    role: str
    created: int
    modified: int


@dataclass(slots=True, kw_only=True, eq=False)
class Version:
    """One content of a file that is no longer the current one."""

    id: str
    sha1: str
    size: int
    name: str
    created: int
    modified_by: User
    blob: Blob | None = field(default=None, repr=False)
    trashed: int | None = None
    trashed_by: User | None = None
    restored: int | None = None
    restored_by: User | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Folder:
    """A folder; `size` is the recursive sum of current versions that are not in the trash."""

    id: str
    name: str
    parent: Folder | None
    owner: User
    created_by: User
    modified_by: User
    created: int
    modified: int
    etag: int = 0
    sequence: int = 0
    size: int = 0
    description: str = ""
    tags: tuple[str, ...] = ()
    trashed: int | None = None
    shared_link: dict[str, Any] | None = None
    metadata: dict[str, dict[str, Any]] | None = None
    collaborations: list[Collaboration] | None = None
    can_non_owners_invite: bool = True
    is_collaboration_restricted_to_enterprise: bool = False
    can_non_owners_view_collaborators: bool = True
    #: Name key → item; a duplicate that a race let in sits under its key followed by NUL and its id.
    children: dict[str, Item] = field(default_factory=dict, repr=False)
    #: NFKC key → items whose own key is another one.
    wide: dict[str, list[Item]] = field(default_factory=dict, repr=False)
    #: Raised with every change of `children`, so that sorted listings can be kept.
    edition: int = 0

    @property
    def kind(self) -> str:
        """ "folder", as the `type` field says."""
        return "folder"


@dataclass(slots=True, kw_only=True, eq=False)
class File:
    """A file with its current version; older ones are in `versions`, oldest first."""

    id: str
    name: str
    parent: Folder
    owner: User
    created_by: User
    modified_by: User
    created: int
    modified: int
    content_created: int
    content_modified: int
    size: int
    sha1: str
    version_id: str
    version_created: int
    #: Who wrote the current version; `modified_by` is whoever changed anything last, a name for instance.
    version_by: User
    blob: Blob | None = field(default=None, repr=False)
    etag: int = 0
    sequence: int = 0
    version_number: int = 1
    description: str = ""
    tags: tuple[str, ...] = ()
    trashed: int | None = None
    shared_link: dict[str, Any] | None = None
    metadata: dict[str, dict[str, Any]] | None = None
    collaborations: list[Collaboration] | None = None
    lock: dict[str, Any] | None = None
    disposition_at: int | None = None
    versions: list[Version] | None = None

    @property
    def kind(self) -> str:
        """ "file", as the `type` field says."""
        return "file"


Item: TypeAlias = File | Folder


@dataclass(slots=True, kw_only=True, eq=False)
class Collaboration:
    """A grant on an item to a user, a group, or (pending) an address that no user has yet."""

    id: str
    item: Item
    role: str
    status: str
    created_by: User
    created: int
    modified: int
    user: User | None = None
    group: Group | None = None
    invite_email: str | None = None
    expires: int | None = None
    acknowledged: int | None = None
    can_view_path: bool = False
    is_access_only: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Part:
    """A stored part of an upload session; immutable at Box."""

    id: str
    offset: int
    size: int
    sha1: str
    sha512: str | None = None
    blob: Blob | None = field(default=None, repr=False)


@dataclass(slots=True, kw_only=True, eq=False)
class UploadSession:
    """A chunked upload in progress, bound to the user that created it."""

    id: str
    user: User
    folder: Folder
    #: The file that gets a new version; None for a new file.
    file: File | None
    name: str
    size: int
    part_size: int
    created: float
    expires: float
    parts: dict[int, Part] = field(default_factory=dict, repr=False)
    #: Part contents that the running hash has not reached yet, by offset.
    waiting: dict[int, list[bytes]] = field(default_factory=dict, repr=False)
    hashed: int = 0
    hasher: Any = field(default=None, repr=False)
    rounds_202: int = 0
    rounds_mismatch: int = 0

    @property
    def total_parts(self) -> int:
        """Parts that the whole file needs."""
        return -(-self.size // self.part_size)

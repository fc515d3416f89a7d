"""The switches of the sandbox, all changeable while it runs. No behaviour here.

Every default is the strict reading: where Box's behaviour is unknown, the one under which a careless client
fails. `README.md` lists the unknowns one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

GIB = 1024**3

ALL_SCOPES = (
    "root_readwrite",
    "manage_managed_users",
    "manage_app_users",
    "manage_groups",
    "manage_enterprise_properties",
)


@dataclass
class Settings:
    """Lenient and strict switches. Sizes in bytes, times in seconds."""

    #: Concurrent `POST /folders` of one name may both answer 201, as Box has been seen to do.
    duplicate_folders_under_race: bool = False
    #: How long such a create stays undecided; only used with the switch above.
    race_window_seconds: float = 0.05
    #: Commits answered 202 with Retry-After before the file appears, per session.
    commit_202_rounds: int = 0
    #: Retry-After of such a 202.
    commit_retry_after_seconds: int = 1
    #: Commits answered 400 parts_mismatch although all parts are there, per session.
    parts_mismatch_rounds: int = 0
    #: False: the admin has not authorised the app; tokens are refused with `unauthorized_client`.
    app_authorized: bool = True
    #: True: an "App Token" application, which may do a handful of calls and no collaborations.
    limited_access_app: bool = False
    #: E-mail alias of the service account, under which notifications arrive; empty: none is set.
    service_account_alias: str = ""
    #: "enterprise" reaches managed users and As-User; "app" only the app's own users.
    app_access: str = "enterprise"
    #: Scopes of the application; a call outside them answers 403 insufficient_scope.
    scopes: tuple[str, ...] = ALL_SCOPES
    #: Part size of upload sessions; None chooses by file size as Box has been seen to.
    part_size: int | None = None
    #: Smallest file of an upload session; smaller ones answer 400 file_size_too_small.
    min_session_size: int = 20_000_000
    #: Life of an upload session.
    session_ttl: float = 7 * 24 * 3600
    #: Life of an access token.
    token_ttl: float = 3600
    #: Largest file of a newly created user; existing users keep theirs.
    max_upload_size: int = 15 * GIB
    #: Space of a newly created service account, app user or managed user; Box's default is 10 GB.
    space_amount: int = 10 * GIB
    #: Server clock minus local clock: skews the Date header and all checks of `exp`.
    clock_offset_seconds: float = 0.0
    #: Largest offset of an offset listing (documented as 9,999).
    max_offset: int = 9_999
    #: Refuse names with leading spaces (documented, but not observed).
    refuse_leading_spaces: bool = False
    #: Remove from the names of files what Box does not take, as its guide says, and answer the name that is left.
    #: False refuses them with item_name_invalid, as the live service has been seen to.
    repair_file_names: bool = False
    #: Folders (creation, rename, move) and preflights compare names in Unicode's form NFKC.
    nfkc_folders: bool = True
    #: Uploads, sessions and renames of files compare names in NFKC; one report says that they do not.
    nfkc_uploads: bool = True
    #: Such a comparison brings the names that are there into NFKC as well, not only the new one.
    nfkc_existing: bool = True
    #: Refuse names with any of `< > : | ? * "` (documented, but not observed).
    refuse_windows_characters: bool = False
    #: Inviting a user to a folder below one that he already has: False refuses every such invitation with
    #: user_already_collaborator, True only those that add nothing.
    accept_higher_role_below: bool = False
    #: Unknown addresses in the enterprise's domain become managed users when invited.
    auto_provision: bool = False
    #: Managed users accept invitations at once.
    auto_accept: bool = True
    #: Count part uploads among the 240 uploads too; UNKNOWN at Box.
    parts_count_as_uploads: bool = False
    #: Whose budget an As-User call uses: "token", "acting" or "both"; UNKNOWN at Box.
    as_user_charges: str = "both"
    #: The service account may make metadata templates; UNKNOWN at Box.
    service_account_may_create_templates: bool = False
    #: Refusals that a WWW-Authenticate header explains (401, and 403 for a missing scope) have no body.
    empty_auth_bodies: bool = True
    #: A part that overlaps another one answers 416 with `conflicting_part`, not 409.
    overlap_is_416: bool = False
    #: The live event streams tell each event once and in order; False: some twice and some late, as Box says.
    orderly_events: bool = False
    #: Serve upload sessions only at the addresses that their creation gave, not at constructed ones.
    only_session_endpoints: bool = False

    def update(self, values: dict[str, Any]) -> None:
        """Set several switches by name; ValueError names the first unknown one."""
        known = {f.name for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown setting {name!r}; known: {', '.join(sorted(known))}")
            setattr(self, name, tuple(value) if name == "scopes" else value)

    def reset(self) -> None:
        """Back to the defaults."""
        self.update(vars(Settings()))


@dataclass(kw_only=True)
class SandboxConfig:
    """How to start a sandbox; `Sandbox(**fields)` takes the same names."""

    #: TCP port on 127.0.0.1; 0 takes a free one.
    port: int = 0
    #: Folder that keeps the state over restarts; None keeps it in memory.
    data: str | None = None
    #: "keep" holds file contents, "hash" only their SHA-1.
    content: str = "keep"
    #: Bytes of contents held in memory before the rest goes to files.
    memory_bytes: int = 256 * 1024**2
    #: (certificate file, key file) to speak TLS.
    tls: tuple[str, str] | None = None
    #: Check every request and answer against the OpenAPI; needs the jsonschema_rs package.
    validate: bool = False
    #: Initial values for `Settings`.
    settings: dict[str, Any] = field(default_factory=dict)
    #: Initial values for `Limits`.
    limits: dict[str, Any] = field(default_factory=dict)

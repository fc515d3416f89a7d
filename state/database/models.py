"""The tables of the checkpoint. Rows never leave this package: records.py has what others see.

No floats: sizes are bytes, times of the source are nanoseconds since 1970, our own times are aware datetimes.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
    TextClause,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from state.database.base import Base, RowId, row_id
from state.database.columns import SourceText, UTCTime

# The conditions of the partial indexes. Queries use the very same text: SQLite and PostgreSQL take a partial
# index only when they can prove its condition, and a bound parameter proves nothing.
ITEM_IS_FREE = text("items.status = 'pending' AND items.claimed_by IS NULL")
ITEM_IS_CLAIMED = text("items.claimed_by IS NOT NULL")
ITEM_FAILED = text("items.status = 'failed'")
ITEM_IS_GONE_FROM_SOURCE = text("items.status = 'missing' AND items.box_file_id IS NOT NULL")
ITEM_IS_IN_BOX = text("items.box_file_id IS NOT NULL")
ITEM_IS_RENAMED = text("items.box_name IS NOT NULL")
FOLDER_HAS_SOURCE_ID = text("folders.source_file_id IS NOT NULL")
FOLDER_IS_WALKED = text("folders.status NOT IN ('excluded', 'missing')")
FOLDER_AWAITS_BOX = text("folders.status = 'pending' AND folders.box_folder_id IS NULL")
FOLDER_IS_IN_BOX = text("folders.box_folder_id IS NOT NULL")
FOLDER_IS_UNPROVEN = text("folders.unproven AND folders.box_folder_id IS NOT NULL")
FOLDER_FAILED = text("folders.status = 'failed'")
FOLDER_IS_RENAMED = text("folders.box_name <> folders.name")
FOLDER_WALK_IS_CLAIMED = text("folders.walk_claimed_by IS NOT NULL")
FOLDER_CREATION_IS_CLAIMED = text("folders.create_claimed_by IS NOT NULL")
PASS_IS_RUNNING = text("passes.state = 'running'")
WORKER_IS_ALIVE = text("workers.ended_at IS NULL")


def _unqualified(condition: TextClause) -> TextClause:
    """An index's condition names its columns without the table."""
    return text(re.sub(r"\b(items|folders|passes|workers)\.", "", condition.text))


def _partial(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    condition = _unqualified(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


class Plan(Base):
    """A migration plan: one source, one landing folder."""

    __tablename__ = "plans"
    id: Mapped[int] = row_id()
    name: Mapped[str] = mapped_column(Text, unique=True)
    source_url: Mapped[str] = mapped_column(Text)
    landing_folder_id: Mapped[str] = mapped_column(Text)
    #: Login of who owns the landing folder, and so everything that arrives.
    owner: Mapped[str | None] = mapped_column(Text)
    #: The Box that it belongs to: app (with the user that acts, if any), enterprise, account; NULL: not known yet.
    client_id: Mapped[str | None] = mapped_column(Text)
    enterprise_id: Mapped[str | None] = mapped_column(Text)
    account_id: Mapped[str | None] = mapped_column(Text)
    account_login: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCTime)


class Tree(Base):
    """A folder under the source that completes and is collaborated as a whole."""

    __tablename__ = "trees"
    __table_args__ = (UniqueConstraint("plan_id", "name"),)
    id: Mapped[int] = row_id()
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    name: Mapped[str] = mapped_column(SourceText)
    source: Mapped[str] = mapped_column(SourceText)
    folder: Mapped[str] = mapped_column(SourceText)
    state: Mapped[str] = mapped_column(String(16))
    incomplete_reason: Mapped[str | None] = mapped_column(String(40))
    detail: Mapped[str | None] = mapped_column(SourceText)
    verified: Mapped[bool] = mapped_column(default=False)
    #: Box user ids of uploaders that may be editors of the tree's folder; NULL: none is.
    editors: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    #: When it came into the plan; NULL: not known.
    begun_at: Mapped[datetime | None] = mapped_column(UTCTime)
    #: What the tree was published as; NULL: not published.
    shared_link: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: When it was handed over, and by whom: no pass moves it since; NULL: it is open.
    closed_at: Mapped[datetime | None] = mapped_column(UTCTime)
    closed_by: Mapped[str | None] = mapped_column(SourceText)


class Cutover(Base):
    """A cutover that is under way: the steps that are done."""

    __tablename__ = "cutovers"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), primary_key=True, autoincrement=False)
    begun_at: Mapped[datetime] = mapped_column(UTCTime)
    begun_by: Mapped[str] = mapped_column(SourceText)
    steps: Mapped[dict[str, Any]] = mapped_column(JSON)


class Pass(Base):
    """One walk of a plan's source, with diff and upload. An interrupted pass is several: their rows name the first."""

    __tablename__ = "passes"
    __table_args__ = (_partial("uq_passes_running", "plan_id", where=PASS_IS_RUNNING, unique=True),)
    id: Mapped[int] = row_id()
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), index=True)
    #: The row with which the pass began, where an interrupted one is continued; NULL: this row.
    first_id: Mapped[int | None] = mapped_column(RowId)
    kind: Mapped[str] = mapped_column(String(32))
    #: Digest of the exclude rules that it walks by; NULL: not known.
    rules: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UTCTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCTime)
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)


class Worker(Base):
    """A process that works on a plan; `ended_at` is the fence: once set, nothing of it is written any more."""

    __tablename__ = "workers"
    __table_args__ = (_partial("ix_workers_alive", "lease_until", where=WORKER_IS_ALIVE),)
    id: Mapped[int] = row_id()
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(BigInteger)
    #: See processes.py; empty where the operating system cannot tell.
    process_identity: Mapped[str] = mapped_column(Text)
    lease_milliseconds: Mapped[int] = mapped_column(BigInteger)
    lease_until: Mapped[datetime] = mapped_column(UTCTime)
    started_at: Mapped[datetime] = mapped_column(UTCTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCTime)


class Identity(Base):
    """A Box user whose call budget one process holds at a time."""

    __tablename__ = "identities"
    box_user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("workers.id"), index=True)
    leased_at: Mapped[datetime | None] = mapped_column(UTCTime)
    #: [[reserved_at, uploads, calls], …], oldest first, at most five minutes of them.
    ledger: Mapped[list[Any]] = mapped_column(JSON)


class Line(Base):
    """The line to Box that a plan's processes share where its bandwidth is limited."""

    __tablename__ = "lines"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), primary_key=True, autoincrement=False)
    #: From when on nobody has taken it, in seconds since 1970.
    free_at: Mapped[float] = mapped_column(Double)


class Uploader(Base):
    """An app user that was made to upload for a plan."""

    __tablename__ = "uploaders"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), primary_key=True, autoincrement=False)
    box_user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: From 1; names the app user in Box, so that one whose creation was not written down is found again.
    number: Mapped[int]
    login: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    retired_at: Mapped[datetime | None] = mapped_column(UTCTime)


class Folder(Base):
    """A folder of the source, the tree's root included (parent_id NULL, depth 0)."""

    __tablename__ = "folders"
    __table_args__ = (
        UniqueConstraint("parent_id", "name"),
        Index("ix_folders_counts", "tree_id", "status", "parent_id"),
        _partial("ix_folders_frontier", "tree_id", "walked_pass", "depth", "id", where=FOLDER_IS_WALKED),
        _partial("ix_folders_to_create", "tree_id", "depth", "id", where=FOLDER_AWAITS_BOX),
        _partial("ix_folders_in_box", "tree_id", "id", where=FOLDER_IS_IN_BOX),
        _partial(
            "uq_folders_box_folder", "box_folder_id", "box_plan_id", where=FOLDER_IS_IN_BOX, unique=True
        ),
        _partial("ix_folders_failed", "tree_id", "reason", where=FOLDER_FAILED),
        _partial("ix_folders_unproven", "tree_id", "id", where=FOLDER_IS_UNPROVEN),
        _partial("ix_folders_renamed", "tree_id", "id", where=FOLDER_IS_RENAMED),
        _partial("ix_folders_source_id", "source_file_id", where=FOLDER_HAS_SOURCE_ID),
        _partial("ix_folders_walk_claimed", "walk_claimed_by", "walk_claim", where=FOLDER_WALK_IS_CLAIMED),
        _partial("ix_folders_create_claimed", "create_claimed_by", where=FOLDER_CREATION_IS_CLAIMED),
        _partial("uq_folders_root", "tree_id", where=text("folders.parent_id IS NULL"), unique=True),
    )
    id: Mapped[int] = row_id()
    tree_id: Mapped[int] = mapped_column(ForeignKey("trees.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id"))
    depth: Mapped[int]
    name: Mapped[str] = mapped_column(SourceText)
    path: Mapped[str] = mapped_column(SourceText)
    box_name: Mapped[str] = mapped_column(SourceText)
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(SourceText)
    detail: Mapped[str | None] = mapped_column(SourceText)
    #: The last pass that listed this folder; 0: none yet.
    walked_pass: Mapped[int] = mapped_column(RowId, server_default=text("0"), default=0)
    #: The last listing failed, so what is below is not known: being created in Box does not heal that.
    unlisted: Mapped[bool] = mapped_column(server_default=false(), default=False)
    #: Digest of a listing that comparing found to change nothing, until a row below changes; or a walk's mark.
    listing_digest: Mapped[str | None] = mapped_column(String(64))
    #: The pass of that listing; it counts as long as this is the last one that listed the folder.
    digest_pass: Mapped[int | None] = mapped_column(RowId)
    # Workers' ids; no foreign keys, see Item.claimed_by.
    walk_claimed_by: Mapped[int | None] = mapped_column(RowId)
    walk_claim: Mapped[int | None] = mapped_column(BigInteger)
    create_claimed_by: Mapped[int | None] = mapped_column(RowId)
    #: When its creation was claimed first; kept until it is in Box, since an answer of Box may have been lost.
    create_claimed_at: Mapped[datetime | None] = mapped_column(UTCTime)
    #: Its id in the source, where that has any.
    source_file_id: Mapped[str | None] = mapped_column(Text)
    box_folder_id: Mapped[str | None] = mapped_column(String(64))
    #: As this plan saw it last; NULL: not known.
    box_etag: Mapped[str | None] = mapped_column(String(64))
    #: The plan, set with `box_folder_id`: no two folders of a plan lie in one folder of Box (P7).
    box_plan_id: Mapped[int | None] = mapped_column(RowId)
    created_by_plan: Mapped[bool] = mapped_column(server_default=false(), default=False)
    #: Something was put into it since Box's listing of it was last compared.
    unproven: Mapped[bool] = mapped_column(server_default=true(), default=True)
    waived_by: Mapped[str | None] = mapped_column(SourceText)
    waived_why: Mapped[str | None] = mapped_column(SourceText)
    waived_at: Mapped[datetime | None] = mapped_column(UTCTime)


class Item(Base):
    """A file, or a thing that is listed and never followed, inside a folder."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("folder_id", "name"),
        Index("ix_items_counts", "tree_id", "status", "kind", "size"),
        _partial("ix_items_free", "tree_id", "attempts", "folder_id", "id", where=ITEM_IS_FREE),
        _partial("ix_items_claimed", "claimed_by", "claim", where=ITEM_IS_CLAIMED),
        _partial("ix_items_failed", "tree_id", "reason", where=ITEM_FAILED),
        _partial("uq_items_box_file", "box_file_id", "box_plan_id", where=ITEM_IS_IN_BOX, unique=True),
        _partial("ix_items_gone", "source_file_id", where=ITEM_IS_GONE_FROM_SOURCE),
        _partial("ix_items_renamed", "tree_id", "folder_id", where=ITEM_IS_RENAMED),
    )
    id: Mapped[int] = row_id()
    tree_id: Mapped[int] = mapped_column(ForeignKey("trees.id"))
    folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id"))
    name: Mapped[str] = mapped_column(SourceText)
    kind: Mapped[str] = mapped_column(String(16))
    #: NULL when it equals `name`.
    box_name: Mapped[str | None] = mapped_column(SourceText)
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(SourceText)
    detail: Mapped[str | None] = mapped_column(SourceText)
    #: What does not arrive although the content does, as the source says it.
    note: Mapped[str | None] = mapped_column(SourceText)
    # The fingerprint: of the content in Box when UPLOADED, else as last seen.
    size: Mapped[int] = mapped_column(BigInteger)
    modified_ns: Mapped[int | None] = mapped_column(BigInteger)
    created_ns: Mapped[int | None] = mapped_column(BigInteger)
    changed_ns: Mapped[int | None] = mapped_column(BigInteger)
    source_file_id: Mapped[str | None] = mapped_column(Text)
    #: Box holds the content of this very fingerprint, whatever the status says (GONE, EXCLUDED).
    in_box: Mapped[bool] = mapped_column(server_default=false(), default=False)
    #: The walk saw another content while a sender held the item.
    overtaken: Mapped[bool] = mapped_column(server_default=false(), default=False)
    #: Content that was read before this moment (nanoseconds since 1970) is read again in the next pass: the source's
    #: times are not fine enough to tell it from what came right after. NULL: it is settled.
    settles_ns: Mapped[int | None] = mapped_column(BigInteger)
    sha1: Mapped[str | None] = mapped_column(String(40))
    box_file_id: Mapped[str | None] = mapped_column(String(64))
    #: The plan, set with `box_file_id`: no two items of a plan hold one file of Box (P7).
    box_plan_id: Mapped[int | None] = mapped_column(RowId)
    box_version_id: Mapped[str | None] = mapped_column(String(64))
    box_etag: Mapped[str | None] = mapped_column(String(64))
    #: The date that Box has, where it is not `modified_ns`.
    box_modified_ns: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    #: A worker's id; no foreign key, which would be checked for each of millions of claims.
    claimed_by: Mapped[int | None] = mapped_column(RowId)
    claim: Mapped[int | None] = mapped_column(BigInteger)
    uploaded_at: Mapped[datetime | None] = mapped_column(UTCTime)
    uploaded_by: Mapped[str | None] = mapped_column(String(64))
    adopted: Mapped[bool] = mapped_column(server_default=false(), default=False)
    waived_by: Mapped[str | None] = mapped_column(SourceText)
    waived_why: Mapped[str | None] = mapped_column(SourceText)
    waived_at: Mapped[datetime | None] = mapped_column(UTCTime)


class UploadSession(Base):
    """An open upload session of a large file."""

    __tablename__ = "upload_sessions"
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), primary_key=True, autoincrement=False)
    session_id: Mapped[str] = mapped_column(Text)
    endpoints: Mapped[dict[str, str]] = mapped_column(JSON)
    part_size: Mapped[int] = mapped_column(BigInteger)
    total_parts: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime] = mapped_column(UTCTime)
    size: Mapped[int] = mapped_column(BigInteger)
    modified_ns: Mapped[int | None] = mapped_column(BigInteger)
    changed_ns: Mapped[int | None] = mapped_column(BigInteger)
    source_file_id: Mapped[str | None] = mapped_column(Text)
    identity: Mapped[str | None] = mapped_column(String(64))


class UploadPart(Base):
    """A finished part of an open upload session."""

    __tablename__ = "upload_parts"
    item_id: Mapped[int] = mapped_column(
        ForeignKey("upload_sessions.item_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    part_id: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    sha1: Mapped[str] = mapped_column(String(40))


class Collaboration(Base):
    """A collaborator that the plan wants on a tree."""

    __tablename__ = "collaborations"
    __table_args__ = (UniqueConstraint("tree_id", "key"),)
    id: Mapped[int] = row_id()
    tree_id: Mapped[int] = mapped_column(ForeignKey("trees.id"))
    key: Mapped[str] = mapped_column(Text)
    #: False once the plan no longer names it.
    wanted: Mapped[bool]
    role: Mapped[str] = mapped_column(Text)
    login: Mapped[str | None] = mapped_column(Text)
    user_id: Mapped[str | None] = mapped_column(Text)
    group: Mapped[str | None] = mapped_column(Text)
    group_id: Mapped[str | None] = mapped_column(Text)
    app_user: Mapped[str | None] = mapped_column(Text)
    can_view_path: Mapped[bool]
    is_access_only: Mapped[bool]
    expires_at: Mapped[datetime | None] = mapped_column(UTCTime)
    status: Mapped[str] = mapped_column(String(16))
    box_collaboration_id: Mapped[str | None] = mapped_column(String(64))
    #: Box was asked to mail this person about this tree.
    mailed: Mapped[bool] = mapped_column(server_default=false(), default=False)
    detail: Mapped[str | None] = mapped_column(SourceText)

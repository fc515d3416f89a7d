"""Records of what changed at the source since it was sent: what is gone from it, and what may have moved. No SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connectors.entry import EntryKind, Fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class GoneEntry:
    """An entry that is in Box, most often one that is gone from the source."""

    kind: EntryKind
    #: Id of the item or folder in the checkpoint, and of the folder above it.
    row_id: int
    folder_id: int
    #: Source path, where it was.
    path: str
    box_id: str
    box_name: str
    #: Box id of the folder above it; None: that one is not in Box any more.
    parent_box_id: str | None
    #: Files only; None: not known.
    etag: str | None = None
    version_id: str | None = None
    sha1: str | None = None
    #: As the source had it when it was seen last.
    seen: Fingerprint | None = None
    is_gone: bool = True
    #: This plan put it there. False for what was adopted: a lost answer of Box, or somebody's own.
    is_ours: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedFolder:
    """A folder that is found by its id in the source, and where it lies in Box."""

    id: int
    tree_id: int
    parent_id: int | None
    name: str
    #: Source path, where it was seen last.
    path: str
    box_name: str
    box_id: str | None
    box_etag: str | None
    parent_box_id: str | None
    is_gone: bool
    #: Neither gone nor excluded.
    in_sight: bool
    #: When the walk began that listed it last; None: never, or that is not known.
    known_since: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedFile:
    """A file that is gone and one that is new, of one id in the source: perhaps one file that moved."""

    old_id: int
    old_folder_id: int
    old_path: str
    old_box_name: str
    #: None: the folder that it was in is not in Box any more, or another one is.
    old_parent_box_id: str | None
    #: Size and date; and when it was created, where the source knows that.
    old_seen: tuple[Fingerprint, int | None]
    new_id: int
    folder_id: int
    name: str
    path: str
    box_name: str
    seen: tuple[Fingerprint, int | None]
    box_id: str
    box_etag: str | None
    #: What Box holds was there before this plan.
    adopted: bool
    box_version_id: str | None
    #: When the walk began that saw the old one last, of those that sent it; None: not known.
    known_since: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedFile:
    """A file that Box has, by its row."""

    id: int
    name: str
    box_name: str
    box_id: str
    box_etag: str | None
    box_version_id: str | None
    adopted: bool
    is_claimed: bool
    size: int
    modified_ns: int | None
    created_ns: int | None
    source_file_id: str | None
    folder_id: int
    folder_path: str
    #: As MovedFile.known_since.
    known_since: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RenamedEntry:
    """A file or folder that has another name in Box than in the source."""

    kind: EntryKind
    #: Id of the item or folder in the checkpoint, and of the folder above it.
    row_id: int
    folder_id: int
    path: str
    name: str
    box_name: str
    #: None: it is not in Box yet.
    box_id: str | None
    box_etag: str | None
    #: Files only.
    box_version_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedFile:
    """One file that failed, as the walk saw it."""

    id: int
    #: Source path, as Entry.path.
    path: str
    size: int
    modified_ns: int | None

"""Records of what the checkpoint has of entries in Box, to be compared with Box or with the source. No SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connectors.entry import EntryKind, Fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptChild:
    """What the checkpoint has of one child of a folder that lies in Box, to be compared with it or with the source."""

    #: In the source.
    name: str
    kind: EntryKind
    box_name: str
    box_id: str
    #: Box has to show it. False for what it holds and need not: excluded since, gone from the source, an older content.
    required: bool
    #: Files only.
    size: int = 0
    sha1: str | None = None
    version_id: str | None = None
    #: Nanoseconds since 1970 UTC.
    modified_ns: int | None = None
    #: When Box took this content, aware.
    uploaded_at: datetime | None = None
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptPlace:
    """Where something in Box belongs to, by the checkpoint."""

    tree_id: int
    #: Source path.
    path: str

"""The diff of one folder: what the source lists, what the checkpoint knows, what follows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from connectors.entry import Entry, EntryKind, Fault
from state.records import KnownChild
from state.statuses import ItemStatus

_OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)
_OPEN = (ItemStatus.PENDING, ItemStatus.FAILED)


class ChangeKind(StrEnum):
    """What happened to an entry since the checkpoint saw it last."""

    #: Never seen, or back: MISSING or EXCLUDED before (`known` says which).
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    MISSING = "missing"
    EXCLUDED = "excluded"
    #: It is there, and the source could not look at it.
    FAILED = "failed"
    #: A folder that is known by its name, and has another id in the source than was written down; nothing else changes.
    IDENTIFIED = "identified"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference. UNCHANGED ones are counted, never written."""

    kind: ChangeKind
    name: str
    #: None for MISSING.
    entry: Entry | None
    #: None for what was never seen.
    known: KnownChild | None
    #: Name in Box that NEW and CHANGED ones get.
    box_name: str
    #: EXCLUDED: which rule or kind said so. FAILED: the reason code.
    reason: str | None = None
    #: FAILED: one line for a person.
    detail: str | None = None
    #: CHANGED: nothing says that it changed; it is read again and compared with what Box has of it.
    read_again: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One folder whose listing was compared with the rows of the checkpoint, and what came of it."""

    folder_id: int
    changes: Sequence[Change]
    #: Digest of the listing, where the same listing need not be compared again; None where it must be.
    digest: str | None = None
    #: FolderNode.listing_digest, as it was before the rows were read.
    seen: str | None = None


def diff_folder(
    listing: Sequence[Entry],
    known: Sequence[KnownChild],
    *,
    box_names: Mapping[str, str],
    excluded: Callable[[Entry], str | None],
    reads_all: bool = False,
) -> list[Change]:
    """Changes of one folder, sorted by name, UNCHANGED left out. `excluded` returns the reason or None.

    A file and a folder of one name are two things: where one became the other, the old is MISSING and the new NEW.
    What comes back from MISSING or EXCLUDED is NEW with its `known`; the checkpoint makes it UPLOADED without a call
    when Box still holds that very content. WAIVED and FAILED things that did not change are left alone.

    EXCLUDED is what `excluded` says, or a link, and nothing else: what is no file, no folder and no link is FAILED.

    What could not be looked at (`Entry.fault`) is FAILED, whatever is known of it: neither MISSING nor EXCLUDED. Where
    it may be a folder and one of this name is known, it is that folder, which the walk lists anyway.

    `reads_all`: every file that Box has is CHANGED, with `read_again` where nothing else says so.
    """
    known_by_key = {_key(child.name, child.kind): child for child in known}
    changes = []
    for entry in listing:
        name = entry.name
        child = known_by_key.pop(_key_of(name, entry, known_by_key), None) if known_by_key else None
        change = _compare(name, entry, child, box_names, _reason(entry, excluded))
        if reads_all and change.kind is ChangeKind.UNCHANGED and _is_in_box(child):
            change = replace(change, kind=ChangeKind.CHANGED, read_again=True)
        if change.kind is not ChangeKind.UNCHANGED:
            changes.append(change)
    for child in known_by_key.values():
        if child.status is not ItemStatus.GONE:
            changes.append(
                Change(
                    kind=ChangeKind.MISSING, name=child.name, entry=None, known=child, box_name=child.box_name
                )
            )
    return sorted(changes, key=lambda change: (change.name, change.entry is not None))


def _is_in_box(known: KnownChild | None) -> bool:
    return known is not None and known.kind is EntryKind.FILE and known.status is ItemStatus.UPLOADED


def _key(name: str, kind: EntryKind) -> tuple[str, bool]:
    return name, kind is EntryKind.FOLDER


def _key_of(name: str, entry: Entry, known: Mapping[tuple[str, bool], KnownChild]) -> tuple[str, bool]:
    if entry.may_be_folder:
        folder = known.get((name, True))
        if folder is not None and folder.status not in _OUT_OF_SIGHT:
            return name, True
    return _key(name, entry.kind)


def _reason(entry: Entry, excluded: Callable[[Entry], str | None]) -> str | None:
    return (entry.skip_reason or entry.kind.value) if entry.is_link else excluded(entry)


def _fault(entry: Entry) -> Fault | None:
    """Why it cannot move, whatever the rules say; None for files, folders and links."""
    if entry.fault is not None or entry.is_link or entry.kind in (EntryKind.FILE, EntryKind.FOLDER):
        return entry.fault
    return Fault("unclassified", f"{entry.path!r} is neither file nor folder, and not proven to be a link")


def _compare(
    name: str, entry: Entry, known: KnownChild | None, box_names: Mapping[str, str], reason: str | None
) -> Change:
    kind = _kind_of_change(entry, known, reason)
    failed = _fault(entry) if kind is ChangeKind.FAILED else None
    return Change(
        kind=kind,
        name=name,
        entry=entry,
        known=known,
        box_name=_box_name(name, known, box_names),
        reason=failed.reason if failed else reason,
        detail=failed.detail if failed else None,
    )


def _kind_of_change(entry: Entry, known: KnownChild | None, reason: str | None) -> ChangeKind:
    if reason is not None:
        same = known is not None and known.status is ItemStatus.EXCLUDED
        same = same and known is not None and (known.reason, known.kind) == (reason, entry.kind)
        return ChangeKind.UNCHANGED if same else ChangeKind.EXCLUDED
    if _fault(entry) is not None:
        return _kind_of_fault(known)
    if known is None or known.status in _OUT_OF_SIGHT:
        return ChangeKind.NEW
    if entry.kind is EntryKind.FOLDER:
        is_known = entry.file_id in (None, known.fingerprint.file_id)
        return ChangeKind.UNCHANGED if is_known else ChangeKind.IDENTIFIED
    # A kind that was not known when it could not be looked at, and content that Box never lost.
    healed = known.kind is not entry.kind or (known.in_box and known.status in _OPEN)
    unsettled = known.status is ItemStatus.UPLOADED and known.settles_ns is not None
    same = known.fingerprint.same_content_as(entry.fingerprint) and not unsettled
    return ChangeKind.UNCHANGED if same and not healed else ChangeKind.CHANGED


def _kind_of_fault(known: KnownChild | None) -> ChangeKind:
    """A known folder is listed by the walk all the same, which says what is wrong with it."""
    if known is not None and known.status not in _OUT_OF_SIGHT and known.kind is EntryKind.FOLDER:
        return ChangeKind.UNCHANGED
    settled = known is not None and known.status in (ItemStatus.FAILED, ItemStatus.WAIVED)
    return ChangeKind.UNCHANGED if settled else ChangeKind.FAILED


def _box_name(name: str, known: KnownChild | None, box_names: Mapping[str, str]) -> str:
    """A name once given stays, except that what comes back may find its name taken meanwhile."""
    if known is None:
        return box_names.get(name, name)
    if known.status in _OUT_OF_SIGHT:
        return box_names.get(name, known.box_name)
    return known.box_name

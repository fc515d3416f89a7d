"""Comparing: one folder's listing in Box with what the checkpoint has of it. Pure: a look at things comes later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.box.names import collision_key
from connectors.box.types import BoxChild
from connectors.box.values import box_date
from connectors.entry import EntryKind
from flows.reconciliation.differences import DifferenceKind
from state.kept_records import KeptChild


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """Something of one folder that differs; `kind` is the first guess, which a look at the thing itself may change."""

    kind: DifferenceKind
    #: What the checkpoint has; None for what it does not know.
    kept: KeptChild | None = None
    #: What Box lists; None for what it does not.
    listed: BoxChild | None = None


def compare_listing(
    kept: Sequence[KeptChild], listed: Sequence[BoxChild], *, dates: bool = True
) -> Iterator[Suspect]:
    """Yield what differs. A thing that is not listed and another one under its name are one suspect, with both."""
    there = {(child.type, child.id): child for child in listed}
    extra = dict(there)
    absent: list[KeptChild] = []
    present: set[str] = set()
    for child in kept:
        found = extra.pop((child.kind.value, child.box_id), None)
        if found is not None:
            present.add(collision_key(found.name))
            if child.required:
                yield from _differences(child, found, dates=dates)
        elif child.required:
            absent.append(child)
    by_name = {collision_key(child.name): child for child in extra.values()}
    for child in absent:
        other = by_name.pop(collision_key(child.box_name), None)
        if other is not None:
            del extra[other.type, other.id]
        yield Suspect(kind=DifferenceKind.MISSING_IN_BOX, kept=child, listed=other)
    for other in extra.values():
        twice = other.type == "folder" and collision_key(other.name) in present
        kind = DifferenceKind.DUPLICATE_FOLDER if twice else DifferenceKind.EXTRA_IN_BOX
        yield Suspect(kind=kind, listed=other)


def _differences(child: KeptChild, found: BoxChild, *, dates: bool) -> Iterator[Suspect]:
    if found.name != child.box_name:
        yield Suspect(kind=DifferenceKind.RENAMED, kept=child, listed=found)
    if child.kind is not EntryKind.FILE:
        return
    if (found.sha1, found.size) != (child.sha1, child.size):
        shorter = found.size < child.size
        kind = DifferenceKind.TRUNCATED if shorter else DifferenceKind.ALTERED
        yield Suspect(kind=kind, kept=child, listed=found)
    elif dates and child.modified_ns is not None and found.modified != date_in_box(child.modified_ns):
        yield Suspect(kind=DifferenceKind.WRONG_DATE, kept=child, listed=found)


def date_in_box(modified_ns: int) -> datetime:
    """The date that Box has for a file of this time: whole seconds, within what Box takes."""
    return datetime.fromisoformat(box_date(modified_ns)).astimezone(UTC)


def replaced_kind(listed: BoxChild) -> DifferenceKind:
    """What it is called when this has another one's name."""
    return {
        "folder": DifferenceKind.REPLACED_BY_FOLDER,
        "file": DifferenceKind.REPLACED_BY_FILE,
    }.get(listed.type, DifferenceKind.REPLACED_BY_LINK)


def content_words(child: KeptChild, found: BoxChild) -> str:
    """Both contents, for a person."""
    return (
        f"Box has {found.size:,} bytes, sha1 {found.sha1}; sent were {child.size:,} bytes, sha1 {child.sha1}"
    )

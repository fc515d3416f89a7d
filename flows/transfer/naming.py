"""Naming: compare a folder's listing with the checkpoint, and give each new entry its name in Box. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from connectors.box.names import PlannedName, box_name, collision_key, keep_their_names, plan_names
from connectors.entry import Entry, EntryKind
from flows.plan.archive import WAS_READ
from state.diff import Change, diff_folder
from state.records import KnownChild
from state.statuses import ItemStatus

#: What is not there, or does not move: its name in Box is its own only while something lies there.
OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)


#: An entry that gets another name in Box than it has, and its new name with the reason.
Rename = tuple[Entry, PlannedName]


def compare_folder(
    listing: list[Entry],
    known: list[KnownChild],
    *,
    excluded: Callable[[Entry], str | None],
    reads_all: bool = False,
) -> tuple[list[Change], list[Rename]]:
    """Return what differs between a listing and the checkpoint, with the Box name that each new entry gets (P7).

    Also which of those names are other ones than the entries have. `reads_all`: as for diff_folder().
    """
    # Each entry is asked for once, and for its name; a listing has no name twice.
    names_of = [entry.name for entry in listing]
    reasons = {
        name: None if entry.is_link else excluded(entry)
        for name, entry in zip(names_of, listing, strict=True)
    }
    rows = {_place(child.name, child.kind): child for child in known}
    if rows:
        reasons |= {
            entry.name: None for entry in listing if _was_read_by_us(entry, reasons[entry.name], rows)
        }
    moving = {
        name: entry
        for name, entry in zip(names_of, listing, strict=True)
        if reasons[name] is None and not entry.is_link
    }
    own = {}
    if rows:
        own = {name: row for name, each in moving.items() if (row := _row_of(name, each, rows)) is not None}
    assigned = {
        name: row.box_name for name, row in own.items() if row.placed or row.status not in OUT_OF_SIGHT
    }
    others = [child for child in known if child.placed and own.get(child.name) is not child]
    newcomers = [entry for name, entry in moving.items() if name not in assigned]

    def reason(entry: Entry) -> str | None:
        return reasons[entry.name]

    if not newcomers or (not assigned and not others and keep_their_names(moving)):
        # Nobody gets another name than it has, or has already.
        return diff_folder(listing, known, box_names={}, excluded=reason, reads_all=reads_all), []
    taken = _names_held(others, newcomers, listing)
    planned = plan_names(
        [(name, each.kind, assigned.get(name)) for name, each in moving.items()], taken=taken
    )
    names = {name: choice.box_name for name, choice in planned.items()}
    changes = diff_folder(listing, known, box_names=names, excluded=reason, reads_all=reads_all)
    return changes, list(_renames(list(moving.values()), planned, assigned))


def new_names(moving: Sequence[Entry]) -> list[Rename]:
    """Return which of these entries of one folder would get another name, where nothing of it is in Box yet."""
    if keep_their_names([each.name for each in moving]):
        return []
    planned = plan_names([(each.name, each.kind, None) for each in moving], taken=[])
    return list(_renames(moving, planned, {}))


def _was_read_by_us(entry: Entry, reason: str | None, rows: Mapping[tuple[str, bool], KnownChild]) -> bool:
    """True for what a plan that archives leaves out since somebody read it, and which Box has: to send it was to read
    it, and whoever reads it later does not take it back."""
    if reason is None or not reason.startswith(WAS_READ):
        return False
    row = rows.get(_place(entry.name, entry.kind))
    if row is None or not row.in_box:
        return False
    return (row.fingerprint.size, row.fingerprint.modified_ns) == (entry.size, entry.modified_ns)


def _row_of(name: str, entry: Entry, rows: Mapping[tuple[str, bool], KnownChild]) -> KnownChild | None:
    """The checkpoint's row of an entry: a file and a folder of one name are two things, as for diff_folder()."""
    folder = rows.get((name, True))
    if entry.kind is EntryKind.FOLDER:
        return folder
    if entry.may_be_folder and folder is not None and folder.status not in OUT_OF_SIGHT:
        return folder
    return rows.get((name, False))


def _names_held(
    others: Sequence[KnownChild], newcomers: Sequence[Entry], listing: Sequence[Entry]
) -> list[str]:
    """Names of what lies in Box and does not move now, gone or excluded: nothing else gets one of them (P7).

    Except what took the place of the gone: the same kind of thing, under a name that is the same to Box.
    """
    if not others:
        return []
    there = {_place(entry.name, entry.kind) for entry in listing}
    coming = {_wish(entry.name, entry.kind) for entry in newcomers}
    held = []
    for child in others:
        wish = _wish(child.name, child.kind)
        gone = _place(child.name, child.kind) not in there and wish[0] == collision_key(child.box_name)
        if not (gone and wish in coming):
            held.append(child.box_name)
    return held


def other_name(name: str, kind: EntryKind, *, refused: str) -> PlannedName:
    """Return the next name for an entry whose Box name another entry of the plan has in Box, though no rule of ours
    takes the two for equal (P7)."""
    planned = plan_names([(name, kind, None)], taken=[refused, box_name(name, kind)])[name]
    return PlannedName(planned.box_name, f"for Box the same name as another entry's: {refused}")


def _place(name: str, kind: EntryKind) -> tuple[str, bool]:
    return name, kind is EntryKind.FOLDER


def _wish(name: str, kind: EntryKind) -> tuple[str, bool]:
    """What Box would compare the name by, if it got the one that it would like."""
    return collision_key(box_name(name, kind)), kind is EntryKind.FOLDER


def _renames(
    moving: Sequence[Entry], planned: Mapping[str, PlannedName], assigned: Mapping[str, str]
) -> Iterator[Rename]:
    for entry in moving:
        choice = planned[entry.name]
        if choice.reason is not None and assigned.get(entry.name) != choice.box_name:
            yield entry, choice

"""Remembering listings: what a folder listed when comparing it changed nothing, as one digest. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from connectors.entry import Entry
from state.diff import Change
from state.records import KnownChild
from state.statuses import ItemStatus

#: Another one for each meaning of a listing: what was remembered by an earlier meaning is compared again.
MEANING = "2"

#: What comparing leaves as it is, whatever comes.
_SETTLED = (ItemStatus.UPLOADED, ItemStatus.EXCLUDED, ItemStatus.WAIVED, ItemStatus.GONE)


def listing_digest(listing: Sequence[Entry], rules: str) -> str | None:
    """Return 32 characters, equal for equal listings, in whatever order, by equal exclude rules.

    None where some entry could not be looked at: that is looked at again each time.
    """
    rows = []
    for entry in listing:
        if entry.fault is not None:
            return None
        rows.append(
            (
                entry.path,
                entry.kind.value,
                entry.size,
                entry.modified_ns,
                entry.created_ns,
                entry.changed_ns,
                entry.file_id,
                entry.skip_reason,
                entry.note,
            )
        )
    rows.sort()
    whole = repr((MEANING, rules, rows)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(whole, digest_size=16).hexdigest()


def may_be_remembered(changes: Sequence[Change], known: Iterable[KnownChild]) -> bool:
    """Tell whether the same listing, by the same rules, changes nothing as long as nobody else changes these rows.

    False as well while anything is on its way, failed, or was read too early to be proven.
    """
    return not changes and all(
        child.status in _SETTLED
        and not (child.status is ItemStatus.UPLOADED and child.settles_ns is not None)
        for child in known
    )

"""Remarks on what a listing brings: dates that Box cannot hold, what it does not keep, names that look alike. Pure.

One remark per folder and kind, with a few names: a share where every file has one must not fill the diary (P9).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.box.names import collision_key, risk_key
from connectors.entry import LAST_NS, Entry
from state.diff import Change, ChangeKind

#: The event of each run that says what no tree of the plan covers; only the latest is true of the plan.
NOT_COVERED = "not_covered"

#: Kinds of events, and what each says in the report.
WORDS = {
    NOT_COVERED: "in no tree of the plan; neither looked at nor moved",
    "dates_before_1970": "dated before 1970; Box has 1970-01-01 for them",
    "dates_too_late": "dated after 11 April 2262; Box has that day for them",
    "dates_in_the_future": "dated in the future; Box has the date as it is",
    "not_kept": "",
    "names_look_alike": "names that some programs take for the same (Unicode form NFKC); Box keeps them apart",
    "only_in_box": "in Box, but not in the share; left alone",
}

#: Names that a remark gives as examples.
NAMED = 5

Remark = tuple[str, dict[str, Any]]


def remarks(path: str, changes: Sequence[Change], listing: Sequence[Entry]) -> Iterator[Remark]:
    """What is worth a line in the report about the new and changed entries of one folder."""
    coming = [
        change.entry
        for change in changes
        if change.entry is not None and change.kind in (ChangeKind.NEW, ChangeKind.CHANGED)
    ]
    found: dict[tuple[str, str], list[str]] = {}
    now_ns = time.time_ns()
    for entry in coming:
        if (kind := _odd_date(entry.modified_ns, now_ns)) is not None:
            found.setdefault((kind, ""), []).append(entry.name)
        if entry.note is not None:
            found.setdefault(("not_kept", entry.note), []).append(entry.name)
    for (kind, note), names in found.items():
        yield kind, _detail(path, names) | ({"note": note} if note else {})
    yield from _look_alikes(path, {entry.name for entry in coming}, listing)


def _odd_date(modified_ns: int | None, now_ns: int) -> str | None:
    if modified_ns is None or 0 <= modified_ns <= now_ns:
        return None
    if modified_ns < 0:
        return "dates_before_1970"
    # A server's clock may be a little ahead of ours.
    late = "dates_in_the_future" if modified_ns > now_ns + 86_400 * 10**9 else None
    return "dates_too_late" if modified_ns >= LAST_NS else late


def _look_alikes(path: str, coming: set[str], listing: Sequence[Entry]) -> Iterator[Remark]:
    """Names that differ for Box (see connectors.box.names) and are one in form NFKC."""
    if all(entry.name.isascii() for entry in listing):
        return
    groups: dict[str, dict[str, str]] = {}
    for entry in listing:
        groups.setdefault(risk_key(entry.name), {}).setdefault(collision_key(entry.name), entry.name)
    for group in groups.values():
        if len(group) > 1 and coming & set(group.values()):
            yield "names_look_alike", _detail(path, sorted(group.values()))


def _detail(path: str, names: Sequence[str]) -> dict[str, Any]:
    return {"path": path, "count": len(names), "names": list(names[:NAMED])}


def words(kind: str, detail: dict[str, Any]) -> str:
    """A remark's sentence for the report."""
    unlisted = detail.get("unlisted")
    unknown = f"; unknown where the folder cannot be listed: {', '.join(unlisted)}" if unlisted else ""
    return str(detail.get("note") or WORDS[kind]) + unknown

"""The first of the entries that failed, as many of each reason as there is room for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from state.records import ItemLine

#: Failed entries that are looked at; how many there are of each reason is said elsewhere.
LOOKED_AT = 20_000


def first_by_reason(lines: Iterable[ItemLine], *, limit: int) -> list[ItemLine]:
    """At most `limit` of them: a reason with few is not hidden by one with many. By reason, the most frequent first."""
    found: dict[str, list[ItemLine]] = {}
    for line in islice(lines, LOOKED_AT):
        found.setdefault(line.reason or "", []).append(line)
    reasons = sorted(found, key=lambda reason: (-len(found[reason]), reason))
    places = sorted(
        (place, order) for order, reason in enumerate(reasons) for place in range(len(found[reason]))
    )
    return [found[reasons[order]][place] for order, place in sorted((o, p) for p, o in places[:limit])]

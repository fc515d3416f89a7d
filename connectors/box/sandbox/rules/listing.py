"""Paging: a folder's items by offset or marker, and the common page shapes. Reads only.

Offset order is type, then name (or `sort`); marker order is type, then age, which inserts do not disturb. A
marker names the place after which the next page starts, so a vanished item does not break the paging.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from connectors.box.sandbox.errors import bad_request
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.items import Items
from connectors.box.sandbox.store.records import File, Folder, Item, User
from connectors.box.sandbox.store.store import Store
from connectors.box.sandbox.wire import parse_bool, parse_int, parse_limit

T = TypeVar("T")
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
KEPT_LISTINGS = 16
_SORTS: dict[str, Callable[[Item], Any]] = {
    "id": lambda item: int(item.id),
    "name": lambda item: item.name.lower(),
    "date": lambda item: item.modified,
    "size": lambda item: item.size,
}


class Listings:
    """Sorted views of folders, kept until the folder changes: big folders are read page after page."""

    def __init__(self, store: Store, items: Items) -> None:
        self.store = store
        self.items = items
        #: Folder id → (edition, order, items); the few folders listed last.
        self._kept: dict[str, tuple[int, str, list[Item]]] = {}

    def folder(self, user: User, folder: Folder, query: dict[str, str]) -> tuple[list[Item], dict[str, Any]]:
        """One page of a folder: (items, the other keys of the answer)."""
        permissions.require(user, folder, "list")
        limit = parse_limit(query, DEFAULT_LIMIT, MAX_LIMIT)
        if parse_bool(query, "usemarker"):
            if folder.parent is None and "sort" in query:
                raise bad_request("sort cannot be used with a marker on the root folder", "sort")
            items = self._visible(user, folder, "id", "ASC")
            return marker_page(items, query.get("marker"), limit, item_key)
        offset = parse_int(query, "offset", 0, 0, self.store.settings.max_offset)
        sort, direction = query.get("sort", "name"), query.get("direction", "ASC").upper()
        if sort not in _SORTS:
            raise bad_request("Invalid sort", "sort")
        if direction not in {"ASC", "DESC"}:
            raise bad_request("Invalid direction", "direction")
        items = self._visible(user, folder, sort, direction)
        order = [{"by": "type", "direction": "ASC"}, {"by": sort, "direction": direction}]
        page = items[offset : offset + limit]
        return page, {"total_count": len(items), "offset": offset, "limit": limit, "order": order}

    def _visible(self, user: User, folder: Folder, sort: str, direction: str) -> list[Item]:
        items = self._sorted(user, folder, sort, direction)
        return [item for item in items if not self.items.is_hidden(item)] if self.items.hidden else items

    def _sorted(self, user: User, folder: Folder, sort: str, direction: str) -> list[Item]:
        wanted = f"{sort} {direction}"
        kept = self._kept.get(folder.id)
        if kept is not None and kept[0] == folder.edition and kept[1] == wanted and folder.parent is not None:
            return kept[2]
        items = list(folder.children.values())
        if folder.parent is None:
            items += self._shared_roots(user)
        key = _SORTS[sort]
        items.sort(key=key, reverse=direction == "DESC")
        items.sort(key=lambda item: isinstance(item, File))
        # Dates and sizes change without the folder changing.
        if len(items) > DEFAULT_LIMIT and sort in {"id", "name"}:
            if len(self._kept) >= KEPT_LISTINGS:
                self._kept.pop(next(iter(self._kept)))
            self._kept[folder.id] = (folder.edition, wanted, items)
        return items

    def _shared_roots(self, user: User) -> list[Item]:
        """What others collaborated the user on, which Box shows at his root."""
        holders = [user.id, *(group.id for group in self.store.groups.values() if user.id in group.members)]
        found: dict[str, Item] = {}
        for holder in holders:
            for grant in self.store.shared_with.get(holder, {}).values():
                item = grant.item
                if grant.is_access_only or item.owner is user or not permissions.grants(user, grant):
                    continue
                if item.parent is not None and permissions.sees(user, item.parent):
                    continue
                if _is_trashed(item):
                    continue
                found[item.id] = item
        return list(found.values())


def marker_page(
    items: Sequence[T], marker: str | None, limit: int, key: Callable[[T], tuple[int, int]]
) -> tuple[list[T], dict[str, Any]]:
    """The page after the marker; `next_marker` is None on the last one. `items` are sorted by `key`."""
    start = 0
    if marker:
        start = bisect_right(items, _read_marker(marker), key=key)
    page = list(items[start : start + limit])
    more = start + limit < len(items)
    return page, {"limit": limit, "next_marker": _write_marker(key(page[-1])) if more else None}


def offset_page(
    items: Sequence[T], query: dict[str, str], max_limit: int = MAX_LIMIT, max_offset: int = 10**9
) -> tuple[list[T], dict[str, Any]]:
    """The page at the offset, with total_count, offset and limit."""
    limit = parse_limit(query, min(DEFAULT_LIMIT, max_limit), max_limit)
    offset = parse_int(query, "offset", 0, 0, max_offset)
    return list(items[offset : offset + limit]), {"total_count": len(items), "offset": offset, "limit": limit}


def id_key(record: Any) -> tuple[int, int]:
    """Marker order of records that have only an id."""
    return 0, int(record.id)


def item_key(item: Item) -> tuple[int, int]:
    """Marker order of items: folders first, then by age."""
    return int(isinstance(item, File)), int(item.id)


def _write_marker(key: tuple[int, int]) -> str:
    return base64.urlsafe_b64encode(f"{key[0]}.{key[1]}".encode()).decode()


def _read_marker(marker: str) -> tuple[int, int]:
    try:
        rank, _, number = base64.urlsafe_b64decode(marker.encode()).decode().partition(".")
        return int(rank), int(number)
    except (ValueError, binascii.Error) as exc:
        raise bad_request(f"Invalid value '{marker}'", "marker") from exc


def _is_trashed(item: Item) -> bool:
    node: Item | None = item
    while node is not None:
        if node.trashed is not None:
            return True
        node = node.parent
    return False

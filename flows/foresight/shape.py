"""The shape of a share: how many files of which type, size and age, how deep, and which are the largest. Pure."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.entry import Entry

#: The largest things that are named.
LARGEST = 20
#: Types that are counted by their names, and longer endings are no types; the rest is counted together (P9).
TYPES, TYPE_LENGTH, OTHER_TYPES = 5_000, 16, "(other)"
#: Types that the document names.
NAMED_TYPES = 40

#: Upper bounds in bytes, excluded; the last class has none.
SIZE_BOUNDS = (1, 1_000, 100_000, 1_000_000, 20_000_000, 50_000_000, 10**9, 5 * 10**9, 15 * 10**9, 50 * 10**9)
#: Days since the last change, excluded; the last class has none.
AGE_BOUNDS = (30, 90, 365, 730, 1_826, 3_652)
#: Characters of a path, the last one included.
LENGTH_BOUNDS = (64, 128, 255, 400)

DAY_NS = 86_400 * 10**9


class Largest:
    """The things with the greatest numbers, of any number of them."""

    def __init__(self, count: int = LARGEST) -> None:
        self._count = count
        self._heap: list[tuple[int, str, int]] = []

    def add(self, number: int, path: str, size: int = 0) -> None:
        """One more; of equal ones the first path in order is kept last."""
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, (number, path, size))
        elif number > self._heap[0][0]:
            heapq.heapreplace(self._heap, (number, path, size))

    def sorted(self) -> list[tuple[int, str, int]]:
        """Number, path and size of each, the greatest first."""
        return sorted(self._heap, key=lambda each: (-each[0], each[1]))


@dataclass
class Classes:
    """Files and bytes by the class that a number falls into."""

    bounds: Sequence[int]
    files: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files, self.sizes = [0] * (len(self.bounds) + 1), [0] * (len(self.bounds) + 1)

    def add(self, number: int, size: int) -> None:
        """One more file of so many bytes."""
        at = bisect_right(self.bounds, number)
        self.files[at] += 1
        self.sizes[at] += size

    def documents(self, name: str) -> list[dict[str, Any]]:
        """Each class with its upper bound, which is excluded; None for the last one."""
        bounds = (*self.bounds, None)
        return [
            {name: bound, "files": files, "bytes": size}
            for bound, files, size in zip(bounds, self.files, self.sizes, strict=True)
        ]


@dataclass
class Shape:
    """What is known of the files and folders that move. Bounded, whatever the share's size (P9)."""

    #: Nanoseconds since 1970, from which ages are counted.
    now_ns: int
    types: Counter[str] = field(default_factory=Counter)
    type_sizes: Counter[str] = field(default_factory=Counter)
    sizes: Classes = field(default_factory=lambda: Classes(SIZE_BOUNDS))
    ages: Classes = field(default_factory=lambda: Classes(AGE_BOUNDS))
    #: By last access, of files of which the source tells it.
    accessed: Classes = field(default_factory=lambda: Classes(AGE_BOUNDS))
    #: By owner, where the source tells it.
    owners: Counter[str] = field(default_factory=Counter)
    owner_sizes: Counter[str] = field(default_factory=Counter)
    lengths: Classes = field(default_factory=lambda: Classes([bound + 1 for bound in LENGTH_BOUNDS]))
    depths: Counter[int] = field(default_factory=Counter)
    largest_files: Largest = field(default_factory=Largest)
    fullest_folders: Largest = field(default_factory=Largest)
    longest: Largest = field(default_factory=lambda: Largest(1))
    deepest: Largest = field(default_factory=lambda: Largest(1))
    no_date: int = 0
    future: int = 0

    def add_files(self, files: Iterable[Entry]) -> None:
        """Count these files."""
        for entry in files:
            self._add_type(entry)
            self.sizes.add(entry.size, entry.size)
            self._add_age(entry)
            if entry.accessed_ns is not None:
                self.accessed.add(max(0, self.now_ns - entry.accessed_ns) // DAY_NS, entry.size)
            if entry.owner is not None:
                owner = _bounded(self.owners, entry.owner)
                self.owners[owner] += 1
                self.owner_sizes[owner] += entry.size
            self.largest_files.add(entry.size, entry.path, entry.size)
            self.add_place(entry.path, entry.size)

    def add_place(self, path: str, size: int = 0) -> None:
        """Count how deep and how long this path is."""
        depth = path.count("/") + 1
        self.depths[depth] += 1
        self.deepest.add(depth, path)
        self.lengths.add(len(path), size)
        self.longest.add(len(path), path)

    def _add_type(self, entry: Entry) -> None:
        stem, _, ending = entry.name.rpartition(".")
        kind = ending.lower() if stem and len(ending) <= TYPE_LENGTH and " " not in ending else ""
        kind = _bounded(self.types, kind)
        self.types[kind] += 1
        self.type_sizes[kind] += entry.size

    def _add_age(self, entry: Entry) -> None:
        if entry.modified_ns is None:
            self.no_date += 1
            return
        self.future += entry.modified_ns > self.now_ns
        self.ages.add(max(0, self.now_ns - entry.modified_ns) // DAY_NS, entry.size)

    def document(self) -> dict[str, Any]:
        """Return it as the inventory has it."""
        [(longest, longest_path, _)] = self.longest.sorted() or [(0, "", 0)]
        [(deepest, deepest_path, _)] = self.deepest.sorted() or [(0, "", 0)]
        return {
            "types": self._type_documents(),
            "sizes": self.sizes.documents("below_bytes"),
            "ages": self.ages.documents("below_days"),
            "last_access": self.accessed.documents("below_days") if any(self.accessed.files) else None,
            "owners": [
                {"owner": owner, "files": self.owners[owner], "bytes": size}
                for owner, size in self.owner_sizes.most_common(NAMED_TYPES)
            ],
            "without_date": self.no_date,
            "dated_in_the_future": self.future,
            "largest_files": [{"path": path, "bytes": size} for size, path, _ in self.largest_files.sorted()],
            "largest_folders": [
                {"path": path or "/", "items": items, "bytes": size}
                for items, path, size in self.fullest_folders.sorted()
            ],
            "depth": {
                "deepest": deepest,
                "path": deepest_path,
                "entries": {str(depth): count for depth, count in sorted(self.depths.items())},
            },
            "paths": {
                "longest": longest,
                "path": longest_path,
                "entries": self.lengths.documents("below_characters"),
            },
        }

    def _type_documents(self) -> list[dict[str, Any]]:
        """The types that take most, and all others together."""
        named = [kind for kind, _ in self.type_sizes.most_common() if kind != OTHER_TYPES][:NAMED_TYPES]
        others = [kind for kind in self.types if kind not in set(named)]
        rows = [(kind, self.types[kind], self.type_sizes[kind]) for kind in named]
        if others:
            sums = (sum(self.types[kind] for kind in others), sum(self.type_sizes[kind] for kind in others))
            rows.append((OTHER_TYPES, *sums))
        return [{"type": kind, "files": files, "bytes": size} for kind, files, size in rows]


def _bounded(names: Counter[str], name: str) -> str:
    """The name, or the one for all others once there are too many."""
    return name if name in names or len(names) < TYPES else OTHER_TYPES

"""The parts of an inventory that need no share: classes, the largest, groups of equal files, memory."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pytest

from connectors.box.tiers import LIMITS, Tier
from connectors.entry import Entry, EntryKind, listed_entry
from connectors.errors import ShareUnreachable
from flows.foresight.findings import MEANINGS, FindingKind, Findings
from flows.foresight.inventory import Inventory, TreeSums, growth, walk
from flows.foresight.shape import DAY_NS, TYPES, Classes, Largest, Shape
from state.database.scratch import file_sizes

NOW = 1_800_000_000 * 10**9


class GeneratedShare:
    """A share of one tree that is made up while it is listed."""

    def __init__(self, folders: int, files: int) -> None:
        self._folders, self._files = folders, files

    def list_folders(self, paths: Iterable[str]) -> Iterator[tuple[str, list[Entry] | ShareUnreachable]]:
        """The tree's folders, and distinct files in each."""
        for path in paths:
            if path == "A":
                yield (
                    path,
                    [Entry(path=f"A/{number:06}", kind=EntryKind.FOLDER) for number in range(self._folders)],
                )
            else:
                yield (
                    path,
                    [
                        listed_entry(
                            f"{path}/{n}.x{path[2:]}{n}", EntryKind.FILE, n + 1, NOW, None, None, None
                        )
                        for n in range(self._files)
                    ],
                )


def peak_of_a_walk(folders: int) -> tuple[int, Inventory]:
    """Bytes that a walk of so many folders of 100 files needs at most, and what it found."""
    with file_sizes() as sizes:
        inventory = Inventory(
            excluded=lambda entry: None,
            findings=Findings(),
            shape=Shape(now_ns=NOW),
            file_sizes=sizes,
            largest_file=50,
            trees=[TreeSums("A", "A")],
        )
        tracemalloc.start()
        walk(
            inventory,
            GeneratedShare(folders, 100),  # type: ignore[arg-type]
            whole=False,
            stop=threading.Event(),
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, inventory


def test_memory_does_not_grow_with_the_share() -> None:
    """Four times the files, with names and endings of their own; only the names of folders that wait grow (P9)."""
    small, _ = peak_of_a_walk(64)
    large, inventory = peak_of_a_walk(256)

    assert (25_600, 257) == (inventory.trees[0].files, inventory.trees[0].folders)
    assert 12_800 == inventory.findings.count[FindingKind.FILE_TOO_LARGE]
    assert large < small + 400_000


@pytest.mark.parametrize(
    ("items", "kinds"),
    [(10_000, set()), (10_001, {FindingKind.FOLDER_OVER_10000}), (15_001, {FindingKind.FOLDER_OVER_15000})],
)
def test_folders_that_are_too_full(items: int, kinds: set[FindingKind]) -> None:
    """Each is told once, of the worse of both kinds."""
    with file_sizes() as sizes:
        inventory = Inventory(
            excluded=lambda entry: None,
            findings=Findings(),
            shape=Shape(now_ns=NOW),
            file_sizes=sizes,
            largest_file=1,
        )
        listing = [Entry(path=f"A/{number}", kind=EntryKind.FILE) for number in range(items)]
        inventory.look(TreeSums("A", "A"), "A", listing, files_only=False)

    assert kinds == set(inventory.findings.count)


def test_classes_have_their_bounds() -> None:
    """A bound belongs to the class above it."""
    classes = Classes((1, 10))
    for size in (0, 1, 9, 10, 11):
        classes.add(size, size)

    assert [
        {"below": 1, "files": 1, "bytes": 0},
        {"below": 10, "files": 2, "bytes": 10},
        {"below": None, "files": 2, "bytes": 21},
    ] == classes.documents("below")


def test_largest_keeps_the_largest() -> None:
    """In any order; the greatest first."""
    largest = Largest(2)
    for number in (3, 9, 1, 7):
        largest.add(number, str(number))

    assert [9, 7] == [number for number, _, _ in largest.sorted()]


def test_shape_of_files() -> None:
    """Types without regard to case, ages from now on, files from the future and without a date."""
    shape = Shape(now_ns=NOW)
    times = [
        ("a.TXT", NOW - 31 * DAY_NS),
        ("b.txt", NOW + DAY_NS),
        (".hidden", None),
        ("c.no ending at all", NOW),
    ]
    shape.add_files(
        Entry(path=f"A/{name}", kind=EntryKind.FILE, size=5, modified_ns=at) for name, at in times
    )
    document = shape.document()

    assert [("txt", 2, 10), ("", 2, 10)] == [tuple(each.values()) for each in document["types"]]
    assert [2, 1] == [each["files"] for each in document["ages"][:2]]
    assert (1, 1) == (document["without_date"], document["dated_in_the_future"])
    assert (2, "A/c.no ending at all") == (document["depth"]["deepest"], document["paths"]["path"])


def test_last_access_and_owner_where_the_source_tells_them() -> None:
    """They are no part of what makes two entries equal."""
    shape = Shape(now_ns=NOW)
    entry = Entry(path="a", kind=EntryKind.FILE, size=3, accessed_ns=NOW - 400 * DAY_NS, owner="ann")
    shape.add_files([entry, Entry(path="b", kind=EntryKind.FILE, size=4)])
    document = shape.document()

    assert entry == Entry(path="a", kind=EntryKind.FILE, size=3)
    assert [{"owner": "ann", "files": 1, "bytes": 3}] == document["owners"]
    assert [0, 0, 0, 1, 0, 0, 0] == [each["files"] for each in document["last_access"]]


def test_types_without_end_are_counted_together() -> None:
    """An application may give each file an ending of its own."""
    shape = Shape(now_ns=NOW)
    shape.add_files(Entry(path=f"a.{number}", kind=EntryKind.FILE) for number in range(TYPES + 7))

    assert TYPES + 1 == len(shape.types)
    assert TYPES + 7 == sum(each["files"] for each in shape.document()["types"])


def test_groups_of_equal_files() -> None:
    """By size, then by digest; names that are no text; empty files are no copies of anything that is worth it."""
    with file_sizes() as sizes:
        sizes.add([("a", 5), ("b\udcff", 5), ("c", 5), ("d", 6), ("e", 7), ("f", 7)])
        sizes.index()
        groups = list(sizes.same_size())
        numbers = {path: number for number, path, _ in sizes.of_shared_size()}
        sizes.record_digests([(numbers[name], b"x") for name in ("b\udcff", "c", "e")])
        same = list(sizes.same_content())

    assert [(5, 3, "a", "c"), (7, 2, "e", "f")] == groups
    assert {"a", "b\udcff", "c", "e", "f"} == set(numbers)
    assert [(5, 2, "b\udcff", "c")] == same


def test_growth_is_told_of_what_is_in_both() -> None:
    """A tree that is new has nothing to be compared with."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    before = {"files": 3, "folders": 1, "bytes": 10, "trees": [{"name": "A", "files": 3, "bytes": 10}]}
    now = {
        "files": 6,
        "folders": 2,
        "bytes": 4,
        "trees": [{"name": "A", "files": 2, "bytes": 4}, {"name": "B", "files": 4, "bytes": 0}],
    }

    assert growth(now, None) is None
    assert {
        "since": at.isoformat(),
        "files": 3,
        "folders": 1,
        "bytes": -6,
        "trees": [{"name": "A", "files": -1, "bytes": -6}],
    } == growth(now, (at, before))


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_says_what_to_do(kind: FindingKind) -> None:
    """No finding leaves its reader alone."""
    assert MEANINGS[kind].what and MEANINGS[kind].what_to_do.endswith((".", "}."))


def test_tiers_grow() -> None:
    """A dearer plan of Box never allows less."""
    allowed = [LIMITS[tier] for tier in Tier]

    assert allowed == sorted(allowed)

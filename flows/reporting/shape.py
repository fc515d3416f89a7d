"""The shape of a share: what the report's pictures show of its files, gathered in one pass; bounded (P9). Pure."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from state.records import FileFacts
from state.statuses import ItemStatus

#: What becomes of a file, as the pictures colour it.
IN_BOX, TO_SEND, FAILED, LEFT_OUT = STATES = ("in Box", "to send", "failed", "left out")

_STATE_OF: dict[str, str] = {
    ItemStatus.UPLOADED: IN_BOX,
    ItemStatus.PENDING: TO_SEND,
    ItemStatus.FAILED: FAILED,
    ItemStatus.EXCLUDED: LEFT_OUT,
    ItemStatus.WAIVED: LEFT_OUT,
}

#: Upper edges of the sizes that are told apart, in bytes, and their words; the last one has none.
SIZES = (
    (1, "empty"), (10**4, "under 10 kB"), (10**5, "10 to 100 kB"), (10**6, "100 kB to 1 MB"), (10**7, "1 to 10 MB"),
    (10**8, "10 to 100 MB"), (10**9, "100 MB to 1 GB"), (10**10, "1 to 10 GB"), (None, "over 10 GB"),
)  # fmt: skip

_DAY = 86_400
#: The same of ages in seconds; what is dated in the future is younger than nothing.
AGES = (
    (0, "in the future"), (30 * _DAY, "under a month"), (365 * _DAY, "1 to 12 months"),
    (2 * 365 * _DAY, "1 to 2 years"), (5 * 365 * _DAY, "2 to 5 years"),
    (10 * 365 * _DAY, "5 to 10 years"), (None, "over 10 years"),
)  # fmt: skip
UNDATED = "no date"

#: What is below the first edge belongs to the first words, and so on.
_SIZE_EDGES = [edge for edge, _ in SIZES if edge is not None]
_AGE_EDGES = [edge for edge, _ in AGES if edge is not None]

#: Steps of time in which arrivals are counted; when there are more, each becomes twice as long.
STEPS = 400

#: Folders of a tree that are shown by their names, and the slowest folders of all.
FOLDERS_SHOWN, SLOWEST_SHOWN = 12, 15

#: A folder in which nothing arrived for so many seconds was waiting, not slow: for a pause, or for the next run.
WAITING_SECONDS = 600.0


@dataclass(slots=True)
class Amount:
    """Files and their bytes."""

    files: int = 0
    size: int = 0

    def add(self, size: int) -> None:
        """One file more."""
        self.files += 1
        self.size += size


@dataclass(frozen=True)
class SlowFolder:
    """A folder in which files arrived one after the other for long."""

    path: str
    seconds: float
    files: int
    size: int


class Arrivals:
    """How many files, and bytes, arrived in Box in which step of time."""

    def __init__(self) -> None:
        #: Seconds.
        self.step = 1
        self.steps: dict[int, Amount] = defaultdict(Amount)
        #: Those of which nobody knows when.
        self.before = Amount()

    def add(self, at: float | None, size: int) -> None:
        """One file arrived, so many seconds since 1970."""
        if at is None:
            self.before.add(size)
            return
        self.steps[int(at) // self.step].add(size)
        if len(self.steps) > STEPS:
            self._widen()

    def _widen(self) -> None:
        self.step *= 2
        before, self.steps = self.steps, defaultdict(Amount)
        for step, amount in before.items():
            self.steps[step // 2].files += amount.files
            self.steps[step // 2].size += amount.size

    def in_order(self) -> list[tuple[float, Amount]]:
        """Seconds since 1970 at the end of a step, and what arrived in it."""
        return [((step + 1) * float(self.step), self.steps[step]) for step in sorted(self.steps)]


class Shape:
    """Looks at every file once; what it keeps does not grow with them, but with the trees."""

    def __init__(self, trees: Sequence[Mapping[str, Any]], *, now: datetime, shown: int) -> None:
        """`trees`: those of the status document; `shown`: how many of them, the largest, are shown with folders."""
        named = {tree["name"]: tree["source"] for tree in trees if tree["in_plan"]}
        sizes = {tree["name"]: tree["bytes"]["total"] for tree in trees if tree["in_plan"]}
        #: Trees that are shown with folders, and where each begins in the share.
        self.shown = {
            name: named[name] for name in heapq.nlargest(shown, sizes, key=lambda name: sizes[name])
        }
        self._now = now.timestamp()
        self.sizes = {words: Amount() for _, words in SIZES}
        self.ages = {words: Amount() for words in (*(words for _, words in AGES), UNDATED)}
        self.arrivals = Arrivals()
        #: Tree → state → bytes.
        self.trees: dict[str, Counter[str]] = {name: Counter() for name in named}
        #: Tree → its largest folders (and "" for its own files and all others) → state → bytes.
        self.folders: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: {"": Counter()})
        self.slowest: list[SlowFolder] = []
        #: Seconds, files, bytes, row's id.
        self._slow: list[tuple[float, int, int, int]] = []

    def take_files(self, files: Iterable[FileFacts]) -> None:
        """Look at all files, those of a folder one after the other."""
        sizes, undated = list(self.sizes.values()), self.ages[UNDATED]
        ages = [self.ages[words] for _, words in AGES]
        own: Counter[str] = Counter()
        before, times, amount = ("", 0), array("d"), Amount()
        for tree, folder, status, size, modified_ns, at in files:
            state = _STATE_OF.get(status)
            if state is None or tree not in self.trees:
                continue
            if (tree, folder) != before:
                self._end_folder(before[1], times, amount)
                before, times, amount = (tree, folder), array("d"), Amount()
                own = self.trees[tree]
            sizes[bisect_right(_SIZE_EDGES, size)].add(size)
            age = (
                undated
                if modified_ns is None
                else ages[bisect_right(_AGE_EDGES, self._now - modified_ns / 1e9)]
            )
            age.add(size)
            own[state] += size
            if state == IN_BOX:
                self.arrivals.add(at, size)
                amount.add(size)
                if at is not None:
                    times.append(at)
        self._end_folder(before[1], times, amount)

    def _end_folder(self, folder: int, times: array[float], amount: Amount) -> None:
        gaps = [later - earlier for earlier, later in pairwise(sorted(times))]
        seconds = sum(gap for gap in gaps if gap <= WAITING_SECONDS)
        if seconds <= 0:
            return
        self._slow.append((seconds, amount.files, amount.size, folder))
        if len(self._slow) > 20 * SLOWEST_SHOWN:
            self._slow = heapq.nlargest(SLOWEST_SHOWN, self._slow)

    def take_folders(self, sums: Iterable[tuple[str, str, str, int]]) -> None:
        """Look at the folders right below the trees that are shown: tree, name, status and bytes, a folder's sums one
        after the other. Those stay by name that are the largest."""
        for (tree, name), own in groupby(sums, key=itemgetter(0, 1)):
            of_states = [(_STATE_OF[status], size) for _, _, status, size in own if status in _STATE_OF]
            if not of_states:
                continue
            folders = self.folders[tree]
            sizes = folders.setdefault(name, Counter())
            for state, size in of_states:
                sizes[state] += size
            named = [each for each in folders if each]
            if len(named) > FOLDERS_SHOWN:
                smallest = min(named, key=lambda each: (folders[each].total(), each))
                folders[""].update(folders.pop(smallest))

    def slow_folders(self) -> list[int]:
        """The folders that took longest, as their rows' ids."""
        self._slow = heapq.nlargest(SLOWEST_SHOWN, self._slow)
        return [folder for *_, folder in self._slow]

    def name_slowest(self, paths: Mapping[int, str]) -> None:
        """There are no more files, and here lie those folders."""
        self.slowest = [
            SlowFolder(paths[folder], seconds, files, size)
            for seconds, files, size, folder in self._slow
            if folder in paths
        ]
        self.slowest.sort(key=lambda folder: (-folder.seconds, folder.path))

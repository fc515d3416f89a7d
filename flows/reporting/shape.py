"""The shape of a share: what the report's pictures show of its files, gathered in one pass; bounded (P9)."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from connectors.entry import EntryKind
from state.records import ItemLine
from state.statuses import ItemStatus

#: What becomes of a file, as the pictures colour it.
IN_BOX, TO_SEND, FAILED, LEFT_OUT = STATES = ("in Box", "to send", "failed", "left out")

_STATE_OF = {
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


@dataclass
class _Folder:
    """The folder whose files are being read."""

    path: str = ""
    amount: Amount = field(default_factory=Amount)
    times: array[float] = field(default_factory=lambda: array("d"))


class Shape:
    """Looks at every line in the report's order; what it keeps does not grow with them, but with the trees."""

    def __init__(self, trees: Sequence[Mapping[str, Any]], *, now: datetime, shown: int) -> None:
        """`trees`: those of the status document; `shown`: how many of them, the largest, are shown with folders."""
        named = {tree["name"]: tree["source"].strip("/") for tree in trees if tree["in_plan"]}
        self._depth = {name: source.count("/") + 1 if source else 0 for name, source in named.items()}
        sizes = {tree["name"]: tree["bytes"]["total"] for tree in trees if tree["in_plan"]}
        self._shown = set(heapq.nlargest(shown, sizes, key=lambda name: sizes[name]))
        self._now = now.timestamp()
        self.sizes = {words: Amount() for _, words in SIZES}
        self.ages = {words: Amount() for words in (*(words for _, words in AGES), UNDATED)}
        self._sizes, self._undated = list(self.sizes.values()), self.ages[UNDATED]
        self._ages = [self.ages[words] for _, words in AGES]
        self.arrivals = Arrivals()
        #: Tree → state → bytes.
        self.trees: dict[str, Counter[str]] = {name: Counter() for name in named}
        #: Tree → its largest folders (and "" for its own files and all others) → state → bytes.
        self.folders: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: {"": Counter()})
        self.slowest: list[SlowFolder] = []
        self._top: tuple[str, str] = ("", "")
        self._top_sizes: Counter[str] = Counter()
        self._tree, self._folder = "", _Folder()

    def take(self, item: ItemLine) -> None:
        """Look at one line."""
        state, tree = _STATE_OF.get(item.status), item.tree
        if tree not in self._depth or item.kind is not EntryKind.FILE or state is None:
            return
        size, modified_ns = item.size, item.modified_ns
        self._sizes[bisect_right(_SIZE_EDGES, size)].add(size)
        if modified_ns is None:
            self._undated.add(size)
        else:
            self._ages[bisect_right(_AGE_EDGES, self._now - modified_ns / 1e9)].add(size)
        self.trees[tree][state] += size
        path = item.path.rpartition("/")[0]
        if path != self._folder.path or tree != self._tree:
            self._enter(tree, path)
        if tree in self._shown:
            self._top_sizes[state] += size
        if state == IN_BOX:
            at = None if item.uploaded_at is None else item.uploaded_at.timestamp()
            self.arrivals.add(at, size)
            self._folder.amount.add(size)
            if at is not None:
                self._folder.times.append(at)

    def _enter(self, tree: str, path: str) -> None:
        """The files of another folder follow."""
        self._end_folder()
        self._tree, self._folder = tree, _Folder(path)
        if tree not in self._shown:
            return
        parts, depth = path.split("/") if path else [], self._depth[tree]
        top = (tree, parts[depth] if len(parts) > depth else "")
        if top != self._top:
            self._end_top()
            self._top = top

    def end(self) -> None:
        """There are no more lines."""
        self._end_top()
        self._end_folder()
        self.slowest.sort(key=lambda folder: (-folder.seconds, folder.path))

    def _end_top(self) -> None:
        """A folder right below a tree was read to its end: it stays by name if it is one of the largest."""
        (tree, name), sizes, self._top_sizes = self._top, self._top_sizes, Counter()
        if not sizes:
            return
        folders = self.folders[tree]
        if name not in folders:
            folders[name] = Counter()
        folders[name].update(sizes)
        named = [each for each in folders if each]
        if len(named) > FOLDERS_SHOWN:
            smallest = min(named, key=lambda each: (folders[each].total(), each))
            folders[""].update(folders.pop(smallest))

    def _end_folder(self) -> None:
        folder, self._folder = self._folder, _Folder()
        gaps = [later - earlier for earlier, later in pairwise(sorted(folder.times))]
        seconds = sum(gap for gap in gaps if gap <= WAITING_SECONDS)
        if seconds <= 0:
            return
        self.slowest.append(SlowFolder(folder.path, seconds, folder.amount.files, folder.amount.size))
        if len(self.slowest) > 2 * SLOWEST_SHOWN:
            self.slowest = heapq.nlargest(SLOWEST_SHOWN, self.slowest, key=lambda each: each.seconds)

"""Inventory: walk the trees of a plan in its share, and count, sum and find what is worth knowing. Asks Box nothing."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.box.names import Offence, escape_offences, keep_their_names, plan_names
from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import (
    ConnectorError,
    FatalError,
    NotAFile,
    NotFound,
    Offline,
    Stopped,
    Unclassified,
)
from connectors.source import Source
from flows.foresight.findings import FindingKind, Findings
from flows.foresight.shape import Shape
from flows.plan.exclude import rule_reason
from flows.survey.coverage import Uncovered, uncovered
from flows.words import counted, size_words
from state.database.scratch import FileSizes

#: Folders listed at a time.
FOLDERS_AT_ONCE = 64

#: Box advises no more items in one folder, and no longer paths.
MANY_ITEMS, TOO_MANY_ITEMS, LONG_PATH = 10_000, 15_000, 255

#: What Box is known to refuse now and then, beside what is always escaped.
_UNUSUAL = re.compile(r'^ |[<>:|?*"]')
_OFFENCES = (Offence.LEADING_SPACE, Offence.WINDOWS)

#: How the reason for another name begins → what kind of finding it is.
_RENAMES = {
    "for Box the same name": FindingKind.NAME_COLLISION,
    "longer than": FindingKind.NAME_TOO_LONG,
    "Unicode form": FindingKind.NAME_NORMALIZED,
}

#: Reason of a fault → what kind of finding it is; the others are unreadable.
_FAULTS = {
    Offline.reason: FindingKind.OFFLINE,
    Unclassified.reason: FindingKind.UNCLASSIFIED,
    NotAFile.reason: FindingKind.UNCLASSIFIED,
}

#: Rules that are counted one by one; there are no more but in a plan that is out of all proportion.
RULES = 1_000


@dataclass
class TreeSums:
    """One tree: what of it moves, as far as the plan's rules go."""

    name: str
    source: str
    files: int = 0
    folders: int = 0
    bytes: int = 0


@dataclass
class Inventory:
    """What was seen of a share so far; bounded but for the trees, whatever the share's size (P9)."""

    excluded: Callable[[Entry], str | None]
    findings: Findings
    shape: Shape
    #: Where sizes go, to find files that are alike.
    file_sizes: FileSizes
    #: Bytes of the largest file that Box takes.
    largest_file: int
    trees: list[TreeSums] = field(default_factory=list)
    #: Rule → entries that it leaves out, and their bytes, of folders without what is in them.
    left_out: Counter[str] = field(default_factory=Counter)
    left_out_bytes: Counter[str] = field(default_factory=Counter)
    listed: int = 0

    def take(
        self, tree: TreeSums, path: str, listing: Sequence[Entry] | ConnectorError, *, whole: bool
    ) -> list[str]:
        """Count what a folder of a tree lists, or why it lists nothing; return the folders in it that are to be listed.

        `whole`: the top of the share is no tree but for its files. Raises what ends everything.
        """
        if isinstance(listing, ConnectorError):
            self.not_listed(tree, path, listing)
            return []
        files_only = whole and path == ""
        if path == tree.source and not files_only:
            tree.folders += 1  # the tree's own
            self.shape.add_place(path or tree.name)
        return self.look(tree, path, listing, files_only=files_only)

    def look(self, tree: TreeSums, path: str, listing: Sequence[Entry], *, files_only: bool) -> list[str]:
        """Count one folder of a tree, and return the folders in it that are to be listed.

        `files_only`: the folders in it are trees of their own.
        """
        self.listed += 1
        moving = [entry for entry in listing if self._moves(entry)]
        self._look_at_names(moving)
        files = [entry for entry in moving if entry.kind is EntryKind.FILE]
        folders = [] if files_only else [entry for entry in moving if moves_as_folder(entry)]
        size = sum(entry.size for entry in files)
        tree.files, tree.bytes, tree.folders = (
            tree.files + len(files),
            tree.bytes + size,
            tree.folders + len(folders),
        )
        self._look_at_folder(path, len(moving), size)
        self.shape.add_files(files)
        for folder in folders:
            self.shape.add_place(folder.path)
        self.file_sizes.add((entry.path, entry.size) for entry in files if entry.size)
        for entry in moving:
            self._look_at_entry(entry)
        return [entry.path for entry in folders]

    def not_listed(self, tree: TreeSums, path: str, error: ConnectorError) -> None:
        """Write down why a folder shows nothing. Raises what ends everything."""
        if isinstance(error, FatalError | Stopped):
            raise error
        if path == tree.source and isinstance(error, NotFound):
            self.findings.add(FindingKind.MISSING_TREE, path)
        else:
            self.findings.add(FindingKind.UNREADABLE_FOLDER, path, detail=error.reason)

    def _moves(self, entry: Entry) -> bool:
        if entry.is_link:
            kind = FindingKind.JUNCTION if entry.kind is EntryKind.JUNCTION else FindingKind.LINK
            self.findings.add(kind, entry.path)
            return False
        reason = self.excluded(entry)
        if reason is None:
            return True
        rule = reason if reason in self.left_out or len(self.left_out) < RULES else rule_reason("(others)")
        self.left_out[rule] += 1
        self.left_out_bytes[rule] += entry.size
        self.findings.add(FindingKind.EXCLUDED, entry.path, entry.size, reason)
        return False

    def _look_at_names(self, moving: Sequence[Entry]) -> None:
        if keep_their_names([entry.name for entry in moving]):
            return
        planned = plan_names([(entry.name, entry.kind, None) for entry in moving])
        for entry in moving:
            choice = planned[entry.name]
            if choice.reason is not None:
                kinds = (kind for start, kind in _RENAMES.items() if choice.reason.startswith(start))
                kind = next(kinds, FindingKind.NAME_REFUSED)
                self.findings.add(kind, entry.path, entry.size, f"becomes {choice.box_name}: {choice.reason}")

    def _look_at_entry(self, entry: Entry) -> None:
        if entry.fault is not None:
            kind = _FAULTS.get(entry.fault.reason, FindingKind.UNREADABLE)
            self.findings.add(kind, entry.path, entry.size, entry.fault.reason)
        elif entry.kind not in (EntryKind.FILE, EntryKind.FOLDER):
            self.findings.add(FindingKind.UNCLASSIFIED, entry.path, detail=entry.kind.value)
        if entry.size > self.largest_file:
            self.findings.add(FindingKind.FILE_TOO_LARGE, entry.path, entry.size)
        if len(entry.path) > LONG_PATH:
            self.findings.add(
                FindingKind.PATH_OVER_255, entry.path, entry.size, f"{len(entry.path):,} characters"
            )
        name = entry.name
        if _UNUSUAL.search(name):
            becomes = escape_offences(name, _OFFENCES, entry.kind)
            self.findings.add(FindingKind.NAME_UNUSUAL, entry.path, entry.size, f"or {becomes}")

    def _look_at_folder(self, path: str, items: int, size: int) -> None:
        self.shape.fullest_folders.add(items, path, size)
        if items > MANY_ITEMS:
            kind = FindingKind.FOLDER_OVER_15000 if items > TOO_MANY_ITEMS else FindingKind.FOLDER_OVER_10000
            self.findings.add(kind, path, size, f"{items:,} items")


def walk(inventory: Inventory, source: Source, *, whole: bool, stop: threading.Event) -> None:
    """List every folder of its trees, and count it; nothing is written down of any.

    `whole`: the trees are all that is at the top of the share, and what lies there loose is a tree of its own.
    Raises FatalError when the share is gone, Stopped when somebody says stop.
    """
    waiting = [(tree, tree.source) for tree in reversed(inventory.trees)]
    while waiting:
        if stop.is_set():
            raise Stopped
        # From the end: depth first, so that few folders wait at a time.
        batch, waiting = waiting[-FOLDERS_AT_ONCE:], waiting[:-FOLDERS_AT_ONCE]
        by_path = {path: tree for tree, path in batch}
        for path, listing in source.list_folders(list(by_path)):
            waiting += [
                (by_path[path], below) for below in inventory.take(by_path[path], path, listing, whole=whole)
            ]


def look_around(inventory: Inventory, source: Source, roots: Sequence[str]) -> None:
    """Find what lies beside the trees of a plan that names some, and whether the share hides names.

    Without `roots` each folder at the top is a tree: the top is looked at, too, unless what lies there loose is one.
    """
    if not roots and not any(tree.source == "" for tree in inventory.trees):
        inventory.look(TreeSums("", ""), "", source.list_folder(""), files_only=True)
    beside = uncovered(source, roots, inventory.excluded) if roots else Uncovered()
    for path in beside.paths:
        inventory.findings.add(FindingKind.NOT_COVERED, path)
    more = beside.count - len(beside.paths)
    if more:
        inventory.findings.add(FindingKind.NOT_COVERED, beside.paths[-1], count=more)
    for path in beside.unlisted:
        inventory.findings.add(FindingKind.UNREADABLE_FOLDER, path)
    if source.hides_names():
        inventory.findings.add(FindingKind.NAMES_HIDDEN, "")


def inventory_document(inventory: Inventory, *, plan: str, seconds: float) -> dict[str, Any]:
    """Return what was found, as `boxhaul inventory --json` prints it, but for growth."""
    trees = [
        {"name": tree.name, "files": tree.files, "folders": tree.folders, "bytes": tree.bytes}
        for tree in inventory.trees
    ]
    return {
        "plan": plan,
        **{name: sum(tree[name] for tree in trees) for name in ("files", "folders", "bytes")},
        "trees": trees,
        "findings": inventory.findings.documents(),
        "excluded": [
            {
                "rule": reason.removeprefix("rule: "),
                "entries": count,
                "bytes": inventory.left_out_bytes[reason],
            }
            for reason, count in inventory.left_out.most_common()
        ],
        **inventory.shape.document(),
        "largest_file_allowed": inventory.largest_file,
        "seconds": round(seconds, 1),
    }


def growth(document: dict[str, Any], before: tuple[Any, dict[str, Any]] | None) -> dict[str, Any] | None:
    """Return what there is more, or less, than in the inventory before; None where there was none."""
    if before is None:
        return None
    at, earlier = before
    sums = {name: document[name] - earlier[name] for name in ("files", "folders", "bytes")}
    then = {tree["name"]: tree for tree in earlier["trees"]}
    trees = [
        {"name": tree["name"], "files": tree["files"] - was["files"], "bytes": tree["bytes"] - was["bytes"]}
        for tree in document["trees"]
        if (was := then.get(tree["name"])) is not None
        and (tree["files"], tree["bytes"]) != (was["files"], was["bytes"])
    ]
    return {"since": at.isoformat(timespec="seconds"), **sums, "trees": trees}


def inventory_words(inventory: Inventory) -> str:
    """How far it is, for a progress line."""
    files, size = (
        sum(tree.files for tree in inventory.trees),
        sum(tree.bytes for tree in inventory.trees),
    )
    return (
        f"{counted(inventory.listed, 'folder')} listed, {counted(files, 'file')} of {size_words(size)},"
        f" {counted(inventory.findings.count.total(), 'finding')} so far"
    )


def new_shape() -> Shape:
    """A shape whose ages are counted from now."""
    return Shape(now_ns=time.time_ns())

"""The rows of a simulated pass: its trees, the folders that wait, and what is noted of all of them. Decides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.box.names import path_key
from connectors.box.tiers import LIMITS
from connectors.entry import Entry
from flows.foresight.selection import Selection
from flows.plan.model import MigrationPlan
from flows.plan.transfer import Verification
from state.change_records import PlacedFolder
from state.database.scratch import PassChanges, SeenFile
from state.records import TreeRecord, TreeSpec

#: The id of a folder that the checkpoint does not know.
UNKNOWN = -1


@dataclass
class SimulatedTree:
    """What a pass would do in one tree."""

    spec: TreeSpec
    #: As the checkpoint knows it; None: not yet.
    record: TreeRecord | None
    #: It is the files at the top of the share, whose folders are trees of their own.
    files_only: bool
    #: Entries by what becomes of them: new, changed, moved, unchanged, excluded, failed, …
    items: Counter[str] = field(default_factory=Counter)
    #: Calls by route, but for listings.
    calls: Counter[str] = field(default_factory=Counter)
    #: Pages of Box's listings by which the tree is proven.
    pages: int = 0
    #: Bytes that are sent.
    bytes: int = 0
    #: Files that are sent.
    sent: int = 0
    #: Its place among the trees of this pass.
    number: int = 0
    #: Files that are gone by this pass, that Box has, and whose folder is still there.
    gone_files: int = 0
    #: Files and bytes that the filters of the run leave out.
    left_out: int = 0
    left_out_bytes: int = 0
    #: Files whose times say that nothing changed, and which `--checksum` reads all the same.
    read_again: int = 0
    read_again_bytes: int = 0
    #: Folders below its own that Box does not have, and those of them into which something is sent.
    unmade: int = 0
    needed: int = 0
    #: The same of its own: it is to be made; something is sent into it, or below it.
    root_is_unmade: bool = False
    root_is_needed: bool = False
    #: Some folder of it could not be listed, or looks emptied: it was not walked whole.
    is_unlisted: bool = False
    #: A quick pass looks at it, and no whole one has proven it yet.
    is_not_whole: bool = False

    @property
    def stays_incomplete(self) -> bool:
        """True for a tree that is neither proven nor shared by this pass."""
        return bool(self.items["failed"] or self.left_out or self.is_not_whole)


@dataclass(eq=False, slots=True)
class Unmade:
    """A folder that Box does not have yet, and the one above it if that is none either."""

    tree: SimulatedTree
    above: Unmade | None
    is_root: bool = False
    is_needed: bool = False

    def need(self) -> None:
        """Something is sent into it: it is made, and all above it."""
        folder: Unmade | None = self
        while folder is not None and not folder.is_needed:
            folder.is_needed = True
            self.tree.needed += not folder.is_root
            self.tree.root_is_needed |= folder.is_root
            folder = folder.above


class Place(NamedTuple):
    """A folder that is to be looked at."""

    tree: SimulatedTree
    path: str
    #: Its row; UNKNOWN where the checkpoint has none.
    row_id: int
    #: Box has it.
    placed: bool
    #: It comes back into sight, so that Box's listing of it is compared again.
    comes_back: bool = False
    #: None: Box has it.
    unmade: Unmade | None = None


class PassNotes:
    """What the folders of a simulated pass tell each other: moves, new files, folders that are made or compared."""

    def __init__(self, plan: MigrationPlan, changes: PassChanges, selection: Selection) -> None:
        self.plan, self.changes, self.selection = plan, changes, selection
        self.largest_file = LIMITS[plan.box.tier].largest_file
        self._made: set[tuple[str, ...]] = set()

    @property
    def lists_in_box(self) -> bool:
        """Box's listings are what proves a tree."""
        return self.plan.transfer.verify is Verification.LISTING

    def note_moved(self, row: PlacedFolder) -> None:
        """This folder is somewhere else now, and not missing where it was."""
        self.changes.add_moved(row.id)

    def note_back(self, tree: SimulatedTree, row_id: int, *, is_folder: bool) -> None:
        """What was gone, and is counted as gone in Box, is in sight again."""
        self.changes.add_back(row_id, is_folder=is_folder, tree=tree.number)
        tree.items["gone_in_box"] -= 1

    def note_files(self, tree: SimulatedTree, new: Sequence[Entry], changed: Sequence[Entry]) -> None:
        """Files that are sent: those that are new where they are may have been somewhere else."""
        self.changes.add_new(
            SeenFile(
                tree.number,
                each.file_id,
                each.path,
                each.size,
                each.modified_ns,
                each.created_ns,
                is_new=files is new,
            )
            for files in (new, changed)
            for each in files
            if each.file_id is not None
        )

    def note_proven(self, folder_id: int) -> None:
        """Box's listing of this folder is counted."""
        self.changes.add_proven(folder_id)

    def made(self, folder: str) -> bool:
        """True for the first one who asks: this path under the landing folder is to be made."""
        key = path_key(folder)
        if key in self._made:
            return False
        self._made.add(key)
        return True

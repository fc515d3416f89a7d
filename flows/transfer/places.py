"""Places: whether the folders of Box that files go into lie where the tree's people, and nobody else, see them.

Somebody may move a folder in Box out of its tree, into another one with other people, while the migration lasts; it
keeps its id, and what is sent to it follows it there. No call is made to find that out: Box's answers to the first
files of each folder, and once a minute after that, say which folders they lie in. Where the plan says `in_box: source`
the folder is put back; else a file that arrived elsewhere goes to the trash if it is new, and nothing more is sent into
that folder in this run. A folder that was moved within its tree stays where a person put it.

UNKNOWN of Box: whether somebody who was let into the tree's folder alone is told all folders below it. Where the answer
lacks the tree's own, the service account looks from the folder up before anything is refused.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress

from connectors.box.destination import BoxDestination
from connectors.box.types import Known, Receipt, Upload
from connectors.entry import EntryKind
from connectors.errors import ConnectorError, FolderMovedInBox
from flows.transfer.folders import CACHE_SIZE
from state.records import ClaimedItem

#: Folders above one that are asked for, at most: Box has no rule, and a loop in an answer must end.
HIGHEST = 500

#: Seconds for which a folder that was seen in its place is believed to be there: a run may last for weeks.
BELIEVED_SECONDS = 60.0


class Places:
    """Where folders of Box lie, as this run was told. Safe for threads."""

    def __init__(
        self,
        box: BoxDestination,
        read_roots: Callable[[], Collection[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read_roots`: ids of the folders in Box of all trees of the plan."""
        self._box, self._read_roots, self._clock = box, read_roots, clock
        self._roots: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        #: Until when folders are believed to be in place, or why nothing goes into them; of many the latest (P9).
        self._found: OrderedDict[str, float | FolderMovedInBox] = OrderedDict()

    def asks(self, folder_id: str) -> bool:
        """Tell whether it is still to be found out where this folder lies. FolderMovedInBox where it was moved away."""
        with self._lock:
            found = self._found.get(folder_id, 0.0)
        if isinstance(found, FolderMovedInBox):
            raise found.with_traceback(None)
        return self._clock() >= found

    def is_away(self, upload: Upload, receipt: Receipt, root_id: str) -> bool:
        """Tell whether a file arrived outside of its tree's folder (`root_id`); costs no call unless it seems so."""
        if not receipt.above:
            return False
        if not self._is_in_place(receipt.above, root_id):
            above = self._above(upload.folder_id)
            if above is not None and not self._is_in_place(above, root_id):
                return True
        self.settle(upload.folder_id)
        return False

    def settle(self, folder_id: str) -> None:
        """This folder is in its place."""
        self._remember(folder_id, self._clock() + BELIEVED_SECONDS)

    def refuse(self, item: ClaimedItem, upload: Upload, receipt: Receipt) -> None:
        """Take a new file back, and send nothing more into its folder. Raises FolderMovedInBox."""
        if item.box_file_id is None and not receipt.adopted:
            known = Known(kind=EntryKind.FILE, box_id=receipt.file_id, name=receipt.name, etag=receipt.etag)
            with suppress(ConnectorError):  # it stays there, and the failure says where
                self._box.items.trash(known)
        moved = FolderMovedInBox(
            "somebody moved its folder in Box out of its tree's folder, where other people may see it; nothing more is"
            " sent there. Move the folder back in Box, then retry"
        )
        self._remember(upload.folder_id, moved)
        raise moved

    def _is_in_place(self, above: tuple[str, ...], root_id: str) -> bool:
        """Tell whether the tree's folder is among these, and no folder of another tree below it."""
        if root_id not in self._roots:  # trees begin while a run goes on
            self._roots = frozenset({*self._read_roots(), root_id})
        return root_id in above and self._roots.isdisjoint(above[above.index(root_id) + 1 :])

    def _above(self, folder_id: str) -> tuple[str, ...] | None:
        """The folders from the top down to this one, as the service account sees them; None where Box does not say."""
        found = [folder_id]
        with suppress(ConnectorError):
            while len(found) < HIGHEST and (parent := self._box.folder_info(found[-1]).parent_id) not in (
                None,
                "0",
            ):
                found.append(str(parent))
            return tuple(reversed(found))
        return None

    def _remember(self, folder_id: str, found: float | FolderMovedInBox) -> None:
        with self._lock:
            self._found[folder_id] = found
            self._found.move_to_end(folder_id)
            if len(self._found) > CACHE_SIZE:
                self._found.popitem(last=False)

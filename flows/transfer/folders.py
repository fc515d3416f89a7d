"""BoxFolders: the Box id of a checkpoint folder, creating it and its parents once in all processes. No listing."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from connectors.box.destination import BoxDestination
from connectors.errors import DestinationGone, ItemError, LandingFolderMissing, NameInUse, Stopped
from flows.errors import Interrupted
from flows.transfer.roots import Roots
from flows.transfer.sight import topmost_gone
from state.checkpoint import Checkpoint
from state.records import FolderNode, TreeRecord, WorkerLease

#: Ids kept in memory; older ones are read again from the checkpoint (P9).
CACHE_SIZE = 20_000

#: Seconds between looks when another process is creating a folder that this one needs.
POLL_SECONDS = 0.2

#: Seconds that one waits for it where another process makes every folder; then the file is left for later.
WAIT_SECONDS = 30.0


class BoxFolders:
    """Parent before child, one creator per path: Box makes two folders of one name when two ask at once (trap 8)."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        box: BoxDestination,
        worker: WorkerLease,
        *,
        plan_id: int,
        landing_folder_id: str,
        roots: Roots,
        stop: threading.Event,
        makes: bool = True,
    ) -> None:
        """`makes`: False where another process makes every folder and this one waits for it."""
        self._plan_id = plan_id
        self._roots = roots
        self._makes = makes
        self._checkpoint = checkpoint
        self._box = box
        self._worker = worker
        self._landing_folder_id = landing_folder_id
        self._stop = stop
        self._lock = threading.Lock()
        self._making: dict[int, threading.Lock] = {}
        self._ids: OrderedDict[int, str] = OrderedDict()
        #: Folders that Box refused in this run, and why: the files below ask once, not once each.
        self._refused: dict[int, ItemError] = {}
        self._trees: dict[int, TreeRecord] = {}

    def know_trees(self, trees: list[TreeRecord]) -> None:
        """The trees whose roots may have to be made."""
        self._trees = {tree.root_folder_id: tree for tree in trees}

    def box_id(self, folder_id: int) -> str:
        """Id of this folder in Box, made now if need be. Raises what the creation raised (ItemError, FatalError)."""
        known = self._cached(folder_id)
        if known is not None:
            return known
        parent_box_id = self._landing_folder_id
        for node in self._checkpoint.folder_chain(folder_id):
            parent_box_id = node.box_folder_id or self._made(node, parent_box_id)
        self._remember(folder_id, parent_box_id)
        return parent_box_id

    def read_again(self) -> None:
        """The checkpoint has forgotten folders: what is kept here of them is not believed any more."""
        with self._lock:
            self._ids.clear()
            self._roots.forget()

    def forget(self, tree_id: int, folder_id: int, box_id: str) -> None:
        """Box no longer has this folder, nor what was in it: all of it is pending and made again.

        Many senders find out at once; only the first one's word counts, so that what is made anew stays known.
        """
        with self._lock:
            if self._ids.get(folder_id, box_id) != box_id:
                return
            self._ids.clear()
            self._roots.forget()
            self._checkpoint.record_verification_mismatch(
                tree_id, item_ids_by_reason={}, folder_ids_gone=[folder_id], detail="deleted in Box"
            )

    def forget_below_top(self, folder_id: int) -> None:
        """Box does not show this folder: look from the top, and forget the highest that is gone, with all below it.

        Nothing is forgotten when all is in sight again. LandingFolderMissing, DestinationGone: see topmost_gone().
        """
        gone = topmost_gone(self._checkpoint, self._box, folder_id)
        if gone is not None and gone.box_folder_id is not None:
            self.forget(gone.tree_id, gone.id, gone.box_folder_id)

    def _made(self, node: FolderNode, parent_box_id: str) -> str:
        with self._lock:
            lock = self._making.setdefault(node.id, threading.Lock())
        with lock:
            known = self._cached(node.id)
            if known is None and (refusal := self._refused.get(node.id)):
                raise refusal.with_traceback(None)
            if known is None:
                known = self._make_alone(node, parent_box_id)
                self._remember(node.id, known)
        with self._lock:
            self._making.pop(node.id, None)
        return known

    def _wait_for(self, node: FolderNode) -> str:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            known = self._checkpoint.folder_chain(node.id)[-1].box_folder_id
            if known is not None:
                return known
            if self._stop.wait(POLL_SECONDS):
                break
        raise Stopped(f"the folder {node.path!r} is not in Box yet")

    def _make_alone(self, node: FolderNode, parent_box_id: str) -> str:
        if not self._makes:
            return self._wait_for(node)
        while not self._checkpoint.claim_folder_creation(self._worker, node.id):
            known = self._checkpoint.folder_chain(node.id)[-1].box_folder_id
            if known is not None:
                return known
            if self._stop.wait(POLL_SECONDS):
                raise Interrupted
        try:
            return self._create(node, parent_box_id)
        except DestinationGone as exc:
            if node.parent_id is None:
                raise LandingFolderMissing from exc
            self.forget_below_top(node.parent_id)
            raise
        except ItemError as exc:
            self._checkpoint.record_folder_creation_failed(node.id, reason=exc.reason, detail=str(exc))
            self._refused[node.id] = exc
            raise

    def _create(self, node: FolderNode, parent_box_id: str) -> str:
        tree = self._trees.get(node.id)
        if tree is not None:
            folder = self._roots.create(tree, node.box_name, node.create_claimed_at)
        else:
            folder = self._box.create_folder(parent_box_id, node.box_name, claimed_at=node.create_claimed_at)
        if folder.adopted:
            self._refuse_held(folder.id, node)
        self._checkpoint.record_folder_created(
            node.id, box_folder_id=folder.id, box_name=folder.name, adopted=folder.adopted
        )
        return folder.id

    def _refuse_held(self, box_folder_id: str, node: FolderNode) -> None:
        """A folder of Box holds one folder of the source: somebody renamed another one's in Box to this name (P7)."""
        holders = self._checkpoint.other_holders_of_box_folder(self._plan_id, box_folder_id, besides=node.id)
        moving = {tree.id for tree in self._trees.values()}
        for holder in holders:
            if holder.tree_id in moving:
                raise NameInUse(
                    f"the folder of Box with this name holds {holder.path!r} of the share; give that one its own name"
                    " back in Box, then retry",
                    box_id=box_folder_id,
                    box_type="folder",
                )

    def _cached(self, folder_id: int) -> str | None:
        with self._lock:
            known = self._ids.get(folder_id)
            if known is not None:
                self._ids.move_to_end(folder_id)
            return known

    def _remember(self, folder_id: int, box_id: str) -> None:
        with self._lock:
            self._ids[folder_id] = box_id
            if len(self._ids) > CACHE_SIZE:
                self._ids.popitem(last=False)

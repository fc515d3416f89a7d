"""BoxFolders: the Box id of a checkpoint folder, creating it and its parents once in all processes. No listing."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection

from connectors.box.destination import BoxDestination
from connectors.box.names import collision_key
from connectors.box.types import BoxFolder
from connectors.entry import EntryKind
from connectors.errors import (
    ConnectorError,
    DestinationGone,
    ItemError,
    LandingFolderMissing,
    NameInUse,
    Stopped,
)
from flows.errors import Interrupted
from flows.sharing.nesting import Nesting
from flows.transfer.naming import other_name
from flows.transfer.roots import Roots, refuse_earlier_run, refuse_other_plan
from flows.transfer.sight import topmost_gone
from state.checkpoint import Checkpoint
from state.errors import StateError
from state.records import FolderNode, Holder, TreeRecord, WorkerLease
from state.statuses import EventKind

#: Ids kept in memory; older ones are read again from the checkpoint (P9).
CACHE_SIZE = 20_000

#: Seconds between looks when another process is creating a folder that this one needs.
POLL_SECONDS = 0.2

#: Seconds that one waits for it where another process makes every folder; then the file is left for later.
WAIT_SECONDS = 30.0

#: Seconds for which a tree's folder that is out of sight is not looked for again, by each of its files.
HIDDEN_SECONDS = 5.0


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
        #: Folders of trees that are out of sight: until when that is believed, and what was said of it.
        self._hidden: dict[int, tuple[float, DestinationGone]] = {}
        self._trees: dict[int, TreeRecord] = {}
        self._nesting = Nesting(())
        self._account_ids: Collection[str] = ()
        self._is_new = False

    def know_trees(
        self, trees: list[TreeRecord], *, account_ids: Collection[str] = (), is_new: bool = False
    ) -> None:
        """The trees whose roots may have to be made.

        `account_ids`: ours, whose earlier work in a folder that this plan does not know is none of this plan's; empty:
        it may be. `is_new`: nothing of the plan is in Box yet.
        """
        self._account_ids, self._is_new = account_ids, is_new
        self._trees = {tree.root_folder_id: tree for tree in trees}
        self._nesting = Nesting(trees)

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

        Many senders in many processes find out at once; the checkpoint takes the word only of those who speak of the
        folder that it has, so that what is made anew stays known.
        """
        self._checkpoint.record_verification_mismatch(
            tree_id,
            item_ids_by_reason={},
            folders_gone={folder_id: box_id},
            detail="deleted in Box",
            worker=self._worker,
        )
        self.read_again()

    def forget_below_top(self, folder_id: int) -> None:
        """Box does not show this folder: look from the top, and forget the highest that is gone, with all below it.

        Nothing is forgotten when all is in sight again. LandingFolderMissing, DestinationGone: see topmost_gone().
        """
        until, hidden = self._hidden.get(folder_id, (0.0, DestinationGone()))
        if time.monotonic() < until:
            raise hidden.with_traceback(None)
        try:
            gone = topmost_gone(self._checkpoint, self._box, folder_id)
        except DestinationGone as exc:
            self._hidden[folder_id] = (time.monotonic() + HIDDEN_SECONDS, exc)
            raise
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
            self._checkpoint.release_folder_creation(self._worker, node.id)  # it is tried again in this run
            self.forget_below_top(node.parent_id)
            raise
        except ItemError as exc:
            self._checkpoint.record_folder_creation_failed(
                node.id, reason=exc.reason, detail=str(exc), worker=self._worker
            )
            self._refused[node.id] = exc
            raise
        except (ConnectorError, StateError):
            raise
        except Exception:
            self._checkpoint.release_folder_creation(
                self._worker, node.id
            )  # nobody foresaw it, and it failed
            raise

    def _create(self, node: FolderNode, parent_box_id: str) -> str:
        tree = self._trees.get(node.id)
        if tree is not None:
            folder = self._roots.create(tree, node.box_name, node.create_claimed_at)
            is_foreign = folder.adopted and not self._is_known(folder)
            if is_foreign and self._account_ids and not self._nesting.below(tree):
                refuse = refuse_earlier_run if self._is_new else refuse_other_plan
                refuse(self._box, folder, tree, self._account_ids)
            holder = self._record(node, folder)
        else:
            folder, holder = self._create_below(node, parent_box_id)
        if holder is not None:
            raise _held(holder, folder.id)
        return folder.id

    def _is_known(self, folder: BoxFolder) -> bool:
        return self._checkpoint.knows_box_folder(self._plan_id, folder.id)

    def _create_below(self, node: FolderNode, parent_box_id: str) -> tuple[BoxFolder, Holder | None]:
        """Make a folder that is no tree's own; under another name where Box alone takes two names for one (P7)."""

        def make(name: str) -> tuple[BoxFolder, Holder | None]:
            folder = self._box.create_folder(parent_box_id, name, claimed_at=node.create_claimed_at)
            if folder.adopted and not self._is_known(folder):
                self._roots.refuse_seen(folder, node.path, self._checkpoint.tree(node.tree_id))
            return folder, self._record(node, folder)

        try:
            folder, holder = make(node.box_name)
        except NameInUse as exc:
            if exc.box_name is None or collision_key(exc.box_name) == collision_key(node.box_name):
                raise
            # What is there is another entry's, written down or not.
            return make(self._other_name(node, exc.box_name))
        if holder is None or holder.is_tree or holder.box_name != folder.name:
            return folder, holder
        return make(self._other_name(node, folder.name))

    def _record(self, node: FolderNode, folder: BoxFolder) -> Holder | None:
        """Write down where the folder lies; who lies there already, when somebody of the plan does."""
        return self._checkpoint.record_folder_created(
            node.id,
            box_folder_id=folder.id,
            box_name=folder.name,
            adopted=folder.adopted,
            box_etag=folder.etag,
            worker=self._worker,
        )

    def _other_name(self, node: FolderNode, refused: str) -> str:
        choice = other_name(node.path.rpartition("/")[2], EntryKind.FOLDER, refused=refused)
        detail = {"path": node.path, "box_name": choice.box_name, "reason": choice.reason}
        self._checkpoint.record_event(self._plan_id, EventKind.RENAMED, detail, tree_id=node.tree_id)
        return choice.box_name

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


def _held(holder: Holder, box_folder_id: str) -> NameInUse:
    """A folder of Box holds one folder of the share, whichever tree of the plan it is of (P7)."""
    if holder.is_tree:
        words = f"is that of the tree {holder.path!r}; give the tree another folder in the plan, then retry"
    else:
        words = f"holds {holder.path!r} of the share; give that one its own name back in Box, then retry"
    return NameInUse(f"the folder of Box with this name {words}", box_id=box_folder_id, box_type="folder")

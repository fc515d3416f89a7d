"""Roots: a tree's own folder in Box and those above it, each made once, and who could see it before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.box.destination import BoxDestination
from connectors.box.folders import CLOCK_TOLERANCE
from connectors.box.names import collision_key
from connectors.box.types import BoxFolder, Collaboration
from connectors.errors import DestinationGone, NameInUse
from flows.errors import CheckFailed
from flows.plan.origin import BEGIN_ANEW
from flows.sharing.nesting import Nesting
from state.checkpoint import Checkpoint
from state.records import TreeRecord


@dataclass
class ParentFolder:
    """A tree's own folder or one above it: many trees may need it, and it is made once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    folder: BoxFolder | None = None
    #: Who could see it when it was adopted.
    grants: list[Collaboration] = field(default_factory=list)


class Roots:
    """Makes the folders at which trees begin. Refuses one that others than the plan's people see (P4)."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        box: BoxDestination,
        *,
        landing_folder_id: str,
        in_plan: Callable[[TreeRecord, Collaboration], bool],
        trees_around: Callable[[str], Sequence[TreeRecord]],
    ) -> None:
        """`in_plan`: whether a grant is of somebody whom the plan lets into that tree. `trees_around`: those in whose
        folder a path lies."""
        self._checkpoint = checkpoint
        self._box = box
        self._landing_folder_id = landing_folder_id
        self._in_plan = in_plan
        self._trees_around = trees_around
        self._lock = threading.Lock()
        #: By id of the parent in Box and the name as Box compares it.
        self._made: dict[tuple[str, str], ParentFolder] = {}

    def create(self, tree: TreeRecord, box_name: str, claimed_at: datetime | None = None) -> BoxFolder:
        """Make or adopt a tree's own folder and those above it; claimed_at: when a dead process claimed the tree's own.

        One of those may have been deleted since another tree made it: then all are made again, once.
        """
        try:
            return self._descend(tree, box_name, claimed_at)
        except DestinationGone:
            if "/" not in tree.folder:
                raise
            self.forget()
            return self._descend(tree, box_name, claimed_at)

    def refuse_seen(self, folder: BoxFolder, path: str, tree: TreeRecord) -> None:
        """Raise NameInUse when a folder inside a tree was in Box before and others than the plan's people see it (P4).

        By a grant on it, or by a shared link; what is granted above was looked at there. Two calls.
        """
        if self._box.folder_info(folder.id).link_access in ("open", "company"):
            raise NameInUse(
                f"the folder {path!r} was in Box before and whoever has its shared link can see it already;"
                " remove that link, or rename the folder in Box, then retry",
                box_id=folder.id,
                box_type="folder",
            )
        self._refuse_shared(folder, self._box.collaborations(folder.id), tree.folder, tree, shown=path)

    def forget(self) -> None:
        """Box lost one of them: each is asked for again. The locks stay, so that none is made twice."""
        with self._lock:
            for parent in self._made.values():
                parent.folder = None

    def _descend(self, tree: TreeRecord, box_name: str, claimed_at: datetime | None) -> BoxFolder:
        parent_box_id, path = self._landing_folder_id, ""
        for name in tree.folder.split("/")[:-1]:
            path = f"{path}/{name}".lstrip("/")
            parent_box_id = self._for_tree(tree, parent_box_id, name, path).id
        return self._for_tree(tree, parent_box_id, box_name, tree.folder, claimed_at)

    def _for_tree(
        self, tree: TreeRecord, parent_box_id: str, name: str, path: str, claimed_at: datetime | None = None
    ) -> BoxFolder:
        folder, grants = self._make_once(parent_box_id, name, claimed_at)
        self._refuse_shared(folder, grants, path, tree)
        return folder

    def _make_once(
        self, parent_box_id: str, name: str, claimed_at: datetime | None
    ) -> tuple[BoxFolder, list[Collaboration]]:
        """The folder of this name, made or adopted by whoever comes first, and who could see it before."""
        with self._lock:
            parent = self._made.setdefault((parent_box_id, collision_key(name)), ParentFolder())
        with parent.lock:
            folder = parent.folder
            if folder is None:
                folder = self._box.create_folder(parent_box_id, name, claimed_at=claimed_at)
                was_there = folder.adopted or folder.created_at is not None
                parent.grants = self._box.collaborations(folder.id) if was_there else []
                parent.folder = folder
            return folder, parent.grants

    def _refuse_shared(
        self,
        folder: BoxFolder,
        grants: Sequence[Collaboration],
        path: str,
        tree: TreeRecord,
        *,
        shown: str = "",
    ) -> None:
        """A folder that was there before must not show an unfinished tree to anybody but the plan's people (P4).

        Those are the tree's own, and those of trees in whose folder it lies.
        """
        direct = [grant for grant in grants if grant.item_id in (None, folder.id)]
        outsiders = [grant for grant in direct if not self._in_plan(tree, grant)]
        if outsiders:
            around = self._trees_around(path)
            outsiders = [
                grant for grant in outsiders if not any(self._in_plan(each, grant) for each in around)
            ]
        if outsiders:
            names = [
                grant.accessible_by_login or grant.invite_email or grant.accessible_by_name or grant.id
                for grant in outsiders
            ]
            raise NameInUse(
                f"the folder {(shown or path)!r} was in Box before and {', '.join(names[:3])} can see it already;"
                " end that access, or give the tree another folder in the plan",
                box_id=folder.id,
                box_type="folder",
            )


def refuse_earlier_run(
    box: BoxDestination, folder: BoxFolder, tree: TreeRecord, nesting: Nesting, account_id: str
) -> None:
    """Raise CheckFailed when the tree's folder holds what this account put there and this checkpoint knows nothing of.

    A plan that was renamed or moved, or whose state_url leads elsewhere now, would send all of it a second time.
    """
    if not nesting.below(tree) and box.is_filled_by(folder.id, account_id):
        raise CheckFailed(
            f"the folder {tree.folder!r} ({folder.id}) is in Box already, filled by this very account, and this "
            "checkpoint knows nothing of it. Use the one of the earlier run (its state_url, name and folder), "
            f"or go on without it: {BEGIN_ANEW}; what is the same is found in Box and not sent again."
        )


def refuse_other_plan(
    box: BoxDestination, folder: BoxFolder, tree: TreeRecord, nesting: Nesting, account_id: str
) -> None:
    """Raise NameInUse when this account filled a tree's folder before the tree came into the plan.

    Then another plan moves into it: each would take the other's files for its own. What is younger than the tree may
    be this plan's, where its checkpoint was restored from a backup.
    """
    if nesting.below(tree) or tree.begun_at is None:
        return
    made_at = box.folder_info(folder.id).created_at
    ahead = timedelta(seconds=box.clock_skew_seconds() or 0.0)
    if made_at is None or made_at >= tree.begun_at + ahead - CLOCK_TOLERANCE:
        return
    if box.is_filled_by(folder.id, account_id):
        raise NameInUse(
            f"the folder {tree.folder!r} ({folder.id}) is in Box already, filled by this very account for another plan;"
            f" give the tree another folder in the plan. If no other plan moves into it: {BEGIN_ANEW}",
            box_id=folder.id,
            box_type="folder",
        )

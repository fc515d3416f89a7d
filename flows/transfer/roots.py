"""Roots: a tree's own folder in Box and those above it, each made once, and who could see it before."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.box.destination import BoxDestination
from connectors.box.folders import CLOCK_TOLERANCE
from connectors.box.names import collision_key, path_key
from connectors.box.types import BoxFolder, Collaboration
from connectors.errors import DestinationGone, NameInUse
from flows.errors import CheckFailed
from flows.plan.origin import BEGIN_ANEW
from flows.sharing.access import Access
from flows.sharing.outsiders import is_in_plan
from state.records import TreeRecord


@dataclass(frozen=True)
class Seen:
    """A folder, and who could see it when it was adopted: nobody where this run made it."""

    folder: BoxFolder
    grants: Sequence[Collaboration] = ()
    #: Whether whoever has its shared link could.
    by_link: bool = False


@dataclass
class ParentFolder:
    """A tree's own folder or one above it: many trees may need it, and it is made once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    seen: Seen | None = None


class Roots:
    """Makes the folders at which trees begin. Refuses one that others than the plan's people see (P4)."""

    def __init__(self, access: Access, *, our_user_ids: Collection[str]) -> None:
        """`our_user_ids`: the accounts with which this plan uploads; they are nobody's to hide a tree from."""
        self._access = access
        self._box = access.box
        self._our_user_ids = our_user_ids
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
        self._refuse_shared(self._as_it_is(folder), tree, path)

    def forget(self) -> None:
        """Box lost one of them: each is asked for again. The locks stay, so that none is made twice."""
        with self._lock:
            for parent in self._made.values():
                parent.seen = None

    def _descend(self, tree: TreeRecord, box_name: str, claimed_at: datetime | None) -> BoxFolder:
        parent_box_id, path = self._access.plan.box.landing_folder_id, ""
        for name in tree.folder.split("/")[:-1]:
            path = f"{path}/{name}".lstrip("/")
            parent_box_id = self._for_tree(tree, parent_box_id, name, path).id
        return self._for_tree(tree, parent_box_id, box_name, tree.folder, claimed_at)

    def _for_tree(
        self, tree: TreeRecord, parent_box_id: str, name: str, path: str, claimed_at: datetime | None = None
    ) -> BoxFolder:
        seen = self._make_once(parent_box_id, name, claimed_at)
        self._refuse_shared(seen, tree, path)
        return seen.folder

    def _make_once(self, parent_box_id: str, name: str, claimed_at: datetime | None) -> Seen:
        """The folder of this name, made or adopted by whoever comes first, and who could see it before."""
        with self._lock:
            parent = self._made.setdefault((parent_box_id, collision_key(name)), ParentFolder())
        with parent.lock:
            if parent.seen is None:
                folder = self._box.create_folder(parent_box_id, name, claimed_at=claimed_at)
                was_there = folder.adopted or folder.created_at is not None
                parent.seen = self._as_it_is(folder) if was_there else Seen(folder)
            return parent.seen

    def _as_it_is(self, folder: BoxFolder) -> Seen:
        by_link = self._box.folder_info(folder.id).link_access in ("open", "company")
        return Seen(folder, grants=self._box.collaborations(folder.id), by_link=by_link)

    def _refuse_shared(self, seen: Seen, tree: TreeRecord, path: str) -> None:
        """A folder that was there before must not show an unfinished tree to anybody but the plan's people (P4).

        Those are the tree's own. The people of a tree around it are in already when it comes into the plan later, and
        would look on while it fills; only one that was whole before is made again in front of them.
        """
        audiences = [tree, *self._access.trees_around(path)] if self._was_whole(seen, tree) else [tree]
        names = [
            grant.accessible_by_login or grant.invite_email or grant.accessible_by_name or grant.id
            for grant in seen.grants
            if grant.item_id in (None, seen.folder.id)
            and not any(is_in_plan(self._access, self._our_user_ids, each, grant) for each in audiences)
        ]
        if seen.by_link and not any(self._is_published(each, path) for each in audiences):
            names.append("whoever has its shared link")
        if names:
            raise NameInUse(
                f"the folder {path!r} was in Box before and {', '.join(names[:3])} can see it already;"
                " end that access until the tree is complete, or give the tree another folder in the plan",
                box_id=seen.folder.id,
                box_type="folder",
            )

    def _was_whole(self, seen: Seen, tree: TreeRecord) -> bool:
        return (seen.by_link or bool(seen.grants)) and self._access.checkpoint.was_verified(tree.id)

    def _is_published(self, tree: TreeRecord, path: str) -> bool:
        """Tell whether the plan itself gives this folder, as a tree's own, a shared link."""
        planned = self._access.tree_plan(tree)
        return (
            planned is not None
            and planned.shared_link is not None
            and path_key(tree.folder) == path_key(path)
        )


def refuse_earlier_run(
    box: BoxDestination, folder: BoxFolder, tree: TreeRecord, account_ids: Collection[str]
) -> None:
    """Raise CheckFailed when the tree's folder holds what our accounts put there and this checkpoint knows nothing of.

    A plan that was renamed or moved, or whose state_url leads elsewhere now, would send all of it a second time. What
    is younger than the tree is this plan's, whose checkpoint was restored from a backup of its beginning.
    """
    since = box.filled_since(folder.id, account_ids)
    if since is not None and not _is_younger(since, tree, box.clock_skew_seconds() or 0.0):
        raise CheckFailed(
            f"the folder {tree.folder!r} ({folder.id}) is in Box already, filled by this very account, and this "
            "checkpoint knows nothing of it. Use the one of the earlier run (its state_url, name and folder), "
            f"or go on without it: {BEGIN_ANEW}; what is the same is found in Box and not sent again."
        )


def refuse_other_plan(
    box: BoxDestination, folder: BoxFolder, tree: TreeRecord, account_ids: Collection[str]
) -> None:
    """Raise NameInUse when our accounts filled a tree's folder before the tree came into the plan.

    Then another plan moves into it: each would take the other's files for its own, whoever made the folder. What is
    younger than the tree may be this plan's, where its checkpoint was restored from a backup.
    """
    if tree.begun_at is None:
        return
    ahead = timedelta(seconds=box.clock_skew_seconds() or 0.0)
    since = box.filled_since(folder.id, account_ids)
    if since is not None and since < tree.begun_at + ahead - CLOCK_TOLERANCE:
        raise NameInUse(
            f"the folder {tree.folder!r} ({folder.id}) is in Box already, filled by this very account for another plan;"
            f" give the tree another folder in the plan. If no other plan moves into it: {BEGIN_ANEW}",
            box_id=folder.id,
            box_type="folder",
        )


def _is_younger(since: datetime, tree: TreeRecord, skew_seconds: float) -> bool:
    """Compare in whole seconds, as Box tells them; its clock is read from them, too, so a skew of one is none."""
    if tree.begun_at is None:
        return False
    skew = timedelta(seconds=skew_seconds if abs(skew_seconds) > 1 else 0.0)
    return since >= (tree.begun_at + skew).replace(microsecond=0)

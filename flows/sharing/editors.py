"""Uploader app users as editors of a tree's folder: let in before they send, taken out when the tree completes."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from connectors.box.collaborations import covers
from connectors.box.destination import BoxDestination
from connectors.box.types import Invitee
from connectors.errors import DestinationGone, ItemError
from state.checkpoint import Checkpoint

ROLE = "editor"


class TreeEditors:
    """Make uploaders editors of a tree's folder before they send, and take them out again. Safe for threads.

    Who may be inside is written down before the first is let in, so that a kill leaves nobody behind: whoever
    completes the tree removes all that are written down.
    """

    def __init__(self, checkpoint: Checkpoint, box: BoxDestination) -> None:
        self._checkpoint = checkpoint
        self._box = box
        self._lock = threading.Lock()
        #: Trees whose folder they can write to, each with the folder: one that is made anew is another one.
        self._inside: set[tuple[int, str]] = set()
        #: Folders into which Box let nobody in this run, and why: the files below ask once, not once each.
        self._refused: dict[tuple[int, str], ItemError] = {}

    def let_in(self, tree_id: int, box_folder_id: str) -> None:
        """Make sure that every identity of the plan may upload into this folder. No call once that is done.

        ItemError when Box refuses one of them; for the rest of the run the same then, without a call.
        """
        place = (tree_id, box_folder_id)
        if not self._box.identities or place in self._inside:
            return
        with self._lock:
            if place in self._inside:
                return
            if place in self._refused:
                raise self._refused[place].with_traceback(None)
            try:
                self._let_in(tree_id, box_folder_id)
            except DestinationGone:
                raise  # the folder is made again, or is in sight again
            except ItemError as exc:
                self._refused[place] = exc
                raise
            self._inside.add(place)

    def _let_in(self, tree_id: int, box_folder_id: str) -> None:
        known = self._checkpoint.add_tree_editors(tree_id, self._box.identities)
        grants = self._box.collaborations(box_folder_id) if known else []
        inside = {grant.accessible_by_id for grant in grants if covers(grant.role, ROLE)}
        for identity in self._box.identities:
            if identity not in inside:
                self._box.collaborate(box_folder_id, Invitee(user_id=identity), ROLE)

    def remove(self, tree_id: int, box_folder_id: str, only: Sequence[str] | None = None) -> None:
        """Take out all that are written down (or only these of them); whoever is out already counts as removed.

        DestinationGone, and they stay written down, while the folder is out of sight: it may be hidden.
        """
        with self._lock:
            editors = set(self._checkpoint.tree_editors(tree_id))
            leaving = editors if only is None else editors & set(only)
            if not leaving:
                return
            for grant in self._box.collaborations(box_folder_id):
                if grant.accessible_by_id in leaving and grant.item_id == box_folder_id:
                    self._box.remove_collaboration(grant.id)
            self._checkpoint.record_tree_editors_removed(tree_id, sorted(leaving))
            self._inside.discard((tree_id, box_folder_id))

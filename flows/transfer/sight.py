"""Sight: what of a tree Box still shows, from the top. What is hidden from us is not gone."""

from __future__ import annotations

import time

from connectors.box.destination import BoxDestination
from connectors.errors import DestinationGone, LandingFolderMissing
from state.checkpoint import Checkpoint
from state.records import FolderNode

#: A folder that is not in the trash is looked for so often, with so many seconds between, before it counts as gone.
LOOKS, PAUSE_SECONDS = 4, 0.5


def topmost_gone(checkpoint: Checkpoint, box: BoxDestination, folder_id: int) -> FolderNode | None:
    """Return the highest of this folder and those above it that Box does not have any more; None when it has all.

    LandingFolderMissing when not even the landing folder is in sight: nothing is known of what is below it then.
    DestinationGone when a tree's own folder is out of sight and not in the trash: somebody may have hidden it, and
    nothing below it is known to be gone.
    """
    if box.config.landing_folder_id != "0":
        _require_landing(box)
    for node in checkpoint.folder_chain(folder_id):
        if node.box_folder_id is None:
            return None
        if _is_in_sight(box, node.box_folder_id):
            continue
        if node.parent_id is None and not box.folder_is_trashed(node.box_folder_id):
            raise DestinationGone(
                f"the tree's folder in Box ({node.box_folder_id}) is out of sight, and not in the trash; share it with"
                " the service account again. If it was deleted for good, give the tree another folder in the plan"
            )
        return node
    return None


def _require_landing(box: BoxDestination) -> None:
    """LandingFolderMissing when it is out of sight for longer than a moment."""
    for look in range(LOOKS):
        try:
            box.landing_folder()
        except LandingFolderMissing:
            if look == LOOKS - 1:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _is_in_sight(box: BoxDestination, box_folder_id: str) -> bool:
    for look in range(LOOKS):
        if look:
            time.sleep(PAUSE_SECONDS)
        try:
            box.folder_info(box_folder_id)
        except DestinationGone:
            if not look and box.folder_is_trashed(box_folder_id):
                return False
        else:
            return True
    return False

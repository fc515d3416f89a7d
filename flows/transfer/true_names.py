"""True names: what got a name with "~" in Box, since another entry had its own, gets that once it is free.

What had it was gone already, and went to the trash later in that pass or moved away at the end of its walk; or it
stepped aside, is gone from the share, and somebody renamed, moved or deleted it in Box, which a listing tells. One call
for each, and none but that listing where the name is held still. What is not in Box yet is only written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from connectors.box.names import box_name, collision_key
from connectors.box.types import Known, Place
from connectors.entry import EntryKind
from connectors.errors import OF_ONE_ENTRY
from flows.transfer.migration import Migration
from flows.transfer.moved_folders import ASIDE
from flows.transfer.naming import OUT_OF_SIGHT
from state.change_records import RenamedEntry
from state.records import KnownChild
from state.statuses import EventKind


def give_names_back(migration: Migration, tree_ids: Sequence[int]) -> None:
    """Once the walk of these trees has ended and what moved is moved. What Box refuses stays as it is."""
    folder_id, names = 0, _Names(())
    for entry in migration.checkpoint.entries_with_other_names(tree_ids):
        migration.stop.raise_if_stopped()
        own = box_name(entry.name, entry.kind)
        if entry.name.startswith(ASIDE) or collision_key(own) == collision_key(entry.box_name):
            continue
        if entry.folder_id != folder_id:  # those of one folder come one after the other
            folder_id, names = entry.folder_id, _Names(migration.checkpoint.known_children(entry.folder_id))
        if names.are_free(entry, own):
            with suppress(*OF_ONE_ENTRY):
                if not (names.may_be_aside(own) and _is_taken(migration, entry, own)):
                    _give_back(migration, entry, own)


class _Names:
    """Who has which names of one folder."""

    def __init__(self, known: Sequence[KnownChild]) -> None:
        #: Of what is there, or Box has: those that have the name, or would like to.
        self._holders: dict[str, set[tuple[int, EntryKind]]] = {}
        #: Had by what Box does not have any more; a name that only Box takes for another's stays away.
        self._left: set[str] = set()
        #: Had, as far as is known, by what stepped aside and is gone from the share.
        self._aside: set[str] = set()
        for each in known:
            if each.name.startswith(ASIDE) and each.status in OUT_OF_SIGHT and each.placed:
                self._aside.add(collision_key(each.box_name))
            elif each.placed or each.status not in OUT_OF_SIGHT:
                for name in (each.box_name, box_name(each.name, each.kind)):
                    self._holders.setdefault(collision_key(name), set()).add((each.id, each.kind))
            else:
                self._left.add(collision_key(each.box_name))

    def are_free(self, entry: RenamedEntry, own: str) -> bool:
        """True when something had this name, and nobody else has it now but what stepped aside."""
        key = collision_key(own)
        others = self._holders.get(key, set()) - {(entry.row_id, entry.kind)}
        return key in self._left | self._aside and not others

    def may_be_aside(self, own: str) -> bool:
        """True when something that stepped aside had this name last."""
        return collision_key(own) in self._aside


def _is_taken(migration: Migration, entry: RenamedEntry, own: str) -> bool:
    """Look in Box whether anything there has the name, whoever put it there."""
    key, parent = collision_key(own), migration.folders.box_id(entry.folder_id)
    return any(collision_key(child.name) == key for child in migration.box.list_folder(parent))


def _give_back(migration: Migration, entry: RenamedEntry, own: str) -> None:
    if entry.box_id is None:
        migration.checkpoint.record_name_to_come(entry, box_name=own, worker=migration.worker)
        return
    parent = migration.folders.box_id(entry.folder_id)
    known = Known(
        kind=entry.kind,
        box_id=entry.box_id,
        name=entry.box_name,
        etag=entry.box_etag,
        version_id=entry.box_version_id,
    )
    changed = migration.box.items.move(known, Place(parent, entry.box_name), Place(parent, own))
    own, etag = changed.name, changed.etag if changed.same_content else entry.box_etag
    words = f"{entry.path} has its own name in Box again, which was another entry's"
    detail = {"path": entry.path.rpartition("/")[0], "count": 1, "names": [words]}
    migration.record_event(EventKind.MOVE_FOLLOWED, detail)
    if entry.kind is EntryKind.FOLDER:
        migration.checkpoint.record_folder_renamed(
            entry.row_id, box_name=own, box_etag=etag, worker=migration.worker
        )
    else:
        migration.checkpoint.record_file_renamed(
            entry.row_id, name=entry.name, box_name=own, box_etag=etag, worker=migration.worker
        )

"""Edits: what becomes of what a person changed in Box, as the plan's `changes: in_box` says.

What somebody wrote is never lost: a version over theirs keeps theirs in Box's version history, and a copy beside it
keeps their file. Every call carries the etag of what was looked at, so that whoever writes in the middle is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

from connectors.box.names import box_name, collision_key, fitted
from connectors.box.types import BoxFile, Changed, Known, Place, Upload
from connectors.entry import EntryKind
from connectors.errors import ChangedInBox, DestinationGone, NameInUse, ServerBusy
from connectors.on_error import OnError
from flows.plan.changes import InBox
from flows.transfer.conflicts import ChangedByPerson, Editor, second_try
from flows.transfer.migration import Migration
from flows.transfer.sessions import CheckpointSessions
from state.records import ClaimedItem, Failed
from state.statuses import LEFT_IN_TRASH, LEFT_TO_BOX, EventKind

#: How often a file is looked at again because somebody wrote it meanwhile, before it fails for now.
LOOKS = 5

#: Names that are tried for a copy, the date and the person being the same.
COPY_NAMES = 20


class LeftToBox(Exception):
    """The plan leaves this file to Box; the words say what a person did there."""

    def __init__(self, words: str, *, reason: str = LEFT_TO_BOX) -> None:
        super().__init__(words)
        self.reason = reason


@dataclass(frozen=True)
class Told:
    """What the report says once the file is sent."""

    kind: EventKind
    words: str


class PlanDecides:
    """What the plan wants where the name of one file is taken in Box, and what is told of it once the file is sent."""

    def __init__(self, migration: Migration, item: ClaimedItem) -> None:
        self._migration, self._item = migration, item
        self._looks = 1 if migration.plan.changes.in_box is InBox.STOP else LOOKS
        self._told: Told | None = None

    def instead(self, upload: Upload, error: NameInUse) -> Upload:
        """Return what to send in place of this upload.

        ChangedInBox, NameInUse or LeftToBox where the plan lets what Box has stay, or it was looked at often enough.
        """
        self._looks -= 1
        if self._looks < 0:
            raise error
        migration, item, policy = self._migration, self._item, self._migration.plan.changes.in_box
        try:
            again = second_try(migration, item, upload, error)
        except ChangedByPerson as exc:
            return self._over_or_beside(upload, exc)
        if policy is InBox.SOURCE and again.file_id is not None:
            stored = migration.box.file_info(again.file_id)
            if stored.etag == again.etag:
                return _where_it_belongs(migration, item, upload, stored)
        return again

    def tell(self) -> None:
        """The file is sent: say over or beside what."""
        if self._told is not None:
            _tell(self._migration, self._item.path, self._told)

    def _over_or_beside(self, upload: Upload, found: ChangedByPerson) -> Upload:
        migration, item, policy = self._migration, self._item, self._migration.plan.changes.in_box
        if policy is InBox.SOURCE:
            self._told = Told(EventKind.OVER_CHANGE_IN_BOX, f"{item.box_name} ({found.editor})")
            return _where_it_belongs(migration, item, upload, found.stored)
        if policy is InBox.BOTH:
            kept = _out_of_the_way(migration, item, upload, found.stored, found.editor)
            self._told = Told(EventKind.BESIDE_CHANGE_IN_BOX, f"{item.box_name} is {kept} ({found.editor})")
            return replace(upload, file_id=None, etag=None)
        if policy is InBox.BOX:
            raise LeftToBox(f"changed in Box by {found.editor}") from found
        raise found


def left_to_box(migration: Migration, item: ClaimedItem) -> OnError:
    """Let a file that the plan leaves to Box be WAIVED by the plan, which is told once."""
    return OnError(_leave_to_box, migration, item)


def _leave_to_box(error: BaseException, migration: Migration, item: ClaimedItem) -> bool:
    if not isinstance(error, LeftToBox):
        return False
    settle(migration, item.id, item.path, error)
    return True


def settle(migration: Migration, item_id: int, path: str, left: LeftToBox) -> None:
    """This file is left to Box, for what a person did there."""
    _tell(migration, path, Told(EventKind.LEFT_TO_BOX, f"{path.rpartition('/')[2]} ({left})"))
    by = "changes: in_box: box"
    migration.recorder.put(Failed(item_id=item_id, reason=left.reason, detail=str(left), settled_by=by))


def leaving_the_trash(migration: Migration, item: ClaimedItem) -> OnError:
    """Raise LeftToBox for what a person deleted in Box, where the plan leaves that so. A folder that was deleted with
    all that was in it is made again."""
    return OnError(_leave_the_trash, migration, item)


def _leave_the_trash(error: BaseException, migration: Migration, item: ClaimedItem) -> bool:
    if not isinstance(error, DestinationGone) or item.box_file_id is None:
        return False
    if migration.plan.changes.in_box is not InBox.BOX:
        return False
    migration.folders.forget_below_top(item.folder_id)
    its_folder = migration.checkpoint.folder_chain(item.folder_id)[-1]
    if its_folder.box_folder_id is None or not _is_gone(migration, item.box_file_id):
        return False
    if (words := left_in_trash(migration, item.box_file_id)) is not None:
        raise LeftToBox(words, reason=LEFT_IN_TRASH) from None
    return False


def left_in_trash(migration: Migration, box_file_id: str) -> str | None:
    """Return what is told of a file that is gone from Box where the plan leaves it so; None where it is sent again.

    Box does not say for certain who put it into the trash: whoever did, it stays there. One call, or none.
    """
    if migration.plan.changes.in_box is not InBox.BOX:
        return None
    stored = migration.box.file_in_trash(box_file_id)
    if stored is None:
        return "deleted in Box for good, or taken out of the account's sight"
    is_named = stored.modified_by and stored.modified_by_id not in migration.our_user_ids
    by = f" by {stored.modified_by}" if is_named else ""
    return (
        f"put into Box's trash{by}{f', {stored.trashed_at:%Y-%m-%d %H:%M %Z}' if stored.trashed_at else ''}"
    )


def put_back(migration: Migration, known: Known, now: Place, wanted: Place, path: str) -> Changed:
    """Give a file or folder the name and the folder again that it has in the source, in one call, and tell of it."""
    changed = migration.box.items.move(known, now, wanted)
    words = f"{now.name} is {changed.name}" if now.name != changed.name else changed.name
    _tell(migration, path, Told(EventKind.PUT_BACK_IN_BOX, words))
    return changed


def put_folders_back(migration: Migration, folder_id: int) -> None:
    """Put those of the folders that lead to this one back that somebody moved, by one call each, which is told."""
    for above, node in pairwise(migration.checkpoint.folder_chain(folder_id)):
        stored = migration.box.folder_info(node.box_folder_id or "")
        if stored.parent_id is None or stored.parent_id == above.box_folder_id:
            continue
        known = Known(kind=EntryKind.FOLDER, box_id=stored.id, name=stored.name, etag=stored.etag)
        now, wanted = Place(stored.parent_id, stored.name), Place(above.box_folder_id or "", node.box_name)
        with _written_meanwhile():
            changed = put_back(migration, known, now, wanted, node.path)
        migration.checkpoint.record_put_back(
            EntryKind.FOLDER, node.id, box_etag=changed.etag, worker=migration.worker
        )


def _is_gone(migration: Migration, box_file_id: str) -> bool:
    try:
        return migration.box.file_info(box_file_id).trashed
    except DestinationGone:
        return True


def _where_it_belongs(migration: Migration, item: ClaimedItem, upload: Upload, stored: BoxFile) -> Upload:
    """Return the upload of a version over this file, which has the source's name and place in Box again."""
    etag, name = stored.etag, item.box_name
    now, wanted = Place(stored.parent_id or "", stored.name), Place(upload.folder_id, name)
    if stored.parent_id is not None and now != wanted:
        with _written_meanwhile():
            changed = put_back(migration, _known(stored), now, wanted, item.path)
        etag, name = changed.etag, changed.name
    return replace(upload, file_id=stored.id, etag=etag, name=name)


@contextmanager
def _written_meanwhile() -> Iterator[None]:
    """Somebody who renames it at this very moment is waited for: the file is tried again."""
    try:
        yield
    except ChangedInBox as exc:
        raise ServerBusy(f"somebody is changing it in Box: {exc}") from exc


def _out_of_the_way(
    migration: Migration, item: ClaimedItem, upload: Upload, stored: BoxFile, editor: Editor
) -> str:
    """Let what a person wrote have another name in its folder; return it. Nothing is called where it has one already:
    the person gave it, or a run that was killed before it sent the file.

    Parts that were sent for a version of it are given back: they must not end up over it.
    """
    sessions = CheckpointSessions(migration.checkpoint, migration.worker, item.id)
    if (session := sessions.load()) is not None:
        migration.box.abort_session(session)
        sessions.clear()
    in_the_way = collision_key(stored.name) == collision_key(item.box_name)
    if stored.trashed or not in_the_way or stored.parent_id != upload.folder_id:
        return stored.name
    place = Place(stored.parent_id, stored.name)
    for number in range(1, COPY_NAMES + 1):
        name = copy_name(stored.name, editor, number)
        try:
            with _written_meanwhile():
                return migration.box.items.move(_known(stored), place, Place(place.parent_id, name)).name
        except NameInUse:
            if number == COPY_NAMES:
                raise
    raise AssertionError("the loop returns or raises")


def copy_name(name: str, editor: Editor, number: int = 1) -> str:
    """Return the name under which a person's version stays: `plan (in Box 2026-11-29 ann@example.com).docx`.

    The date is that of the version, in UTC; from the second of one name on a number follows. It fits Box's limits.
    """
    day = f" {editor.day}" if editor.day else ""
    more = f" {number}" if number > 1 else ""
    return box_name(fitted(name, f" (in Box{day} {editor.author}{more})"))


def _known(stored: BoxFile) -> Known:
    return Known(kind=EntryKind.FILE, box_id=stored.id, name=stored.name, etag=stored.etag)


def _tell(migration: Migration, path: str, told: Told) -> None:
    folder = path.rpartition("/")[0]
    migration.record_event(told.kind, {"path": folder, "count": 1, "names": [told.words]})

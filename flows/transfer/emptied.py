"""A folder whose disk is away: what tells a mount point that holds a few things of its own from a folder cleaned up.

Nobody can see in a listing that a disk is missing, so that the bound is a judgement. A folder is taken for a mount
point when nothing that is listed is one of the things that were known there, and what is missing, with what is below
it, is five entries at least and more than twice what is there now. One file that was there before and still is shows
that the disk is there: somebody who cleans up and leaves one is believed. So is who deletes up to four files, who puts
as much in their place, and who moves all of them into a folder beside them. A folder that lists nothing at all is
never believed.

Where the mount point goes with its disk, it is missing like any folder that was deleted. Its id alone tells it: one of
another disk than the folder above it has none (file://), or the one that file systems give to their own top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import ItemError, NotFound
from connectors.source import Source
from flows.transfer.absent import with_unlisted
from flows.transfer.migration import Migration
from flows.transfer.naming import OUT_OF_SIGHT
from state.records import FolderNode, KnownChild
from state.statuses import ItemStatus

#: So many entries are away at once where a disk is away; fewer are deleted every day.
MANY_ENTRIES = 5

#: A name that stays and stands for another thing than before weighs as much as so many that are new.
WEIGHT_OF_A_NAME = 10

#: Folders listed here into which is looked, and known folders whose content is asked for at once.
FOLDERS_LOOKED_INTO = 16

#: Ids of the top of a file system, which no other folder of it has: of one in memory, ext, Btrfs.
_IDS_OF_A_TOP = ("1", "2", "100")

#: Each ext file system has this folder at its root, with the same id.
_OF_THE_FILE_SYSTEM = "lost+found"

#: Folders that look emptied, and are judged at the end of the walk, at most: where more do, a disk is away.
EMPTIED_AT_MOST = 100_000

#: What is said of a folder that looks emptied.
EMPTIED = (
    "it lists nothing of what it had before; is a disk mounted there?"
    " If it really was emptied, say so in the plan: source: {may_be_empty: true}"
)

#: What is said of a mount point that went with its disk.
DISK_GONE = (
    "it is not there any more, and it was the top of another disk than the folder above it; is that mounted?"
    " If it really was taken away, say so in the plan: source: {may_be_empty: true}"
)

Children = Callable[[Sequence[int]], Mapping[int, list[KnownChild]]]


def looks_emptied(migration: Migration, listing: Sequence[Entry], known: Sequence[KnownChild]) -> bool:
    """Return True for what is rather a disk that is not mounted than a folder that was cleaned up (P2).

    `listing` holds what was found when it was asked for by name, too. False where the plan says that folders may be
    empty, and for a quick pass, by which nothing is gone. Raises FatalError, and Stopped.
    """
    if migration.plan.source.may_be_empty or migration.quick is not None:
        return False
    below = migration.checkpoint.known_children_of
    return is_mount_point(migration.source, below, listing, known, excluded=migration.excluded)


class Missing:
    """What is missing from a folder, and whether all of it was moved: the walk has seen each file of it elsewhere.

    Elsewhere is where it was not before: two disks of a server may give the same ids to what they hold. One of the
    files at least has its size and date still.
    """

    def __init__(self, listing: Sequence[Entry], known: Sequence[KnownChild]) -> None:
        names = {entry.name for entry in listing}
        gone = [child for child in known if child.status not in OUT_OF_SIGHT and child.name not in names]
        ids = {child.fingerprint.file_id for child in gone if child.kind is EntryKind.FILE} - {None, "0"}
        #: Ids of the files; empty where that does not say all: there is a folder among them, or a file without an id.
        self.ids = ids if len(ids) == len(gone) else set()
        self.contents = {
            (each.file_id, each.size, each.modified_ns) for each in (child.fingerprint for child in gone)
        }
        self._left, self._proven = set(self.ids), False

    def see(self, seen: tuple[str, int, int | None]) -> None:
        """A file of this id, size and date is where it was not before."""
        self._left.discard(seen[0])
        self._proven = self._proven or seen in self.contents

    @property
    def was_moved(self) -> bool:
        """True when all of it was seen elsewhere."""
        return self._proven and not self._left


def look_for(migration: Migration, missing: Sequence[Missing]) -> None:
    """Let each of these know what the walk, which is over, has seen where it was not before: one look for all."""
    wanted: dict[str | None, list[Missing]] = {}
    for each in missing:
        for file_id in each.ids:
            wanted.setdefault(file_id, []).append(each)
    if not wanted:
        return
    sizes = sorted({size for each in missing if each.ids for _, size, _ in each.contents})
    for seen in migration.checkpoint.seen_anew(migration.pass_id, migration.tree_ids, sizes):
        migration.stop.raise_if_stopped()
        for each in wanted.get(seen[0], ()):
            each.see(seen)


def is_mount_point(
    source: Source,
    children: Children,
    listing: Sequence[Entry],
    known: Sequence[KnownChild],
    *,
    excluded: Callable[[Entry], str | None],
) -> bool:
    """The same of what a source lists; `children` gives what is known below folders.

    Lists folders only where nothing of what was known is there. Raises FatalError, and Stopped.
    """
    held = [child for child in known if child.status not in OUT_OF_SIGHT]
    names = {entry.name for entry in listing}
    gone = [child for child in held if child.name not in names]
    if not held or not gone or _shows_the_disk(listing, held):
        return False
    moving = [entry for entry in listing if not entry.is_link and excluded(entry) is None]
    if not listing:
        return True
    staying = len(held) - len(gone)
    below = _Below(children, gone)
    here = max(0, len(moving) - staying)
    for content in _contents(source, moving):
        if below.has_most_of(content):
            return False
        here += len(content)
    bound = max(MANY_ENTRIES - 1, 2 * here + WEIGHT_OF_A_NAME * staying)
    return below.is_more_than(bound)


def is_below_a_disk_that_is_away(
    migration: Migration, folder: FolderNode, judged: dict[int, bool | None]
) -> bool:
    """Return True for a folder that is not there because the nearest one above it that is there looks emptied.

    Each of those above is asked for once, and its verdict kept in `judged`, None where it is not there either. Raises
    FatalError, and Stopped.
    """
    missing = folder
    for above in reversed(migration.checkpoint.folder_chain(folder.id)[:-1]):
        if above.id not in judged:
            try:
                listing = migration.source.list_folder(above.path)
            except NotFound:
                judged[above.id] = None
            except ItemError:
                return False
            else:
                judged[above.id] = _is_away(migration, above, listing)
        if (is_away := judged[above.id]) is not None:
            return is_away or was_a_disk(migration, missing)
        missing = above
    return False


def was_a_disk(migration: Migration, folder: FolderNode) -> bool:
    """Return True for a folder, not there any more, that was the top of another disk than the one above it."""
    if folder.parent_id is None:
        return False
    known = [
        child for child in migration.checkpoint.known_children(folder.parent_id) if child.id == folder.id
    ]
    return bool(disks_that_are_gone(migration, folder.path.rpartition("/")[0], [], known))


def disks_that_are_gone(
    migration: Migration, folder: str, listing: Sequence[Entry], known: Sequence[KnownChild]
) -> set[str]:
    """Return the names of what was known in this folder, is not there any more, and was the top of another disk.

    Nothing where the source has no ids, or the plan says that folders may be empty. Raises FatalError, and Stopped.
    """
    if migration.plan.source.may_be_empty or migration.quick is not None:
        return set()
    names = {entry.name for entry in listing if entry.may_be_folder}
    tops = {
        child.name
        for child in known
        if child.kind is EntryKind.FOLDER and child.placed and child.status not in OUT_OF_SIGHT
        if child.name not in names and child.fingerprint.file_id in (None, *_IDS_OF_A_TOP)
    }
    try:
        return tops if tops and migration.source.stat(folder).file_id is not None else set()
    except NotFound:
        return set()  # the folder above is gone itself, and judged by its own id
    except ItemError:
        return tops


def _is_away(migration: Migration, folder: FolderNode, listing: list[Entry]) -> bool:
    known = migration.checkpoint.known_children(folder.id)
    whole = with_unlisted(migration.source, folder.path, listing, known, migration.stop.is_set)
    return looks_emptied(migration, whole, known)


def _shows_the_disk(listing: Sequence[Entry], held: Sequence[KnownChild]) -> bool:
    """True when one of these entries is one of those things, under whatever name."""
    by_name = {(child.name, child.kind is EntryKind.FOLDER): child for child in held}
    folders = [child for child in held if child.kind is EntryKind.FOLDER]
    ids = {child.fingerprint.file_id for child in folders} - {None, "0"}
    contents = {(child.fingerprint.size, child.fingerprint.modified_ns) for child in held}
    for entry in listing:
        is_folder = entry.kind is EntryKind.FOLDER
        child = by_name.get((entry.name, is_folder))
        if entry.name == _OF_THE_FILE_SYSTEM:
            continue
        if child is not None and _is_it(child, entry):
            return True
        if is_folder and entry.file_id in ids:
            return True
        has_content = entry.size > 0 and entry.modified_ns is not None
        if has_content and (entry.size, entry.modified_ns) in contents:
            return True
    return False


def _is_it(child: KnownChild, entry: Entry) -> bool:
    """Of what has the same name. Without ids a folder is believed by its name: what it lists is judged by itself."""
    if entry.fault is not None or child.status is ItemStatus.FAILED:
        return True
    ids = (child.fingerprint.file_id, entry.file_id)
    return ids[0] == ids[1] and (ids[0] is not None or entry.kind is EntryKind.FOLDER)


def _contents(source: Source, moving: Sequence[Entry]) -> Iterator[set[str]]:
    """The names in each of the folders that are listed here, as far as they can be listed."""
    for entry in [each for each in moving if moves_as_folder(each)][:FOLDERS_LOOKED_INTO]:
        try:
            yield {each.name for each in source.list_folder(entry.path)}
        except ItemError:
            continue


class _Below:
    """What is missing, with what is known below it: asked for level by level, and no more of it than is needed."""

    def __init__(self, children: Children, gone: Sequence[KnownChild]) -> None:
        self._children = children
        self._count = len(gone)
        self._folders = [child.id for child in gone if child.kind is EntryKind.FOLDER]
        self._names = {child.name for child in gone}
        self._names |= {child.name for child in self._next_ones()}

    def has_most_of(self, content: set[str]) -> bool:
        """True for what a folder holds that was renamed, or into which the others were moved."""
        return bool(content) and 2 * len(content & self._names) >= len(content)

    def is_more_than(self, bound: int) -> bool:
        """Tell whether so many are missing and one more."""
        while self._count <= bound and self._folders:
            self._next_ones()
        return self._count > bound

    def _next_ones(self) -> list[KnownChild]:
        asked, self._folders = self._folders[:FOLDERS_LOOKED_INTO], self._folders[FOLDERS_LOOKED_INTO:]
        if not asked:
            return []
        found = [
            child
            for each in self._children(asked).values()
            for child in each
            if child.status not in OUT_OF_SIGHT
        ]
        self._count += len(found)
        self._folders += [child.id for child in found if child.kind is EntryKind.FOLDER]
        return found

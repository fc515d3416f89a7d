"""In Box: every folder of a tree as Box lists it, against the checkpoint; one call per 1,000 entries that agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from connectors.box.names import collision_key
from connectors.box.types import BoxChild, BoxFile, BoxFolder
from connectors.entry import EntryKind
from connectors.errors import DestinationGone, ItemError
from flows.reconciliation.comparing import Suspect, compare_listing, content_words, date_in_box, replaced_kind
from flows.reconciliation.comparison import Comparison
from flows.reconciliation.differences import LISTED, Difference, DifferenceKind
from flows.transfer.outcomes import Outcome, failure_of, outcome_of
from state.kept_records import KeptChild
from state.records import FolderNode, TreeRecord
from state.reports.contents import folder_count, folders_in_box, kept_children, places_of

#: Who may open what has such a link is not only its people.
OPEN_LINKS = ("open", "company")


def compare_in_box(comparison: Comparison, trees: Sequence[TreeRecord]) -> None:
    """Compare every folder of these trees with Box's listing of it. Sends nothing that changes anything.

    Folders stream through: memory is that of a few folders, whatever the trees' size (P9).
    """
    checkpoint = comparison.access.checkpoint
    comparison.ledger.begin("folders in Box", sum(folder_count(checkpoint, tree.id) for tree in trees))
    unlisted: list[tuple[FolderNode, str]] = []
    comparison.run(_jobs(comparison, trees, unlisted))
    for folder, why in unlisted:
        key = _key(folder.box_folder_id)
        detail = f"the folder above shows it, and it cannot be listed: {why}"
        kind = DifferenceKind.UNREADABLE_IN_BOX
        found = Difference(kind=kind, path=folder.path, box_id=folder.box_folder_id, detail=detail)
        comparison.ledger.add_once(found, key)


def _jobs(
    comparison: Comparison, trees: Sequence[TreeRecord], unlisted: list[tuple[FolderNode, str]]
) -> Iterator[Callable[[], None]]:
    for tree in trees:
        for folder in folders_in_box(comparison.access.checkpoint, tree.id):
            yield partial(_compare_or_tell, comparison, tree, folder, unlisted)


def _compare_or_tell(
    comparison: Comparison, tree: TreeRecord, folder: FolderNode, unlisted: list[tuple[FolderNode, str]]
) -> None:
    """Compare one folder; one that cannot be compared is a difference of its own (P11)."""
    try:
        _compare_folder(comparison, tree, folder)
    except DestinationGone as exc:
        if _parent_is_there(comparison, folder):
            unlisted.append((folder, str(exc)))  # the folder above tells what became of it
    except Exception as exc:
        if outcome_of(exc) not in (Outcome.FAILED, Outcome.AGAIN):
            raise
        kind, detail = DifferenceKind.UNREADABLE_IN_BOX, failure_of(exc)[1]
        comparison.add(Difference(kind=kind, path=folder.path, box_id=folder.box_folder_id, detail=detail))


def _compare_folder(comparison: Comparison, tree: TreeRecord, folder: FolderNode) -> None:
    kept = kept_children(comparison.access.checkpoint, folder.id)
    listed = list(comparison.access.box.list_folder(str(folder.box_folder_id), whole=True))
    suspects = list(compare_listing(kept, listed, dates=comparison.dates))
    look = FolderLook(comparison, tree, folder)
    for suspect in suspects:
        if suspect.kept is not None:
            look.explain(suspect)
    look.tell_extra([suspect for suspect in suspects if suspect.kept is None])
    look.tell_links(listed, {(child.kind.value, child.box_id): child for child in kept})
    files = [child for child in kept if child.required and child.kind is EntryKind.FILE]
    comparison.ledger.compared(files=len(files), folders=1, size=sum(child.size for child in files))


def _parent_is_there(comparison: Comparison, folder: FolderNode) -> bool:
    """False when the folder above is out of sight as well: what is above that tells of it."""
    chain = comparison.access.checkpoint.folder_chain(folder.id)
    if len(chain) < 2:
        return True
    try:
        comparison.access.box.folder_info(str(chain[-2].box_folder_id))
    except DestinationGone:
        return False
    return True


class FolderLook:
    """One folder of Box: what its suspects turn out to be, when the things themselves are asked for."""

    def __init__(self, comparison: Comparison, tree: TreeRecord, folder: FolderNode) -> None:
        self._comparison, self._tree, self._folder = comparison, tree, folder
        self._box = comparison.access.box

    def explain(self, suspect: Suspect) -> None:
        """Tell what became of something that the checkpoint knows. Asks for it by its id."""
        child = suspect.kept
        assert child is not None  # noqa: S101  the caller's choice
        if suspect.kind is DifferenceKind.MISSING_IN_BOX:
            self._absent(child, suspect.listed)
        elif suspect.kind is DifferenceKind.RENAMED and suspect.listed is not None:
            self._renamed(child, suspect.listed)
        elif suspect.kind is DifferenceKind.WRONG_DATE and suspect.listed is not None:
            there = suspect.listed.modified
            detail = f"Box has {there.isoformat() if there else 'none'}, the source {_date(child)}"
            self._add(DifferenceKind.WRONG_DATE, child, detail)
        elif suspect.listed is not None:
            self._other_content(suspect.kind, child, suspect.listed)

    def tell_extra(self, suspects: Sequence[Suspect]) -> None:
        """Tell of what Box has here and the checkpoint has nowhere, or in a tree that is not compared."""
        listed = [suspect.listed for suspect in suspects if suspect.listed is not None]
        own = self._comparison.own_files.ids_among(self._folder.box_folder_id, listed) if listed else ()
        extra = [
            (suspect.kind, suspect.listed)
            for suspect in suspects
            if suspect.listed is not None and suspect.listed.id not in own
        ]
        if not extra:
            return
        access = self._comparison.access
        places = places_of(access.checkpoint, access.plan_id, [child.id for _, child in extra])
        ours = self._comparison.tree_ids
        for kind, child in extra:
            place = places.get((child.type == "folder", child.id))
            if place is not None and place.tree_id in ours:
                continue  # where it belongs it is told as moved
            if place is not None:
                self._add_extra(DifferenceKind.MOVED, child, path=place.path, detail=f"lies in {self._here}")
            elif not self._leads_to_a_tree(child):
                self._add_extra(kind, child, path=self._path(child.name))

    def tell_links(self, listed: Sequence[BoxChild], kept: dict[tuple[str, str], KeptChild]) -> None:
        """Tell of shared links on anything inside the tree; the one of its own folder is looked at by itself."""
        roots = self._comparison.root_ids
        for child in listed:
            if child.link_access not in OPEN_LINKS or child.id in roots:
                continue
            known = kept.get((child.type, child.id))
            path = self._path(known.name if known is not None else child.name)
            detail = f"a shared link opens it ({child.link_access})"
            kind = DifferenceKind.LINK_OPENED
            self._comparison.add(Difference(kind=kind, path=path, box_id=child.id, detail=detail))

    # --- private ---

    @property
    def _here(self) -> str:
        return f"{self._folder.path or self._tree.name!r}"

    def _path(self, name: str) -> str:
        return f"{self._folder.path}/{name}".lstrip("/")

    def _add(
        self,
        kind: DifferenceKind,
        child: KeptChild,
        detail: str,
        editor: BoxFile | BoxFolder | None = None,
    ) -> None:
        found = Difference(
            kind=kind,
            path=self._path(child.name),
            box_id=child.box_id,
            detail=detail,
            by=editor.modified_by if editor else None,
            at=editor.modified_at if editor else None,
        )
        if child.kind is EntryKind.FOLDER:
            self._comparison.ledger.add_once(found, _key(child.box_id))
        else:
            self._comparison.add(found)

    def _add_extra(self, kind: DifferenceKind, child: BoxChild, *, path: str, detail: str = "") -> None:
        editor = self._editor(child) if self._comparison.ledger.count < LISTED else None
        what = {"file": f"a file of {child.size:,} bytes", "folder": "a folder"}.get(child.type, "a web link")
        found = Difference(
            kind=kind,
            path=path,
            box_id=child.id,
            detail=detail or f"{what} that the plan did not put there",
            by=editor.modified_by if editor else None,
            at=editor.modified_at if editor else None,
        )
        self._comparison.add(found)

    def _editor(self, child: BoxChild) -> BoxFile | BoxFolder | None:
        try:
            if child.type == "file":
                return self._box.file_info(child.id)
            return self._box.folder_info(child.id) if child.type == "folder" else None
        except ItemError:
            return None

    def _leads_to_a_tree(self, child: BoxChild) -> bool:
        """True for a folder that this plan may have made above another tree's, whose folder lies inside of this one."""
        above = f"{self._tree.folder}/"
        trees = self._comparison.all_trees
        inside = [tree.folder[len(above) :] for tree in trees if tree.folder.startswith(above)]
        names = {collision_key(name) for path in inside for name in path.split("/")}
        return child.type == "folder" and collision_key(child.name) in names

    def _absent(self, child: KeptChild, other: BoxChild | None) -> None:
        """Box does not list it here: it was moved, is in the trash, is gone, or was there all the same."""
        found = self._found(child)
        if found is not None and found.parent_id == self._folder.box_folder_id:
            self._listed_late(child, found)
        elif found is not None:
            self._add(DifferenceKind.MOVED, child, f"lies in {self._where(found.parent_id)}", found)
        else:
            self._gone(child, other)
            return
        if other is not None:
            self.tell_extra([Suspect(kind=DifferenceKind.EXTRA_IN_BOX, listed=other)])

    def _found(self, child: KeptChild) -> BoxFile | BoxFolder | None:
        """Where Box has it now, outside of the trash."""
        try:
            if child.kind is EntryKind.FOLDER:
                return self._box.folder_info(child.box_id)
            found = self._box.file_info(child.box_id)
        except DestinationGone:
            return None
        return None if found.trashed else found

    def _listed_late(self, child: KeptChild, found: BoxFile | BoxFolder) -> None:
        """A listing may lag: what the thing itself says counts."""
        if isinstance(found, BoxFolder):
            if found.name != child.box_name:
                self._add(DifferenceKind.RENAMED, child, f"is {found.name!r} in Box", found)
            return
        listed = BoxChild(
            type="file",
            id=found.id,
            name=found.name,
            size=found.size,
            sha1=found.sha1,
            etag=found.etag,
            modified=None,
            version_id=found.version_id,
        )
        for suspect in compare_listing([child], [listed], dates=False):
            self.explain(suspect)

    def _gone(self, child: KeptChild, other: BoxChild | None) -> None:
        in_trash = child.kind is EntryKind.FOLDER and self._box.folder_is_trashed(child.box_id)
        trashed = self._box.file_in_trash(child.box_id) if child.kind is EntryKind.FILE else None
        in_trash = in_trash or trashed is not None
        below = "; with all that is below it" if child.kind is EntryKind.FOLDER else ""
        lost = f"{'it is in the trash' if in_trash else 'Box does not have it any more'}{below}"
        if other is not None:
            named = f"{lost}; a {other.type.replace('_', ' ')} ({other.id}) has its name"
            self._add(replaced_kind(other), child, named, self._editor(other))
            return
        kind = DifferenceKind.TRASHED if in_trash else DifferenceKind.MISSING_IN_BOX
        at = f" since {trashed.trashed_at.isoformat()}" if trashed and trashed.trashed_at else ""
        self._add(kind, child, f"{lost}{at}", trashed)

    def _where(self, parent_id: str | None) -> str:
        if parent_id is None:
            return "a folder that the account does not see"
        access = self._comparison.access
        place = places_of(access.checkpoint, access.plan_id, [parent_id]).get((True, parent_id))
        if place is None:
            return f"a folder that the plan did not make ({parent_id})"
        return f"{place.path!r} ({parent_id})"

    def _renamed(self, child: KeptChild, listed: BoxChild) -> None:
        self._add(DifferenceKind.RENAMED, child, f"is {listed.name!r} in Box", self._editor(listed))

    def _other_content(self, kind: DifferenceKind, child: KeptChild, listed: BoxChild) -> None:
        """Name whose version it is, and an older one as such."""
        words = content_words(child, listed)
        if listed.version_id == child.version_id or listed.version_id is None:
            self._add(kind, child, f"{words}; the version is the one that was sent ({child.version_id})")
            return
        try:
            older = self._box.older_versions(child.box_id)
            version = self._box.version_info(child.box_id, listed.version_id)
            editor = self._box.file_info(child.box_id)
        except ItemError as exc:
            self._add(kind, child, f"{words}; {exc}")
            return
        sent_earlier = {each.sha1 for each in older if each.id != child.version_id}
        if listed.sha1 in sent_earlier or _is_before(listed.version_id, child.version_id):
            kind = DifferenceKind.STALE_VERSION
        found = Difference(
            kind=kind,
            path=self._path(child.name),
            box_id=child.box_id,
            detail=f"{words}; the version is {listed.version_id}, sent was {child.version_id}",
            by=version.author or editor.modified_by,
            at=version.written_at or editor.modified_at,
        )
        self._comparison.add(found)


def _key(box_folder_id: str | None) -> str:
    return f"folder {box_folder_id}"


def _date(child: KeptChild) -> str:
    return date_in_box(child.modified_ns).isoformat() if child.modified_ns is not None else "none"


def _is_before(version_id: str, other: str | None) -> bool:
    """Box numbers versions upwards; where these are no numbers nothing is said."""
    numbers = version_id.isdecimal() and (other or "").isdecimal()
    return numbers and int(version_id) < int(other or "0")

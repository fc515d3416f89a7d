"""Against Box: a manifest's folders and files as Box lists them now; one call per 1,000 entries where they agree."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.box.types import BoxChild
from connectors.entry import EntryKind
from connectors.errors import DestinationGone
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.reconciliation.chain import Chain, followed, read_lines
from flows.reconciliation.checking import check_manifest
from flows.reconciliation.comparing import Suspect, compare_listing
from flows.reconciliation.comparison import WAITING, Comparison
from flows.reconciliation.differences import Difference, DifferenceKind, Ledger
from flows.reconciliation.in_box import FolderLook
from flows.reconciliation.verification import Wanted, document_of, opened
from flows.transfer.outcomes import Outcome, failure_of, outcome_of
from state.kept_records import KeptChild
from state.records import FolderNode, TreeRecord
from state.statuses import ItemStatus


@dataclass
class _Group:
    """One folder of the manifest, with the files that are directly in it."""

    tree: TreeRecord
    path: str
    box_id: str
    box_name: str
    is_root: bool = False
    files: list[KeptChild] = field(default_factory=list)

    @property
    def node(self) -> FolderNode:
        """As a folder of the checkpoint is looked at."""
        return FolderNode(
            id=0,
            tree_id=self.tree.id,
            parent_id=None,
            path=self.path,
            box_name=self.box_name,
            box_folder_id=self.box_id,
        )


@dataclass
class _Open:
    """A folder that was listed, and whose subfolders in the manifest are still to come."""

    group: _Group
    #: Subfolders that Box lists and the manifest has not named yet, by id.
    folders: dict[str, BoxChild]


def verify_manifest_with_box(
    plan: MigrationPlan, manifest: Path, key: Path | None, ledger: Ledger
) -> dict[str, Any]:
    """Check a manifest by itself, then compare what it has as uploaded with Box; the document of a verification.

    What the checkpoint says was put there since is no difference. A manifest that is not whole is not compared.
    """
    checked = check_manifest(manifest, key)
    if not checked["agrees"]:
        return checked
    if checked["plan"] != plan.name:
        raise PlanError(f"--manifest: it is of the plan {checked['plan']!r}, and this one is {plan.name!r}")
    with opened(plan, Wanted(), ledger) as comparison, comparison.stop.telling_the_cause():
        try:
            _compare(comparison, manifest)
        except BaseException:
            comparison.stop.set()
            raise
        comparison.stop.raise_if_stopped()
        found = document_of(comparison, "manifest against box", None)
    return {**found, "signature": checked["signature"], "manifest": str(manifest)}


def _compare(comparison: Comparison, manifest: Path) -> None:
    """Folder by folder in the order of the manifest, many listings in flight.

    Memory: the folders in flight, and the subfolders of those above the one that is compared (P9).
    """
    comparison.ledger.begin("Box, manifest", 0)
    above: list[_Open] = []
    with ThreadPoolExecutor(comparison.threads, thread_name_prefix="comparer") as pool:
        for group, listing in _listed(comparison, pool, manifest):
            comparison.stop.raise_if_stopped()
            _close(comparison, above, group)
            found = _result(comparison, group, listing)
            if not _is_in_sight(comparison, above, group, found) or found is None:
                continue
            above.append(_Open(group, {child.id: child for child in found if child.type == "folder"}))
            _compare_files(comparison, group, [child for child in found if child.type != "folder"])
        _close(comparison, above, None)


def _listed(
    comparison: Comparison, pool: ThreadPoolExecutor, manifest: Path
) -> Iterator[tuple[_Group, Future[list[BoxChild]]]]:
    waiting: deque[tuple[_Group, Future[list[BoxChild]]]] = deque()
    for group in _groups(comparison, manifest):
        waiting.append((group, pool.submit(_list, comparison, group.box_id)))
        if len(waiting) >= WAITING * comparison.threads:
            yield waiting.popleft()
    yield from waiting


def _list(comparison: Comparison, box_id: str) -> list[BoxChild]:
    return list(comparison.access.box.list_folder(box_id, whole=True))


def _groups(comparison: Comparison, manifest: Path) -> Iterator[_Group]:
    """The folders that are in Box by the manifest, each with its files: their lines follow its own."""
    trees = {tree.name: tree for tree in comparison.all_trees}
    box_ids: dict[str, str | None] = {}
    group: _Group | None = None
    tree: str | None = None
    with manifest.open("rb") as file:
        for line in followed(read_lines(file), Chain()):
            if line["type"] == "tree":
                box_ids[line["tree"]] = line["box_id"]
            if line["type"] != "entry":
                continue
            if line["tree"] != tree:
                tree = line["tree"]
                if group is not None:
                    yield group
                group = _root(trees, tree, box_ids[tree])
            is_there = line["status"] == ItemStatus.UPLOADED.value and line["box_id"] is not None
            if line["kind"] == EntryKind.FOLDER.value:
                if group is not None:
                    yield group
                group = _folder(trees[line["tree"]], line) if is_there else None
            elif is_there and group is not None:
                group.files.append(_kept(line))
    if group is not None:
        yield group


def _root(trees: dict[str, TreeRecord], name: str, box_id: str | None) -> _Group | None:
    if name not in trees:
        raise PlanError(f"--manifest: the checkpoint has no tree {name!r}; is it of another plan?")
    if box_id is None:
        return None
    tree = trees[name]
    return _Group(tree=tree, path=tree.source, box_id=box_id, box_name=tree.folder, is_root=True)


def _folder(tree: TreeRecord, line: dict[str, Any]) -> _Group:
    return _Group(tree=tree, path=line["path"], box_id=line["box_id"], box_name=line["box_name"])


def _kept(line: dict[str, Any]) -> KeptChild:
    return KeptChild(
        name=line["path"].rpartition("/")[2],
        kind=EntryKind.FILE,
        box_name=line["box_name"],
        box_id=line["box_id"],
        required=True,
        size=line["size"],
        sha1=line["sha1"],
        version_id=line["box_version_id"],
        modified_ns=line["modified_ns"],
        uploaded_at=datetime.fromisoformat(line["uploaded_at"]) if line["uploaded_at"] else None,
    )


def _close(comparison: Comparison, above: list[_Open], group: _Group | None) -> None:
    """Leave the folders that this one is not in: what Box has in them and nobody named is extra."""
    while above and not (group is not None and _contains(above[-1].group, group)):
        left = above.pop()
        suspects = [
            Suspect(kind=DifferenceKind.EXTRA_IN_BOX, listed=child) for child in left.folders.values()
        ]
        FolderLook(comparison, left.group.tree, left.group.node).tell_extra(suspects)


def _contains(outer: _Group, inner: _Group) -> bool:
    if inner.is_root or outer.tree.id != inner.tree.id:
        return False
    return outer.path == "" or inner.path.startswith(f"{outer.path}/")


def _result(comparison: Comparison, group: _Group, listing: Future[list[BoxChild]]) -> list[BoxChild] | None:
    """The listing; None for a folder that is gone, or that Box does not list, which is told (P11)."""
    try:
        return listing.result()
    except DestinationGone:
        return None
    except Exception as exc:
        if outcome_of(exc) not in (Outcome.FAILED, Outcome.AGAIN):
            raise
        kind, detail = DifferenceKind.UNREADABLE_IN_BOX, failure_of(exc)[1]
        comparison.add(Difference(kind=kind, path=group.path, box_id=group.box_id, detail=detail))
        return None


def _is_in_sight(
    comparison: Comparison, above: list[_Open], group: _Group, found: list[BoxChild] | None
) -> bool:
    """Tell what became of the folder itself; False below one that is out of sight, which is told by itself."""
    if group.is_root:
        if found is None:
            detail = "the tree's own folder, with all that is below it, is out of sight"
            kind = DifferenceKind.MISSING_IN_BOX
            path = group.path or group.tree.name
            comparison.add(Difference(kind=kind, path=path, box_id=group.box_id, detail=detail))
        return True
    if not above or above[-1].group.path != group.path.rpartition("/")[0]:
        return False
    parent = above[-1]
    listed = parent.folders.pop(group.box_id, None)
    kept = KeptChild(
        name=group.path.rpartition("/")[2],
        kind=EntryKind.FOLDER,
        box_name=group.box_name,
        box_id=group.box_id,
        required=True,
    )
    if listed is None or listed.name != group.box_name:
        kind = DifferenceKind.MISSING_IN_BOX if listed is None else DifferenceKind.RENAMED
        look = FolderLook(comparison, group.tree, parent.group.node)
        look.explain(Suspect(kind=kind, kept=kept, listed=listed))
    return True


def _compare_files(comparison: Comparison, group: _Group, listed: list[BoxChild]) -> None:
    look = FolderLook(comparison, group.tree, group.node)
    suspects = list(compare_listing(group.files, listed, dates=comparison.dates))
    for suspect in suspects:
        if suspect.kept is not None:
            look.explain(suspect)
    look.tell_extra([suspect for suspect in suspects if suspect.kept is None])
    size = sum(child.size for child in group.files)
    comparison.ledger.compared(files=len(group.files), folders=1, size=size)

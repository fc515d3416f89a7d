"""What may be removed at the source: a list with proofs, and a script that a person reads and runs. Removes nothing."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from connectors.box.types import BoxChild
from connectors.entry import EntryKind
from connectors.errors import ItemError
from flows.archiving.script import removal_script
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.reporting.files import replacing
from flows.reporting.items import csv_cell, item_row
from flows.sharing.access import Access, budget_held, open_access
from flows.words import counted
from state.records import ItemLine, TreeRecord
from state.reports.lines import item_lines
from state.statuses import ItemStatus, TreeState

log = logging.getLogger(__name__)

COLUMNS = (
    "tree", "path", "size", "modified", "sha1", "box_id", "box_version_id", "uploaded_at", "verified_at",
)  # fmt: skip

#: Why a file of the share is not on the list, though Box once took it.
NOT_IN_ITS_FOLDER = "not in its folder in Box any more"
CHANGED = "another content in Box by now"
OUT_OF_SIGHT = "its folder in Box cannot be listed"
TREE_NOT_COMPLETE = "its tree is not complete"


@dataclass(frozen=True, kw_only=True, slots=True)
class Proven:
    """A file that Box listed just now with the sha1 and size that were read from the source."""

    item: ItemLine
    #: Aware.
    verified_at: datetime


def write_removable(plan: MigrationPlan, out: Path) -> list[Path]:
    """Write the list and, beside it, the script; the two paths. What is left out is counted by reason in the log.

    On it are files that this program read, sent and proved, in trees that are complete, whose folder in Box is listed
    once more now: one call for each 1,000 entries. LeaseHeld while a run uses the account; PlanError before the first
    run and where a file cannot be written. An earlier list stays whole until the new one is.
    """
    paths = [out, out.with_suffix(".sh") if out.suffix != ".sh" else out.with_name(f"{out.name}.sh")]
    left: Counter[str] = Counter()
    with open_access(plan) as opened, budget_held(opened) as access:
        found = _proven(access, left)
        try:
            with replacing(paths) as (table, script):
                count = _write(plan, found, table, script)
        except OSError as exc:
            raise PlanError(f"{out} cannot be written ({exc.strerror or exc})") from exc
    reasons = "".join(f"; {counted(number, 'file')} not: {why}" for why, number in sorted(left.items()))
    log.warning("%s may be removed at the source%s", counted(count, "file"), reasons)
    return paths


def _write(plan: MigrationPlan, found: Iterator[Proven], table_file: TextIO, script_file: TextIO) -> int:
    table = csv.writer(table_file)
    table.writerow(COLUMNS)
    count = 0

    def removals() -> Iterator[tuple[str, str]]:
        nonlocal count
        for each in found:
            row = item_row(each.item) | {"verified_at": each.verified_at.isoformat(timespec="seconds")}
            table.writerow([csv_cell(row[column]) for column in COLUMNS])
            count += 1
            yield each.item.path, each.item.sha1 or ""

    for piece in removal_script(plan.name, removals()):
        script_file.buffer.write(piece)
    return count


def _proven(access: Access, left: Counter[str]) -> Iterator[Proven]:
    """Yield the files that Box holds now as they were sent; count the others by the reason."""
    trees = {tree.name: tree for tree in access.checkpoint.trees(access.plan_id)}
    in_folder = _Folder(access)
    folder_ids: dict[str, str | None] = {}
    for item in item_lines(access.checkpoint, access.plan_id, with_gone=False):
        tree = trees.get(item.tree)
        if tree is None or not _counts(access, tree):
            continue
        if item.kind is EntryKind.FOLDER:
            # A folder's own line comes right before its files.
            folder_ids = {item.path: item.box_id}
        elif item.status is ItemStatus.UPLOADED and item.kind is EntryKind.FILE:
            parent = item.path.rpartition("/")[0]
            folder_id = tree.box_folder_id if parent == tree.source else folder_ids.get(parent)
            why = in_folder.why_not(folder_id, item) if _is_complete(tree) else TREE_NOT_COMPLETE
            if why is None:
                yield Proven(item=item, verified_at=in_folder.listed_at)
            else:
                left[why] += 1


def _counts(access: Access, tree: TreeRecord) -> bool:
    return not access.plan.trees or access.tree_plan(tree) is not None


def _is_complete(tree: TreeRecord) -> bool:
    return tree.state is TreeState.COMPLETE


class _Folder:
    """Box's listing of the folder that was asked for last: files come folder by folder."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._id: str | None = None
        self._files: Mapping[str, BoxChild] | None = {}
        self.listed_at = datetime.now(UTC)

    def why_not(self, folder_id: str | None, item: ItemLine) -> str | None:
        """Return why Box's listing does not prove this file; None where it does."""
        if folder_id is None:
            return OUT_OF_SIGHT
        if folder_id != self._id:
            self._list(folder_id)
        if self._files is None:
            return OUT_OF_SIGHT
        child = self._files.get(item.box_id or "")
        if child is None:
            return NOT_IN_ITS_FOLDER
        same = child.sha1 is not None and (child.sha1, child.size) == (item.sha1, item.size)
        return None if same else CHANGED

    def _list(self, folder_id: str) -> None:
        self._id = folder_id
        try:
            children = list(self._access.box.list_folder(folder_id))
            self._files = {child.id: child for child in children if child.type == "file"}
        except ItemError:
            self._files = None
        self.listed_at = datetime.now(UTC)

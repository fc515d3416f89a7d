"""Choosing: what a run with filters sends of its trees. The walk is whole, so that facts stay facts: what is left out
stays pending, what was uploaded stays uploaded, nothing is gone that is there, and nothing goes to the trash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from connectors.box.refused_alike import way_of
from connectors.errors import PermissionMissing, WayRefused
from flows.errors import PlanError
from flows.plan.changes import Deletions
from flows.plan.filters import FilterPlan, FilterRules
from flows.run.leases import Part
from flows.transfer.migration import Migration
from flows.words import counted, size_words
from state.records import ClaimedItem, TreeRecord

#: What is said where a process that only sends found that Box refuses one way of sending.
REFUSED_TO_SENDERS = (
    "Box takes no new files, new versions or upload sessions, whatever they are, from a process that sends for this"
    " one, whose log says which; ask a Box admin what forbids it, then run again, and boxhaul retry for the files that"
    " it had refused by then"
)


def require_alone(filters: FilterPlan | None, *, workers: int, checksum: bool) -> None:
    """PlanError where filters of a run are asked for together with what does not know them."""
    if filters is None:
        return
    if workers > 0:
        raise PlanError("--workers: a run with filters sends by itself; leave one of them out")
    if checksum:
        raise PlanError("--checksum: a run with filters cannot read every file again; leave one of them out")


def choose(migration: Migration, filters: FilterPlan | None) -> None:
    """Send only what these filters let through in this run."""
    if filters is None:
        return
    rules = migration.filters = FilterRules(filters)

    def chosen(item: ClaimedItem) -> bool:
        if rules.takes(item.path, item.size, item.modified_ns):
            return True
        migration.progress.leave_out(item.size)
        return False

    migration.claims.choose(chosen, migration.stop.is_set)


def revive_chosen(migration: Migration) -> None:
    """Try again what failed and is let through, as a run without filters does with all of it; folders in any case."""
    if migration.filters is None:
        return
    checkpoint, takes = migration.checkpoint, migration.filters.takes
    checkpoint.revive_folders(migration.tree_ids, worker=migration.worker)
    for tree_id in migration.tree_ids:
        after = 0
        while failed := checkpoint.failed_files(tree_id, after=after):
            after = failed[-1].id
            again = [file.id for file in failed if takes(file.path, file.size, file.modified_ns)]
            checkpoint.revive_files(again, worker=migration.worker)


def leave_out_refused(migration: Migration, error: WayRefused) -> None:
    """Send nothing more in this way in this run: what waits for it stays pending, and the others go on (P11)."""
    before, refused = migration.claims.chosen, migration.refused_ways
    is_first = not refused
    refused.setdefault(error.way, str(error))
    if not is_first:
        return
    limit = migration.box.config.direct_upload_limit_bytes

    def chosen(item: ClaimedItem) -> bool:
        if way_of(item.box_file_id, large=item.size >= limit) not in refused:
            return before is None or before(item)
        migration.progress.leave_out(item.size)
        return False

    migration.claims.choose(chosen, migration.stop.is_set)


def require_no_way_refused(migration: Migration) -> None:
    """PermissionMissing, once all else is sent, where Box refuses one way of sending, here or to whoever sends for
    this process: nothing else is set aside where several send."""
    if migration.refused_ways:
        raise PermissionMissing("; ".join(migration.refused_ways.values()))
    if migration.part is Part.CONDUCTING and migration.checkpoint.has_files_set_aside(migration.tree_ids):
        raise PermissionMissing(REFUSED_TO_SENDERS)


def sent_whole(migration: Migration, trees: Sequence[TreeRecord]) -> Sequence[TreeRecord]:
    """Return those of these trees of which this run leaves nothing out."""
    files, _ = migration.claims.left_out
    return [tree for tree in trees if not files[tree.id]]


def left_out_of(migration: Migration, tree: TreeRecord) -> str | None:
    """Say how much of the tree this run leaves out; None for nothing."""
    files, sizes = migration.claims.left_out
    return f"{counted(files[tree.id], 'file')}, {size_words(sizes[tree.id])}" if files[tree.id] else None


def left_out(migration: Migration) -> dict[str, Any]:
    """Return what of the run's summary says how much it left out."""
    files, sizes = migration.claims.left_out
    return {"left_out": {"files": files.total(), "bytes": sizes.total()}}


def left_out_words(files: int, size: int) -> str:
    """Say how much a run's filters left out."""
    return f"{counted(files, 'file')} ({size_words(size)}) left out by the filters of the run"


def left_out_lines(left: Mapping[str, int], deletions: Deletions, plan_file: Path) -> Iterator[str]:
    """Yield what a run with filters did not do, and a run without them does, for a person."""
    if left["files"]:
        yield f"{left_out_words(left['files'], left['bytes'])}; without them: boxhaul migrate {plan_file}"
    if deletions is not Deletions.KEEP:
        yield "what is gone from the share stays in Box as it is: a run with filters follows no deletions"

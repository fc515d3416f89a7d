"""Reports: what a plan looks like, read-only and streamed. Form and files are the business of others."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, case, func, select

from connectors.entry import EntryKind
from state.database.models import (
    FOLDER_FAILED,
    FOLDER_IS_RENAMED,
    ITEM_FAILED,
    ITEM_IS_RENAMED,
    Event,
    Folder,
    Item,
    Pass,
    Plan,
)
from state.records import CollaborationRecord, Counts, EventLine, ItemLine, TreeReport
from state.statements.base import ROWS_PER_STATEMENT
from state.statuses import CollaborationStatus, ItemStatus

if TYPE_CHECKING:
    from state.checkpoint import Checkpoint

#: Folders whose items are read by one query.
FOLDERS_PER_QUERY = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderSums:
    """One folder of the source and the files directly in it."""

    tree: str
    path: str
    files: int
    #: Bytes.
    size: int
    #: From the first file that arrived to the last one; None while nothing has.
    upload_time: timedelta | None


def plan_status(checkpoint: Checkpoint, plan_id: int) -> dict[str, Any]:
    """The status document of a plan (DESIGN §2) without its forecast; fits into JSON.

    "pass" is the number of the running pass, else of the latest one, from 1, else None; "pass_kind" and "pass_state"
    say more of it. "source_url" is fit to be shown.
    """
    calls = checkpoint.call_counts(plan_id)
    query = select(Plan.name, Plan.owner, Plan.source_url).where(Plan.id == plan_id)
    plan = checkpoint._database.read(lambda connection: connection.execute(query).one())
    return {
        "plan": plan.name,
        "owner": plan.owner,
        "source_url": plan.source_url,
        **_latest_pass(checkpoint, plan_id),
        "trees": [
            tree_status(checkpoint.tree_report(tree.id), let_in=_let_in(checkpoint, tree.id))
            for tree in checkpoint.trees(plan_id)
        ],
        "calls": {"total": sum(calls.values()), "by_route": calls},
    }


def tree_status(report: TreeReport, *, let_in: int) -> dict[str, Any]:
    """One tree in the status document; `let_in`: how many people and groups may see it, or are invited to."""
    tree, items = report.tree, report.items
    return {
        "name": tree.name,
        "source": tree.source,
        "state": tree.state.value,
        "incomplete_reason": None if tree.incomplete_reason is None else tree.incomplete_reason.value,
        "detail": tree.detail,
        "box_folder_id": tree.box_folder_id,
        "items": _item_counts(items),
        "bytes": {"total": items.bytes_total, "uploaded": items.bytes_uploaded},
        "collaborators": [_collaborator(record) for record in report.collaborations],
        "let_in": let_in,
        "shared_link": tree.shared_link,
        "failures_by_reason": report.failures_by_reason,
    }


def item_lines(checkpoint: Checkpoint, plan_id: int, *, with_missing: bool = False) -> Iterator[ItemLine]:
    """Every entry of the plan, streamed: tree by tree; in each, a folder's own line, then what is in it by name, then
    its subfolders by name in the same way.

    What is MISSING is left out unless asked for. A tree's root, which is no entry of it, has a line only when it
    FAILED. Memory: a group of folders and the path to them, whatever the size of the share. Each group is read at
    another moment, so a plan that runs meanwhile may show an entry as it was or as it is.
    """
    unwanted = () if with_missing else (ItemStatus.MISSING,)
    for tree in checkpoint.trees(plan_id):
        folders = _folders_in_order(checkpoint, tree.root_folder_id)
        while group := [folder for _, folder in zip(range(FOLDERS_PER_QUERY), folders, strict=False)]:
            yield from _lines_of_group(checkpoint, tree.name, group, unwanted)


def failures(checkpoint: Checkpoint, plan_id: int) -> Iterator[ItemLine]:
    """What FAILED, streamed: tree by tree, folders first, then in no particular order."""
    for tree in checkpoint.trees(plan_id):
        folders = select(*_FOLDER_COLUMNS).where(Folder.tree_id == tree.id, FOLDER_FAILED)
        items = _items_with_folder().where(Item.tree_id == tree.id, ITEM_FAILED)
        yield from _stream(checkpoint, tree.name, folders, items)


def failures_by_reason(checkpoint: Checkpoint, plan_id: int) -> dict[str, int]:
    """How many FAILED for which reason in the whole plan, the most frequent first."""
    sums: dict[str, int] = {}
    for tree in checkpoint.trees(plan_id):
        for reason, count in checkpoint.tree_report(tree.id).failures_by_reason.items():
            sums[reason] = sums.get(reason, 0) + count
    return dict(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])))


def renames(checkpoint: Checkpoint, plan_id: int) -> Iterator[ItemLine]:
    """What Box has, or will get, under another name than the source, streamed: tree by tree, folders first."""
    in_sight = Item.status.not_in((ItemStatus.MISSING, ItemStatus.EXCLUDED))
    for tree in checkpoint.trees(plan_id):
        folders = select(*_FOLDER_COLUMNS).where(
            Folder.tree_id == tree.id,
            FOLDER_IS_RENAMED,
            Folder.parent_id.is_not(None),
            Folder.status.not_in((ItemStatus.MISSING, ItemStatus.EXCLUDED)),
        )
        items = _items_with_folder().where(Item.tree_id == tree.id, ITEM_IS_RENAMED, in_sight)
        yield from _stream(
            checkpoint, tree.name, folders.order_by(Folder.id), items.order_by(Item.folder_id, Item.id)
        )


def biggest_folders(checkpoint: Checkpoint, plan_id: int, *, limit: int = 20) -> list[FolderSums]:
    """The folders with the most bytes directly in them. Reads every item of the plan once."""
    return heapq.nlargest(limit, _folder_sums(checkpoint, plan_id), key=lambda sums: (sums.size, sums.files))


def slowest_folders(checkpoint: Checkpoint, plan_id: int, *, limit: int = 20) -> list[FolderSums]:
    """The folders whose files took longest from the first to the last. Reads every item of the plan once."""
    timed = (sums for sums in _folder_sums(checkpoint, plan_id) if sums.upload_time is not None)
    return heapq.nlargest(limit, timed, key=lambda sums: sums.upload_time or timedelta())


def events(checkpoint: Checkpoint, plan_id: int) -> Iterator[EventLine]:
    """The plan's diary, streamed, oldest first."""
    query = select(Event.at, Event.kind, Event.tree_id, Event.detail).where(Event.plan_id == plan_id)
    with checkpoint._database.reading() as connection:
        for row in checkpoint._stream(connection, query.order_by(Event.at, Event.id)):
            yield EventLine(at=row.at, kind=row.kind, tree_id=row.tree_id, detail=row.detail)


def _let_in(checkpoint: Checkpoint, tree_id: int) -> int:
    """Also those whom the plan does not name any more, and those whose new role Box refused: they are in."""
    return sum(
        record.status is not CollaborationStatus.REJECTED
        and (
            record.box_collaboration_id is not None
            or record.status in (CollaborationStatus.ACCEPTED, CollaborationStatus.PENDING)
        )
        for record in checkpoint.all_collaborations(tree_id)
    )


def _item_counts(counts: Counts) -> dict[str, int]:
    return {
        "total": counts.total,
        "uploaded": counts.uploaded,
        "failed": counts.failed,
        "excluded": counts.excluded,
        "waived": counts.waived,
        "pending": counts.pending,
    }


def _collaborator(record: CollaborationRecord) -> dict[str, Any]:
    spec = record.spec
    named = {"login": spec.login, "user_id": spec.user_id, "group": spec.group, "group_id": spec.group_id}
    named |= {"app_user": spec.app_user}
    who = {name: value for name, value in named.items() if value is not None}
    return {**who, "role": spec.role, "status": record.status.value}


def _latest_pass(checkpoint: Checkpoint, plan_id: int) -> dict[str, Any]:
    def latest(connection: Connection) -> dict[str, Any]:
        query = select(Pass.kind, Pass.state).where(Pass.plan_id == plan_id).order_by(Pass.id.desc())
        passes = connection.execute(query).all()
        if not passes:
            return {"pass": None, "pass_kind": None, "pass_state": None}
        return {"pass": len(passes), "pass_kind": passes[0].kind, "pass_state": passes[0].state}

    return checkpoint._database.read(latest)


_FOLDER_COLUMNS = (
    Folder.id,
    Folder.parent_id,
    Folder.name,
    Folder.path,
    Folder.box_name,
    Folder.status,
    Folder.reason,
    Folder.detail,
    Folder.box_folder_id,
    Folder.waived_by,
    Folder.waived_why,
    Folder.waived_at,
)

_ITEM_COLUMNS = (
    Item.folder_id,
    Item.name,
    Item.kind,
    Item.box_name,
    Item.status,
    Item.reason,
    Item.detail,
    Item.size,
    Item.sha1,
    Item.box_file_id,
    Item.box_version_id,
    Item.note,
    Item.modified_ns,
    Item.uploaded_at,
    Item.attempts,
    Item.waived_by,
    Item.waived_why,
    Item.waived_at,
)


def _items_with_folder() -> Any:
    return select(*_ITEM_COLUMNS, Folder.path.label("folder_path")).join(Folder, Folder.id == Item.folder_id)


def _folders_in_order(checkpoint: Checkpoint, root_id: int) -> Iterator[Any]:
    """The root and every folder below it, depth first, siblings by name; memory: one page of siblings per level."""
    root = select(*_FOLDER_COLUMNS).where(Folder.id == root_id)
    stack = [iter(checkpoint._database.read(lambda connection: connection.execute(root).all()))]
    while stack:
        folder = next(stack[-1], None)
        if folder is None:
            stack.pop()
            continue
        yield folder
        stack.append(_subfolders(checkpoint, folder.id))


def _subfolders(checkpoint: Checkpoint, parent_id: int) -> Iterator[Any]:
    after: str | None = None
    while True:
        query = select(*_FOLDER_COLUMNS).where(Folder.parent_id == parent_id)
        query = query if after is None else query.where(Folder.name > after)
        page = query.order_by(Folder.name).limit(ROWS_PER_STATEMENT)
        rows = checkpoint._database.read(lambda connection, page=page: connection.execute(page).all())  # type: ignore[misc]
        yield from rows
        if len(rows) < ROWS_PER_STATEMENT:
            return
        after = rows[-1].name


def _lines_of_group(
    checkpoint: Checkpoint, tree: str, group: Sequence[Any], unwanted: Sequence[ItemStatus]
) -> Iterator[ItemLine]:
    """The lines of these folders and of what is in them; the database sorts, so that nothing piles up here."""
    position = case({folder.id: number for number, folder in enumerate(group)}, value=Item.folder_id)
    wanted = and_(Item.folder_id.in_([folder.id for folder in group]), Item.status.not_in(unwanted))
    query = _items_with_folder().where(wanted).order_by(position, Item.name)
    waiting = list(reversed(group))
    written: int | None = None
    with checkpoint._database.reading() as connection:
        for row in checkpoint._stream(connection, query):
            while written != row.folder_id:
                written = waiting[-1].id
                yield from _own_line(tree, waiting.pop(), unwanted)
            yield _item_line(tree, row)
    for folder in reversed(waiting):
        yield from _own_line(tree, folder, unwanted)


def _own_line(tree: str, folder: Any, unwanted: Sequence[ItemStatus]) -> Iterator[ItemLine]:
    is_quiet_root = folder.parent_id is None and folder.status != ItemStatus.FAILED
    if not is_quiet_root and folder.status not in unwanted:
        yield _folder_line(tree, folder)


def _stream(checkpoint: Checkpoint, tree: str, folders: Any, items: Any) -> Iterator[ItemLine]:
    with checkpoint._database.reading() as connection:
        for row in checkpoint._stream(connection, folders):
            yield _folder_line(tree, row)
    with checkpoint._database.reading() as connection:
        for row in checkpoint._stream(connection, items):
            yield _item_line(tree, row)


def _folder_line(tree: str, row: Any) -> ItemLine:
    return ItemLine(
        tree=tree,
        path=row.path,
        kind=EntryKind.FOLDER,
        status=ItemStatus(row.status),
        reason=row.reason,
        detail=row.detail,
        size=0,
        sha1=None,
        box_id=row.box_folder_id,
        box_version_id=None,
        box_name=row.box_name,
        renamed=row.box_name != row.name,
        modified_ns=None,
        uploaded_at=None,
        attempts=0,
        waived_by=row.waived_by,
        waived_why=row.waived_why,
        waived_at=row.waived_at,
    )


def _item_line(tree: str, row: Any) -> ItemLine:
    return ItemLine(
        tree=tree,
        path=f"{row.folder_path}/{row.name}" if row.folder_path else row.name,
        kind=EntryKind(row.kind),
        status=ItemStatus(row.status),
        reason=row.reason,
        detail=row.detail,
        size=row.size,
        sha1=row.sha1,
        box_id=row.box_file_id,
        box_version_id=row.box_version_id,
        note=row.note,
        box_name=row.name if row.box_name is None else row.box_name,
        renamed=row.box_name is not None,
        modified_ns=row.modified_ns,
        uploaded_at=row.uploaded_at,
        attempts=row.attempts,
        waived_by=row.waived_by,
        waived_why=row.waived_why,
        waived_at=row.waived_at,
    )


def _folder_sums(checkpoint: Checkpoint, plan_id: int) -> Iterator[FolderSums]:
    in_sight = and_(Item.kind == EntryKind.FILE, Item.status != ItemStatus.MISSING)
    for tree in checkpoint.trees(plan_id):
        sums = (
            select(
                Item.folder_id,
                func.count().label("files"),
                func.sum(Item.size).label("size"),
                func.min(Item.uploaded_at).label("first"),
                func.max(Item.uploaded_at).label("last"),
            )
            .where(Item.tree_id == tree.id, in_sight)
            .group_by(Item.folder_id)
            .subquery()
        )
        query = select(Folder.path, sums).join(sums, sums.c.folder_id == Folder.id)
        with checkpoint._database.reading() as connection:
            for row in checkpoint._stream(connection, query):
                time = None if row.first is None else row.last - row.first
                size = int(row.size)
                yield FolderSums(tree=tree.name, path=row.path, files=row.files, size=size, upload_time=time)

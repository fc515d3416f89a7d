"""Watching: how far Box's events were read, what was found in them and in the share, and what of it was told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, case, delete, func, select, update

from state.database.history import Event, Watch, WatchedEvent
from state.database.models import FOLDER_IS_IN_BOX, ITEM_IS_IN_BOX, Folder, Item, Pass, Tree
from state.records import EventLine
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks, insert_into
from state.statements.events import add_event
from state.statements.messages import wait_to_be_told
from state.statuses import EventKind
from state.watch_records import InBox, ShareFinding, WatchFinding, WatchPlace

#: The kinds of events that a watch makes.
WATCHED = (
    EventKind.PEOPLE_CHANGED,
    EventKind.ACCESS_CHANGED,
    EventKind.DOWNLOADED,
    EventKind.CHANGED_IN_SHARE,
)

#: How a mark of what was seen in the share begins, among the ids of Box's events.
_SHARE = "share "

#: Findings that are told before it is written down that they were.
TOLD_AT_ONCE = 200


class WatchingStatements(Statements):
    """The place in Box's events, findings, and what was told."""

    def watch_place(self, plan_id: int) -> WatchPlace | None:
        """Return how far this plan has read; None before the first time."""
        query = select(Watch.stream, Watch.position, Watch.seen_until).where(Watch.plan_id == plan_id)
        row = self.database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        return WatchPlace(stream=row.stream, position=row.position, seen_until=row.seen_until)

    def known_events(self, plan_id: int, event_ids: Iterable[str]) -> set[str]:
        """Return those of these events of Box that findings were made of already."""

        def known(connection: Connection) -> set[str]:
            found = set[str]()
            for chunk in in_chunks(sorted(event_ids), IDS_PER_STATEMENT):
                query = select(WatchedEvent.event_id).where(WatchedEvent.plan_id == plan_id)
                found.update(connection.execute(query.where(WatchedEvent.event_id.in_(chunk))).scalars())
            return found

        return self.database.read(known)

    def found_in_box(self, plan_id: int, box_ids: Iterable[str]) -> dict[tuple[str, str], InBox]:
        """Return what of these ids this plan has in Box: ("file" or "folder", id) → the entry of the source."""

        def found(connection: Connection) -> dict[tuple[str, str], InBox]:
            holders: dict[tuple[str, str], InBox] = {}
            for chunk in in_chunks(sorted(set(box_ids)), IDS_PER_STATEMENT):
                files = _FILES.where(Item.box_plan_id == plan_id, Item.box_file_id.in_(chunk))
                folders = _FOLDERS.where(Folder.box_plan_id == plan_id, Folder.box_folder_id.in_(chunk))
                holders |= {("file", row.box_file_id): _file(row) for row in connection.execute(files)}
                holders |= {
                    ("folder", row.box_folder_id): _folder(row) for row in connection.execute(folders)
                }
            return holders

        return self.database.read(found)

    def record_watched(self, plan_id: int, place: WatchPlace, findings: Sequence[WatchFinding]) -> None:
        """Write down how far was read and what was found, in this order and in one transaction.

        A finding of an event that is known already is left out, so that a repeat changes nothing.
        """

        def record(connection: Connection) -> None:
            now = self.now(connection)
            for finding in findings:
                key = {"plan_id": plan_id, "event_id": finding.event_id}
                insert = insert_into(connection, WatchedEvent).values(key).on_conflict_do_nothing()
                if connection.execute(insert.returning(WatchedEvent.event_id)).first() is not None:
                    detail = _detail(finding)
                    add_event(connection, now, plan_id, finding.kind, detail, tree_id=finding.tree_id)
            here: dict[str, Any] = {"stream": place.stream, "position": place.position}
            here |= {"seen_until": place.seen_until, "read_at": now}
            write = insert_into(connection, Watch).values(plan_id=plan_id, **here)
            connection.execute(write.on_conflict_do_update(index_elements=["plan_id"], set_=here))

        self.database.write(record)

    def last_pass(self, plan_id: int) -> int | None:
        """Return the number of the last pass, which it keeps when it is continued; None before the first one."""
        query = select(func.coalesce(Pass.first_id, Pass.id)).where(Pass.plan_id == plan_id)
        newest = query.order_by(Pass.id.desc()).limit(1)
        return self.database.read(lambda connection: connection.execute(newest).scalar_one_or_none())

    def seen_in_share(self, plan_id: int, pass_id: int, marks: Collection[str]) -> set[str]:
        """Return those of these marks that were written down since this pass began."""
        known = self.known_events(plan_id, [_share_mark(pass_id, mark) for mark in marks])
        return {mark for mark in marks if _share_mark(pass_id, mark) in known}

    def record_seen_in_share(
        self, plan_id: int, pass_id: int, marks: Sequence[str], findings: Sequence[ShareFinding]
    ) -> None:
        """Write down what was seen in the share since this pass, with its marks, in one transaction.

        marks: further ones, of which nothing is told. Those of earlier passes go: what a pass left as it was may be
        told once more.
        """
        older = delete(WatchedEvent).where(
            WatchedEvent.plan_id == plan_id,
            WatchedEvent.event_id.startswith(_SHARE),
            WatchedEvent.event_id.not_like(f"{_share_mark(pass_id, '')}%"),
        )

        def record(connection: Connection) -> None:
            now = self.now(connection)
            connection.execute(older)
            every = [*marks, *(mark for finding in findings for mark in finding.marks)]
            for chunk in in_chunks(every, IDS_PER_STATEMENT):
                rows = [{"plan_id": plan_id, "event_id": _share_mark(pass_id, mark)} for mark in chunk]
                insert = insert_into(connection, WatchedEvent).values(rows)
                connection.execute(insert.on_conflict_do_nothing())
            for finding in findings:
                detail = _share_detail(finding, pass_id)
                add_event(
                    connection, now, plan_id, EventKind.CHANGED_IN_SHARE, detail, tree_id=finding.tree_id
                )

        self.database.write(record)

    def untold_findings(self, plan_id: int, after: int = 0) -> list[tuple[int, EventLine]]:
        """Return the next findings that were not told yet, each with its number, in the order of writing.

        `after`: none up to this number.
        """
        told = select(Watch.told_id).where(Watch.plan_id == plan_id).scalar_subquery()
        query = (
            select(Event.id, Event.at, Event.kind, Event.tree_id, Event.detail)
            .where(Event.plan_id == plan_id, Event.id > told, Event.id > after, Event.kind.in_(WATCHED))
            .order_by(Event.id)
            .limit(TOLD_AT_ONCE)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return [
            (row.id, EventLine(at=row.at, kind=row.kind, tree_id=row.tree_id, detail=row.detail))
            for row in rows
        ]

    def record_told(
        self, plan_id: int, number: int, *, by: str = "", messages: Sequence[str] = ()
    ) -> list[int]:
        """Everything up to the finding of this number was told; never goes back.

        `messages`: what people are to be told of it besides, and `by` what; return the numbers of these lines.
        """
        later = case((Watch.told_id < number, number), else_=Watch.told_id)
        told = update(Watch).where(Watch.plan_id == plan_id).values(told_id=later)

        def record(connection: Connection) -> list[int]:
            connection.execute(told)
            now = self.now(connection)
            return [wait_to_be_told(connection, now, plan_id, by, text) for text in messages]

        return self.database.write(record)


_FILES = (
    select(
        Item.box_file_id, Item.name, Item.adopted, Item.uploaded_at, Folder.path, Tree.id, Tree.name.label("tree"),
        Tree.begun_at,
    )
    .join(Folder, Folder.id == Item.folder_id)
    .join(Tree, Tree.id == Item.tree_id)
    .where(ITEM_IS_IN_BOX)
)  # fmt: skip

_FOLDERS = (
    select(Folder.box_folder_id, Folder.path, Tree.id, Tree.name.label("tree"), Tree.begun_at)
    .join(Tree, Tree.id == Folder.tree_id)
    .where(FOLDER_IS_IN_BOX)
)


def _file(row: Any) -> InBox:
    return InBox(
        tree_id=row.id,
        tree=row.tree,
        begun_at=row.begun_at,
        path=f"{row.path}/{row.name}" if row.path else row.name,
        adopted_at=row.uploaded_at if row.adopted else None,
    )


def _folder(row: Any) -> InBox:
    return InBox(tree_id=row.id, tree=row.tree, begun_at=row.begun_at, path=row.path)


def _share_mark(pass_id: int, mark: str) -> str:
    return f"{_SHARE}{pass_id} {mark}"


def _share_detail(finding: ShareFinding, pass_id: int) -> dict[str, Any]:
    return {
        "what": finding.what,
        "path": finding.path,
        "detail": finding.detail,
        "count": finding.count,
        "names": list(finding.names),
        # Nobody says who did it.
        "by": "",
        "at": finding.at.isoformat(timespec="seconds"),
        "tree": finding.tree,
        "since_pass": pass_id,
        "event_id": _share_mark(pass_id, finding.marks[0]),
    }


def _detail(finding: WatchFinding) -> dict[str, Any]:
    return {
        "what": finding.what,
        "path": finding.path,
        "detail": finding.detail,
        "by": finding.by,
        "by_id": finding.by_id,
        "at": finding.at.isoformat(timespec="seconds"),
        "tree": finding.tree,
        "box_id": finding.box_id,
        "event_id": finding.event_id,
    }

"""Passes: begun, continued, ended, and what failed tried again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, case, func, select, update

from state.database.models import FOLDER_FAILED, ITEM_FAILED, PASS_IS_RUNNING, Folder, Item, Pass, Tree
from state.records import WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks, insert_into
from state.statements.digests import forget_listings_of_folders, forget_listings_of_items
from state.statuses import INVENTORY, PERMANENT_REASONS, QUICK, ItemStatus, PassState

#: What a folder is once nothing is wrong with it any more.
HEALED_FOLDER = case((Folder.box_folder_id.is_not(None), ItemStatus.UPLOADED), else_=ItemStatus.PENDING)

#: Where the summary of a pass that runs names the trees that whoever only sends may take from.
OPEN_TREES = "open_trees"

#: Where it names the trees whose failures were tried again in this pass.
REVIVED = "revived"


class PassStatements(Statements):
    """Passes and retries."""

    def begin_pass(
        self,
        plan_id: int,
        *,
        kind: str,
        rules: str = "",
        revive_in: Sequence[int] | None = None,
        worker: WorkerLease | None = None,
    ) -> int:
        """Continue the RUNNING pass of this plan when there is one, else open a new one, in which FAILED entries of
        retryable kinds become PENDING again with all their attempts.

        Either way the frontier is every folder again: what was walked before may have changed. Returns the id of this
        walk. `rules`: digest of what decides which entries move. A pass that walked by other rules ends, INCOMPLETE;
        so does a whole one where a QUICK one begins, and the other way round; an INVENTORY is continued by none.
        `revive_in`: ids of the trees whose failures are tried again, once in a pass; the others keep theirs. None: of
        every tree. LostLease when the worker was taken over.
        """

        def begin(connection: Connection) -> int:
            query = select(Pass.id, Pass.first_id, Pass.kind, Pass.rules, Pass.summary)
            query = query.where(Pass.plan_id == plan_id, PASS_IS_RUNNING)
            running = connection.execute(query.with_for_update()).one_or_none()
            now = self.now(connection)
            if running is not None:
                ended = {"state": PassState.INCOMPLETE, "ended_at": now}
                connection.execute(update(Pass).where(Pass.id == running.id).values(ended))
            same = running is not None and (running.rules, _sort(running.kind)) == (rules, _sort(kind))
            trees = _tree_ids(connection, plan_id) if revive_in is None else revive_in
            revived = running.summary.get(REVIVED, []) if running is not None and same else []
            values: dict[str, Any] = {
                "plan_id": plan_id,
                "first_id": (running.first_id or running.id) if running is not None and same else None,
                "kind": kind,
                "rules": rules,
                "state": PassState.RUNNING,
                "started_at": now,
                "summary": {REVIVED: sorted({*revived, *trees})},
            }
            # Two processes may get here at once; the unique index lets one row in.
            connection.execute(insert_into(connection, Pass).on_conflict_do_nothing(), values)
            to_revive = sorted(set(trees).difference(revived))
            _revive_failures(connection, plan_id, permanent_too=False, reason=None, tree_ids=to_revive)
            begun = running_pass(connection, plan_id)
            assert begun is not None  # noqa: S101  (just inserted)
            return begun

        return self.write_as(worker, begin)

    def continues(self, pass_id: int, earlier_id: int) -> bool:
        """True when both are walks of one pass."""
        first = func.coalesce(Pass.first_id, Pass.id)
        query = select(func.count(first.distinct())).where(Pass.id.in_((pass_id, earlier_id)))
        return self.database.read(lambda connection: connection.execute(query).scalar_one()) == 1

    def current_pass(self, plan_id: int) -> int | None:
        """The RUNNING pass, or None."""
        return self.database.read(lambda connection: running_pass(connection, plan_id))

    def open_trees(self, pass_id: int, tree_ids: Sequence[int], *, worker: WorkerLease | None = None) -> None:
        """From now on whoever only sends for this pass takes files of these trees, in place of those named before."""

        def open_them(connection: Connection) -> None:
            this = select(Pass.summary).where(Pass.id == pass_id).with_for_update()
            summary = connection.execute(this).scalar_one() | {OPEN_TREES: list(tree_ids)}
            connection.execute(update(Pass).where(Pass.id == pass_id).values(summary=summary))

        self.write_as(worker, open_them)

    def opened_trees(self, pass_id: int) -> frozenset[int]:
        """What open_trees() said last; empty before, and when the pass is over."""
        query = select(Pass.summary).where(Pass.id == pass_id, PASS_IS_RUNNING)
        summary = self.database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return frozenset((summary or {}).get(OPEN_TREES, ()))

    def end_pass(
        self,
        pass_id: int,
        state: PassState,
        *,
        summary: Mapping[str, Any],
        worker: WorkerLease | None = None,
    ) -> None:
        """The pass is over; the next `begin_pass` opens a new one. `summary` must fit into JSON.

        LostLease when the worker was taken over: the pass is another one's by now, and goes on.
        """
        self.write_as(
            worker,
            lambda connection: connection.execute(
                update(Pass)
                .where(Pass.id == pass_id)
                .values(state=state, ended_at=self.now(connection), summary=dict(summary))
            ),
        )

    def retry_failures(
        self,
        plan_id: int,
        *,
        reason: str | None = None,
        tree_ids: Sequence[int] | None = None,
        worker: WorkerLease | None = None,
    ) -> int:
        """FAILED items (of one reason, of these trees) → PENDING; how many, folders included."""
        return self.write_as(
            worker,
            lambda connection: _revive_failures(
                connection, plan_id, permanent_too=True, reason=reason, tree_ids=tree_ids
            ),
        )


def _sort(kind: str) -> str:
    """What of a pass's kind tells whether another one may go on with it."""
    return kind if kind in (QUICK, INVENTORY) else ""


def running_pass(connection: Connection, plan_id: int) -> int | None:
    """The RUNNING pass of the plan, or None."""
    query = select(Pass.id).where(Pass.plan_id == plan_id, PASS_IS_RUNNING)
    return connection.execute(query).scalar_one_or_none()


def _revive_failures(
    connection: Connection,
    plan_id: int,
    *,
    permanent_too: bool,
    reason: str | None,
    tree_ids: Sequence[int] | None = None,
) -> int:
    """FAILED → what they were before, with all their attempts again; how many."""
    revived = 0
    ids = _tree_ids(connection, plan_id) if tree_ids is None else tree_ids
    for chunk in in_chunks(ids, IDS_PER_STATEMENT):
        items = update(Item).where(Item.tree_id.in_(chunk), ITEM_FAILED)
        folders = update(Folder).where(Folder.tree_id.in_(chunk), FOLDER_FAILED)
        if reason is not None:
            items, folders = items.where(Item.reason == reason), folders.where(Folder.reason == reason)
        if not permanent_too:
            items = items.where(Item.reason.not_in(PERMANENT_REASONS))
            folders = folders.where(Folder.reason.not_in(PERMANENT_REASONS))
        forget_listings_of_items(connection, Item.tree_id.in_(chunk), ITEM_FAILED)
        forget_listings_of_folders(connection, Folder.tree_id.in_(chunk), FOLDER_FAILED)
        # `in_box` items keep it: Box holds this content, a sender adopts it.
        items = items.values(status=ItemStatus.PENDING, attempts=0, reason=None, detail=None)
        # A folder that could not be listed is listed again, in this very pass.
        folders = folders.values(
            status=HEALED_FOLDER,
            walked_pass=case((Folder.unlisted, 0), else_=Folder.walked_pass),
            reason=None,
            detail=None,
        )
        revived += connection.execute(items).rowcount + connection.execute(folders).rowcount
    return revived


def _tree_ids(connection: Connection, plan_id: int) -> list[int]:
    query = select(Tree.id).where(Tree.plan_id == plan_id).order_by(Tree.id)
    return list(connection.execute(query).scalars())

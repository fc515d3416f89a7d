"""Uploader app users: let into a tree's folder while it uploads, out when it completes; made, listed and retired.

What Box says: its limits are per user and its staff have advised to spread a load over several; its licence warns of
tools meant to get around controls. So they are off by default, and a person decides.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.box.destination import BoxDestination
from connectors.box.types import Account, Invitee
from connectors.errors import DestinationGone, NotFound
from flows.errors import PlanError
from state.checkpoint import Checkpoint

if TYPE_CHECKING:
    from flows.plan.model import MigrationPlan

#: More than this many at once is a slip of the finger: 50 send 17 million files a day.
MAX_AT_ONCE = 50

ROLE = "editor"


class TreeEditors:
    """Makes uploaders editors of a tree's folder before they send, and takes them out again. Safe for threads.

    Who may be inside is written down before the first is let in, so that a kill leaves nobody behind: whoever
    completes the tree removes all that are written down.
    """

    def __init__(self, checkpoint: Checkpoint, box: BoxDestination) -> None:
        self._checkpoint = checkpoint
        self._box = box
        self._lock = threading.Lock()
        #: Trees whose folder they can write to, each with the folder: one that is made anew is another one.
        self._inside: set[tuple[int, str]] = set()

    def let_in(self, tree_id: int, box_folder_id: str) -> None:
        """Make sure that every identity of the plan may upload into this folder. No call once that is done."""
        place = (tree_id, box_folder_id)
        if not self._box.identities or place in self._inside:
            return
        with self._lock:
            if place in self._inside:
                return
            known = self._checkpoint.add_tree_editors(tree_id, self._box.identities)
            inside = (
                {grant.accessible_by_id for grant in self._box.collaborations(box_folder_id)} if known else ()
            )
            for identity in self._box.identities:
                if identity not in inside:
                    self._box.collaborate(box_folder_id, Invitee(user_id=identity), ROLE)
            self._inside.add(place)

    def remove(self, tree_id: int, box_folder_id: str, only: Sequence[str] | None = None) -> None:
        """Take out all that are written down (or only these of them); whoever is out already counts as removed."""
        with self._lock:
            editors = set(self._checkpoint.tree_editors(tree_id))
            leaving = editors if only is None else editors & set(only)
            if not leaving:
                return
            for grant in self._grants(box_folder_id):
                if grant.accessible_by_id in leaving and grant.item_id in (None, box_folder_id):
                    self._box.remove_collaboration(grant.id)
            self._checkpoint.record_tree_editors_removed(tree_id, sorted(leaving))
            self._inside.discard((tree_id, box_folder_id))

    def _grants(self, box_folder_id: str) -> list[Any]:
        try:
            return list(self._box.collaborations(box_folder_id))
        except (DestinationGone, NotFound):
            return []


@dataclass(frozen=True)
class _Books:
    """A plan with its checkpoint and Box open; the share is not needed."""

    plan: MigrationPlan
    plan_id: int
    checkpoint: Checkpoint
    box: BoxDestination


def create_identities(plan: MigrationPlan, count: int) -> dict[str, Any]:
    """Make so many app users that upload for this plan, and remember them in the checkpoint.

    One that a killed run made without writing it down is found by its external id and taken over.
    """
    if not 1 <= count <= MAX_AT_ONCE:
        raise PlanError(f"identities: create 1 to {MAX_AT_ONCE} at a time, not {count}")
    with _books(plan) as books:
        made = [_make_next(books) for _ in range(count)]
    return {"plan": plan.name, "created": made, "identities": _planned_after(plan, made)}


def list_identities(plan: MigrationPlan) -> dict[str, Any]:
    """Every uploader of this plan as Box has it now, and the app users of the plan file that were not made here."""
    with _books(plan) as books:
        known = {record.box_user_id: record for record in books.checkpoint.uploaders(books.plan_id)}
        return {
            "plan": plan.name,
            "identities": [
                {
                    "id": user_id,
                    "login": known[user_id].login if user_id in known else None,
                    "name": known[user_id].name if user_id in known else None,
                    "in_plan": user_id in plan.box.identities,
                    "status": _status_of(books, user_id),
                }
                for user_id in [*known, *(each for each in plan.box.identities if each not in known)]
            ],
        }


def retire_identities(plan: MigrationPlan, ids: Sequence[str] = ()) -> dict[str, Any]:
    """Take these uploaders (all, when none is named) out of every tree's folder and deactivate them.

    Box keeps what they uploaded: it belongs to the owner of the folder. LeaseHeld while a run uses one of them.
    """
    with _books(plan) as books:
        known = [record.box_user_id for record in books.checkpoint.uploaders(books.plan_id)]
        strangers = [each for each in ids if each not in known]
        if strangers:
            raise PlanError(
                f"identities: {', '.join(strangers)} was not made for this plan; see: identities list"
            )
        leaving = list(ids) or known
        _lease(books, leaving)
        editors = TreeEditors(books.checkpoint, books.box)
        for tree in books.checkpoint.trees(books.plan_id):
            if tree.box_folder_id is not None:
                editors.remove(tree.id, tree.box_folder_id, leaving)
        for user_id in leaving:
            _deactivate(books, user_id)
            books.checkpoint.record_uploader_retired(books.plan_id, user_id)
    left = [each for each in plan.box.identities if each not in leaving]
    return {"plan": plan.name, "retired": leaving, "identities": left}


# --- private ---


@contextmanager
def _books(plan: MigrationPlan) -> Iterator[_Books]:
    # Imported late: it imports this module.
    from flows.transfer.migration import open_box, unopened_source

    with ExitStack() as stack:
        checkpoint = stack.enter_context(closing(Checkpoint.open(plan.resolved_state_url())))
        source = stack.enter_context(closing(unopened_source(plan)))
        box = stack.enter_context(open_box(plan))
        box.whoami()
        plan_id = checkpoint.ensure_plan(
            name=plan.name, source_url=source.display_url, landing_folder_id=plan.box.landing_folder_id
        )
        yield _Books(plan, plan_id, checkpoint, box)


def _make_next(books: _Books) -> dict[str, Any]:
    number = 1 + max((record.number for record in books.checkpoint.uploaders(books.plan_id)), default=0)
    while (found := books.box.find_app_user(_external_id(books, number))) and found.status != "active":
        number += 1  # retired by an earlier run whose checkpoint is gone
    name = f"Boxhaul uploader {number} ({books.plan.name})"[:100]
    made = found or books.box.create_app_user(name, _external_id(books, number))
    books.checkpoint.remember_uploader(
        books.plan_id, box_user_id=made.id, number=number, login=made.login, name=made.name
    )
    return {"id": made.id, "login": made.login, "name": made.name}


def _external_id(books: _Books, number: int) -> str:
    """Names the app user in Box before it exists, so that a creation without a record of it is found again."""
    place = f"{books.plan.name}\n{books.plan.source.url}\n{books.plan.box.landing_folder_id}"
    return f"boxhaul-uploader-{hashlib.sha256(place.encode()).hexdigest()[:24]}-{number}"


def _planned_after(plan: MigrationPlan, made: Sequence[dict[str, Any]]) -> list[str]:
    new = [each["id"] for each in made if each["id"] not in plan.box.identities]
    return [*plan.box.identities, *new]


def _status_of(books: _Books, user_id: str) -> str:
    try:
        return _account(books, user_id).status
    except DestinationGone:
        return "not in Box"


def _account(books: _Books, user_id: str) -> Account:
    return books.box.user(user_id)


def _lease(books: _Books, ids: Sequence[str]) -> None:
    """Nobody else may be using them at this moment."""
    worker = books.checkpoint.register_worker(books.plan_id, name="identities retire")
    try:
        for user_id in ids:
            books.checkpoint.lease_identity(worker, user_id)
    finally:
        books.checkpoint.release_worker(worker)


def _deactivate(books: _Books, user_id: str) -> None:
    try:
        books.box.deactivate_user(user_id)
    except DestinationGone:
        return  # deleted by an admin: retired all the same

"""Access: a plan with its checkpoint and Box open; the share is not needed. Lets nobody in by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import takewhile

from connectors.box.destination import BoxDestination
from connectors.errors import ItemError, PermissionMissing
from flows.plan.connections import box_config, known_plan, open_box, open_checkpoint, unopened_share
from flows.plan.model import MigrationPlan, TreePlan
from flows.plan.origin import begin_plan, require_account
from flows.plan.people import CollaboratorPlan
from flows.run.leases import lease_budget, register, release_budget
from flows.sharing.editors import TreeEditors
from flows.sharing.nesting import Nesting
from flows.words import normal_form
from state.checkpoint import Checkpoint
from state.people_records import CollaboratorSpec
from state.records import TreeRecord, WorkerLease

#: How many of the usual leases a command about people takes: nothing prolongs its lease while it works.
LEASES_AT_ONCE = 10


@dataclass(frozen=True)
class Access:
    """What a step about people needs of a plan that is open."""

    plan: MigrationPlan
    plan_id: int
    checkpoint: Checkpoint
    box: BoxDestination
    editors: TreeEditors
    #: The lease under which trees are shared; None for what only looks.
    worker: WorkerLease | None = None
    #: Trees that a dry run would have completed by now.
    foreseen: set[int] = field(default_factory=set)

    def tree_plan(self, tree: TreeRecord) -> TreePlan | None:
        """Return what the plan says of this tree: same source and same folder in Box. None for one it does not name.

        One that the plan moves into another folder now is another tree.
        """
        return self._planned.get((normal_form(tree.source), normal_form(tree.folder)))

    @cached_property
    def nesting(self) -> Nesting:
        """Which trees lie inside others; read once, and not before the trees of the plan are made."""
        return Nesting(self.checkpoint.trees(self.plan_id))

    def trees_around(self, folder: str) -> list[TreeRecord]:
        """Return the trees, as they are now, whose folder is this path under the landing folder or one above it."""
        return [self.checkpoint.tree(tree_id) for tree_id in self.nesting.around(folder)]

    @cached_property
    def logins_by_user_id(self) -> dict[str, str]:
        """Return whose login each user id of the plan is, case-folded, where the plan names people by logins as well.

        One call for each such user id, once; what Box does not tell is left out.
        """
        people = [person for tree in self.plan.trees for person in tree.collaborators]
        if not any(person.login for person in people):
            return {}
        found = {}
        for user_id in sorted({person.user_id for person in people if person.user_id}):
            with suppress(ItemError, PermissionMissing):
                found[user_id.casefold()] = (self.box.accounts.user(user_id).login or "").casefold()
        return found

    @cached_property
    def _planned(self) -> dict[tuple[str, str], TreePlan]:
        return {(normal_form(tree.source), tree.box_path): tree for tree in reversed(self.plan.trees)}

    def people(self, tree: TreeRecord) -> list[CollaboratorPlan]:
        """Return those whom the plan lets into this tree; nobody for a tree that it does not name."""
        planned = self.tree_plan(tree)
        return planned.collaborators if planned is not None else []

    @cached_property
    def group_ids_by_name(self) -> dict[str, str]:
        """Return which group each name of the plan is, case-folded, where the plan names groups by ids as well.

        One call for each such name, once; what Box does not tell is left out.
        """
        people = [person for tree in self.plan.trees for person in tree.collaborators]
        if not any(person.group_id for person in people):
            return {}
        found: dict[str, str] = {}
        for name in sorted({person.group.casefold() for person in people if person.group}):
            with suppress(ItemError, PermissionMissing):
                group = self.box.accounts.find_group(name)
                found |= {name: group.id} if group is not None else {}
        return found

    def specs(self, tree: TreeRecord) -> list[CollaboratorSpec]:
        """Return the people of this tree as the checkpoint keeps them, each once under the first of their names."""
        specs = [collaborator_spec(person) for person in self.people(tree)]
        return [
            spec
            for spec in specs
            if (first := self.named_before(spec, specs)) is None or _differ(first, spec)
        ]

    def other_keys(self, spec: CollaboratorSpec) -> set[str]:
        """Return the other keys by which the plan names this person or group, as far as Box says who that is."""
        if spec.login is not None:
            login = spec.login.casefold()
            return {f"user:{user_id}" for user_id, each in self.logins_by_user_id.items() if each == login}
        if spec.user_id is not None:
            found = self.logins_by_user_id.get(spec.user_id.casefold())
            return {f"login:{found}"} if found else set()
        if spec.group is not None:
            group_id = self.group_ids_by_name.get(spec.group.casefold())
            return {f"group_id:{group_id.casefold()}"} if group_id else set()
        names = {name for name, group_id in self.group_ids_by_name.items() if group_id == spec.group_id}
        return {f"group:{name}" for name in names}

    def named_before(
        self, spec: CollaboratorSpec, specs: Sequence[CollaboratorSpec]
    ) -> CollaboratorSpec | None:
        """Return the one of these, before this one, that is the same person or group under another name."""
        others = self.other_keys(spec)
        before = takewhile(lambda each: each.key != spec.key, specs)
        return next((each for each in before if each.key in others), None) if others else None


def _differ(one: CollaboratorSpec, other: CollaboratorSpec) -> bool:
    """Tell whether two names of one person are given different rights."""
    rights = ("role", "can_view_path", "is_access_only", "expires_at")
    return any(getattr(one, each) != getattr(other, each) for each in rights)


def has_ended(expires_at: datetime | None) -> bool:
    """Return True for an access that is over before it begins: Box takes no such date, and nobody is let in by it."""
    return expires_at is not None and expires_at <= datetime.now(UTC)


def collaborator_spec(person: CollaboratorPlan) -> CollaboratorSpec:
    """Return the plan's collaborator as the checkpoint keeps it."""
    return CollaboratorSpec(
        role=person.role.value,
        login=person.login,
        user_id=person.user_id,
        group=person.group,
        group_id=person.group_id,
        app_user=person.app_user,
        can_view_path=person.can_view_path,
        is_access_only=person.is_access_only,
        expires_at=person.expires_at,
    )


@contextmanager
def open_access(plan: MigrationPlan, *, begins: bool = False) -> Iterator[Access]:
    """Open checkpoint and Box, with the login proven, and close both whatever happens.

    `begins`: a plan that no run has begun yet is written into the checkpoint. Otherwise PlanError for such a one.
    """
    with ExitStack() as stack:
        checkpoint = stack.enter_context(closing(open_checkpoint(plan, create=True)))
        plan_id = _begun_plan(plan, checkpoint) if begins else known_plan(plan, checkpoint)
        box = stack.enter_context(open_box(plan, uploading=()))  # uploaders are let into no folder by now
        require_account(checkpoint, plan, box.whoami())
        yield Access(plan, plan_id, checkpoint, box, TreeEditors(checkpoint, box))


@contextmanager
def budget_held(access: Access) -> Iterator[Access]:
    """Hold the service account's budget alone while the body lasts, and hand out the access that works under
    this lease; its calls are counted for the plan.

    LeaseHeld while a run of any plan uses the account.
    """
    checkpoint, account = access.checkpoint, access.box.whoami()
    worker = register(checkpoint, access.plan_id, leases=LEASES_AT_ONCE)
    try:
        lease_budget(checkpoint, worker, access.box, account.id)
        try:
            yield replace(access, worker=worker)
            checkpoint.add_call_counts(access.plan_id, access.box.call_counts())
        finally:
            release_budget(checkpoint, worker, access.box, account.id)
    finally:
        checkpoint.release_worker(worker)


def _begun_plan(plan: MigrationPlan, checkpoint: Checkpoint) -> int:
    with closing(unopened_share(plan)) as source:
        return begin_plan(checkpoint, plan, source_url=source.display_url, auth=box_config(plan).auth)

"""The checklist: every row of a check, in the order in which a person mends them. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from connectors.box.destination import BoxDestination
from connectors.box.types import Account, BoxFolder
from connectors.errors import ConnectorError, FatalError, LandingFolderMissing
from flows.checks import account as check_account
from flows.checks import belonging
from flows.checks import machine as check_machine
from flows.checks import people as check_people
from flows.checks.access_times import access_rows
from flows.checks.facts import Facts, gather_surroundings
from flows.checks.landing import landing_missing, landing_rows
from flows.checks.messages import message_rows
from flows.checks.rows import Row, document, problem, said
from flows.checks.scopes import as_user_row, scope_rows
from flows.checks.seen import seen_rows
from flows.checks.space import parse_space, payer_of, set_space, size_row, space_row
from flows.errors import CheckFailed
from flows.plan.connections import open_box
from flows.plan.exclude import DEFAULT_EXCLUDE, noting, unused_rules
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules
from flows.reporting.status import refused_words
from flows.survey.coverage import uncovered


def check_everything(plan: MigrationPlan, *, set_space: str = "", notify: bool = False) -> dict[str, Any]:
    """Look at every precondition of the plan; the document of `boxhaul check --json`.

    `set_space`: raise the service account's space first, to a size such as 500GB or to unlimited; empty: leave it.
    `notify`: send a test message to whom the plan tells of its runs.
    """
    wanted = parse_space(set_space) if set_space else None
    with ExitStack() as stack:
        facts = Facts(plan)
        gather_surroundings(facts, stack)
        found = list(_box_rows(facts, stack, wanted))
        rows = [*_source_rows(facts), *found, *_machine_rows(facts)]
        rows += message_rows(plan, test=notify, refused=_refused(facts))
    return document(plan, rows, can_go_on=facts.account is not None)


def _box_rows(facts: Facts, stack: ExitStack, wanted: int | None) -> Iterator[Row]:
    """Everything about Box; only the login when that fails."""
    try:
        box = stack.enter_context(open_box(facts.plan))
    except FatalError as exc:
        yield check_account.login_failed(facts.plan, exc)
        return
    try:
        account = box.whoami()
    except (FatalError, ConnectorError) as exc:
        facts.skew_seconds = box.clock_skew_seconds()
        yield check_account.login_failed(
            facts.plan, exc if isinstance(exc, FatalError) else CheckFailed(said(exc))
        )
        return
    facts.account, facts.skew_seconds = account, box.clock_skew_seconds()
    yield check_account.login_ok(facts.plan)
    yield from check_account.account_rows(account)
    yield from _guarded(_checkpoint_rows(facts, box, account))
    yield check_account.upload_host_row(facts.plan, box)
    yield from _guarded(_folder_and_people_rows(facts, box, account, wanted))


def _folder_and_people_rows(
    facts: Facts, box: BoxDestination, account: Account, wanted: int | None
) -> Iterator[Row]:
    plan = facts.plan
    landing: BoxFolder | None = None
    try:
        if plan.box.landing_folder_id != "0":
            landing = box.landing_folder()
    except LandingFolderMissing as exc:
        yield landing_missing(exc)
    else:
        payer = payer_of(box, account, landing)
        yield from scope_rows(plan, box, landing)
        if wanted is not None:
            row = set_space(box, account, payer, wanted)
            if row is not None:
                yield row
            payer = payer_of(box, box.whoami(), landing)
        yield space_row(payer, facts.needs)
        yield size_row(payer, facts.needs)
        yield from landing_rows(plan, box, account, payer, landing)
    yield from check_people.ended_rows(plan)
    yield from _guarded(check_people.people_rows(plan, box, account, landing, _records(facts)))
    yield from _guarded(check_people.group_rows(plan, box))
    yield as_user_row(box, check_people.people_ids(plan, box))
    yield from check_account.identity_rows(plan, box)


def _checkpoint_rows(facts: Facts, box: BoxDestination, account: Account) -> Iterator[Row]:
    """Whether the checkpoint speaks of this Box, and knows what an earlier run put there."""
    yield from facts.belonging_rows
    if facts.checkpoint is not None:
        yield from belonging.account_rows(facts.checkpoint, facts.plan, account)
    if not facts.belonging_rows and facts.plan_id is None:
        yield from belonging.in_box_rows(facts.plan, box, account)


def _refused(facts: Facts) -> str:
    """What the checkpoint says of messages that nobody took; nothing where it cannot be asked."""
    if facts.checkpoint is None or facts.plan_id is None:
        return ""
    refused = facts.checkpoint.messages_refused(facts.plan_id)
    return refused_words(refused) if refused else ""


def _records(facts: Facts) -> list[Any]:
    if facts.checkpoint is None:
        return []
    return [record for tree in facts.trees for record in facts.checkpoint.all_collaborations(tree.id)]


def _guarded(rows: Iterator[Row]) -> Iterator[Row]:
    """Box's unforeseen refusal of one probe is a row, too."""
    try:
        yield from rows
    except ConnectorError as exc:
        yield problem(
            "box", said(exc), "Run the check again; when it stays, the request id is for Box's support."
        )


def _source_rows(facts: Facts) -> Iterator[Row]:
    """The plan's own text, then the share, as the plan says it first."""
    yield from belonging.secret_rows(facts.plan)
    if facts.source_row is not None:
        yield facts.source_row
    elif facts.source is not None:
        yield from _guarded(check_machine.source_rows(facts.source, facts.needs, facts.sources))
        yield from access_rows(facts.plan, facts.source)
        yield from seen_rows(facts.seen)
        beside: set[str] = set()
        excluded = noting(PlanRules(facts.plan).reason, beside)
        yield from check_machine.coverage_rows(uncovered(facts.source, facts.roots, excluded))
        if facts.excluded_reasons is not None:
            reasons = facts.excluded_reasons | beside
            yield from belonging.rule_rows(unused_rules(facts.plan.exclude, reasons, DEFAULT_EXCLUDE))


def _machine_rows(facts: Facts) -> Iterator[Row]:
    if facts.state_row is not None:
        yield facts.state_row
    yield check_machine.clock_row(facts.skew_seconds)
    folder = check_machine.state_folder(facts.plan)
    yield check_machine.disk_row(folder, check_machine.free_bytes(folder), facts.needs)

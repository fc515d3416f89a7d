"""check_plan: every precondition of a plan, in the order in which a person fixes them; nothing is changed.

The same rows, as far as they cost no call, stop a run that would fail before a byte is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.context import FlowRunContext
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from connectors.box.destination import BoxDestination
from connectors.box.types import Account, BoxFolder
from connectors.errors import ConnectorError, FatalError, LandingFolderMissing, QuotaExceeded
from connectors.source import Source
from flows.analysis.survey import Needs, needs_by_checkpoint, needs_by_survey, uncovered, without_what_arrived
from flows.checks import account as check_account
from flows.checks import machine as check_machine
from flows.checks import people as check_people
from flows.checks.rows import Row, State, problem, said, worst
from flows.errors import CheckFailed, PlanError
from flows.orchestration.endings import checked, slug
from flows.plan.exclude import ExcludeRules
from flows.plan.model import MigrationPlan
from flows.transfer.migration import OpenPlan, connect_source, open_box
from flows.words import count_words, printable
from state.checkpoint import Checkpoint
from state.records import TreeRecord

#: A check looks at a share so long; a run about to begin looks shorter, as it will walk it all anyway.
SURVEY_SECONDS, RUN_SURVEY_SECONDS = 60.0, 20.0

#: Powers of ten, as Box and disks count.
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@flow(flow_run_name="{plan.name}-check", persist_result=False)
def check_plan(plan: MigrationPlan, set_space: str = "") -> dict[str, Any]:
    """Check every precondition: login, account, scopes, space, sizes, folders, people, source, state, clock, disk.

    Args:
        plan: What moves from where to where.
        set_space: Raise the service account's space first: `500GB`, `2TB` or `unlimited`; empty: leave it.
    """
    wanted = parse_space(set_space) if set_space else None
    with ExitStack() as stack:
        facts = Facts(plan)
        gather_surroundings(facts, stack)
        box_rows = list(_box_rows(facts, stack, wanted))
        rows = [*box_rows, *_machine_rows(facts)]
    shown = document(plan, rows, can_go_on=facts.account is not None)
    show_rows(shown)
    summary: dict[str, Any] = checked(shown)
    return summary


def show_rows(shown: dict[str, Any]) -> None:
    """The rows as a table on the page of the flow run, the problems first; nothing outside a flow run."""
    if FlowRunContext.get() is None:
        return
    order = [State.PROBLEM.value, State.WARNING.value, State.OK.value]
    rows = sorted(shown["checks"], key=lambda row: order.index(row["state"]))
    table = [
        {
            "check": printable(row["name"]),
            "state": row["state"],
            "found": printable(row["found"]),
            "what to do": printable(row["what_to_do"]),
        }
        for row in rows
    ]
    create_table_artifact(table, f"{slug(shown['plan'])}-check", f"{shown['plan']}: {_sums(shown)}")


def document(plan: MigrationPlan, rows: Sequence[Row], *, can_go_on: bool) -> dict[str, Any]:
    """What `boxhaul check --json` prints: plan, state, can_go_on, problems, warnings, checks."""
    return {
        "plan": plan.name,
        "state": worst(rows).value,
        "can_go_on": can_go_on,
        "problems": sum(row.state is State.PROBLEM for row in rows),
        "warnings": sum(row.state is State.WARNING for row in rows),
        "checks": [row.document() for row in rows],
    }


@dataclass
class Facts:
    """What was found, for the rows to speak of."""

    plan: MigrationPlan
    source: Source | None = None
    checkpoint: Checkpoint | None = None
    trees: list[TreeRecord] = field(default_factory=list)
    needs: Needs = field(default_factory=lambda: Needs(exact=False))
    account: Account | None = None
    skew_seconds: float | None = None
    #: Rows of what could not even be reached.
    source_row: Row | None = None
    state_row: Row | None = None

    @property
    def roots(self) -> list[str]:
        """Folders of the share that move; the whole share when the plan names none."""
        return [tree.source for tree in self.plan.trees] or [""]


def gather_surroundings(facts: Facts, stack: ExitStack) -> None:
    """State database, share, and what is to be sent; each failure becomes a row."""
    facts.state_row, facts.checkpoint = check_machine.state_row(facts.plan)
    if facts.checkpoint is not None:
        stack.enter_context(closing(facts.checkpoint))
        plan_id = facts.checkpoint.find_plan(facts.plan.name)
        facts.trees = facts.checkpoint.trees(plan_id) if plan_id is not None else []
    try:
        facts.source = stack.enter_context(closing(connect_source(facts.plan)))
        facts.needs = _needs(facts, SURVEY_SECONDS)
    except FatalError as exc:
        facts.source_row = check_machine.source_failed(exc)


def _needs(facts: Facts, seconds: float, enough: Callable[[Needs], bool] = lambda needs: False) -> Needs:
    """From the checkpoint once the share was walked, else by looking at the share."""
    if facts.checkpoint is not None:
        known = needs_by_checkpoint(facts.checkpoint, facts.trees)
        if known is not None:
            return known
    if facts.source is None:
        return Needs(exact=False)
    excluded = ExcludeRules(facts.plan.exclude).reason
    needs = needs_by_survey(facts.source, facts.roots, excluded, seconds=seconds, enough=enough)
    if facts.checkpoint is not None and facts.trees:
        return without_what_arrived(needs, facts.checkpoint, facts.trees)
    return needs


def _box_rows(facts: Facts, stack: ExitStack, wanted: int | None) -> Iterator[Row]:
    """Everything about Box; only the login when that fails."""
    try:
        box = stack.enter_context(open_box(facts.plan))
    except FatalError as exc:
        yield check_account.login_failed(exc)
        return
    try:
        account = box.whoami()
    except (FatalError, ConnectorError) as exc:
        facts.skew_seconds = box.clock_skew_seconds()
        yield check_account.login_failed(exc if isinstance(exc, FatalError) else CheckFailed(said(exc)))
        return
    facts.account, facts.skew_seconds = account, box.clock_skew_seconds()
    yield check_account.login_ok(facts.plan)
    yield from check_account.account_rows(account)
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
        yield check_account.landing_missing(exc)
    else:
        payer = check_account.payer_of(box, account, landing)
        yield from check_account.scope_rows(plan, box, landing)
        if wanted is not None:
            row = check_account.set_space(box, account, payer, wanted)
            if row is not None:
                yield row
            payer = check_account.payer_of(box, box.whoami(), landing)
        yield check_account.space_row(payer, facts.needs)
        yield check_account.size_row(payer, facts.needs)
        yield from check_account.landing_rows(plan, box, account, payer, landing)
    yield from _guarded(check_people.people_rows(plan, box, account, _records(facts)))
    yield from _guarded(check_people.group_rows(plan, box))
    yield check_account.as_user_row(box, check_people.people_ids(plan, box))
    yield from check_account.identity_rows(plan, box)


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


def _machine_rows(facts: Facts) -> Iterator[Row]:
    if facts.source_row is not None:
        yield facts.source_row
    elif facts.source is not None:
        yield from _guarded(check_machine.source_rows(facts.source, facts.needs, facts.roots))
        excluded = ExcludeRules(facts.plan.exclude).reason
        yield from check_machine.coverage_rows(uncovered(facts.source, facts.roots, excluded))
    if facts.state_row is not None:
        yield facts.state_row
    yield check_machine.clock_row(facts.skew_seconds)
    folder = check_machine.state_folder(facts.plan)
    yield check_machine.disk_row(folder, check_machine.free_bytes(folder), facts.needs)


# --- at the start of a run ---


def check_before_sending(opened: OpenPlan) -> None:
    """Raise what would stop this run later: space, size, role, status, groups that cannot be looked up.

    Login, account and landing folder are proven by then, and the first folder that is made proves the scope. A plan
    with nothing left to send costs no call.
    """
    opened.progress.enter("checking")
    facts = Facts(opened.plan, opened.source, opened.checkpoint, opened.trees)
    account, landing = opened.account, opened.landing
    payer: check_account.Payer | None = None

    def enough(needs: Needs) -> bool:
        """The problem is proven; looking longer proves no more."""
        owner = account if landing is None else None
        return owner is not None and 0 <= owner.space_amount < owner.space_used + needs.size

    facts.needs = _needs(facts, RUN_SURVEY_SECONDS, enough)
    rows = [row for row in check_account.account_rows(account) if row.name == "account"]
    if facts.needs.files or not facts.needs.exact:
        payer = check_account.payer_of(opened.box, account, landing)
        rows += [check_account.space_row(payer, facts.needs), check_account.size_row(payer, facts.needs)]
        rows += check_account.landing_permissions(opened.plan, landing) if landing is not None else []
        rows += (
            [check_account.groups_scope(opened.plan, opened.box)]
            if check_account.names_groups(opened.plan)
            else []
        )
    for row in rows:
        if row.state is State.PROBLEM and row.stops is not None:
            raise _stopping(row)


def _stopping(row: Row) -> FatalError:
    text = f"{row.name}: {row.found}. {row.what_to_do} Nothing was sent; boxhaul check shows all, --no-check insists."
    kind = row.stops if row.stops in (QuotaExceeded, CheckFailed) else CheckFailed
    return kind(text)


# --- for people ---


def parse_space(text: str) -> int:
    """`unlimited` is -1; else a size in bytes, or in kB, MB, GB, TB. PlanError for anything else."""
    if text.strip().lower() in ("unlimited", "-1"):
        return -1
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?b?)\s*", text, re.IGNORECASE)
    unit = (match.group(2).upper() if match else "").rstrip("B")
    if match is None:
        raise PlanError(f"--set-space: {text!r} is neither a size such as 500GB nor unlimited")
    return int(float(match.group(1)) * UNITS[unit + "B" if unit else ""])


STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def check_table(shown: dict[str, Any]) -> RenderableType:
    """The document for a person, in the order in which things are put right."""
    table = Table(
        title=printable(f"{shown['plan']}: {shown['state']}"), title_justify="left", show_lines=True
    )
    for column in ("check", "state"):
        table.add_column(column, no_wrap=column == "state", overflow="fold")
    table.add_column("found, and what to do", overflow="fold")
    for check in shown["checks"]:
        text = Text(printable(check["found"]))
        if check["what_to_do"]:
            text.append("\n→ " + printable(check["what_to_do"]), style="italic")
        table.add_row(
            Text(printable(check["name"])), Text(check["state"], style=STYLES[check["state"]]), text
        )
    if shown["state"] == State.OK.value:
        return Group(table)
    return Group(table, Text(_sums(shown)))


def _sums(shown: dict[str, Any]) -> str:
    return f"{count_words(shown['problems'], 'problem')}, {count_words(shown['warnings'], 'warning')}"

"""What stops a run at its start, as far as it costs no call: nothing is sent that would fail later."""

from __future__ import annotations

import logging

from connectors.errors import FatalError, QuotaExceeded
from flows.checks import account as check_account
from flows.checks.access_times import access_rows
from flows.checks.belonging import secret_rows
from flows.checks.facts import RUN_SURVEY_SECONDS, Facts, needs_of
from flows.checks.landing import landing_permissions
from flows.checks.rows import Row, State
from flows.checks.scopes import groups_scope, names_groups
from flows.checks.seen import seen_rows
from flows.checks.space import Payer, payer_of, size_row, space_row
from flows.errors import CheckFailed
from flows.survey.needs import Needs
from flows.transfer.migration import Migration

#: What a person should know before anything is sent, and what does not stop a run; shown to whoever watches it.
log = logging.getLogger(__package__)


def check_before_sending(migration: Migration) -> None:
    """Raise what would stop this run later: space, size, role, status, groups that cannot be looked up.

    Login, account and landing folder are proven by then, and the first folder that is made proves the scope. A plan
    with nothing left to send costs no call.
    """
    migration.progress.enter("checking")
    facts = Facts(migration.plan, migration.source, migration.checkpoint, migration.trees)
    facts.sources = [tree.source for tree in migration.trees]
    account, landing = migration.account, migration.landing
    payer: Payer | None = None

    def enough(needs: Needs) -> bool:
        """The problem is proven; looking longer proves no more."""
        owner = account if landing is None else None
        return owner is not None and 0 <= owner.space_amount < owner.space_used + needs.size

    facts.needs = needs_of(facts, RUN_SURVEY_SECONDS, enough)
    rows = [row for row in check_account.account_rows(account) if row.name == "account"]
    if facts.needs.files or not facts.needs.exact:
        payer = payer_of(migration.box, account, landing)
        rows += [space_row(payer, facts.needs), size_row(payer, facts.needs)]
        rows += landing_permissions(migration.plan, landing) if landing is not None else []
        rows += [groups_scope(migration.plan, migration.box)] if names_groups(migration.plan) else []
    access = list(access_rows(migration.plan, migration.source))
    rows += access
    told = [row for row in access if row.state is State.WARNING]
    for row in [*secret_rows(migration.plan), *seen_rows(facts.seen), *told]:
        log.warning("%s: %s. %s", row.name, row.found, row.what_to_do)
    for row in rows:
        if row.state is State.PROBLEM and row.stops is not None:
            raise _stopping(row)


def _stopping(row: Row) -> FatalError:
    text = f"{row.name}: {row.found}. {row.what_to_do} Nothing was sent; boxhaul check shows all, --no-check insists."
    kind = row.stops if row.stops in (QuotaExceeded, CheckFailed) else CheckFailed
    return kind(text)

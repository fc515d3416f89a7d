"""Rows about the service account: login, who it is, what the app is, and its identities."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from connectors.box.client.errors import LimitedAccessApp
from connectors.box.config import BlockAuthConfig, CCGAuthConfig, JWTAuthConfig
from connectors.box.destination import BoxDestination
from connectors.box.types import Account
from connectors.errors import (
    BoxUnreachable,
    FatalError,
    ItemError,
    TransientError,
)
from flows.checks.rows import Row, ok, problem, said, warning
from flows.checks.scopes import READMISSION
from flows.errors import CheckFailed
from flows.plan.model import MigrationPlan
from flows.words import counted

# --- login and who we are ---


def login_ok(plan: MigrationPlan) -> Row:
    """A token was issued."""
    auth = plan.box.auth
    how = {
        JWTAuthConfig: "key pair (JWT)",
        CCGAuthConfig: "client id and secret (CCG)",
        BlockAuthConfig: "credentials from a Prefect block",
    }[type(auth)]
    file = None if isinstance(auth, BlockAuthConfig) else auth.token_file
    kept = f"kept in {file}, mode 0600" if file else "kept in memory only"
    return ok("login", f"Box gave a token by {how}; tokens are {kept}")


def login_failed(plan: MigrationPlan, error: FatalError) -> Row:
    """No token, or no answer: nothing else of Box can be checked."""
    host = urlsplit(plan.box.base_url).netloc
    found = said(error) if host in said(error) else f"{host}: {said(error)}"
    if isinstance(error, LimitedAccessApp):
        return problem(
            "app",
            "a limited-access app (App Token, Box View)",
            f"{said(error)} Its service account may create folders and upload, but never let anybody in.",
            stops=LimitedAccessApp,
        )
    if isinstance(error, BoxUnreachable):
        return problem("login", found, "Check base_url, proxy, firewall and ca_file.", stops=BoxUnreachable)
    advice = getattr(error, "advice", "") or "Check box.auth in the plan."
    return problem("login", found, advice, stops=type(error))


def upload_host_row(plan: MigrationPlan, box: BoxDestination) -> Row:
    """Files go to another host than everything else."""
    name, host = "upload host", urlsplit(plan.box.upload_url).netloc
    try:
        box.probes.require_upload_host()
    except BoxUnreachable as exc:
        return problem(name, said(exc), "Correct upload_url, or the proxy in the way.", stops=BoxUnreachable)
    except TransientError as exc:
        return problem(
            name,
            f"{host} does not answer ({said(exc)})",
            f"Every upload goes to {host}: let this machine reach it (firewall, proxy), or mend upload_url.",
            stops=BoxUnreachable,
        )
    return ok(name, f"{host} answers")


def account_rows(account: Account) -> Iterator[Row]:
    """Who the token belongs to."""
    alias = f", alias {account.notification_email}" if account.notification_email else ", no e-mail alias"
    where = f"enterprise {account.enterprise_name or '?'} ({account.enterprise_id or '?'})"
    found = f"{account.login} (user {account.id}){alias}, {where}"
    look = (
        "To look at its files: the primary admin (not a co-admin) opens Admin Console > Content, finds this login "
        "and logs in to the account; it is in no list of users."
    )
    if account.status != "active":
        yield problem(
            "account",
            f"{found}, status {account.status}",
            "An admin sets the user's status to active in the Admin Console.",
            stops=CheckFailed,
        )
    elif not account.is_service_account:
        yield warning(
            "account",
            f"{found}: a person's account, not a service account",
            "Everything will belong to this person, and leave with them. Use the enterprise id, not a user id, in "
            "the credentials; the service account is AutomationUser_…@boxdevedition.com.",
        )
    else:
        yield ok("account", found, look)
    yield ok("app", "a custom app with server authentication; not a limited-access app")


# --- identities ---


def identity_rows(plan: MigrationPlan, box: BoxDestination) -> Iterator[Row]:
    """Uploader app users: each signs in and is active."""
    name, limits = "identities", plan.box.limits
    rate = f"{limits.uploads_per_minute} uploads a minute each"
    if not box.identities:
        yield ok(
            name,
            f"none: the service account uploads alone, {limits.uploads_per_minute} uploads a minute",
            "Box's limits are per user. App users may share the work (boxhaul identities PLAN create N); Box's staff "
            "have advised it, its licence warns of tools meant to circumvent controls: ask Box for your case.",
        )
        return
    failed = [(each, reason) for each in box.identities if (reason := _identity_problem(box, each))]
    for identity, reason in failed:
        yield problem(
            f"identity {identity}",
            reason,
            "Developer Console > Configuration: “Generate user access tokens”; the id must be an active app user of "
            f"this app (boxhaul identities PLAN list); {READMISSION}.",
            stops=CheckFailed,
        )
    working = len(box.identities) - len(failed)
    yield ok(name, f"{counted(working, 'app user')} can sign in and upload, {rate}")


def _identity_problem(box: BoxDestination, identity: str) -> str:
    try:
        account = box.identity_account(identity)
    except (FatalError, ItemError) as exc:
        return said(exc)
    return "" if account.status == "active" else f"{account.login} is {account.status}"

"""Rows about the service account: login, who it is, what the app may do, space, sizes, landing folder, identities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.box.client.errors import LimitedAccessApp
from connectors.box.config import BlockAuthConfig, CCGAuthConfig, JWTAuthConfig
from connectors.box.destination import BoxDestination
from connectors.box.probes import Permission
from connectors.box.types import Account, BoxFolder, Collaboration
from connectors.errors import (
    BoxUnreachable,
    FatalError,
    ItemError,
    LandingFolderMissing,
    PermissionMissing,
    QuotaExceeded,
    TransientError,
)
from flows.analysis.survey import Needs
from flows.checks.rows import Row, ok, problem, said, warning
from flows.errors import CheckFailed
from flows.plan.model import MigrationPlan
from flows.words import count_words, size_words

#: What a new service account gets, unless the enterprise has another default.
DEFAULT_SPACE = (10 * 1024**3, 10 * 10**9)

READMISSION = (
    "then an admin opens Admin Console > Integrations > Platform Apps Manager, finds the app and chooses Reauthorize "
    "(a changed scope or access level is in force only after that), and the next login gets it"
)
SCOPES_PLACE = "Developer Console > your app > Configuration > Application Scopes"
ACCESS_PLACE = "Developer Console > your app > Configuration > App Access Level"

#: Landing folders of others: colleagues that are named.
NAMED_PEOPLE = 3


@dataclass(frozen=True)
class Payer:
    """Whose quota and size limit count: the owner of the landing folder."""

    account: Account | None
    login: str
    is_us: bool


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


def login_failed(error: FatalError) -> Row:
    """No token, or no answer: nothing else of Box can be checked."""
    if isinstance(error, LimitedAccessApp):
        return problem(
            "app",
            "a limited-access app (App Token, Box View)",
            f"{said(error)} Its service account may create folders and upload, but never let anybody in.",
            stops=LimitedAccessApp,
        )
    if isinstance(error, BoxUnreachable):
        return problem(
            "login", said(error), "Check base_url, proxy, firewall and ca_file.", stops=BoxUnreachable
        )
    advice = getattr(error, "advice", "") or "Check box.auth in the plan."
    return problem("login", said(error), advice, stops=type(error))


def upload_host_row(plan: MigrationPlan, box: BoxDestination) -> Row:
    """Files go to another host than everything else."""
    name, host = "upload host", urlsplit(plan.box.upload_url).netloc
    try:
        box.require_upload_host()
    except (TransientError, BoxUnreachable) as exc:
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


# --- what the app may do ---


def scope_rows(plan: MigrationPlan, box: BoxDestination, landing: BoxFolder | None) -> Iterator[Row]:
    """Each scope by a call that leaves no trace, and whether this plan needs it."""
    yield _writing(plan, box, landing)
    people = [person for tree in plan.trees for person in tree.collaborators]
    yield _scope(
        "scope: manage users",
        box.may_list_users(),
        label="Manage users",
        needed_for="the app users of this plan" if any(person.app_user for person in people) else "",
        useful_for="looking people up before they are invited, raising the quota, making identities",
    )
    yield groups_scope(plan, box)


def groups_scope(plan: MigrationPlan, box: BoxDestination) -> Row:
    """Whether groups can be looked up by name, which is how most plans name them. One call."""
    return _scope(
        "scope: manage groups",
        box.may_list_groups(),
        label="Manage groups",
        needed_for="the groups of this plan" if names_groups(plan) else "",
        useful_for="naming groups instead of their ids",
    )


def names_groups(plan: MigrationPlan) -> bool:
    """True when a collaborator is a group by name."""
    return any(person.group for tree in plan.trees for person in tree.collaborators)


def _writing(plan: MigrationPlan, box: BoxDestination, landing: BoxFolder | None) -> Row:
    name, label = "scope: write files", "Write all files and folders stored in Box"
    if landing is not None and not landing.permissions.get("can_upload", True):
        return warning(name, "not tried: the landing folder takes nothing from us", "See the landing folder.")
    try:
        found = box.may_write(plan.box.landing_folder_id)
    except ItemError as exc:
        return problem(name, said(exc), "See the landing folder.", stops=CheckFailed)
    if found is Permission.GRANTED:
        return ok(name, "a folder could be made (and was deleted again)")
    if found is Permission.NO_SCOPE:
        return problem(
            name,
            "Box refuses to make a folder: insufficient_scope",
            f"{SCOPES_PLACE}: tick “{label}”; {READMISSION}.",
            stops=PermissionMissing,
        )
    return problem(
        name,
        "Box refuses to make a folder although the scope is there",
        "Untick “Global Content Manager” (it makes every plain write fail), check the account's status and its role "
        f"on the landing folder; {READMISSION}.",
        stops=PermissionMissing,
    )


def _scope(name: str, found: Permission, *, label: str, needed_for: str, useful_for: str) -> Row:
    if found is Permission.GRANTED:
        return ok(name, "granted")
    if found is Permission.NO_SCOPE:
        how = f"{SCOPES_PLACE}: tick “{label}”; {READMISSION}."
        missing = "the scope is missing"
    else:
        how = f"{ACCESS_PLACE}: App + Enterprise Access; {READMISSION}."
        missing = "the app's access level stops at its own users"
    if needed_for:
        return problem(name, f"{missing}; needed for {needed_for}", how, stops=PermissionMissing)
    return ok(name, f"{missing}; this plan does not need it ({useful_for})")


def as_user_row(box: BoxDestination, others: Sequence[str]) -> Row:
    """Whether calls may be made on behalf of another user; nothing here depends on it."""
    name = "as-user"
    if not others:
        return ok(name, "not tried: no other user of this enterprise is known; nothing here needs it")
    found = box.may_act_as(others[0])
    if found is Permission.GRANTED:
        return ok(name, "calls may be made on behalf of users; nothing here does")
    return warning(
        name,
        "calls on behalf of users are refused",
        "Nothing in a migration needs it. For other tools: Developer Console > your app > Configuration > Advanced "
        f"Features: “Make API calls using the as-user header”; {READMISSION}.",
    )


# --- space and sizes ---


def payer_of(box: BoxDestination, account: Account, landing: BoxFolder | None) -> Payer:
    """Whose space is used; the account is None when we may not look at it."""
    if landing is None or landing.owner_id in (None, account.id):
        return Payer(account, account.login, is_us=True)
    login = landing.owner_login or f"user {landing.owner_id}"
    try:
        return Payer(box.user(str(landing.owner_id)), login, is_us=False)
    except (PermissionMissing, ItemError):
        return Payer(None, login, is_us=False)


def space_row(payer: Payer, needs: Needs) -> Row:
    """Allotted, used, and needed by the plan; the quota is the folder owner's."""
    name, needed = "space", needed_words(needs)
    whose = "" if payer.is_us else f" of {payer.login}, who owns the landing folder and pays"
    owner = payer.account
    if owner is None:
        return warning(
            name, f"the quota{whose} cannot be seen; {needed}", "Ask the owner or an admin whether that fits."
        )
    if owner.space_amount < 0:
        return ok(name, f"unlimited{whose}, {size_words(owner.space_used)} used; {needed}")
    free = max(0, owner.space_amount - owner.space_used)
    default = owner.space_amount in DEFAULT_SPACE
    kind = " (Box's default)" if default and payer.is_us else ""
    found = (
        f"{size_words(free)} free of {size_words(owner.space_amount)}{kind}{whose}, "
        f"{size_words(owner.space_used)} used; {needed}"
    )
    if needs.size > free:
        return problem(name, found, raise_space_words(payer), stops=QuotaExceeded)
    if not needs.exact or needs.size > 0.9 * free:
        return warning(name, found, raise_space_words(payer))
    return ok(name, found)


def needed_words(needs: Needs) -> str:
    """What the plan needs, as far as it is known."""
    least = "" if needs.exact else "at least "
    return f"the plan needs {least}{size_words(needs.size)} for {count_words(needs.files, 'file')}"


def raise_space_words(payer: Payer) -> str:
    """How the quota is raised."""
    if not payer.is_us:
        return f"{_raised_by_admin(payer)}."
    return (
        "boxhaul check PLAN --set-space unlimited (or a size) raises it where the app may manage users; else "
        f"{_raised_by_admin(payer)}."
    )


def _raised_by_admin(payer: Payer) -> str:
    if payer.is_us:
        return f"an admin raises the storage of {payer.login} in the Admin Console by bulk edit (no list shows it)"
    return f"an admin raises the storage of {payer.login} in Admin Console > Users & Groups"


def size_row(payer: Payer, needs: Needs) -> Row:
    """The largest file against what the owner of the landing folder may store."""
    name = "largest file"
    where = f" ({needs.largest_path})" if needs.largest_path else ""
    seen = f"{size_words(needs.largest)}{where}" if needs.largest else "nothing to send"
    limit = payer.account.max_upload_size if payer.account is not None else 0
    if not limit:
        return warning(
            name,
            f"{seen}; the limit of {payer.login} cannot be seen",
            "Ask an admin for its largest file size.",
        )
    found = f"{seen}; {payer.login} may store files of {size_words(limit)}"
    if needs.largest > limit:
        return problem(
            name,
            found,
            "The limit comes with the owner's Box plan: land in a folder of an owner who may store more, exclude or "
            "waive the file, or go on without it with --no-check.",
            stops=CheckFailed,
        )
    if not needs.exact:
        return warning(name, f"{found}; not all of the share was seen", "A full walk shows the rest.")
    return ok(name, found)


# --- landing folder ---


def landing_rows(
    plan: MigrationPlan, box: BoxDestination, account: Account, payer: Payer, landing: BoxFolder | None
) -> Iterator[Row]:
    """Where trees arrive: the account's own root or folder, or a folder of somebody else."""
    name = "landing folder"
    if landing is None:
        yield ok(name, "the service account's own root; each tree becomes a folder in it")
        return
    problems = list(landing_permissions(plan, landing))
    yield from problems
    grants = _grants(box, landing)
    if not problems and payer.is_us:
        yield ok(name, f"“{landing.name}” ({landing.id}), owned by the service account")
    elif not problems:
        yield ok(
            name,
            f"“{landing.name}” ({landing.id}) belongs to {payer.login}; our role: {_role(grants, account)}; "
            f"{_quota_words(payer)}",
            "Everything uploaded will belong to its owner and count against the owner's quota.",
        )
    yield from _seen_by_others(name, account, grants)


def landing_permissions(plan: MigrationPlan, landing: BoxFolder) -> Iterator[Row]:
    """What we may not do there; known without a further call."""
    name = "landing folder"
    may = landing.permissions
    owner = landing.owner_login or "its owner"
    if not may.get("can_upload", True):
        yield problem(
            name,
            f"the service account may not upload into “{landing.name}” ({landing.id})",
            f"{owner} invites the service account as editor (or co-owner).",
            stops=PermissionMissing,
        )
    people = [person for tree in plan.trees for person in tree.collaborators]
    inviting = bool(people or plan.box.identities)
    if inviting and not may.get("can_invite_collaborator", True):
        yield problem(
            name,
            f"the service account may not invite anybody into “{landing.name}” ({landing.id})",
            f"{owner} makes it editor with the right to invite, or co-owner.",
            stops=PermissionMissing,
        )


def landing_missing(error: LandingFolderMissing) -> Row:
    """The plan's landing folder is not there, or hidden from the service account."""
    return problem(
        "landing folder",
        said(error),
        "Correct landing_folder_id, or let the folder's owner invite the service account's login as editor.",
        stops=LandingFolderMissing,
    )


def _grants(box: BoxDestination, landing: BoxFolder) -> list[Collaboration]:
    try:
        return box.collaborations(landing.id)
    except (PermissionMissing, ItemError):
        return []  # the owner hides collaborators from one another


def _role(grants: Sequence[Collaboration], account: Account) -> str:
    found = next((grant.role for grant in grants if grant.accessible_by_id == account.id), None)
    return found or "by a group, or from a folder above"


def _quota_words(payer: Payer) -> str:
    owner = payer.account
    if owner is None:
        return "its owner's quota cannot be seen"
    amount = "unlimited" if owner.space_amount < 0 else size_words(owner.space_amount)
    return f"its owner has {amount}, {size_words(owner.space_used)} used"


def _seen_by_others(name: str, account: Account, grants: Sequence[Collaboration]) -> Iterator[Row]:
    """People on the landing folder see every tree while it is still being filled; Box cannot hide it from them."""
    others = [
        grant.accessible_by_login or grant.accessible_by_name or grant.invite_email or grant.id
        for grant in grants
        if grant.accessible_by_id != account.id
    ]
    if others:
        yield warning(
            name,
            f"{', '.join(others[:NAMED_PEOPLE])}{' and others' if len(others) > NAMED_PEOPLE else ''} can see it, and "
            "so will see trees before they are complete",
            "Land in a folder that nobody else sees, and let people in through the plan.",
        )


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
    yield ok(name, f"{count_words(working, 'app user')} can sign in and upload, {rate}")


def _identity_problem(box: BoxDestination, identity: str) -> str:
    try:
        account = box.identity_account(identity)
    except (FatalError, ItemError) as exc:
        return said(exc)
    return "" if account.status == "active" else f"{account.login} is {account.status}"


def set_space(box: BoxDestination, account: Account, payer: Payer, wanted: int) -> Row | None:
    """Raise the service account's quota; a row when it could not be done."""
    name = "space"
    if not payer.is_us:
        return problem(
            name,
            f"{payer.login} owns the landing folder; its quota is not ours to raise",
            raise_space_words(payer),
        )
    if wanted >= 0 and (account.space_amount < 0 or account.space_amount >= wanted):
        return None
    try:
        box.set_space_amount(account.id, wanted)
    except PermissionMissing:
        return problem(
            name,
            "the app may not change its own quota (it needs “Manage users” and App + Enterprise Access)",
            f"{_raised_by_admin(payer)}; or the app gets what it lacks: {SCOPES_PLACE} and {ACCESS_PLACE}; "
            f"{READMISSION}.",
            stops=QuotaExceeded,
        )
    return None

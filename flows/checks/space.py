"""Rows about space: whose quota counts, what the plan needs, the largest file; and raising the quota."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.box.destination import BoxDestination
from connectors.box.types import Account, BoxFolder
from connectors.errors import (
    ItemError,
    PermissionMissing,
    QuotaExceeded,
)
from flows.checks.rows import Row, ok, problem, warning
from flows.checks.scopes import ACCESS_PLACE, READMISSION, SCOPES_PLACE
from flows.errors import CheckFailed, PlanError
from flows.survey.needs import Needs
from flows.words import counted, size_words

#: Powers of ten, as Box and disks count.
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_space(text: str) -> int:
    """`unlimited` is -1; else a size in bytes, or in kB, MB, GB, TB. PlanError for anything else."""
    if text.strip().lower() in ("unlimited", "-1"):
        return -1
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?b?)\s*", text, re.IGNORECASE)
    unit = (match.group(2).upper() if match else "").rstrip("B")
    if match is None:
        raise PlanError(f"--set-space: {text!r} is neither a size such as 500GB nor unlimited")
    return int(float(match.group(1)) * UNITS[unit + "B" if unit else ""])


#: What a new service account gets, unless the enterprise has another default.
DEFAULT_SPACE = (10 * 1024**3, 10 * 10**9)


@dataclass(frozen=True)
class Payer:
    """Whose quota and size limit count: the owner of the landing folder."""

    account: Account | None
    login: str
    is_us: bool


def payer_of(box: BoxDestination, account: Account, landing: BoxFolder | None) -> Payer:
    """Whose space is used; the account is None when we may not look at it."""
    if landing is None or landing.owner_id in (None, account.id):
        return Payer(account, account.login, is_us=True)
    login = landing.owner_login or f"user {landing.owner_id}"
    try:
        return Payer(box.accounts.user(str(landing.owner_id)), login, is_us=False)
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
    if not needs.exact and not needs.files:
        return "what the plan needs is not known: nothing of the share was seen"
    least = "" if needs.exact else "at least "
    return f"the plan needs {least}{size_words(needs.size)} for {counted(needs.files, 'file')}"


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
    nothing = "nothing to send" if needs.exact else "not known"
    seen = f"{size_words(needs.largest)}{where}" if needs.largest else nothing
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

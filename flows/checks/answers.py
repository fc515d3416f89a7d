"""Answers tried at once: whether a share is there, Box lets us in, and the landing folder is one. Changes nothing."""

from __future__ import annotations

from contextlib import closing

from connectors.entry import moves_as_folder
from flows.plan.connections import open_box, open_share
from flows.plan.model import MigrationPlan
from flows.words import counted, printable


def try_share(plan: MigrationPlan) -> str:
    """Say what is at the top of the share. PlanError, FatalError: one clear line."""
    with closing(open_share(plan)) as source:
        top = source.list_folder("")
    folders = sum(moves_as_folder(entry) for entry in top)
    files = len(top) - folders
    return f"it is there: {counted(folders, 'folder')} and {counted(files, 'file')} at its top"


def try_login(plan: MigrationPlan) -> str:
    """Say who we are in Box. PlanError, FatalError."""
    with open_box(plan) as box:
        account = box.whoami()
    return f"signed in as {printable(account.name)} ({printable(account.login)})"


def try_landing_folder(plan: MigrationPlan) -> str:
    """Say where trees arrive. FatalError."""
    if plan.box.landing_folder_id == "0":
        return "the service account's own root"
    with open_box(plan) as box:
        folder = box.landing_folder()
    owner = f", owned by {printable(folder.owner_login)}" if folder.owner_login else ""
    return f"it is there: {printable(folder.name)}{owner}"

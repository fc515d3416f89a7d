"""Enrolment: the users, groups and folder that a Box is to know before anybody asks for them, with ids of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.rules.people import ENTERPRISE_DOMAIN
from connectors.box.sandbox.store.records import ROOT_ID


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """Who and what is to be there."""

    #: Logins of managed users.
    logins: tuple[str, ...] = ()
    #: Id → name of users who have no login that anybody knows.
    users: Mapping[str, str] = field(default_factory=dict)
    #: Id → name of app users.
    app_users: Mapping[str, str] = field(default_factory=dict)
    #: Names of groups.
    groups: tuple[str, ...] = ()
    #: Id → name of groups that are known by their id.
    group_ids: Mapping[str, str] = field(default_factory=dict)
    #: Id → name of folders of the service account.
    folders: Mapping[str, str] = field(default_factory=dict)


def enrol(core: Core, wanted: Enrolment) -> None:
    """Make what is not there yet; what is stays as it is."""
    store, people = core.store, core.people
    with store.lock:
        store.given_ids |= {*wanted.users, *wanted.app_users, *wanted.group_ids, *wanted.folders}
        for login in wanted.logins:
            if login.lower() not in store.logins:
                people.add_user(login, None, "managed")
        for kind, users in (("managed", wanted.users), ("app", wanted.app_users)):
            for user_id, name in users.items():
                if user_id not in store.users:
                    people.add_user(f"{user_id}@{ENTERPRISE_DOMAIN}", name, kind, user_id=user_id)
        names = {group.name for group in store.groups.values()}
        for name in wanted.groups:
            if name not in names:
                people.add_group(name)
        for group_id, name in wanted.group_ids.items():
            if group_id not in store.groups:
                people.add_group(name, group_id)
        for folder_id, name in wanted.folders.items():
            if folder_id != ROOT_ID and folder_id not in store.folders:
                core.items.create_folder(core.service_account, ROOT_ID, name, folder_id=folder_id)
        store.flush()

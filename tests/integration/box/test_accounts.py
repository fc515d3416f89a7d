"""Accounts: users, groups, app users, space; and several identities that upload into one tree."""

from __future__ import annotations

import threading

import pytest

from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.box.types import Invitee
from connectors.errors import PermissionMissing
from tests.integration.box.files import Killed, Sessions, content, opener, upload


def test_users_are_found_by_their_exact_login(box: Sandbox, destination: BoxDestination) -> None:
    """Box matches prefixes; a colleague with a longer login is somebody else."""
    box.add_user("ann@example.com.au")
    ann = box.add_user("ann@example.com")
    found = destination.accounts.find_user("ANN@example.com")

    assert (ann.id, False) == ((found.id, found.is_service_account) if found else None)
    assert None is destination.accounts.find_user("bob@example.com")


def test_groups_are_found_and_created_once(box: Sandbox, destination: BoxDestination) -> None:
    """Creating a group that is there gives back the one that is there."""
    made = destination.accounts.create_group("Finance")

    assert made == destination.accounts.create_group("Finance") == destination.accounts.find_group("FINANCE")
    assert None is destination.accounts.find_group("Fin")


def test_app_users_come_and_go(box: Sandbox, destination: BoxDestination) -> None:
    """Created, listed, retired; a person is none of them."""
    box.add_user("ann@example.com")
    made = [destination.accounts.create_app_user(f"Uploader {n}") for n in range(3)]
    destination.accounts.deactivate_user(made[0].id)

    assert {user.id: "inactive" if user is made[0] else "active" for user in made} == {
        user.id: user.status for user in destination.accounts.app_users()
    }
    assert {"Uploader 0", "Uploader 1", "Uploader 2"} == {
        user.name for user in destination.accounts.app_users()
    }


@pytest.mark.parametrize("fault", ["after_effect", "before_effect"])
def test_an_app_user_whose_answer_is_lost(box: Sandbox, destination: BoxDestination, fault: str) -> None:
    """One app user in the end, whether the first attempt took effect or not."""
    box.faults.next("POST /users").reset(fault)
    made = destination.accounts.create_app_user("Uploader")

    assert [made.id] == [user.id for user in destination.accounts.app_users()]


def test_space_is_raised(box: Sandbox, destination: BoxDestination) -> None:
    """Bytes or unlimited; whoami() shows the new value."""
    account = destination.whoami()
    changed = destination.set_space_amount(account.id, -1)

    assert -1 == changed.space_amount == destination.whoami().space_amount


def test_space_needs_a_permission(box: Sandbox, destination: BoxDestination) -> None:
    """Without "Manage users" the reason is the permission."""
    account = destination.whoami()
    box.settings.scopes = ("root_readwrite",)
    with pytest.raises(PermissionMissing):
        destination.set_space_amount(account.id, -1)


@pytest.fixture
def team(box: Sandbox, destination: BoxDestination, config: BoxConfig) -> tuple[BoxConfig, str]:
    """A tree whose editors are four app users, and the configuration that uploads through them."""
    folder = destination.create_folder("0", "Top").id
    users = [destination.accounts.create_app_user(f"Uploader {n}").id for n in range(4)]
    for user_id in users:
        destination.collaborate(folder, Invitee(user_id=user_id), "editor")
    return config.model_copy(update={"identities": users}), folder


def test_identities_share_the_work_and_own_nothing(box: Sandbox, team: tuple[BoxConfig, str]) -> None:
    """Each uploads its share under its own token; everything is owned by the service account."""
    config, folder = team
    with BoxDestination(config) as destination:
        items = iter(range(40))
        lock = threading.Lock()
        senders: set[str | None] = set()

        def work() -> None:
            while True:
                with lock:
                    n = next(items, None)
                if n is None:
                    return
                receipt = destination.put(upload(folder, f"{n}", b"x%d" % n), opener(b"x%d" % n))
                senders.add(receipt.identity)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert set(config.identities) == senders == set(destination.identities)
    assert {box.service_account.login} == {file.owner for file in box.files().values()}
    assert 40 == len(box.files())


def test_a_session_goes_on_with_the_identity_that_opened_it(
    box: Sandbox, team: tuple[BoxConfig, str]
) -> None:
    """Across processes, and although others are less busy."""
    config, folder = team
    data = content(20_000)
    item = upload(folder, "big", data)
    with BoxDestination(config) as first:
        store = Sessions(die_after=4)
        with pytest.raises(Killed):
            first.put(item, opener(data), store)
    store.die_after = None
    opened_by = store.saved[0].identity
    shuffled = config.model_copy(update={"identities": list(reversed(config.identities))})
    with BoxDestination(shuffled) as second:
        receipt = second.put(item, opener(data), store)

    assert opened_by == receipt.identity
    assert receipt.parts_sent <= 16
    assert data == box.content(receipt.file_id)

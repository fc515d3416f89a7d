"""People are who Box says they are, only what the plan made is its own, and one refusal stops one invitation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.box.sandbox import Sandbox
from flows.reporting.status import status_document
from tests.acceptance.account.conftest import Account

SetPeople = Callable[..., None]
ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@elsewhere.example"


def landing_of(account: Account, box: Sandbox) -> str:
    """A landing folder that the plan moves into from now on."""
    with box.core.store.lock:
        folder = box.core.items.create_folder(box.service_account, "0", "Landing")
    account.change_box(landing_folder_id=folder.id)
    return str(folder.id)


def invite(box: Sandbox, folder_id: str, login: str, role: str) -> str:
    """Let somebody into a folder as its owner would in Box; the id of the collaboration."""
    item = {"type": "folder", "id": folder_id}
    who = {"type": "user", "login": login}
    with box.core.store.lock:
        body = {"item": item, "accessible_by": who, "role": role}
        return str(box.core.collaborations.create(box.service_account, body).id)


@pytest.mark.parametrize(("above", "planned"), [("viewer", "editor"), ("editor", "viewer")])
def test_pending_invitation_above_is_nobodys_to_touch(
    account: Account, box: Sandbox, people: SetPeople, above: str, planned: str
) -> None:
    """Neither raised nor lowered for a tree below it, nor taken away when the plan names the person no more."""
    grant = invite(box, landing_of(account, box), EVE, above)
    people({"login": EVE, "role": planned})
    account.migrate(check=False)
    account.collaborate()
    people({"login": ANN})
    account.collaborate(prune=True)

    [kept] = [each for each in box.core.store.collaborations.values() if each.id == grant]
    assert (above, "pending") == (kept.role, kept.status)


def test_one_refused_invitation_is_that_persons(account: Account, box: Sandbox) -> None:
    """Box does not let this account invite one person: named with the tree, everybody else comes in."""
    account.change(
        trees=[
            {"source": "Accounting", "collaborators": [{"login": ANN, "role": "co-owner"}, {"login": BOB}]},
            {"source": "Legal", "collaborators": [{"login": BOB}]},
        ]
    )
    refused = {"error": "access_denied_insufficient_permissions"}
    box.faults.next("POST /collaborations").status(403, **refused).times(1)
    summary = account.migrate()
    trees = {tree["name"]: tree for tree in summary["trees"]}

    assert not summary["complete"]
    assert {("Accounting", BOB), ("Legal", BOB)} == {(e["path"], e["login"]) for e in box.collaborations()}
    assert ANN in trees["Accounting"]["detail"]
    assert "complete" == trees["Legal"]["state"]
    assert {ANN: "invite", BOB: "none"} == account.collaborate()


def test_secondary_address_is_the_same_person(account: Account, box: Sandbox, people: SetPeople) -> None:
    """Invited by an address that Box's list does not show: in, told as accepted, and never invited again."""
    user = box.add_user(BOB)
    with box.core.store.lock:
        box.core.people.add_alias(user, "robert@example.com")
    people({"login": "robert@example.com", "role": "viewer"})
    account.migrate()
    people({"login": "robert@example.com", "role": "editor"})
    changed = account.collaborate(prune=True)
    again = account.collaborate(prune=True)

    assert ({"robert@example.com": "change"}, {"robert@example.com": "none"}) == (changed, again)
    assert [(BOB, "editor")] == [(each["login"], each["role"]) for each in box.collaborations()]
    [person] = status_document(account.plan)["trees"][0]["collaborators"]
    assert "accepted" == person["status"]


def test_renamed_group_is_the_same_group(account: Account, box: Sandbox, people: SetPeople) -> None:
    """A group that somebody renames in Box keeps its access, and is neither an outsider nor a failure."""
    group = box.add_group("Finance")
    people({"group": "Finance", "role": "viewer"})
    account.migrate()
    with box.core.store.lock:
        group.name = "Money"

    assert {"Finance": "none"} == account.collaborate(prune=True)
    assert 1 == len(box.collaborations())


def test_outsider_who_is_called_like_a_group_of_the_plan(account: Account, box: Sandbox) -> None:
    """A display name proves nothing: whoever chose it does not see an unfinished tree (P4)."""
    box.add_group("Finance")
    stranger = box.add_user(EVE)
    with box.core.store.lock:
        stranger.name = "Finance"
        folder = box.core.items.create_folder(box.service_account, "0", "Accounting")
    invite(box, folder.id, EVE, "viewer")
    account.change(trees=[{"source": "Accounting", "collaborators": [{"group": "Finance"}]}])
    summary = account.migrate(check=False)

    assert not summary["complete"]
    assert {} == dict(box.files())


def test_group_of_others_that_is_called_like_one_of_the_plan(
    account: Account, box: Sandbox, people: SetPeople
) -> None:
    """`collaborate` takes a group for the plan's by its id; one of the same name is neither it nor pruned."""
    ours = box.add_group("Finance")
    stranger = box.add_group("Other")
    account.migrate()
    folder_id = account.program.status()["trees"][0]["box_folder_id"]
    item, who = {"type": "folder", "id": folder_id}, {"type": "group", "id": stranger.id}
    with box.core.store.lock:
        body = {"item": item, "accessible_by": who, "role": "viewer"}
        theirs = box.core.collaborations.create(box.service_account, body)
        stranger.name = "Finance"
    people({"group": "finance", "role": "viewer"})
    account.collaborate()
    inside = {grant.group.id for grant in box.core.store.collaborations.values() if grant.group}
    people()
    account.collaborate(prune=True)

    assert {ours.id, stranger.id} == inside
    assert [theirs.id] == list(box.core.store.collaborations)


def test_person_whom_somebody_else_had_let_in_is_not_pruned(
    account: Account, box: Sandbox, people: SetPeople
) -> None:
    """The plan named him, too, and does so no more: the grant is still that of who gave it."""
    box.add_user(BOB)
    boss = box.add_user("boss@example.com")
    account.migrate()
    folder_id = account.program.status()["trees"][0]["box_folder_id"]
    box.person().invite(folder_id, boss.login, "co-owner")
    box.person(boss).invite(folder_id, BOB, "viewer")
    people({"login": ANN}, {"login": BOB})
    account.migrate()
    people()
    done = account.collaborate(prune=True)

    assert {ANN: "remove", BOB: "outsider", "boss@example.com": "outsider"} == done
    assert {BOB, "boss@example.com"} == {each["login"] for each in box.collaborations()}


@pytest.mark.parametrize("planned", ["viewer", "editor"])
@pytest.mark.gate(1)
def test_pending_above_where_that_cannot_be_listed(
    account: Account, box: Sandbox, people: SetPeople, planned: str
) -> None:
    """Box hides who is in the landing folder: a pending invitation there stays as it is, ours below is still ours."""
    landing = landing_of(account, box)
    above = invite(box, landing, EVE, "viewer")
    denied = {"error": "access_denied_insufficient_permissions"}
    box.faults.next("GET /folders/:id/collaborations").about(landing).status(403, **denied).times(None)
    box.settings.accept_higher_role_below = False
    people({"login": "joe@elsewhere.example"}, {"login": EVE, "role": planned})
    complete = account.migrate(check=False)["complete"]
    people({"login": "joe@elsewhere.example", "role": "editor"})
    changed = account.collaborate(prune=True)
    people()
    pruned = account.collaborate(prune=True)

    assert (planned == "viewer") == complete
    assert ("change", "remove") == (changed["joe@elsewhere.example"], pruned["joe@elsewhere.example"])
    kept = {grant.id: (grant.role, grant.status) for grant in box.core.store.collaborations.values()}
    assert {above: ("viewer", "pending")} == kept

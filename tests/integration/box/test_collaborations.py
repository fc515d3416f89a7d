"""Collaborations: made once, changed when they differ, found in every spelling, removed once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.box.types import Invitee
from connectors.errors import DestinationGone, Rejected

ANN = Invitee(login="ann@example.com")


@pytest.fixture
def folder(box: Sandbox, destination: BoxDestination) -> str:
    box.add_user("ann@example.com")
    return destination.create_folder("0", "Top").id


def test_a_collaboration_costs_one_call(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """POST /collaborations; a managed user is in at once."""
    box.calls.reset()
    made = destination.collaborate(folder, ANN, "editor")

    assert {"POST /collaborations": 1} == dict(box.calls.by_route)
    assert ("editor", "accepted", "created", "ann@example.com", folder) == (
        made.role,
        made.status,
        made.outcome,
        made.accessible_by_login,
        made.item_id,
    )


def test_twice_is_as_good_as_once(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """The second time nothing changes and nobody is invited again, in any spelling of the login."""
    first = destination.collaborate(folder, ANN, "editor")
    second = destination.collaborate(folder, Invitee(login="Ann@Example.COM"), "editor")

    assert (first.id, "unchanged") == (second.id, second.outcome)
    assert 1 == len(box.collaborations())


@pytest.mark.parametrize("status", [400, 409])
def test_both_ways_of_saying_already(
    box: Sandbox, destination: BoxDestination, folder: str, status: int
) -> None:
    """Box documents 400 and shows 409."""
    destination.collaborate(folder, ANN, "editor")
    box.faults.next("POST /collaborations").status(status, error="user_already_collaborator")

    assert "unchanged" == destination.collaborate(folder, ANN, "editor").outcome


@pytest.mark.parametrize(
    "role",
    ["viewer", "previewer", "uploader", "previewer uploader", "viewer uploader", "co-owner", "editor"],
)
def test_every_role_and_every_change(
    box: Sandbox, destination: BoxDestination, folder: str, role: str
) -> None:
    """All seven roles can be given, and a changed role is applied to the grant that is there."""
    first = destination.collaborate(folder, ANN, "viewer")
    second = destination.collaborate(folder, ANN, role)

    assert (first.id, role, "unchanged" if role == "viewer" else "updated") == (
        second.id,
        second.role,
        second.outcome,
    )
    assert [role] == [each["role"] for each in box.collaborations()]


def test_an_unknown_role_is_refused_here(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """No call for a role that Box does not have."""
    with pytest.raises(Rejected, match="'Editor'; it has editor, viewer"):
        destination.collaborate(folder, ANN, "Editor")

    assert [] == box.collaborations()


def test_an_external_person_is_pending(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """Unknown addresses are invited, stay pending, and are found again by their address."""
    made = destination.collaborate(folder, Invitee(login="eve@elsewhere.example"), "viewer")
    again = destination.collaborate(folder, Invitee(login="EVE@elsewhere.example"), "viewer")
    changed = destination.collaborate(folder, Invitee(login="eve@elsewhere.example"), "editor")

    assert ("pending", made.id, "unchanged") == (made.status, again.id, again.outcome)
    assert ("updated", "editor") == (changed.outcome, changed.role)
    assert 1 == len(box.collaborations())


def test_users_by_id_and_groups_by_name_and_id(
    box: Sandbox, destination: BoxDestination, folder: str
) -> None:
    """Whoever it is, he is found again."""
    bob = box.add_user("bob@example.com")
    finance = box.add_group("Finance")
    box.add_group("Finance Abroad")
    made = [
        destination.collaborate(folder, Invitee(user_id=bob.id), "viewer"),
        destination.collaborate(folder, Invitee(group="finance"), "editor"),
    ]
    again = [
        destination.collaborate(folder, Invitee(login="bob@example.com"), "viewer"),
        destination.collaborate(folder, Invitee(group_id=finance.id), "editor"),
    ]

    assert [each.id for each in made] == [each.id for each in again]
    assert {"unchanged"} == {each.outcome for each in again}
    assert made[1].id == getattr(destination.find_collaboration(folder, Invitee(group="Finance")), "id", None)
    assert None is destination.find_collaboration(folder, Invitee(login="nobody@example.com"))


def test_a_group_that_is_not_there(destination: BoxDestination, folder: str) -> None:
    """The plan names a group that Box does not have."""
    with pytest.raises(DestinationGone, match="no group 'Finance'"):
        destination.collaborate(folder, Invitee(group="Finance"), "viewer")


def test_options_are_passed_on(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """can_view_path, is_access_only and expires_at arrive, and notify is what the caller says."""
    until = datetime(2030, 1, 1, tzinfo=UTC)
    below = destination.create_folder(folder, "Below").id
    made = destination.collaborate(
        below, ANN, "viewer", notify=True, can_view_path=True, is_access_only=True, expires_at=until
    )
    later = destination.collaborate(
        below, ANN, "viewer", can_view_path=True, expires_at=until.replace(year=2031)
    )

    assert (True, True, until) == (made.can_view_path, made.is_access_only, made.expires_at)
    assert ("updated", 2031) == (later.outcome, later.expires_at.year if later.expires_at else 0)


def test_the_root_folder_cannot_be_shared(destination: BoxDestination, box: Sandbox) -> None:
    """Box refuses, and says so."""
    box.add_user("ann@example.com")
    with pytest.raises(Rejected, match="root"):
        destination.collaborate("0", ANN, "viewer")
    box.violations.clear()


def test_removing_twice(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """A grant that is gone counts as removed."""
    made = destination.collaborate(folder, ANN, "viewer")
    destination.remove_collaboration(made.id)
    destination.remove_collaboration(made.id)

    assert [] == box.collaborations()
    assert [] == destination.collaborations(folder)


def test_many_collaborators_are_all_listed(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """Every grant once, whatever the page size."""
    for n in range(30):
        destination.collaborate(folder, Invitee(login=f"user{n}@elsewhere.example"), "viewer")

    assert 30 == len({each.id for each in destination.collaborations(folder)})


def test_a_secondary_address_is_somebody_who_is_in(
    box: Sandbox, destination: BoxDestination, folder: str
) -> None:
    """Invited by an alias, shown by the login: the collaboration's id says that it is the same person."""
    box.add_alias(box.add_user("bob@example.com"), "robert@example.com")
    robert = Invitee(login="robert@example.com")
    made = destination.collaborate(folder, robert, "viewer")
    again = destination.collaborate(folder, robert, "viewer", known_id=made.id)
    changed = destination.collaborate(folder, robert, "editor", known_id=made.id)

    assert "bob@example.com" == made.accessible_by_login
    assert [(made.id, "unchanged"), (made.id, "updated")] == [
        (again.id, again.outcome),
        (changed.id, changed.outcome),
    ]


def test_a_secondary_address_whose_record_was_lost(
    box: Sandbox, destination: BoxDestination, folder: str
) -> None:
    """Killed between Box's 201 and the record, and aliases may not be seen: the one whom we let in and who is nobody
    else of the plan."""
    destination.whoami()
    box.faults.next("GET /users/:id/email_aliases").status(403, error="forbidden").times(None)
    box.add_alias(box.add_user("bob@example.com"), "robert@example.com")
    robert = Invitee(login="robert@example.com")
    others = [destination.collaborate(folder, ANN, "viewer").id]
    lost = destination.collaborate(folder, robert, "viewer")
    found = destination.collaborate(folder, robert, "viewer", others=others)
    with pytest.raises(Rejected, match="its list of this folder does not"):
        destination.collaborate(folder, robert, "viewer")  # it might be Ann's

    assert (lost.id, "unchanged") == (found.id, found.outcome)


def test_a_secondary_address_among_many_of_ours(
    box: Sandbox, destination: BoxDestination, folder: str
) -> None:
    """Two people whom we let in are in no record: Box says whose other address it is."""
    destination.whoami()
    box.add_alias(box.add_user("bob@example.com"), "robert@example.com")
    destination.collaborate(folder, ANN, "viewer")
    lost = destination.collaborate(folder, Invitee(login="robert@example.com"), "viewer")

    found = destination.collaborate(folder, Invitee(login="Robert@example.com"), "editor")

    assert (lost.id, "updated", "editor") == (found.id, found.outcome, found.role)


def test_a_login_that_changed_is_still_the_same_person(
    box: Sandbox, destination: BoxDestination, folder: str
) -> None:
    """Nobody is invited twice because an administrator renamed the account."""
    bob = box.add_user("bob@example.com")
    made = destination.collaborate(folder, Invitee(login="bob@example.com"), "viewer")
    box.change_login(bob, "robert@example.com")
    again = destination.collaborate(folder, Invitee(login="bob@example.com"), "viewer", known_id=made.id)

    assert (made.id, "unchanged", "robert@example.com") == (
        again.id,
        again.outcome,
        again.accessible_by_login,
    )
    assert 1 == len(box.collaborations())


def test_a_group_that_was_renamed_is_still_the_same(
    box: Sandbox, destination: BoxDestination, folder: str
) -> None:
    """Nor when another group has the old name now."""
    finance = box.add_group("Finance")
    made = destination.collaborate(folder, Invitee(group="Finance"), "viewer")
    box.rename_group(finance, "Finance Europe")
    again = destination.collaborate(folder, Invitee(group="Finance"), "viewer", known_id=made.id)
    box.add_group("Finance")
    still = destination.collaborate(folder, Invitee(group="Finance"), "viewer", known_id=made.id)

    assert {(made.id, finance.id, "unchanged")} == {
        (each.id, each.accessible_by_id, each.outcome) for each in (again, still)
    }


@pytest.mark.parametrize("wanted", ["previewer", "editor"])
def test_a_pending_invitation_from_above_is_left_alone(
    box: Sandbox, destination: BoxDestination, folder: str, wanted: str
) -> None:
    """Box shows no item while it is pending; it is the landing folder's, and its role there is nobody's to change."""
    eve = Invitee(login="eve@elsewhere.example")
    above = destination.collaborate(folder, eve, "viewer")
    below = destination.create_folder(folder, "Below").id
    if wanted == "editor":
        with pytest.raises(Rejected, match="viewer on a folder above"):
            destination.collaborate(below, eve, wanted)
    else:
        assert "unchanged" == destination.collaborate(below, eve, wanted).outcome

    found = destination.find_collaboration(below, eve)
    assert (above.id, folder) == (found and found.id, found and found.item_id)
    assert [("viewer", "pending")] == [(each["role"], each["status"]) for each in box.collaborations()]


def test_a_pending_invitation_of_this_folder_is_told_from_one_above(
    box: Sandbox, destination: BoxDestination, folder: str
) -> None:
    """Of two that show no item, the one that the folder above does not list is this folder's."""
    below = destination.create_folder(folder, "Below").id
    here = destination.collaborate(below, Invitee(login="joe@elsewhere.example"), "viewer")
    above = destination.collaborate(folder, Invitee(login="eve@elsewhere.example"), "viewer")

    assert {here.id: below, above.id: folder} == {
        each.id: each.item_id for each in destination.collaborations(below)
    }
    assert (
        "updated" == destination.collaborate(below, Invitee(login="joe@elsewhere.example"), "editor").outcome
    )


def test_the_owner_is_nobody_else(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """The plan names the owner, who needs no grant: the one person whom this account let in is not taken for him."""
    account = destination.whoami()
    eve = destination.collaborate(folder, Invitee(login="eve@elsewhere.example"), "viewer")
    owner = destination.collaborate(folder, Invitee(login=account.login.upper()), "editor")

    assert ("owner", "unchanged", "") == (owner.role, owner.outcome, owner.id)
    assert [(eve.id, "viewer")] == [(each["id"], each["role"]) for each in box.collaborations()]


def test_nothing_is_changed_on_a_guess(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """Aliases may not be seen: who is in by another address counts as in, and no role is changed for him."""
    destination.whoami()
    box.faults.next("GET /users/:id/email_aliases").status(403, error="forbidden").times(None)
    box.add_alias(box.add_user("bob@example.com"), "robert@example.com")
    robert = Invitee(login="robert@example.com")
    destination.collaborate(folder, robert, "viewer")
    with pytest.raises(Rejected, match="viewer here or on a folder above"):
        destination.collaborate(folder, robert, "editor")
    found = destination.collaborate(folder, robert, "viewer")

    assert (None, "unchanged") == (found.item_id, found.outcome)
    assert ["viewer"] == [each["role"] for each in box.collaborations()]


def test_no_guess_where_aliases_can_be_seen(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """Box says that somebody has access and nobody in its list has that address: nobody's grant is taken for it."""
    destination.whoami()
    ann = destination.collaborate(folder, ANN, "viewer")
    box.faults.next("POST /collaborations").status(400, error="user_already_collaborator")
    with pytest.raises(Rejected, match="its list of this folder does not"):
        destination.collaborate(folder, Invitee(login="bob@example.com"), "editor")

    assert [(ann.id, "viewer")] == [(each["id"], each["role"]) for each in box.collaborations()]


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_pending_where_the_folder_above_cannot_be_listed(
    box: Sandbox, destination: BoxDestination, folder: str, role: str
) -> None:
    """Box does not say on which folder somebody is pending: only what is known by its id is changed."""
    eve, joe = Invitee(login="eve@elsewhere.example"), Invitee(login="joe@elsewhere.example")
    below = destination.create_folder(folder, "Below").id
    above = destination.collaborate(folder, eve, "viewer")
    ours = destination.collaborate(below, joe, "viewer")
    denied = "access_denied_insufficient_permissions"
    box.faults.next("GET /folders/:id/collaborations").about(folder).status(403, error=denied).times(None)

    assert "updated" == destination.collaborate(below, joe, "editor", known_id=ours.id).outcome
    if role == "viewer":
        assert "unchanged" == destination.collaborate(below, eve, role).outcome
    else:
        with pytest.raises(Rejected, match="viewer here or on a folder above"):
            destination.collaborate(below, eve, role)
    assert {above.id: "viewer", ours.id: "editor"} == {
        each["id"]: each["role"] for each in box.collaborations()
    }


def test_who_declined_is_not_asked_again(box: Sandbox, destination: BoxDestination, folder: str) -> None:
    """Another role in the plan is no new invitation."""
    eve = Invitee(login="eve@elsewhere.example")
    made = destination.collaborate(folder, eve, "viewer")
    box.core.store.collaborations[made.id].status = "rejected"
    again = destination.collaborate(folder, eve, "editor", known_id=made.id)

    assert ("rejected", "viewer", "unchanged") == (again.status, again.role, again.outcome)

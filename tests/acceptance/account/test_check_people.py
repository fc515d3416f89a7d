"""`boxhaul check`: whom the plan lets in, and uploader identities: each looked up, and told when not found."""

from __future__ import annotations

from connectors.box.sandbox import Sandbox
from tests.acceptance.account.conftest import Account
from tests.acceptance.account.rows import SetPeople, assert_row


def test_people_are_looked_up(account: Account, box: Sandbox, people: SetPeople) -> None:
    """Active, inactive, external, unknown, gone: each told apart, each once."""
    box.add_user("bob@example.com").status = "inactive"
    box.add_user("eve@elsewhere.example", kind="external")
    people(
        {"login": "ann@example.com"},
        {"login": "bob@example.com"},
        {"login": "eve@elsewhere.example"},
        {"login": "new@example.com"},
        {"user_id": "999999"},
    )
    rows = account.rows()

    assert_row(rows["collaborators"], "ok", "1 of 5 people")
    assert_row(rows["collaborator bob@example.com"], "problem", "inactive")
    assert_row(rows["collaborator eve@elsewhere.example"], "warning", "another enterprise", "pending")
    assert_row(rows["collaborator new@example.com"], "warning", "invitation", "licence", "typing error")
    assert_row(rows["collaborator 999999"], "problem", "no user with this id")


def test_pending_people_are_listed(account: Account, people: SetPeople) -> None:
    """Who was invited and has not accepted yet."""
    people({"login": "eve@elsewhere.example"})
    account.migrate()

    assert_row(
        account.rows()["collaborators pending"], "warning", "eve@elsewhere.example", "boxhaul collaborate"
    )


def test_groups_are_looked_up(account: Account, box: Sandbox, people: SetPeople) -> None:
    """There, missing, or to be made because the plan says so."""
    box.add_group("Finance")
    people({"group": "Finance"}, {"group": "Sales"}, {"group": "Made", "create": True}, {"group_id": "77"})
    rows = account.rows()

    assert_row(rows["groups"], "ok", "1 of 4 groups")
    assert_row(rows["group Sales"], "problem", "no such group", "create: true")
    assert_row(rows["group Made"], "ok", "is made")
    assert_row(rows["group 77"], "problem", "no such group")


def test_app_users_are_looked_up(account: Account, box: Sandbox, people: SetPeople) -> None:
    """One that is to be made is fine; one that was deactivated is not."""
    people({"app_user": "Kiosk"})
    before = account.rows()["app user Kiosk"]
    account.migrate()
    after = account.rows()
    kiosk = next(user for user in box.core.store.users.values() if user.name == "Kiosk")
    kiosk.status = "inactive"

    assert_row(before, "ok", "is made when")
    assert "app user Kiosk" not in after
    assert_row(account.rows()["app user Kiosk"], "problem", "inactive")


def test_identities_sign_in(account: Account, box: Sandbox) -> None:
    """Each one is tried with a token of its own; one that is retired is a problem that stops a run."""
    users = [box.add_user(f"AppUser_1_{n}@boxdevedition.com", kind="app") for n in range(2)]
    account.change_box(identities=[user.id for user in users])
    good = account.rows()["identities"]
    users[1].status = "inactive"
    rows = account.rows()

    assert_row(good, "ok", "2 app users can sign in")
    assert_row(
        rows[f"identity {users[1].id}"], "problem", "Generate user access tokens", "identities PLAN list"
    )
    assert_row(rows["identities"], "ok", "1 app user can sign in")


def test_one_person_who_cannot_be_looked_up_hides_no_other(account: Account, box: Sandbox) -> None:
    """Box refuses to look up one user and one group of the plan: each is named, the rows of the others are there."""
    known = box.add_user("bob@example.com")
    people = [
        {"user_id": known.id},
        {"login": "nobody@example.com"},
        {"group_id": "4711"},
        {"group": "Finance"},
    ]
    account.change(trees=[{"source": "Accounting", "collaborators": people}])
    box.faults.next("GET /users/:id").about(known.id).status(400, error="bad_request").times(None)
    box.faults.next("GET /groups/:id").about("4711").status(400, error="bad_request").times(None)
    rows = account.rows()

    assert_row(rows[f"collaborator {known.id}"], "warning", "does not look it up", "400 bad_request")
    assert_row(rows["collaborator nobody@example.com"], "warning", "no user of Box")
    assert_row(rows["group 4711"], "warning", "does not look it up")
    assert_row(rows["group Finance"], "problem", "no such group")


def test_access_that_is_over_is_told_and_keeps_no_tree_incomplete(account: Account, box: Sandbox) -> None:
    """Whom the plan names until a day in the past, and a link of that sort: told before, left out, and complete."""
    over = "2020-01-01T00:00:00Z"
    people = [
        {"login": "ann@example.com", "role": "viewer", "expires_at": over},
        {"login": "bob@example.com", "role": "viewer"},
    ]
    tree = {"source": "Accounting", "collaborators": people, "shared_link": {"expires_at": over}}
    account.change(trees=[tree])
    rows = account.rows()
    moved = account.program.run("migrate")
    agreed = account.program.run("collaborate")

    assert_row(
        rows["access that is over"], "warning", "ann@example.com (Accounting)", "complete without them"
    )
    assert_row(rows["links that are over"], "warning", "Accounting", "No link is made")
    assert [0, 0] == [moved.code, agreed.code], moved.output + agreed.output
    assert "bob@example.com" in agreed.output
    assert ["bob@example.com"] == [
        each["login"]
        for each in account.program.status()["trees"][0]["collaborators"]
        if each["status"] != "planned"
    ]

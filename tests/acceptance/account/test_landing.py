"""Landing in somebody else's folder: their quota, their limit, our role; the plan works whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from connectors.errors import QuotaExceeded
from flows.errors import CheckFailed
from tests.acceptance.account.conftest import Account
from tests.acceptance.account.test_check import assert_row, uploads
from tests.acceptance.account.test_identities import use

BOSS = "boss@example.com"


@pytest.fixture
def boss(box: Sandbox) -> Any:
    """A colleague with 1 MB."""
    return box.add_user(BOSS, space_amount=1_000_000)


def share_folder(box: Sandbox, owner: Any, role: str, **grant: Any) -> str:
    """A folder of the owner's, on which the service account has this role."""
    with box.core.store.lock:
        folder = box.core.items.create_folder(owner, "0", "Landing")
        body = {"item": {"type": "folder", "id": folder.id}, "role": role, **grant}
        body["accessible_by"] = {"type": "user", "id": box.service_account.id}
        box.core.collaborations.create(owner, body)
    return str(folder.id)


@pytest.mark.parametrize("role", ["editor", "co-owner"])
@pytest.mark.gate(1)
def test_plan_works_whole_in_somebody_elses_folder(
    account: Account, box: Sandbox, boss: Any, role: str
) -> None:
    """Sent, verified and shared there; the owner owns and pays for all of it, identities or not."""
    account.change_box(landing_folder_id=share_folder(box, boss, role))
    account.change(
        trees=[{"source": "Accounting", "collaborators": [{"login": "ann@example.com"}, {"login": BOSS}]}]
    )
    use(account, 2)
    summary = account.migrate()
    files = box.files()

    assert summary["complete"]
    assert {BOSS} == {file.owner for file in files.values()}
    assert sum(file.size for file in files.values()) == boss.space_used
    assert 0 == box.service_account.space_used
    tree_grants = [each["login"] for each in box.collaborations() if each["path"] == "Landing/Accounting"]
    assert ["ann@example.com"] == tree_grants
    assert BOSS == account.program.status()["owner"]
    assert 0 == account.program.run("report", "--plain").code
    assert f"belongs to {BOSS}" in next(account.program.folder.glob("*-report/report.html")).read_text()


def test_owner_quota_and_role_are_shown(account: Account, box: Sandbox, boss: Any) -> None:
    """`check` says whose folder it is, who pays, what is left, and which role we have."""
    account.change_box(landing_folder_id=share_folder(box, boss, "editor"))
    rows = account.rows()

    assert_row(rows["landing folder"], "ok", BOSS, "our role: editor", "1.0 MB")
    assert_row(rows["space"], "ok", BOSS, "who owns the landing folder and pays")
    assert_row(rows["largest file"], "ok", BOSS)


def test_owners_limits_stop_the_run(account: Account, box: Sandbox, boss: Any) -> None:
    """The owner's space and largest file count, not ours; the owner's quota is not raised by us."""
    account.change_box(landing_folder_id=share_folder(box, boss, "editor"))
    boss.space_amount = 3
    space = account.rows("unlimited")["space"]
    with pytest.raises(QuotaExceeded, match=BOSS):
        account.migrate()
    boss.space_amount, boss.max_upload_size = -1, 1
    with pytest.raises(CheckFailed, match=BOSS):
        account.migrate()

    assert_row(space, "problem", BOSS, "not ours to raise")
    assert 0 == uploads(box)


def test_quota_that_may_not_be_seen_is_a_warning(account: Account, box: Sandbox, boss: Any) -> None:
    """Without the right to look at users the run goes on, and a person is told to ask."""
    account.change_box(landing_folder_id=share_folder(box, boss, "editor"))
    box.settings.app_access = "app"
    rows = account.rows()

    assert_row(rows["space"], "warning", "cannot be seen", "Ask the owner")
    assert_row(rows["largest file"], "warning", "cannot be seen")
    assert account.migrate()["complete"]


def test_role_that_is_not_enough_stops_the_run(account: Account, box: Sandbox, boss: Any) -> None:
    """A viewer cannot upload, an uploader cannot let people in; who has to do what is said."""
    account.change_box(landing_folder_id=share_folder(box, boss, "viewer"))
    account.change(trees=[{"source": "Accounting", "collaborators": [{"login": "ann@example.com"}]}])
    row = account.rows()["landing folder"]
    with pytest.raises(CheckFailed, match="landing folder"):
        account.migrate()
    with box.core.store.lock:
        next(iter(box.core.store.collaborations.values())).role = "viewer uploader"
    inviting = account.rows()["landing folder"]

    assert_row(row, "problem", "may not upload", BOSS, "editor")
    assert_row(inviting, "problem", "may not invite anybody", BOSS, "co-owner")
    assert 0 == uploads(box)


def test_landing_folder_that_is_not_there(account: Account) -> None:
    """Gone or hidden: its id, and that the owner has to invite the service account."""
    account.change_box(landing_folder_id="123456789")
    finished = account.program.run("check", "--json")
    rows = {row["name"]: row for row in json.loads(finished.stdout)["checks"]}

    assert 1 == finished.code
    assert_row(rows["landing folder"], "problem", "123456789", "invite the service account")


def test_colleagues_who_see_the_landing_folder(account: Account, box: Sandbox, boss: Any) -> None:
    """Whoever is on the landing folder sees trees before they are complete: that is a warning."""
    folder_id = share_folder(box, boss, "editor")
    with box.core.store.lock:
        item = {"type": "folder", "id": folder_id}
        who = {"type": "user", "login": "ann@example.com"}
        box.core.collaborations.create(boss, {"item": item, "accessible_by": who, "role": "viewer"})
    account.change_box(landing_folder_id=folder_id)

    assert_row(account.rows()["landing folder"], "warning", "ann@example.com", "before they are complete")


def invite(account: Account, *logins: str) -> None:
    """Let these people into the plan's only tree."""
    account.change(trees=[{"source": "Accounting", "collaborators": [{"login": login} for login in logins]}])


def setting(box: Sandbox, owner: Any, folder: str, **flags: bool) -> None:
    """The owner changes the landing folder's settings."""
    box.person(owner).set_folder(folder, **flags)


def test_outsider_and_a_folder_closed_to_other_enterprises(account: Account, box: Sandbox, boss: Any) -> None:
    """`check` names the person before anything is sent; nobody else, and nothing once the folder is open."""
    eve = "eve@elsewhere.example"
    box.add_user(eve, kind="external")
    folder = share_folder(box, boss, "editor")
    setting(box, boss, folder, is_collaboration_restricted_to_enterprise=True)
    account.change_box(landing_folder_id=folder)
    invite(account, "ann@example.com", eve, "nobody@new.example")
    rows = account.rows()

    assert_row(rows[f"collaborator {eve}"], "problem", "another enterprise", "Landing", "allows external")
    assert_row(rows["collaborator nobody@new.example"], "warning", "own enterprise alone", "managed user")
    assert "collaborator ann@example.com" not in rows
    assert 1 == account.program.run("check").code
    invite(account, "ann@example.com")
    assert {"ok"} == {row["state"] for name, row in account.rows().items() if "collaborator" in name}
    invite(account, "ann@example.com", eve)
    setting(box, boss, folder, is_collaboration_restricted_to_enterprise=False)
    assert_row(account.rows()[f"collaborator {eve}"], "warning", "another enterprise", "pending")


def test_folder_in_which_editors_may_not_invite(account: Account, box: Sandbox, boss: Any) -> None:
    """A problem for a plan that lets people in, and for none that does not."""
    folder = share_folder(box, boss, "editor")
    setting(box, boss, folder, can_non_owners_invite=False)
    account.change_box(landing_folder_id=folder)
    invite(account, "ann@example.com")

    assert_row(account.rows()["landing folder"], "problem", "only the owner", BOSS, "lets editors invite")
    assert 1 == account.program.run("check").code
    invite(account)
    assert_row(account.rows()["landing folder"], "ok", BOSS)
    invite(account, "ann@example.com")
    setting(box, boss, folder, can_non_owners_invite=True)
    assert_row(account.rows()["landing folder"], "ok", BOSS)


def test_co_owner_may_invite_where_editors_may_not(account: Account, box: Sandbox, boss: Any) -> None:
    """The setting says nothing of co-owners: the plan works whole."""
    folder = share_folder(box, boss, "co-owner")
    setting(box, boss, folder, can_non_owners_invite=False)
    account.change_box(landing_folder_id=folder)
    invite(account, "ann@example.com")

    assert_row(account.rows()["landing folder"], "ok", BOSS, "our role: co-owner")
    assert account.migrate()["complete"]


def test_owner_may_invite_where_others_may_not(account: Account, box: Sandbox) -> None:
    """In the service account's own folder the setting keeps nobody of the plan out."""
    with box.core.store.lock:
        folder = box.core.items.create_folder(box.service_account, "0", "Ours")
        folder.can_non_owners_invite = False
    account.change_box(landing_folder_id=str(folder.id))
    invite(account, "ann@example.com")

    assert_row(account.rows()["landing folder"], "ok", "owned by the service account")
    assert account.migrate()["complete"]


@pytest.mark.parametrize("wanted", [{"role": "co-owner"}, {"role": "viewer", "can_view_path": True}])
def test_editor_cannot_give_more_than_his_role(
    account: Account, box: Sandbox, boss: Any, wanted: dict[str, Any]
) -> None:
    """`check` names whom an editor's account cannot let in as the plan says; a co-owner's account can."""
    account.change_box(landing_folder_id=share_folder(box, boss, "editor"))
    people = [{"login": "ann@example.com", **wanted}, {"login": "bob@example.com"}]
    account.change(trees=[{"source": "Accounting", "collaborators": people}])
    row = account.rows()["landing folder"]
    grant = next(iter(box.core.store.collaborations.values()))
    grant.role = "co-owner"

    assert_row(row, "problem", "ann@example.com", BOSS, "give them less")
    assert "bob@example.com" not in row["found"]
    assert_row(account.rows()["landing folder"], "ok", BOSS)

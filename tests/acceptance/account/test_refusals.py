"""P11: one item's refusal stops one item, one person's stops one invitation; the whole account's stops the run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from connectors.errors import PermissionMissing
from flows.reporting.report import write_report
from tests.acceptance.account.conftest import Account
from tests.acceptance.account.test_identities import use
from tests.acceptance.account.test_landing import share_folder

DENIED = "access_denied_insufficient_permissions"


def failures(account: Account) -> dict[str, str]:
    """Failed entries of the report: path → reason."""
    lines = json.loads(write_report(account.plan)[2].read_text())
    return {line["path"]: line["reason"] for line in lines if line.get("status") == "failed"}


def test_one_refused_file_is_named_and_the_others_arrive(account: Account, box: Sandbox) -> None:
    """Box refuses one file for its role there: that path fails, everything else arrives, its tree waits."""
    box.faults.next("POST /files/content").about("b.txt").status(403, error=DENIED).times(None)
    summary = account.migrate()

    assert not summary["complete"]
    assert {"Accounting/sub/b.txt": "not_permitted"} == failures(account)
    assert {"Accounting/a.txt", "Legal/c.txt"} == set(box.files())


def test_one_refused_person_is_named_and_the_others_come(account: Account, box: Sandbox, people: Any) -> None:
    """Box refuses one invitation: that person is told, the other one and the next tree go on."""
    box.add_user("bob@example.com")
    people({"login": "ann@example.com"}, {"login": "bob@example.com"})
    box.faults.next("POST /collaborations").about("ann@example.com").status(403, error=DENIED).times(None)
    summary = account.migrate()

    assert not summary["complete"]
    assert ["bob@example.com"] == [each["login"] for each in box.collaborations()]
    states = {tree["name"]: tree for tree in account.program.status()["trees"]}
    assert "complete" == states["Legal"]["state"]
    assert {"ann@example.com": "failed", "bob@example.com": "accepted"} == {
        each["login"]: each["status"] for each in states["Accounting"]["collaborators"]
    }


def test_a_co_owner_that_an_editor_cannot_make(account: Account, box: Sandbox) -> None:
    """The account is an editor of the landing folder: one co-owner of the plan fails, later trees get their people."""
    boss = box.add_user("boss@example.com")
    box.add_user("bob@example.com")
    account.change_box(landing_folder_id=share_folder(box, boss, "editor"))
    account.change(
        trees=[
            {"source": "Accounting", "collaborators": [{"login": "ann@example.com", "role": "co-owner"}]},
            {"source": "Legal", "collaborators": [{"login": "bob@example.com", "role": "viewer"}]},
        ]
    )
    summary = account.migrate(check=False)

    assert not summary["complete"]
    assert [("bob@example.com", "Landing/Legal")] == [
        (each["login"], each["path"]) for each in box.collaborations() if each["path"] != "Landing"
    ]


def test_an_account_that_lost_its_role_blames_nobody(account: Account, box: Sandbox) -> None:
    """The account became a viewer of the landing folder: the run stops and no file is marked failed for it."""
    boss = box.add_user("boss@example.com")
    account.change_box(landing_folder_id=share_folder(box, boss, "editor"))
    grant = next(iter(box.core.store.collaborations.values()))
    grant.role = "viewer"
    with pytest.raises(PermissionMissing, match="landing folder"):
        account.migrate(check=False)
    blamed = failures(account)
    grant.role = "editor"

    assert {} == blamed
    assert account.migrate(check=False)["complete"]


def test_a_scope_that_is_lost_on_the_way_stops_the_run(account: Account, box: Sandbox) -> None:
    """The write scope goes away and Box says so without a body: the run stops and no file is marked failed for it."""
    box.settings.empty_auth_bodies = True
    box.faults.next("POST /files/content").status(403, error="insufficient_scope").times(None)
    with pytest.raises(PermissionMissing, match="insufficient_scope"):
        account.migrate(check=False)
    blamed = failures(account)
    box.faults.clear()

    assert {} == blamed
    assert account.migrate(check=False)["complete"]


def test_uploads_that_a_policy_forbids_blame_no_file(account: Account, box: Sandbox) -> None:
    """The role still says can_upload, and Box takes no file: the run stops, nothing is failed; later all arrives."""
    for route in ("POST /files/content", "OPTIONS /files/content"):
        box.faults.next(route).status(403, error="forbidden_by_policy").times(None)
    with pytest.raises(PermissionMissing, match="which policy forbids it"):
        account.migrate(check=False)
    blamed = failures(account)
    box.faults.clear()

    assert {} == blamed
    assert account.migrate(check=False)["complete"]


def test_uploaders_stay_written_down_while_the_folder_is_hidden(account: Account, box: Sandbox) -> None:
    """Box hides who is in the tree's folder when its uploaders are to leave: the next run takes them out."""
    ann = "ann@example.com"
    uploader = use(account, 1)[0]
    account.change(trees=[{"source": "Legal", "collaborators": [{"login": ann}]}])
    box.faults.next("GET /folders/:id/collaborations").status(404, error="not_found").times(None)
    summary = account.migrate(check=False)
    inside = [grant.user.id for grant in box.core.store.collaborations.values() if grant.user]
    box.faults.clear()

    assert not summary["complete"]
    assert [uploader] == inside
    assert account.migrate(check=False)["complete"]
    assert [ann] == [each["login"] for each in box.collaborations()]

"""`boxhaul check`: every row passing and failing, with the words that a person needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from connectors.errors import QuotaExceeded
from flows.errors import CheckFailed, PlanError
from tests.acceptance.account.conftest import Account
from tests.acceptance.account.rows import SetPeople, assert_row
from tests.readings import violations
from tests.servers.proxy import Proxy

ROWS = [
    "source",
    "login",
    "account",
    "app",
    "upload host",
    "scope: write files",
    "scope: manage users",
    "scope: manage groups",
    "space",
    "largest file",
    "landing folder",
    "collaborators",
    "groups",
    "as-user",
    "identities",
    "state database",
    "clock",
    "disk",
]


def uploads(box: Sandbox) -> int:
    """Files that Box was sent."""
    return box.calls.by_route["POST /files/content"] + box.calls.by_route["POST /files/upload_sessions"]


def test_everything_passes_and_nothing_is_left_behind(account: Account, box: Sandbox) -> None:
    """All rows, in the order in which a person puts things right; the probes leave no folder."""
    document = account.check()

    assert ROWS == [row["name"] for row in document["checks"]]
    assert {"ok"} == {row["state"] for row in document["checks"]}
    assert ("ok", True, 0) == (document["state"], document["can_go_on"], document["problems"])
    assert [] == box.folders()
    assert [] == violations(box)


def test_command_speaks_json_and_chooses_the_exit_code(
    account: Account, box: Sandbox, people: SetPeople
) -> None:
    """One object on stdout, nothing else; 1 with problems, 3 without authorisation, 2 for a plan that is none."""
    good = account.program.run("check", "--json")
    people({"group": "Nobody", "role": "viewer"})
    bad = account.program.run("check", "--json")
    box.settings.app_authorized = False
    refused = account.program.run("check")
    account.change(exlude=[])
    unusable = account.program.run("check")

    assert (0, "ok") == (good.code, json.loads(good.stdout)["state"]), good.output
    assert (1, "problem") == (bad.code, json.loads(bad.stdout)["state"]), bad.output
    assert 3 == refused.code
    assert "Platform Apps" in refused.stdout
    assert 2 == unusable.code
    assert "Traceback" not in good.output + bad.output + refused.output + unusable.output


# --- login ---


def test_unauthorised_app_is_told_where_to_be_authorised(account: Account, box: Sandbox) -> None:
    """The exact place in the Admin Console, the client id, and re-authorisation after a change."""
    box.settings.app_authorized = False
    rows = account.rows()

    client_id = box.jwt_config["boxAppSettings"]["clientID"]
    assert_row(
        rows["login"], "problem", "unauthorized_client", "Platform Apps Manager", client_id, "re-authorised"
    )
    assert "space" not in rows
    assert "ok" == rows["source"]["state"]


def test_upload_host_behind_a_firewall_is_told_before_a_file_fails(account: Account, box: Sandbox) -> None:
    """Files go to another host than everything else; a firewall that knows only one of them is named."""
    with Proxy(int(box.url.rpartition(":")[2])) as proxy:
        host = f"127.0.0.1:{proxy.port}"
        account.change_box(upload_url=f"http://{host}/api")
        good = account.rows()
        proxy.refusing = True
        bad = account.rows()

    assert_row(good["upload host"], "ok", host)
    assert_row(bad["upload host"], "problem", f"{host} does not answer", "firewall, proxy")


def jwt_with(box: Sandbox, **changes: Any) -> str:
    """The JWT configuration as text, with some of its values replaced."""
    config = json.loads(json.dumps({"boxAppSettings": box.jwt_config["boxAppSettings"]}))
    config["enterpriseID"] = box.jwt_config["enterpriseID"]
    app = config["boxAppSettings"]
    for name, value in changes.items():
        (app if name in app else app["appAuth"] if name in app["appAuth"] else config)[name] = value
    return json.dumps(config)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"clientSecret": "wrong"}, "client secret do not fit"),
        (
            {"publicKeyID": "rotated1"},
            "key rotated1 of the JWT configuration is not a key of this app any more",
        ),
        ({"passphrase": "wrong"}, "passphrase is wrong"),
        ({"privateKey": "-----BEGIN nothing-----"}, "cannot be used"),
        ({"enterpriseID": "1"}, "check this id"),
    ],
)
@pytest.mark.gate(2)
def test_each_wrong_credential_is_named(
    account: Account, box: Sandbox, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str
) -> None:
    """A wrong secret, a rotated key, a damaged key, a wrong passphrase and a wrong enterprise are told apart."""
    text = jwt_with(box, **changes)
    monkeypatch.setenv("BOX_CONFIG", text)
    account.change_box(auth={"method": "jwt", "config": "${BOX_CONFIG}"})
    document = account.check()

    assert_row(account.rows()["login"], "problem", told)
    assert not document["can_go_on"]
    assert box.jwt_config["boxAppSettings"]["clientSecret"] not in json.dumps(document)


def test_jwt_text_and_ccg_sign_in(account: Account, box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration as text in the environment, and client id with secret, are as good as a file."""
    monkeypatch.setenv("BOX_CONFIG", jwt_with(box))
    account.change_box(auth={"method": "jwt", "config": "${BOX_CONFIG}"})
    by_text = account.rows()["login"]
    monkeypatch.setenv("BOX_SECRET", box.jwt_config["ccg"]["client_secret"])
    ccg = {"method": "ccg", "client_id": box.jwt_config["ccg"]["client_id"], "client_secret": "${BOX_SECRET}"}
    account.change_box(
        auth={**ccg, "enterprise_id": box.jwt_config["enterprise_id"], "token_file": "token.json"}
    )
    by_secret = account.rows()["login"]
    box.settings.app_authorized = False
    (account.program.folder / "token.json").unlink()
    refused = account.rows()["login"]

    assert_row(by_text, "ok", "JWT", "in memory only")
    assert_row(by_secret, "ok", "CCG", "token.json", "0600")
    assert_row(refused, "problem", "invalid_grant", "authorised in the Admin Console")


def test_box_out_of_reach(account: Account) -> None:
    """No answer at all is a matter of the network, and the row names whom it asked."""
    account.change_box(
        base_url="http://127.0.0.1:9",
        limits={"uploads_per_minute": 100, "calls_per_minute": 400, "backoff_seconds": 0.01},
    )

    assert_row(account.rows()["login"], "problem", "127.0.0.1:9", "base_url", "proxy", "firewall")


@pytest.mark.parametrize(
    ("offset", "state", "told"),
    [
        (0, "ok", "agrees"),
        (30.5, "warning", " s behind Box's"),
        (-600.5, "problem", " s ahead of Box's"),
    ],
)
def test_clock_is_compared_in_seconds(
    account: Account, box: Sandbox, offset: float, state: str, told: str
) -> None:
    """The difference to Box's clock is shown; the login works by Box's clock all the same."""
    box.settings.clock_offset_seconds = offset
    rows = account.rows()

    assert_row(rows["clock"], state, told)
    assert "ok" == rows["login"]["state"]


# --- account and app ---


def test_account_is_shown_with_its_alias(account: Account, box: Sandbox) -> None:
    """Login, id, alias, enterprise, and how the primary admin can look into it."""
    box.settings.service_account_alias = "migration@example.com"
    row = account.rows()["account"]

    who = box.service_account
    assert_row(row, "ok", who.login, who.id, "migration@example.com", "Sandbox Enterprise", "primary admin")


def test_person_instead_of_a_service_account(
    account: Account, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials that act as a person are a warning: everything would be that person's."""
    admin = next(user for user in box.core.store.users.values() if user.kind == "admin")
    monkeypatch.setenv("BOX_SECRET", box.jwt_config["ccg"]["client_secret"])
    ccg = {"method": "ccg", "client_id": box.jwt_config["ccg"]["client_id"], "client_secret": "${BOX_SECRET}"}
    account.change_box(auth={**ccg, "user_id": admin.id})

    assert_row(
        account.rows()["account"], "warning", "admin@example.com", "not a service account", "AutomationUser_"
    )


def test_account_that_may_not_upload(account: Account, box: Sandbox) -> None:
    """A restricted status stops a run before anything is sent."""
    box.service_account.status = "cannot_delete_edit_upload"

    assert_row(account.rows()["account"], "problem", "cannot_delete_edit_upload", "active")
    with pytest.raises(CheckFailed, match="cannot_delete_edit_upload"):
        account.migrate()
    assert 0 == uploads(box)


def test_limited_access_app_is_refused_with_the_reason(account: Account, box: Sandbox) -> None:
    """Such an app can never let anybody in."""
    box.settings.limited_access_app = True
    document = account.check()
    finished = account.program.run("migrate")

    assert_row(
        account.rows()["app"],
        "problem",
        "limited-access",
        "JWT or client credentials",
        "never let anybody in",
    )
    assert not document["can_go_on"]
    assert 3 == finished.code
    assert "limited-access app" in finished.stderr
    assert 0 == uploads(box)


@pytest.mark.parametrize(
    ("scopes", "row"),
    [
        (("root_readonly", "manage_managed_users", "manage_groups"), "scope: write files"),
        (("root_readwrite", "manage_managed_users"), "scope: manage groups"),
        (("root_readwrite", "manage_groups"), "scope: manage users"),
    ],
)
@pytest.mark.gate(1)
def test_missing_scope_is_named_and_stops_the_run(
    account: Account, box: Sandbox, people: SetPeople, scopes: tuple[str, ...], row: str
) -> None:
    """What to tick, and that the app has to be authorised anew; a run that needs the scope sends nothing."""
    box.add_group("Finance")
    people({"group": "Finance", "role": "viewer"}, {"app_user": "Kiosk"})
    box.settings.scopes = scopes

    assert_row(account.rows()[row], "problem", "Application Scopes", "Reauthorize")
    if row != "scope: manage users":
        finished = account.program.run("migrate")
        assert 3 == finished.code
        assert "authoris" in finished.stderr.lower() or "Reauthorize" in finished.stderr
        assert 0 == uploads(box)


def test_access_level_and_global_content_manager(account: Account, box: Sandbox, people: SetPeople) -> None:
    """An app that reaches its own users only, and the scope that makes every plain write fail, are explained."""
    people({"group": "Finance", "create": True}, {"login": "ann@example.com"})
    box.settings.app_access = "app"
    narrow = account.rows()
    box.settings.app_access = "enterprise"
    box.settings.scopes = (*box.settings.scopes, "enterprise_content")
    wide = account.rows()

    assert_row(narrow["scope: manage groups"], "problem", "App Access Level", "App + Enterprise Access")
    assert_row(narrow["collaborators"], "warning", "scope: manage users")
    assert_row(wide["scope: write files"], "problem", "Global Content Manager")


def test_as_user_permission(account: Account, box: Sandbox, people: SetPeople) -> None:
    """Tried on behalf of somebody of the plan; refused is a warning, as nothing in a migration needs it."""
    app_user = box.add_user("AppUser_1_2@boxdevedition.com", kind="app")
    people({"login": "ann@example.com"})
    allowed = account.rows()["as-user"]
    box.settings.app_access = "app"
    account.change_box(identities=[app_user.id])
    refused = account.rows()["as-user"]

    assert_row(allowed, "ok", "may be made on behalf of users")
    assert_row(refused, "warning", "as-user header", "Nothing in a migration needs it")


def test_as_user_is_tried_with_somebody_for_whom_it_can_work(
    account: Account, box: Sandbox, people: SetPeople
) -> None:
    """That an inactive or external person is refused says nothing about the app."""
    box.add_user("bob@example.com").status = "inactive"
    box.add_user("eve@elsewhere.example", kind="external")
    people({"login": "bob@example.com"}, {"login": "eve@elsewhere.example"})
    nobody = account.rows()["as-user"]
    people({"login": "bob@example.com"}, {"login": "ann@example.com"})

    assert_row(nobody, "ok", "not tried")
    assert_row(account.rows()["as-user"], "ok", "may be made on behalf of users")


# --- space and sizes ---


def test_space_and_the_default_are_shown(account: Account, box: Sandbox) -> None:
    """Allotted, used, needed; the 10 GB that Box gives are recognised; unlimited is unlimited."""
    default = account.rows()["space"]
    box.set_space(box.service_account.id, -1)
    unlimited = account.rows()["space"]

    assert_row(default, "ok", "10.7 GB", "Box's default", "the plan needs 4 B for 3 files")
    assert_row(unlimited, "ok", "unlimited")


def test_too_little_space_stops_the_run(account: Account, box: Sandbox) -> None:
    """Nothing is sent; --no-check insists, and Box then refuses what does not fit."""
    box.set_space(box.service_account.id, 3)
    row = account.rows()["space"]
    finished = account.program.run("migrate")
    sent_before = uploads(box)
    with pytest.raises(QuotaExceeded):
        account.migrate(check=False)

    assert_row(row, "problem", "3 B free of 3 B", "the plan needs 4 B", "--set-space", "Admin Console")
    assert 3 == finished.code
    assert "--no-check" in finished.stderr
    assert 0 == sent_before < uploads(box)


def test_set_space_raises_it_where_permitted(account: Account, box: Sandbox) -> None:
    """A size or unlimited; never less than there is; refused with what an admin has to do."""
    box.set_space(box.service_account.id, 3)
    raised = account.rows("5GB")["space"]
    kept = account.rows("1GB")["space"]
    by_hand = account.program.run("check", "--set-space", "6GB", "--json")
    box.set_space(box.service_account.id, 3)
    box.settings.scopes = ("root_readwrite",)
    refused = account.rows("unlimited")["space"]

    assert_row(raised, "ok", "5.0 GB")
    assert_row(kept, "ok", "5.0 GB")
    [by_command] = [row for row in json.loads(by_hand.stdout)["checks"] if row["name"] == "space"]
    assert "6.0 GB" in by_command["found"]
    assert_row(
        refused, "problem", "may not change its own quota", "an admin raises the storage", "Manage users"
    )
    with pytest.raises(PlanError, match="500GB"):
        account.check("plenty")


def test_file_above_the_owners_limit_stops_the_run(account: Account, box: Sandbox) -> None:
    """The largest file is named, with the limit; excluded, it is no matter."""
    box.service_account.max_upload_size = 1
    row = account.rows()["largest file"]
    with pytest.raises(CheckFailed, match="largest file"):
        account.migrate()
    sent = uploads(box)
    account.change(exclude=["a.txt"])

    assert_row(row, "problem", "Accounting/a.txt", "2 B", "files of 1 B", "--no-check")
    assert 0 == sent
    assert "ok" == account.rows()["largest file"]["state"]
    assert account.migrate()["complete"]


def test_finished_plan_is_checked_without_a_call(account: Account, box: Sandbox) -> None:
    """The second run of a plan with nothing left asks Box for a token and who it is."""
    account.migrate()
    box.calls.reset()
    account.migrate()

    assert {"POST /oauth2/token": 1, "GET /users/me": 1} == dict(box.calls.by_route)


def test_what_arrived_needs_no_space(account: Account, box: Sandbox, share: Path) -> None:
    """Of a share that is half in Box only the other half is counted, by the checkpoint's own sums."""
    account.migrate()
    (share / "Legal" / "d.txt").write_bytes(b"ddd")
    box.set_space(box.service_account.id, 5)
    with pytest.raises(QuotaExceeded):
        account.migrate()

    assert_row(account.rows()["space"], "problem", "the plan needs 3 B for 1 file")


# --- people and groups ---


# --- identities ---


# --- this machine ---


def test_source_out_of_reach(account: Account, share: Path) -> None:
    """A share that is not there, a tree that it does not have, a file that may not be read."""
    account.change(trees=[{"source": "Nowhere"}, {"source": "Legal"}])
    missing = account.rows()
    account.change(source={"url": f"file://{share}/gone"})

    assert_row(missing["tree Nowhere"], "problem", "Nowhere", "Correct trees")
    assert_row(missing["source"], "ok", "a file could be read")
    assert_row(account.rows()["source"], "problem", "source.url")

"""Uploader app users: made and retired, let in while a tree uploads, gone when it completes; owning nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.errors import PlanError
from flows.retry import retry_failures
from flows.sharing.uploaders import create_uploaders, list_uploaders, retire_uploaders
from state.checkpoint import Checkpoint
from state.errors import LeaseHeld
from tests.acceptance.account.conftest import Account

PART = "PUT /files/upload_sessions/:id"


def app_users(box: Sandbox) -> dict[str, Any]:
    """App users by id."""
    return {user.id: user for user in box.core.store.users.values() if user.kind == "app"}


def more_files(share: Path, count: int) -> None:
    """So many more small files in Legal."""
    for number in range(count):
        (share / "Legal" / f"f{number}.txt").write_bytes(b"%d" % number)


def until_quiet(box: Sandbox) -> None:
    """Let Box answer what a killed process had sent, so that it is not counted for the next one."""
    before = -1
    while before != box.calls.total:
        before = box.calls.total
        time.sleep(0.5)


def use(account: Account, count: int) -> list[str]:
    """Make so many identities and put them into the plan."""
    ids = [each["id"] for each in create_uploaders(account.plan, count)["created"]]
    account.change_box(identities=ids)
    return ids


def test_command_makes_lists_and_retires(account: Account, box: Sandbox) -> None:
    """Ids and the lines for the plan are printed; what was made is remembered; retired ones are inactive."""
    made = account.program.run("identities", "create", "2")
    ids = list(app_users(box))
    listed = json.loads(account.program.run("identities", "list", "--json").stdout)
    retired = account.program.run("identities", "retire", ids[0])
    nonsense = account.program.run("identities", "creat")

    assert 0 == made.code, made.output
    assert f'identities: ["{ids[0]}", "{ids[1]}"]' in made.stdout
    assert [(ids[0], "active"), (ids[1], "active")] == [
        (one["id"], one["status"]) for one in listed["identities"]
    ]
    assert 0 == retired.code, retired.output
    assert ["inactive", "active"] == [user.status for user in app_users(box).values()]
    assert (2, "boxhaul: identities: say create N") == (nonsense.code, nonsense.stderr[:33])


def test_numbers_are_sane(account: Account) -> None:
    """Too many, none, and somebody who is no uploader of this plan are refused."""
    for count in (0, 51):
        with pytest.raises(PlanError, match="1 to 50"):
            create_uploaders(account.plan, count)
    with pytest.raises(PlanError, match="not made for this plan"):
        retire_uploaders(account.plan, ["1"])


def test_one_that_was_not_written_down_is_found_again(account: Account, box: Sandbox) -> None:
    """A kill between Box's answer and the checkpoint leaves no app user behind that nobody knows."""
    create_uploaders(account.plan, 1)
    (account.program.folder / "state.db").unlink()
    create_uploaders(account.plan, 2)

    assert 2 == len(app_users(box)) == len(list_uploaders(account.plan)["identities"])


def test_uploads_stay_the_service_accounts(account: Account, box: Sandbox, share: Path) -> None:
    """Everything is sent by identities, owned by the service account, and none of them is left on a folder."""
    more_files(share, 30)
    ids = use(account, 3)
    summary = account.migrate()
    files = box.files().values()

    assert summary["complete"]
    assert {box.service_account.login} == {file.owner for file in files}
    assert {app_users(box)[each].login for each in ids} == {file.created_by for file in files}
    assert [] == box.collaborations()
    assert {} == dict(box.mails)

    box.calls.reset()
    account.migrate()

    assert {"POST /oauth2/token", "GET /users/me"} == set(box.calls.by_route)


def test_identities_leave_after_a_kill(account: Account, box: Sandbox, share: Path) -> None:
    """Killed while they upload, then taken out of the plan: whoever completes the tree removes them."""
    more_files(share, 60)
    use(account, 2)
    box.limits.latency_seconds = 0.05
    killed = account.program.kill_when(lambda: box.calls.by_route["POST /files/content"] >= 10)
    box.limits.latency_seconds = 0.0
    until_quiet(box)
    inside = len(box.collaborations())
    account.change_box(identities=[])
    summary = account.migrate()

    assert killed
    assert inside >= 2
    assert summary["complete"]
    assert [] == box.collaborations()
    assert 63 == len(box.files())


def test_people_come_after_the_identities_have_left(account: Account, box: Sandbox) -> None:
    """An app user that uploads and is a collaborator as well ends with the role that the plan gives it."""
    [uploader] = use(account, 1)
    people = [{"user_id": uploader, "role": "viewer"}, {"login": "ann@example.com", "role": "editor"}]
    account.change(trees=[{"source": "Accounting", "collaborators": people}])
    account.migrate()
    log = [route for route, *_ in ((entry.route,) for entry in box.calls.log)]

    assert {"viewer", "editor"} == {each["role"] for each in box.collaborations()}
    assert log.index("DELETE /collaborations/:id") < len(log) - log[::-1].index("POST /collaborations")


def test_upload_session_goes_on_with_its_identity(account: Account, box: Sandbox, share: Path) -> None:
    """After kill -9 in a large file the next run sends the other parts as the same app user."""
    with (share / "Legal" / "large.bin").open("wb") as file:
        file.truncate(60_000_000)
    ids = use(account, 3)
    box.limits.bytes_per_second = 20_000_000
    assert account.program.kill_when(lambda: box.calls.by_route[PART] >= 3)
    box.limits.bytes_per_second = None
    until_quiet(box)
    session = box.open_sessions()[0]
    account.change_box(identities=list(reversed(ids)))
    before = box.calls.by_route[PART]
    summary = account.migrate()

    assert summary["complete"]
    assert 1 == box.calls.by_route["POST /files/upload_sessions"]
    total = -(-60_000_000 // session["part_size"])
    assert total - len(session["parts"]) == box.calls.by_route[PART] - before
    large = next(file for path, file in box.files().items() if path.endswith("large.bin"))
    assert (session["user"], box.service_account.login) == (large.created_by, large.owner)


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.gate(1)
def test_session_of_an_identity_that_left_the_plan_is_given_back(
    account: Account, box: Sandbox, share: Path, active: bool
) -> None:
    """Killed in a large file, then taken out: another one sends it, and Box keeps no session that nobody knows of.

    Of one that may not sign in any more one line says that its session ends by itself.
    """
    with (share / "Legal" / "large.bin").open("wb") as file:
        file.truncate(60_000_000)
    ids = use(account, 2)
    box.limits.bytes_per_second = 20_000_000
    assert account.program.kill_when(lambda: box.calls.by_route[PART] >= 3)
    box.limits.bytes_per_second = None
    until_quiet(box)
    [session] = box.open_sessions()
    opener = next(user.id for user in app_users(box).values() if session["user"] in (user.id, user.login))
    if not active:
        app_users(box)[opener].status = "inactive"
    account.change_box(identities=[each for each in ids if each != opener])
    finished = account.program.run("migrate")

    assert 0 == finished.code, finished.output
    assert active == (f"session of {opener}" not in " ".join(finished.output.split()))
    assert ([] if active else [session["id"]]) == [each["id"] for each in box.open_sessions()]
    assert 1 == sum(path.endswith("large.bin") for path in box.files())


def test_identity_in_use_is_not_retired(account: Account, box: Sandbox) -> None:
    """While a run holds its budget nobody takes it away; a second run with the same one is refused, too."""
    [uploader] = use(account, 1)
    plan = account.plan
    with Checkpoint.open(plan.resolved_state_url()) as checkpoint:
        plan_id = checkpoint.find_plan(plan.checkpoint_name)
        assert plan_id is not None
        worker = checkpoint.register_worker(plan_id, name="another run")
        checkpoint.lease_identity(worker, uploader)
        with pytest.raises(LeaseHeld, match="another run"):
            retire_uploaders(plan)
        with pytest.raises(LeaseHeld):
            account.migrate()
        checkpoint.release_worker(worker)

    assert "active" == app_users(box)[uploader].status
    assert [uploader] == retire_uploaders(plan)["retired"]


def test_uploader_whom_box_refuses_costs_one_call(account: Account, box: Sandbox) -> None:
    """Box does not let the uploader into one tree: its files fail without a call each, the other tree arrives."""
    uploader = use(account, 1)[0]
    account.change(trees=[{"source": "Accounting"}, {"source": "Legal"}])
    box.faults.next("POST /collaborations").status(400, error="bad_request", message="not this one")
    summary = account.migrate(check=False)

    assert not summary["complete"]
    assert 2 == box.calls.by_route["POST /collaborations"]
    assert 1 == sum(tree["state"] == "complete" for tree in summary["trees"])
    assert retry_failures.fn(account.plan, check=False)["complete"]
    assert [] == [grant for grant in box.core.store.collaborations.values() if grant.user.id == uploader]


def test_uploader_who_may_only_look_is_made_editor(account: Account, box: Sandbox) -> None:
    """Killed after the uploader was written down, and somebody let it in as viewer since: it sends all the same."""
    uploader = use(account, 1)[0]
    box.faults.next("POST /collaborations").status(400, error="bad_request").times(None)
    account.migrate(check=False)
    box.faults.clear()
    item = {"type": "folder", "id": box.tree()["Legal"]["id"]}
    with box.core.store.lock:
        who = {"type": "user", "id": uploader}
        box.core.collaborations.create(
            box.service_account, {"item": item, "accessible_by": who, "role": "viewer"}
        )

    assert retry_failures.fn(account.plan, check=False)["complete"]
    assert [] == box.collaborations()

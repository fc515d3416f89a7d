"""Letting people in: the end state is the plan's, whatever happened before, and nobody is mailed twice."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.migrate import migrate_share
from flows.sharing.invitations import app_user_key
from tests.acceptance.account.conftest import Account
from tests.readings import violations
from tests.trees import build_tree

SetPeople = Callable[..., None]
ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@elsewhere.example"
ROLES = ["editor", "viewer", "previewer", "uploader", "previewer uploader", "viewer uploader", "co-owner"]
NOTIFY = {"transfer": {"notify": True}}


def roles(box: Sandbox) -> dict[str, str]:
    """Who has which role in the whole Box."""
    return {each["login"] or each["group"]: each["role"] for each in box.collaborations()}


def mails(box: Sandbox) -> Counter[str]:
    """How many mails each address has been sent."""
    return Counter(address for address, _ in box.mails)


def tree_state(account: Account, name: str = "Accounting") -> tuple[str, str | None]:
    """State of a tree and why it is incomplete."""
    trees = {tree["name"]: tree for tree in account.program.status()["trees"]}
    return trees[name]["state"], trees[name]["incomplete_reason"]


def test_end_state_is_the_plans_after_every_change(account: Account, box: Sandbox, people: SetPeople) -> None:
    """Run twice, a role changed, a person added, one removed: applied in place, and each is mailed at most once."""
    box.add_user(BOB)
    people({"login": ANN, "role": "viewer"}, {"login": BOB}, {"login": EVE}, **NOTIFY)
    account.migrate()
    account.migrate()
    first = account.collaborate()
    people(
        {"login": ANN.upper(), "role": "editor"}, {"login": EVE}, {"group": "Made", "create": True}, **NOTIFY
    )
    planned = account.collaborate(dry_run=True)
    untouched = roles(box)
    done = account.collaborate()
    kept = roles(box)
    pruned = account.collaborate(prune=True)
    last = account.collaborate()

    assert {ANN: "none", BOB: "none", EVE: "none"} == first
    assert {ANN.upper(): "change", EVE: "none", "Made": "invite", BOB: "kept"} == planned == done
    assert {ANN: "viewer", BOB: "viewer", EVE: "viewer"} == untouched
    assert {ANN: "editor", BOB: "viewer", EVE: "viewer", "Made": "viewer"} == kept
    assert "remove" == pruned[BOB]
    assert {ANN.upper(): "none", EVE: "none", "Made": "none"} == last
    assert {ANN: "editor", EVE: "viewer", "Made": "viewer"} == roles(box)
    assert {ANN: 1, BOB: 1, EVE: 1} == mails(box)
    assert [] == violations(box)


def test_every_role_and_option_arrives(account: Account, box: Sandbox, people: SetPeople) -> None:
    """All seven roles, the visible path, access only, and an end of access; the group is made once."""
    until = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    logins = [f"user{n}@example.com" for n in range(len(ROLES))]
    for login in logins:
        box.add_user(login)
    options: dict[str, Any] = {"can_view_path": True, "is_access_only": True, "expires_at": until.isoformat()}
    people(*({"login": login, "role": role, **options} for login, role in zip(logins, ROLES, strict=True)))
    account.migrate()

    assert dict(zip(logins, ROLES, strict=True)) == roles(box)
    grants = list(box.core.store.collaborations.values())
    assert {(True, True, int(until.timestamp()))} == {
        (grant.can_view_path, grant.is_access_only, grant.expires) for grant in grants
    }
    assert {} == mails(box)
    assert {"none"} == set(account.collaborate().values())


@pytest.mark.parametrize("fault", ["before_effect", "after_effect"])
def test_lost_answer_mails_nobody_twice(
    account: Account, box: Sandbox, people: SetPeople, fault: str
) -> None:
    """An invitation whose answer never came is looked for, not sent with a second mail."""
    people({"login": ANN}, **NOTIFY)
    box.faults.next("POST /collaborations").reset(fault)

    assert account.migrate()["complete"]
    assert {ANN: 1} == mails(box)
    assert {ANN: "viewer"} == roles(box)


@pytest.mark.parametrize("first", ["login", "user_id"])
def test_person_of_two_names_is_mailed_once(account: Account, box: Sandbox, first: str) -> None:
    """By login in one tree and by user id in another, whichever comes first: one person, and one mail."""
    bob = box.add_user(BOB)
    names = [{"login": BOB.upper()}, {"user_id": bob.id}]
    in_order = names if first == "login" else names[::-1]
    trees = [
        {"source": source, "collaborators": [name | {"role": "viewer"}]}
        for source, name in zip(("Accounting", "Legal"), in_order, strict=True)
    ]
    account.change(trees=trees, **NOTIFY)

    assert account.migrate()["complete"]
    assert {BOB: 1} == mails(box)
    assert 2 == len(box.collaborations())


@pytest.mark.parametrize("first", ["group", pytest.param("group_id", marks=pytest.mark.torture)])
def test_group_of_two_names_is_one(account: Account, box: Sandbox, first: str) -> None:
    """By name and by id in one tree, and in two: one collaboration each, and one mail. Other rights under the other
    name are refused, whichever they are, and what the first one gives stays."""
    group = box.add_group("Lawyers")
    names = [{"group": "LAWYERS", "role": "viewer"}, {"group_id": group.id, "role": "viewer"}]
    in_order = names if first == "group" else names[::-1]
    trees = [
        {"source": "Accounting", "collaborators": in_order},
        {"source": "Legal", "collaborators": in_order[::-1]},
    ]
    account.change(trees=trees, **NOTIFY)

    assert account.migrate()["complete"]
    assert [("Lawyers", "viewer")] * 2 == [(each["group"], each["role"]) for each in box.collaborations()]
    assert 2 == box.calls.by_route["POST /collaborations"]
    assert {"none"} == set(account.collaborate().values())
    with closing(sqlite3.connect(account.program.folder / "state.db")) as state:
        assert [(1,)] == state.execute("SELECT count(*) FROM collaborations WHERE mailed").fetchall()
    trees[1]["collaborators"] = in_order[:1]
    trees[0]["collaborators"] = [in_order[0], in_order[1] | {"role": "editor"}]
    account.change(trees=trees)
    told = account.collaborate()
    assert ["failed", "none"] == sorted(told.values())
    assert {"viewer"} == {each["role"] for each in box.collaborations()}


def test_who_is_in_already_is_mailed_about_the_next_tree(account: Account, box: Sandbox) -> None:
    """Somebody else let her into one tree: Box mails nothing there, so that the mail of the plan is still to come."""
    account.migrate()
    folder = next(entry["id"] for path, entry in box.tree().items() if path.endswith("Accounting"))
    colleague = box.add_user(BOB)
    box.person().invite(folder, BOB, "co-owner")
    box.person(colleague).invite(folder, ANN, "viewer")
    by_hand = len(box.mails)
    ann = [{"login": ANN, "role": "viewer"}]
    account.change(
        trees=[{"source": name, "collaborators": ann} for name in ("Accounting", "Legal")], **NOTIFY
    )

    assert account.migrate()["complete"]
    assert [ANN] == [address for address, _ in list(box.mails)[by_hand:]]
    account.migrate()
    assert 1 == len(box.mails) - by_hand


def test_kill_among_invitations_mails_nobody_twice(account: Account, box: Sandbox) -> None:
    """Killed after some were invited: the next run lets in the others, across both trees, one mail each."""
    everybody = [{"login": f"person{n}@elsewhere.example"} for n in range(6)]
    account.change(
        trees=[{"source": name, "collaborators": everybody} for name in ("Accounting", "Legal")], **NOTIFY
    )
    box.limits.latency_seconds = 0.1
    killed = account.program.kill_when(lambda: len(box.collaborations()) >= 3)
    box.limits.latency_seconds = 0.0
    finished = account.program.run("migrate")

    assert killed
    assert 0 == finished.code, finished.output
    per_person = Counter(each["login"] for each in box.collaborations())
    assert {person["login"]: 2 for person in everybody} == per_person
    assert max(mails(box).values()) == 1


def test_missing_group_leaves_the_tree_incomplete(account: Account, box: Sandbox, people: SetPeople) -> None:
    """The tree says why; once the group is there the same command completes it, and sends nothing again."""
    people({"group": "Finance", "role": "viewer"}, {"login": ANN})
    summary = account.migrate()
    state = tree_state(account)
    sent = box.calls.by_route["POST /files/content"]
    box.add_group("Finance")
    done = account.collaborate()

    assert not summary["complete"]
    assert ("incomplete", "collaboration failed") == state
    assert {"Finance": "invite", ANN: "none"} == done
    assert ("complete", None) == tree_state(account)
    assert sent == box.calls.by_route["POST /files/content"]


def test_nobody_is_let_in_while_a_tree_is_incomplete(
    account: Account, box: Sandbox, people: SetPeople, share: Path
) -> None:
    """`collaborate` before the tree is complete and verified invites nobody and says what it waits for (P4)."""
    people({"login": ANN})
    box.service_account.max_upload_size = 1
    account.migrate(check=False)
    finished = account.program.run("collaborate", "--json")
    document = json.loads(finished.stdout)

    assert 1 == finished.code
    assert "failed items" in document["trees"][0]["waiting"]
    assert [] == box.collaborations()


def test_who_declined_is_not_asked_again(account: Account, box: Sandbox, people: SetPeople) -> None:
    """A pending invitation that is accepted or declined is shown so; nobody is invited a second time."""
    people({"login": EVE}, {"login": "joe@elsewhere.example"}, **NOTIFY)
    account.migrate()
    grants = {grant.invite_email: grant for grant in box.core.store.collaborations.values()}
    grants[EVE].status, grants["joe@elsewhere.example"].status = "accepted", "rejected"
    account.collaborate()
    account.migrate()
    people_now = account.program.status()["trees"][0]["collaborators"]

    assert {EVE: "accepted", "joe@elsewhere.example": "rejected"} == {
        each["login"]: each["status"] for each in people_now
    }
    assert {EVE: 1, "joe@elsewhere.example": 1} == mails(box)


def test_outsiders_are_told_and_left_alone(account: Account, box: Sandbox, people: SetPeople) -> None:
    """Somebody whom a person let in by hand stays, even with --prune."""
    people({"login": ANN})
    account.migrate()
    folder_id = account.program.status()["trees"][0]["box_folder_id"]
    item = {"type": "folder", "id": folder_id}
    with box.core.store.lock:
        box.core.collaborations.create(
            box.service_account,
            {"item": item, "accessible_by": {"type": "user", "login": EVE}, "role": "viewer"},
        )

    assert {ANN: "none", EVE: "outsider"} == account.collaborate(prune=True)
    assert {ANN: "viewer", EVE: "viewer"} == roles(box)


# --- folders inside folders ---


@pytest.fixture
def nested(account: Account, share: Path) -> Account:
    """One tree arrives in a folder inside another tree's; the deeper gives Ann more."""
    build_tree(share, {"Zoo": {"z.txt": b"z"}})
    account.change(
        trees=[
            {"source": "Accounting", "folder": "Top", "collaborators": [{"login": ANN, "role": "viewer"}]},
            {"source": "Zoo", "folder": "Top/Zoo", "collaborators": [{"login": ANN, "role": "editor"}]},
        ]
    )
    return account


def test_deepest_folder_comes_first(nested: Account, box: Sandbox) -> None:
    """Box gives more below only to whom it was given there first; the end state has both roles."""
    box.settings.accept_higher_role_below = False

    assert nested.migrate()["complete"]
    assert {"Top": "viewer", "Top/Zoo": "editor"} == {
        each["path"]: each["role"] for each in box.collaborations()
    }


def test_folder_waits_for_the_tree_inside_it(nested: Account, box: Sandbox, share: Path) -> None:
    """The people of the upper folder would see the unfinished tree in it, so they wait (P4)."""
    (share / "Zoo" / "big.bin").write_bytes(b"12345")
    box.service_account.max_upload_size = 4
    nested.migrate(check=False)
    state = tree_state(nested, "Top")
    before = box.collaborations()
    box.service_account.max_upload_size = 100
    finished = nested.program.run("retry")

    assert ("incomplete", "a tree below is not complete") == state
    assert [] == before
    assert 0 == finished.code, finished.output
    assert {"Top", "Top/Zoo"} == {each["path"] for each in box.collaborations()}


def wait_for_the_tree_below(nested: Account, box: Sandbox, share: Path) -> None:
    """The upper tree has arrived and is verified, and waits for the one inside it, which lacks a file."""
    nested.change(trees=nested.program.plan["trees"][::-1])
    (share / "Zoo" / "big.bin").write_bytes(b"12345")
    box.service_account.max_upload_size = 4
    nested.migrate(check=False)
    assert ("incomplete", "a tree below is not complete") == tree_state(nested, "Top")
    (share / "Zoo" / "big.bin").unlink()


def test_folder_that_waited_and_changed_waits_on(nested: Account, box: Sandbox, share: Path) -> None:
    """The tree inside it is complete now, and it has a new file that did not arrive: its people wait for that (P4)."""
    wait_for_the_tree_below(nested, box, share)
    (share / "Accounting" / "late.bin").write_bytes(b"123456789")
    nested.migrate(check=False)
    state = tree_state(nested, "Top")
    before = {each["path"] for each in box.collaborations()}
    box.service_account.max_upload_size = 100
    finished = nested.program.run("retry")

    assert ("incomplete", "failed items") == state
    assert {"Top/Zoo"} == before
    assert 0 == finished.code, finished.output
    assert {"Top", "Top/Zoo"} == {each["path"] for each in box.collaborations()}


def test_folder_that_waited_is_looked_at_before_its_people_come(
    nested: Account, box: Sandbox, share: Path
) -> None:
    """A run that moves only the tree inside it does not know what is new in the upper one: that waits for its own."""
    wait_for_the_tree_below(nested, box, share)
    (share / "Accounting" / "late.txt").write_bytes(b"new")
    migrate_share.fn(nested.plan, trees=["Top/Zoo"], check=False)
    before = {each["path"] for each in box.collaborations()}

    assert {"Top/Zoo"} == before
    assert nested.migrate(check=False)["complete"]
    assert {"Top", "Top/Zoo"} == {each["path"] for each in box.collaborations()}


@pytest.mark.strict_reading
def test_more_below_than_above_is_refused_in_words(account: Account, box: Sandbox, people: SetPeople) -> None:
    """Who has less on a folder above cannot be given more: the tree says so instead of pretending."""
    top = box.core.items.create_folder(box.service_account, "0", "Land")
    with box.core.store.lock:
        box.core.collaborations.create(
            box.service_account,
            {
                "item": {"type": "folder", "id": top.id},
                "accessible_by": {"type": "user", "login": ANN},
                "role": "viewer",
            },
        )
    account.change_box(landing_folder_id=top.id)
    people({"login": ANN, "role": "editor"})
    summary = account.migrate()
    people({"login": ANN, "role": "previewer"})

    assert ["incomplete", "complete"] == [tree["state"] for tree in summary["trees"]]
    assert "viewer on a folder above" in summary["trees"][0]["detail"]
    assert {ANN: "none"} == account.collaborate()


# --- app users and shared links ---


def test_app_user_is_made_once(account: Account, box: Sandbox) -> None:
    """One app user for both trees, without a mailbox; found again by another plan."""
    kiosk = [{"app_user": "Kiosk", "role": "viewer"}]
    account.change(
        trees=[{"source": name, "collaborators": kiosk} for name in ("Accounting", "Legal")], **NOTIFY
    )
    account.migrate()
    app_users = [user for user in box.core.store.users.values() if user.kind == "app"]

    assert [("Kiosk", app_user_key("kiosk"))] == [
        (user.name, user.external_app_user_id) for user in app_users
    ]
    assert ["Accounting", "Legal"] == sorted(each["path"] for each in box.collaborations())
    assert {} == mails(box)


def test_tree_is_published_when_complete(
    account: Account, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Access, end and password; made once, changed by `collaborate`; the password is nowhere but in Box."""
    canary = "canary-link-4711"
    monkeypatch.setenv("LINK_PASSWORD", canary)
    until = (datetime.now(UTC) + timedelta(days=9)).replace(microsecond=0)
    link = {"access": "open", "password": "${LINK_PASSWORD}", "expires_at": until.isoformat()}
    account.change(trees=[{"source": "Accounting", "shared_link": link}, {"source": "Legal"}])
    account.migrate()
    folder = next(item for item in box.core.store.folders.values() if item.name == "Accounting")
    made = dict(folder.shared_link or {})
    calls = box.calls.by_route["PUT /folders/:id"]
    account.migrate()
    repeated = box.calls.by_route["PUT /folders/:id"]
    account.change(
        trees=[{"source": "Accounting", "shared_link": {"access": "company"}}, {"source": "Legal"}]
    )
    account.collaborate()
    changed = dict(folder.shared_link or {})

    assert ("open", canary, int(until.timestamp())) == (made["access"], made["password"], made["unshared_at"])
    assert 1 == calls == repeated
    assert ("company", made["url"], None) == (changed["access"], changed["url"], changed["unshared_at"])
    assert made["url"] == account.program.status()["trees"][0]["shared_link"]["url"]
    everything = [path.read_bytes() for path in account.program.folder.iterdir() if path.is_file()]
    assert canary.encode() not in b"".join(everything)
    assert canary not in account.plan.model_dump_json()


def test_refused_link_leaves_the_tree_incomplete(account: Account, box: Sandbox) -> None:
    """People are in, the link is not: the tree says so, and the next run tries again."""
    account.change(trees=[{"source": "Accounting", "shared_link": {}, "collaborators": [{"login": ANN}]}])
    box.faults.next("PUT /folders/:id").status(403, error="forbidden_by_policy")
    account.migrate()
    state = tree_state(account)

    assert ("incomplete", "shared link failed") == state
    assert account.migrate()["complete"]
    assert 1 == len(box.collaborations())

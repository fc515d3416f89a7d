"""People as they are: addresses that change, groups that are renamed, invitations that wait, hands in the web app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.errors import BoxError
from tests.integration.sandbox.conftest import Raw


def invite(raw: Raw, folder: str, role: str = "viewer", **who: Any) -> requests.Response:
    """POST /collaborations on a folder."""
    body = {
        "item": {"type": "folder", "id": folder},
        "accessible_by": {"type": "user"} | who,
        "role": role,
    }
    return raw("POST", "/2.0/collaborations?notify=false", json=body)


@pytest.fixture
def folder(raw: Raw) -> str:
    """The id of a folder."""
    made: str = raw.folder("HR").json()["id"]
    return made


def test_a_secondary_address_reaches_its_user(raw: Raw, box: Sandbox, folder: str) -> None:
    """Invited by a secondary address somebody is in by his login; both addresses are one person."""
    ann = box.add_user("ann@example.com")
    box.add_alias(ann, "Ann.Old@example.com")
    first = invite(raw, folder, login="ann.old@example.com").json()
    again = invite(raw, folder, login="ann@example.com")
    looked_up = raw("GET", "/2.0/users?filter_term=ann.old@example.com").json()["entries"]

    assert ("accepted", ann.id, "ann@example.com") == (
        first["status"], first["accessible_by"]["id"], first["accessible_by"]["login"]
    )  # fmt: skip
    assert ("user_already_collaborator", []) == (again.json()["code"], looked_up)
    with pytest.raises(BoxError):
        box.add_user("ann.old@example.com")


def test_a_login_changes(raw: Raw, box: Sandbox, folder: str) -> None:
    """After a change of login the collaboration has the new one, and the old one is nobody's."""
    ann = box.add_user("ann@example.com")
    box.add_alias(ann, "ann.new@example.com")
    made = invite(raw, folder, login="ann@example.com").json()
    box.change_login(ann, "ann.new@example.com")
    seen = raw("GET", f"/2.0/collaborations/{made['id']}").json()
    old = invite(raw, folder, login="ann@example.com").json()

    assert (ann.id, "ann.new@example.com") == (seen["accessible_by"]["id"], seen["accessible_by"]["login"])
    assert ("pending", None) == (old["status"], old["accessible_by"])
    assert () == ann.aliases


def test_a_group_is_renamed(raw: Raw, box: Sandbox, folder: str) -> None:
    """A renamed group keeps its id and its collaborations."""
    group = box.add_group("Finance")
    made = invite(raw, folder, type="group", id=group.id).json()
    box.rename_group(group, "Finance and Tax")

    assert (
        "Finance and Tax" == raw("GET", f"/2.0/collaborations/{made['id']}").json()["accessible_by"]["name"]
    )
    assert [] == raw("GET", "/2.0/groups?filter_term=Financeandmore").json()["entries"]


def test_pending_invitations_have_no_item(raw: Raw, box: Sandbox, folder: str) -> None:
    """Whoever has yet to accept: the item is null, in the answer and in listings, below as well."""
    box.settings.auto_accept = False
    box.add_user("ann@example.com")
    inner = raw.folder("inner", folder).json()["id"]
    answers = [invite(raw, folder, login=who).json() for who in ("ann@example.com", "x@elsewhere.org")]
    listed = raw("GET", f"/2.0/folders/{inner}/collaborations").json()["entries"]

    assert [("pending", None)] * 4 == [(grant["status"], grant["item"]) for grant in (*answers, *listed)]
    assert ["ann@example.com", "x@elsewhere.org"] == [grant["invite_email"] for grant in listed]
    assert 1 == len(box.person(box.core.store.logins["ann@example.com"]).accept())
    assert [folder] == [
        grant["item"]["id"]
        for grant in raw("GET", f"/2.0/folders/{inner}/collaborations").json()["entries"]
        if grant["item"]
    ]


def test_a_folder_for_the_enterprise_only(raw: Raw, box: Sandbox, folder: str) -> None:
    """Below a restricted folder outsiders are refused with a reason; where only owners invite, editors may not."""
    ann, bob = box.add_user("ann@example.com"), box.add_user("bob@example.com")
    inner = raw.folder("inner", folder).json()["id"]
    box.person().invite(folder, ann.login, "editor")
    box.person().set_folder(
        folder, is_collaboration_restricted_to_enterprise=True, can_non_owners_invite=False
    )
    flags = raw("GET", f"/2.0/folders/{folder}?fields=can_non_owners_invite").json()
    refused = invite(raw, inner, login="x@elsewhere.org")
    theirs = Raw(box, ann)
    by_editor, by_owner = invite(theirs, inner, id=bob.id), invite(raw, inner, id=bob.id)
    theirs.session.close()

    assert (403, "forbidden_by_policy") == (refused.status_code, refused.json()["code"])
    assert "restricted" in refused.json()["context_info"]["errors"][0]["message"]
    assert (False, 403, 201) == (flags["can_non_owners_invite"], by_editor.status_code, by_owner.status_code)


def test_what_a_person_does(raw: Raw, box: Sandbox, folder: str) -> None:
    """What others edit, rename, move, lock and delete is in the tree and in the event streams by name."""
    ann = box.add_user("ann@example.com")
    box.person().invite(folder, ann.login, "editor")
    file = raw.upload("a.txt", b"1", folder).json()["entries"][0]["id"]
    person = box.person(ann)
    inner = person.make_folder("hers", folder)
    person.edit(file, b"22")
    person.rename(file, "b.txt")
    person.move(file, inner)
    person.lock(file)
    refused = raw("PUT", f"/2.0/files/{file}", json={"name": "c.txt"})
    person.unlock(file)
    gone = person.upload("c.txt", b"333", inner)
    person.trash(gone)
    box.person().restore(gone)
    person.trash(gone)
    events = raw("GET", "/2.0/events?stream_type=admin_logs&limit=500").json()["entries"]
    hers = [event["event_type"] for event in events if event["created_by"]["id"] == ann.id]
    services = {
        event["additional_details"]["service_name"] for event in events if event["created_by"]["id"] == ann.id
    }

    assert ["HR", "HR/hers", "HR/hers/b.txt"] == list(box.tree())
    assert (2, 2) == (box.files()["HR/hers/b.txt"].size, box.files()["HR/hers/b.txt"].versions)
    assert (403, "access_denied_item_locked") == (refused.status_code, refused.json()["code"])
    assert ["EDIT", "RENAME", "MOVE", "LOCK", "UNLOCK", "UPLOAD", "DELETE", "DELETE"] == [
        kind for kind in hers if kind != "COLLABORATION_ACCEPT"
    ]
    assert {"Box Web Application"} == services


def test_a_person_has_only_his_rights(raw: Raw, box: Sandbox, folder: str) -> None:
    """What the role does not allow is refused as at Box; what an owner may, he may."""
    ann = box.add_user("ann@example.com")
    grant = box.person().invite(folder, ann.login, "viewer")
    with pytest.raises(BoxError, match="insufficient"):
        box.person(ann).upload("x", b"", folder)
    box.person().set_role(grant, "editor")
    assert box.person(ann).upload("x", b"", folder)
    box.person().uninvite(grant)

    assert [] == box.collaborations()


def test_addresses_and_roles_survive_a_restart(tmp_path: Path) -> None:
    """Secondary addresses are in the data folder; names that are one in NFKC are so after a restart."""
    settings = {"nfkc_folders": True}
    with Sandbox(data=str(tmp_path), settings=settings) as box:
        user = box.add_user("ann@example.com")
        box.add_alias(user, "old@example.com")
        raw = Raw(box)
        raw.folder("①")
        raw.session.close()
    with Sandbox(data=str(tmp_path), settings=settings) as box:
        raw = Raw(box)
        status = raw.folder("1").status_code
        raw.session.close()

        assert ("ann@example.com", 409) == (box.core.store.logins["old@example.com"].login, status)
        with pytest.raises(BoxError):
            box.add_user("old@example.com")


def test_logins_over_http(raw: Raw, box: Sandbox) -> None:
    """Another process gives addresses and changes logins through the control page."""
    made = raw(
        "POST", "/_sandbox/users", json={"login": "a@example.com", "aliases": ["b@example.com"]}
    ).json()
    change = {"user_id": made["id"], "alias": "c@example.com", "login": "b@example.com"}
    assert raw("POST", "/_sandbox/logins", json=change).ok

    assert {"b@example.com", "c@example.com"} == box.core.store.users[made["id"]].addresses

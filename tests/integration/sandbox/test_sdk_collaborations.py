"""user_collaborations, list_collaborations, allow-lists and metadata through the real SDK."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from box_sdk_gen import BoxAPIError, BoxClient, null
from box_sdk_gen.managers.collaboration_allowlist_exempt_targets import (
    CreateCollaborationWhitelistExemptTargetUser,
)
from box_sdk_gen.managers.file_metadata import (
    UpdateFileMetadataByIdRequestBody,
    UpdateFileMetadataByIdRequestBodyOpField,
)
from box_sdk_gen.managers.files import UpdateFileByIdLock
from box_sdk_gen.managers.metadata_templates import CreateMetadataTemplateFields
from box_sdk_gen.managers.user_collaborations import CreateCollaborationAccessibleBy, CreateCollaborationItem
from box_sdk_gen.schemas.collaboration import Collaboration

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.rules.permissions import CAPABILITIES
from tests.integration.sandbox.conftest import Raw, client_of, make_folder, upload
from tests.integration.sandbox.test_sdk_folders import refused


def invite(client: BoxClient, folder_id: str, role: str = "editor", **who: Any) -> Collaboration:
    """Invite a user by id or login, or a group with type="group"."""
    grantee = CreateCollaborationAccessibleBy(type=who.pop("type", "user"), id=who.pop("id", None), **{
        key: who.pop(key) for key in ("login",) if key in who
    })  # fmt: skip
    item = CreateCollaborationItem(type="folder", id=folder_id)
    return client.user_collaborations.create_collaboration(item, grantee, role, notify=False, **who)


def value(word: Any) -> str:
    """The text of what may be an enum or not."""
    return str(getattr(word, "value", word))


def test_managed_user_is_accepted_at_once(client: BoxClient, box: Sandbox) -> None:
    """A user of the enterprise is a collaborator right away and finds the folder in his root."""
    ann = box.add_user("ann@example.com")
    folder = make_folder(client, "HR")
    made = invite(client, folder.id, "viewer", login="ANN@example.com")
    seen = client_of(box, ann.id).folders.get_folder_items("0").entries

    assert ("accepted", "viewer", ann.id) == (value(made.status), value(made.role), made.accessible_by.id)
    assert [folder.id] == [entry.id for entry in seen]


def test_every_role_is_accepted(client: BoxClient, box: Sandbox) -> None:
    """Each of Box's seven roles comes back as it was sent."""
    folder = make_folder(client, "HR")
    for role in CAPABILITIES:
        user = box.add_user(f"{role.replace(' ', '-')}@example.com")
        assert role == value(invite(client, folder.id, role, id=user.id).role)
    with pytest.raises(BoxAPIError) as error:
        invite(client, folder.id, "owner", id=box.add_user("x@example.com").id)
    assert 400 == refused(error)[0]


def test_second_invitation_is_400(client: BoxClient, box: Sandbox) -> None:
    """Inviting a collaborator again, or the owner, answers 400 user_already_collaborator."""
    ann, folder = box.add_user("ann@example.com"), make_folder(client, "HR")
    invite(client, folder.id, id=ann.id)
    for who in (ann.id, box.service_account.id):
        with pytest.raises(BoxAPIError) as error:
            invite(client, folder.id, id=who)
        assert (400, "user_already_collaborator") == refused(error)


def test_outsider_is_pending(client: BoxClient, box: Sandbox) -> None:
    """An address without a user stays pending, with the address and without the item."""
    folder = make_folder(client, "HR")
    made = invite(client, folder.id, login="nobody@elsewhere.org")

    assert ("pending", "nobody@elsewhere.org", None) == (value(made.status), made.invite_email, made.item)


def test_invited_user_accepts(client: BoxClient, box: Sandbox) -> None:
    """Without auto-accept the invited user finds the invitation and accepts it."""
    box.settings.auto_accept = False
    ann, folder = box.add_user("ann@example.com"), make_folder(client, "HR")
    made = invite(client, folder.id, id=ann.id)
    hers = client_of(box, ann.id)
    assert [made.id] == [c.id for c in hers.list_collaborations.get_collaborations("pending").entries]
    assert [] == hers.folders.get_folder_items("0").entries
    hers.user_collaborations.update_collaboration_by_id(made.id, status="accepted")

    assert [folder.id] == [entry.id for entry in hers.folders.get_folder_items("0").entries]


def test_update_get_list_delete(client: BoxClient, box: Sandbox) -> None:
    """A grant is read, listed, changed and removed."""
    ann, folder = box.add_user("ann@example.com"), make_folder(client, "HR")
    made = invite(client, folder.id, "viewer", id=ann.id)
    changed = client.user_collaborations.update_collaboration_by_id(made.id, role="co-owner")
    expires = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    client.user_collaborations.update_collaboration_by_id(made.id, expires_at=expires)
    listed = client.list_collaborations.get_folder_collaborations(folder.id).entries
    assert ("co-owner", [made.id]) == (value(changed.role), [c.id for c in listed])
    assert client.user_collaborations.get_collaboration_by_id(made.id).expires_at is not None
    client.user_collaborations.delete_collaboration_by_id(made.id)

    assert [] == client.list_collaborations.get_folder_collaborations(folder.id).entries


def test_waterfall(client: BoxClient, box: Sandbox) -> None:
    """Access flows down; below a grant the same or a higher role is refused by default; the other order works."""
    ann, bob = box.add_user("ann@example.com"), box.add_user("bob@example.com")
    top = make_folder(client, "top")
    inner = make_folder(client, "inner", top.id)
    file = upload(client, "f", b"1", inner.id)
    invite(client, top.id, "viewer", id=ann.id)
    assert file.id == client_of(box, ann.id).files.get_file_by_id(file.id).id
    for role in ("viewer", "editor"):
        with pytest.raises(BoxAPIError) as error:
            invite(client, inner.id, role, id=ann.id)
        assert (400, "user_already_collaborator") == refused(error)
    invite(client, inner.id, "editor", id=bob.id)
    invite(client, top.id, "viewer", id=bob.id)
    upload(client_of(box, bob.id), "new", b"", inner.id)
    with pytest.raises(BoxAPIError) as above:
        upload(client_of(box, bob.id), "new", b"", top.id)

    assert 403 == refused(above)[0]


def test_strangers_see_nothing(client: BoxClient, box: Sandbox) -> None:
    """Items of others answer 404, whether they exist or not."""
    folder = make_folder(client, "HR")
    stranger = client_of(box, box.add_user("s@example.com").id)
    with pytest.raises(BoxAPIError) as error:
        stranger.folders.get_folder_by_id(folder.id)

    assert (404, "not_found") == refused(error)


def test_groups_collaborate(client: BoxClient, box: Sandbox) -> None:
    """A group's members have its role; its grants are listed and go with it."""
    ann = box.add_user("ann@example.com")
    group, folder = box.add_group("Finance", [ann]), make_folder(client, "HR")
    made = invite(client, folder.id, "uploader", type="group", id=group.id)
    upload(client_of(box, ann.id), "f", b"", folder.id)
    listed = client.list_collaborations.get_group_collaborations(group.id).entries
    assert ([made.id], "accepted") == ([c.id for c in listed], value(made.status))
    client.groups.delete_group_by_id(group.id)

    assert [] == box.collaborations()


@pytest.mark.parametrize("role", list(CAPABILITIES))
def test_roles_do_what_the_table_says(client: BoxClient, box: Sandbox, role: str) -> None:
    """Download, upload, new folder, rename and invite are allowed or refused as Box's table has it."""
    user = box.add_user("u@example.com")
    folder = make_folder(client, "HR")
    file = upload(client, "f", b"1", folder.id)
    invite(client, folder.id, role, id=user.id)
    theirs = Raw(box, user)
    body = {
        "item": {"type": "folder", "id": folder.id}, "accessible_by": {"type": "user", "login": "n@example.com"},
        "role": "uploader",
    }  # fmt: skip
    answers = {
        "download": theirs("GET", f"/2.0/files/{file.id}/content").status_code,
        "upload": theirs.upload("new", b"", folder.id).status_code,
        "create_folder": theirs.folder("sub", folder.id).status_code,
        "change": theirs("PUT", f"/2.0/files/{file.id}", json={"name": "g"}).status_code,
        "invite": theirs("POST", "/2.0/collaborations", json=body).status_code,
    }
    theirs.session.close()

    assert {name: name in CAPABILITIES[role] for name in answers} == {n: s < 300 for n, s in answers.items()}
    assert {403} >= {status for status in answers.values() if status >= 300}


def test_file_collaborations(client: BoxClient, box: Sandbox) -> None:
    """Grants above a file are listed for the file."""
    folder = make_folder(client, "HR")
    file = upload(client, "f", b"", folder.id)
    made = invite(client, folder.id, id=box.add_user("ann@example.com").id)

    assert [made.id] == [c.id for c in client.list_collaborations.get_file_collaborations(file.id).entries]


def test_root_cannot_be_collaborated(client: BoxClient, box: Sandbox) -> None:
    """The root folder answers its own code."""
    with pytest.raises(BoxAPIError) as error:
        invite(client, "0", id=box.add_user("ann@example.com").id)

    assert (400, "collaborations_not_available_on_root_folder") == refused(error)


def test_ownership_is_transferred(client: BoxClient, box: Sandbox) -> None:
    """Making a collaborator owner moves the folder and its bytes to him; the old owner stays as co-owner."""
    ann, folder = box.add_user("ann@example.com"), make_folder(client, "HR")
    upload(client, "f", b"123", folder.id)
    made = invite(client, folder.id, id=ann.id)
    client.user_collaborations.update_collaboration_by_id(made.id, role="owner")

    assert ["~ann@example.com/HR/f"] == list(box.files())
    assert (0, 3) == (box.service_account.space_used, ann.space_used)
    assert "co-owner" == box.collaborations()[0]["role"]


def test_allow_list(client: BoxClient, box: Sandbox) -> None:
    """With an allow-list only its domains, and exempt users, are invited from outside."""
    folder = make_folder(client, "HR")
    entry = client.collaboration_allowlist_entries.create_collaboration_whitelist_entry("good.org", "both")
    assert [entry.id] == [
        e.id for e in client.collaboration_allowlist_entries.get_collaboration_whitelist_entries().entries
    ]
    invite(client, folder.id, login="a@good.org")
    with pytest.raises(BoxAPIError) as error:
        invite(client, folder.id, login="a@bad.org")
    assert (403, "forbidden_by_policy") == refused(error)
    eve = box.add_user("eve@bad.org", kind="external")
    targets = client.collaboration_allowlist_exempt_targets
    target = targets.create_collaboration_whitelist_exempt_target(
        CreateCollaborationWhitelistExemptTargetUser(id=eve.id)
    )
    invite(client, folder.id, login=eve.login)
    targets.delete_collaboration_whitelist_exempt_target_by_id(target.id)
    client.collaboration_allowlist_entries.delete_collaboration_whitelist_entry_by_id(entry.id)

    assert 2 == len(box.collaborations())


def test_limited_access_app(client: BoxClient, box: Sandbox) -> None:
    """An App Token application uploads, but neither collaborates nor looks at users."""
    box.settings.limited_access_app = True
    folder = make_folder(client, "HR")
    for call in (
        lambda: invite(client, folder.id, login="a@example.com"),
        lambda: client.users.get_user_me(),
        lambda: client.groups.get_groups(),
    ):
        with pytest.raises(BoxAPIError) as error:
            call()
        assert (403, None) == refused(error)
        assert 'error="insufficient_scope"' in str(error.value.response_info.headers)


def test_metadata_on_files_and_folders(client: BoxClient, box: Sandbox) -> None:
    """Free properties are created once, patched, listed and deleted."""
    file, folder = upload(client, "f", b""), make_folder(client, "d")
    made = client.file_metadata.create_file_metadata_by_id(file.id, "global", "properties", {"a": "1"})
    with pytest.raises(BoxAPIError) as error:
        client.file_metadata.create_file_metadata_by_id(file.id, "global", "properties", {"a": "1"})
    assert ((409, "tuple_already_exists"), "1") == (refused(error), made.to_dict()["a"])
    client.file_metadata.update_file_metadata_by_id(
        file.id, "global", "properties",
        [UpdateFileMetadataByIdRequestBody(
            op=UpdateFileMetadataByIdRequestBodyOpField.REPLACE, path="/a", value="2")],
    )  # fmt: skip
    assert "2" == client.file_metadata.get_file_metadata_by_id(file.id, "global", "properties").to_dict()["a"]
    client.folder_metadata.create_folder_metadata_by_id(folder.id, "global", "properties", {"b": "3"})
    assert 1 == len(client.folder_metadata.get_folder_metadata(folder.id).entries)
    client.file_metadata.delete_file_metadata_by_id(file.id, "global", "properties")
    with pytest.raises(BoxAPIError) as gone:
        client.file_metadata.get_file_metadata_by_id(file.id, "global", "properties")

    assert (404, "instance_tuple_not_found") == refused(gone)


def test_metadata_templates(client: BoxClient, box: Sandbox) -> None:
    """A template is made by an admin, and its instances are checked against it."""
    admin = client_of(box, next(u.id for u in box.core.store.users.values() if u.kind == "admin"))
    fields = [CreateMetadataTemplateFields(type="string", key="sourcePath", display_name="Source path")]
    make = lambda who: who.metadata_templates.create_metadata_template(  # noqa: E731
        "enterprise", "Share migration", template_key="shareMigration", fields=fields
    )
    with pytest.raises(BoxAPIError) as error:
        make(client)
    make(admin)
    folder = make_folder(client, "d")
    client.folder_metadata.create_folder_metadata_by_id(
        folder.id, "enterprise", "shareMigration", {"sourcePath": "//fs/share"}
    )
    other = make_folder(client, "e")
    with pytest.raises(BoxAPIError) as wrong:
        client.folder_metadata.create_folder_metadata_by_id(
            other.id, "enterprise", "shareMigration", {"x": "1"}
        )

    assert (403, (400, "schema_validation_failed")) == (refused(error)[0], refused(wrong))


def test_locks_bind_others(client: BoxClient, box: Sandbox) -> None:
    """While somebody holds a lock, even an editor cannot change the file."""
    ann, folder = box.add_user("ann@example.com"), make_folder(client, "HR")
    file = upload(client, "f", b"", folder.id)
    invite(client, folder.id, "editor", id=ann.id)
    client.files.update_file_by_id(file.id, lock=UpdateFileByIdLock(access="lock"))
    with pytest.raises(BoxAPIError) as error:
        client_of(box, ann.id).files.update_file_by_id(file.id, name="g")
    client.files.update_file_by_id(file.id, lock=null)
    client_of(box, ann.id).files.update_file_by_id(file.id, name="g")

    assert (403, "access_denied_item_locked") == refused(error)
    assert ["HR/g"] == list(box.files())

"""users, groups, memberships and events through the real SDK."""

from __future__ import annotations

import io
import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest
from box_sdk_gen import BoxAPIError, BoxClient
from box_sdk_gen.managers.events import GetEventsEventType, GetEventsStreamType, GetEventStreamQueryParams
from box_sdk_gen.managers.memberships import CreateGroupMembershipGroup, CreateGroupMembershipUser
from box_sdk_gen.managers.uploads import UploadFileVersionAttributes
from box_sdk_gen.managers.users import GetUsersUserType

from connectors.box.sandbox import Sandbox
from tests.integration.sandbox.conftest import client_of, make_folder, upload
from tests.integration.sandbox.test_sdk_folders import refused


def test_service_account(client: BoxClient, box: Sandbox) -> None:
    """The service account is known by its login, has 10 GB, and does not list itself."""
    me = client.users.get_user_me()
    enterprise = client.users.get_user_me(fields=["enterprise"]).enterprise

    assert me.login.startswith("AutomationUser_")
    assert me.login.endswith("@boxdevedition.com")
    assert (me.space_amount, me.space_used) == (10 * 1024**3, 0)
    assert box.core.application.enterprise_id == enterprise.id
    assert me.id not in {user.id for user in client.users.get_users().entries}


def test_users_are_found_by_prefix_and_outsiders_by_login(client: BoxClient, box: Sandbox) -> None:
    """Managed users match by prefix, external ones only by their whole login."""
    ann = box.add_user("ann@example.com", "Ann")
    eve = box.add_user("eve@elsewhere.org", "Eve", kind="external")
    find = client.users.get_users

    assert [ann.id] == [u.id for u in find(filter_term="an", user_type=GetUsersUserType.MANAGED).entries]
    assert [] == find(filter_term="eve", user_type=GetUsersUserType.EXTERNAL).entries
    assert [eve.id] == [u.id for u in find(filter_term=eve.login, user_type=GetUsersUserType.ALL).entries]


def test_users_page_by_marker(client: BoxClient, box: Sandbox) -> None:
    """Marker pages together hold every managed user once."""
    for number in range(5):
        box.add_user(f"u{number}@example.com")
    found, marker = [], None
    for _ in range(10):
        page = client.users.get_users(usemarker=True, marker=marker, limit=2)
        found += [user.login for user in page.entries]
        marker = page.next_marker
        if not marker:
            break

    assert 6 == len(found) == len(set(found))


def test_app_user_works_on_its_own(client: BoxClient, box: Sandbox) -> None:
    """An app user has a root of its own, and is updated, inactivated and deleted."""
    made = client.users.create_user("worker-1", is_platform_access_only=True, space_amount=1000)
    worker = client_of(box, made.id)
    upload(worker, "f", b"123")
    assert made.login.startswith("AppUser_")
    assert ([], 3) == (client.folders.get_folder_items("0").entries, worker.users.get_user_me().space_used)
    assert made.id == client.users.get_user_by_id(made.id).id
    changed = client.users.update_user_by_id(made.id, space_amount=2, name="renamed")
    assert (2, "renamed") == (changed.space_amount, changed.name)
    with pytest.raises(BoxAPIError) as full:
        upload(worker, "g", b"1")
    with pytest.raises(BoxAPIError) as content:
        client.users.delete_user_by_id(made.id)
    client.users.delete_user_by_id(made.id, force=True)

    assert ((403, "storage_limit_exceeded"), 400) == (refused(full), refused(content)[0])


def test_managed_user_needs_enterprise_access(client: BoxClient, box: Sandbox) -> None:
    """Without App + Enterprise Access an app neither lists nor creates managed users."""
    assert "new@example.com" == client.users.create_user("New", login="new@example.com").login
    box.settings.app_access = "app"
    for call in (
        lambda: client.users.create_user("Newer", login="newer@example.com"),
        lambda: client.users.get_users(),
    ):
        with pytest.raises(BoxAPIError) as error:
            call()
        assert (403, "access_denied_insufficient_permissions") == refused(error)


def test_as_user(client: BoxClient, box: Sandbox) -> None:
    """As-User acts as a user of the enterprise; as oneself it answers 403, as nobody 404."""
    ann = box.add_user("ann@example.com")
    upload(client.with_as_user_header(ann.id), "f", b"1")
    assert ["~ann@example.com/f"] == list(box.files())
    outsider = box.add_user("eve@elsewhere.org", kind="external")
    for user_id, status in ((box.service_account.id, 403), (outsider.id, 404), ("1", 404)):
        with pytest.raises(BoxAPIError) as error:
            client.with_as_user_header(user_id).users.get_user_me()
        assert status == refused(error)[0]


def test_groups_and_memberships(client: BoxClient, box: Sandbox) -> None:
    """Groups are made, found by prefix, changed and deleted; memberships likewise."""
    ann = box.add_user("ann@example.com")
    group = client.groups.create_group("Finance", provenance="AD", description="d")
    with pytest.raises(BoxAPIError) as taken:
        client.groups.create_group("finance")
    assert 409 == refused(taken)[0]
    assert [group.id] == [g.id for g in client.groups.get_groups(filter_term="fin").entries]
    changed = client.groups.update_group_by_id(group.id, name="Money", fields=["name", "provenance"])
    assert ("Money", "AD") == (changed.name, changed.provenance)
    assert "Money" == client.groups.get_group_by_id(group.id).name

    make = client.memberships.create_group_membership
    member = make(CreateGroupMembershipUser(id=ann.id), CreateGroupMembershipGroup(id=group.id))
    with pytest.raises(BoxAPIError) as twice:
        make(CreateGroupMembershipUser(id=ann.id), CreateGroupMembershipGroup(id=group.id))
    assert 409 == refused(twice)[0]
    assert [member.id] == [m.id for m in client.memberships.get_user_memberships(ann.id).entries]
    assert [member.id] == [m.id for m in client.memberships.get_group_memberships(group.id).entries]
    promoted = client.memberships.update_group_membership_by_id(member.id, role="admin")
    assert "admin" == getattr(promoted.role, "value", promoted.role)
    assert ann.id == client.memberships.get_group_membership_by_id(member.id).user.id
    client.memberships.delete_group_membership_by_id(member.id)
    client.groups.delete_group_by_id(group.id)

    assert [] == client.groups.get_groups().entries


def test_enterprise_events(client: BoxClient, box: Sandbox) -> None:
    """The streaming log pages by position; the historical one filters by type and time."""
    box.settings.orderly_events = True
    start = client.events.get_events(
        stream_type=GetEventsStreamType.ADMIN_LOGS_STREAMING, stream_position="now"
    ).next_stream_position
    file = upload(client, "f", b"1")
    client.uploads.upload_file_version(file.id, UploadFileVersionAttributes(name="f"), io.BytesIO(b"2"))
    client.files.delete_file_by_id(file.id)
    seen, position = [], str(start)
    for _ in range(10):
        page = client.events.get_events(
            stream_type=GetEventsStreamType.ADMIN_LOGS_STREAMING, stream_position=position, limit=2
        )
        if not page.entries:
            break
        seen += [event.event_type.value for event in page.entries]
        position = str(page.next_stream_position)
    now = datetime.now(UTC)
    edits = client.events.get_events(
        stream_type=GetEventsStreamType.ADMIN_LOGS,
        event_type=[GetEventsEventType.EDIT],
        created_after=(now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        created_before=(now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )

    assert ["UPLOAD", "EDIT", "DELETE"] == seen
    assert [file.id] == [event.source.item_id for event in edits.entries]


def test_user_stream_shows_what_the_user_sees(client: BoxClient, box: Sandbox) -> None:
    """A stranger's stream has nothing of the service account's files."""
    upload(client, "f", b"1")
    stranger = client_of(box, box.add_user("w@example.com", kind="app").id)

    assert "ITEM_UPLOAD" in {e.event_type.value for e in client.events.get_events().entries}
    assert [] == stranger.events.get_events().entries


def test_event_stream_long_polls(client: BoxClient) -> None:
    """The SDK's event stream yields what happens while it listens."""
    assert 1 == client.events.get_events_with_long_polling().chunk_size
    stream = client.events.get_event_stream(query_params=GetEventStreamQueryParams(stream_position="0"))
    upload(client, "first", b"")
    timer = threading.Timer(0.3, make_folder, (client, "second"))
    timer.start()
    events = list(itertools.islice(stream, 2))
    stream.stop()
    timer.join()

    assert ["first", "second"] == [event.source.name for event in events]


def test_deleted_user_leaves_nothing(client: BoxClient, box: Sandbox) -> None:
    """Deleting a user by force removes his files, his trash and the grants to him."""
    ann = box.add_user("ann@example.com")
    hers = client_of(box, ann.id)
    upload(hers, "f", b"1")
    hers.files.delete_file_by_id(upload(hers, "g", b"2").id)
    client.users.delete_user_by_id(ann.id, force=True)

    assert ({}, []) == (box.files(), [item.name for item in box.core.store.items()])

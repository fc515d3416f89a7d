"""Folders: one call creates or adopts, one call lists a thousand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.box.types import Invitee
from connectors.errors import (
    DestinationGone,
    LandingFolderMissing,
    NameInUse,
    NameRejected,
    PermissionMissing,
    Rejected,
    ServerBusy,
)
from tests.integration.box.files import opener, sha1, upload


def test_a_new_folder_costs_one_call(box: Sandbox, destination: BoxDestination) -> None:
    """POST /folders, and its answer is what counts."""
    folder = destination.create_folder("0", "Ablage ü😀")

    assert (
        1 == box.calls.by_route["POST /folders"] == box.calls.total - box.calls.by_route["POST /oauth2/token"]
    )
    assert ("Ablage ü😀", False, "0") == (folder.name, folder.adopted, folder.parent_id)
    assert ["Ablage ü😀"] == box.folders()


def test_an_existing_folder_is_adopted(box: Sandbox, destination: BoxDestination) -> None:
    """The conflict carries its id: still one call, and the name is Box's."""
    first = destination.create_folder("0", "HR")
    box.calls.reset()
    second = destination.create_folder("0", "hr")

    assert (first.id, "HR", True) == (second.id, second.name, second.adopted)
    assert 1 == box.calls.total


def test_a_conflict_without_details_is_looked_up(box: Sandbox, destination: BoxDestination) -> None:
    """Box may leave the conflict out: the listing tells what is in the way."""
    first = destination.create_folder("0", "HR")
    body = {"type": "error", "status": 409, "code": "item_name_in_use", "message": "taken"}
    box.faults.next("POST /folders").status(409, body=body)

    assert (first.id, True) == ((found := destination.create_folder("0", "HR")).id, found.adopted)


def test_a_file_of_the_name_is_a_conflict(destination: BoxDestination) -> None:
    """A folder cannot take a file's name."""
    file = destination.put(upload("0", "x", b"1"), opener(b"1"))
    with pytest.raises(NameInUse) as caught:
        destination.create_folder("0", "X")

    assert (file.file_id, "file") == (caught.value.box_id, caught.value.box_type)


@pytest.mark.parametrize("name", ["a/b", "x" * 256])
def test_a_name_that_box_refuses_takes_a_stricter_form(
    destination: BoxDestination, box: Sandbox, name: str
) -> None:
    """Names are made fit before; one that is not is made so once, and the answer says how."""
    folder = destination.create_folder("0", name)

    assert name != folder.name
    assert [folder.name] == [each.name for each in destination.list_folder("0")]
    box.violations.clear()


@pytest.mark.parametrize("name", ["..", "end "])
def test_a_name_that_box_refuses(destination: BoxDestination, box: Sandbox, name: str) -> None:
    """Names are made fit before; one that is not fails as an item."""
    with pytest.raises(NameRejected):
        destination.create_folder("0", name)
    box.violations.clear()


def test_a_parent_that_is_gone(destination: BoxDestination) -> None:
    """Creating below a vanished folder says so."""
    with pytest.raises(DestinationGone):
        destination.create_folder("999", "a")


def test_a_missing_scope_stops_the_pass(box: Sandbox, destination: BoxDestination) -> None:
    """403 insufficient_scope is a matter of the app, not of the folder."""
    box.settings.scopes = ("manage_groups",)
    with pytest.raises(PermissionMissing, match="insufficient_scope"):
        destination.create_folder("0", "a")


def test_landing_folder(box: Sandbox, destination: BoxDestination, config: BoxConfig) -> None:
    """Owner and permissions are shown; one that is not there is fatal and says what to do."""
    landing = destination.landing_folder()
    elsewhere = config.model_copy(update={"landing_folder_id": "4711"})
    with BoxDestination(elsewhere) as lost, pytest.raises(LandingFolderMissing, match="4711 does not exist"):
        lost.landing_folder()

    assert ("0", box.service_account.id, True) == (
        landing.id,
        landing.owner_id,
        landing.permissions["can_upload"],
    )


def test_a_folder_in_the_trash_is_gone(destination: BoxDestination) -> None:
    """Deleted is gone, for looking and for deleting again."""
    folder = destination.create_folder("0", "probe")
    destination.delete_folder(folder.id)
    destination.delete_folder(folder.id)
    with pytest.raises(DestinationGone):
        destination.folder_info(folder.id)


def test_a_folder_with_content_is_not_deleted(destination: BoxDestination) -> None:
    """Only empty folders are deleted, ever."""
    folder = destination.create_folder("0", "full")
    destination.put(upload(folder.id, "x", b"1"), opener(b"1"))
    with pytest.raises(Rejected):
        destination.delete_folder(folder.id)


def test_a_listing_shows_what_verification_needs(box: Sandbox, destination: BoxDestination) -> None:
    """Type, id, name, size, sha1, etag and the content's time, in one call."""
    top = destination.create_folder("0", "top")
    below = destination.create_folder(top.id, "below")
    file = destination.put(upload(top.id, "a.txt", b"hello"), opener(b"hello"))
    box.calls.reset()
    listed = {child.id: child for child in destination.list_folder(top.id)}

    assert {"GET /folders/:id/items": 1} == dict(box.calls.by_route)
    assert {below.id, file.file_id} == set(listed)
    assert ("folder", "below", None) == (listed[below.id].type, listed[below.id].name, listed[below.id].sha1)
    child = listed[file.file_id]
    assert ("file", "a.txt", 5, sha1(b"hello"), "0") == (
        child.type,
        child.name,
        child.size,
        child.sha1,
        child.etag,
    )
    assert child.modified is not None
    assert 1_600_000_000 == child.modified.timestamp()


def test_a_long_listing_has_every_child_once(box: Sandbox, destination: BoxDestination) -> None:
    """2,500 entries: three calls, each entry once."""
    top = destination.create_folder("0", "top")
    with box.core.store.lock:
        folder = box.core.store.folders[top.id]
        for n in range(2500):
            box.core.items.create_folder(box.service_account, folder.id, f"f{n:04}")
    box.calls.reset()
    names = [child.name for child in destination.list_folder(top.id)]

    assert 3 == box.calls.by_route["GET /folders/:id/items"]
    assert 2500 == len(names) == len(set(names))


def test_a_listing_that_repeats_itself_ends(box: Sandbox, destination: BoxDestination) -> None:
    """Marker pages have repeated entries: de-duplicated; pages without end are an error, not a loop."""
    page = {"entries": [{"type": "file", "id": "1", "name": "a", "size": 1.2e3}], "next_marker": "again"}
    box.faults.next("GET /folders/:id/items").status(200, body=page).times(None)
    listed = destination.list_folder("0")

    assert (1200, None) == ((first := next(listed)).size, first.modified)
    with pytest.raises(ServerBusy, match="do not come to an end"):
        next(listed)


def test_a_vanished_folder_cannot_be_listed(destination: BoxDestination) -> None:
    """Verification learns that the folder is gone."""
    with pytest.raises(DestinationGone):
        list(destination.list_folder("999"))


def test_file_info(box: Sandbox, destination: BoxDestination) -> None:
    """Content, owner and place of one file; DestinationGone for one that is not there."""
    top = destination.create_folder("0", "top")
    file = destination.put(upload(top.id, "a.txt", b"hello"), opener(b"hello"))
    info = destination.file_info(file.file_id)
    with pytest.raises(DestinationGone):
        destination.file_info("999")

    assert (5, sha1(b"hello"), "0", top.id, "a.txt") == (
        info.size,
        info.sha1,
        info.etag,
        info.parent_id,
        info.name,
    )
    assert box.service_account.id == info.created_by_id == info.owner_id
    assert not info.trashed


def test_a_folder_whose_answer_was_lost_is_no_adopted_one(box: Sandbox, destination: BoxDestination) -> None:
    """Box made it and the line broke: the repeat meets this account's own folder of this very call."""
    destination.whoami()
    box.faults.next("POST /folders").reset("after_effect")
    folder = destination.create_folder("0", "HR")

    assert False is folder.adopted
    assert 1 == len(box.folders())


def test_a_folder_of_a_dead_process_is_its_claims_own(box: Sandbox, destination: BoxDestination) -> None:
    """Killed between Box's 201 and the record: the next process knows since when the path was claimed."""
    destination.whoami()
    claimed_at = datetime.now(UTC)
    destination.create_folder("0", "HR")

    assert False is destination.create_folder("0", "HR", claimed_at=claimed_at).adopted


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_a_claim_is_compared_by_boxs_clock(box: Sandbox, destination: BoxDestination, skew: float) -> None:
    """A clock that is wrong here makes no older folder ours, and none of ours an older one."""
    box.settings.clock_skew = skew
    destination.whoami()
    destination.create_folder("0", "HR")
    now = datetime.now(UTC)

    assert [True, False] == [
        destination.create_folder("0", "HR", claimed_at=now + timedelta(minutes=minutes)).adopted
        for minutes in (1, -1)
    ]


def test_a_folder_of_somebody_else_stays_adopted(box: Sandbox, destination: BoxDestination) -> None:
    """A person made a folder of this name after the claim: it is adopted, never taken for ours."""
    destination.whoami()
    claimed_at = datetime.now(UTC)
    landing = destination.create_folder("0", "Landing")
    ann = box.add_user("ann@example.com")
    destination.collaborate(landing.id, Invitee(user_id=ann.id), "editor")
    box.person(ann).make_folder("HR", landing.id)

    assert True is destination.create_folder(landing.id, "HR", claimed_at=claimed_at).adopted


def test_a_folder_that_box_alone_takes_for_the_same(box: Sandbox, destination: BoxDestination) -> None:
    """What Box names in the way has another name by our strictest comparison: it is not adopted (P7)."""
    other = destination.create_folder("0", "HR")
    conflict = {"type": "folder", "id": other.id, "name": "HR", "etag": "0"}
    box.faults.next("POST /folders").status(409, error="item_name_in_use", context={"conflicts": [conflict]})
    with pytest.raises(NameInUse) as caught:
        destination.create_folder("0", "Personnel")

    assert (other.id, "HR") == (caught.value.box_id, caught.value.box_name)

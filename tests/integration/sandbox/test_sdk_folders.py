"""folders, files and the trash through the real SDK."""

from __future__ import annotations

import hashlib

import pytest
import requests
from box_sdk_gen import BoxAPIError, BoxClient, null
from box_sdk_gen.managers.files import CopyFileParent, UpdateFileByIdLock, UpdateFileByIdParent
from box_sdk_gen.managers.folders import (
    CopyFolderParent,
    UpdateFolderByIdParent,
    UpdateFolderByIdSharedLink,
)

from connectors.box.sandbox import Sandbox
from tests.integration.sandbox.conftest import make_folder, upload


def refused(error: pytest.ExceptionInfo[BoxAPIError]) -> tuple[int, str | None]:
    """Status and code of a refusal."""
    info = error.value.response_info
    return info.status_code, info.code


def test_create_and_get_folder(client: BoxClient, box: Sandbox) -> None:
    """A created folder is read back with the same id, parent and owner."""
    made = make_folder(client, "HR")
    found = client.folders.get_folder_by_id(made.id)

    assert (made.id, "HR", "0") == (found.id, found.name, found.parent.id)
    assert box.service_account.id == found.owned_by.id


def test_taken_folder_name_answers_an_array(client: BoxClient) -> None:
    """The 409 of a folder carries an array with the id of what is there, whatever the case of the name."""
    made = make_folder(client, "HR")
    with pytest.raises(BoxAPIError) as error:
        make_folder(client, "hr")

    assert (409, "item_name_in_use") == refused(error)
    assert made.id == error.value.response_info.context_info["conflicts"][0]["id"]


def test_taken_file_name_answers_an_object(client: BoxClient) -> None:
    """The 409 of an upload carries one object with id and sha1 of what is there."""
    made = upload(client, "a.txt", b"one")
    with pytest.raises(BoxAPIError) as error:
        upload(client, "A.TXT", b"two")

    conflict = error.value.response_info.context_info["conflicts"]
    assert (made.id, hashlib.sha1(b"one").hexdigest()) == (conflict["id"], conflict["sha1"])


def test_files_and_folders_share_one_namespace(client: BoxClient) -> None:
    """A file cannot take a folder's name; the conflict names the folder."""
    made = make_folder(client, "Reports")
    with pytest.raises(BoxAPIError) as error:
        upload(client, "reports", b"")

    conflict = error.value.response_info.context_info["conflicts"]
    assert ("folder", made.id) == (conflict["type"], conflict["id"])


def test_listing_by_offset(client: BoxClient) -> None:
    """Offset pages hold folders first, then files, by name, and the total."""
    for name in ("b", "a"):
        upload(client, name, b"")
    make_folder(client, "z")
    first = client.folders.get_folder_items("0", limit=2, offset=0)
    second = client.folders.get_folder_items("0", limit=2, offset=2)

    assert ["z", "a"] == [entry.name for entry in first.entries]
    assert (["b"], 3) == ([entry.name for entry in second.entries], second.total_count)


def test_listing_by_marker(client: BoxClient) -> None:
    """Marker pages together hold everything once, and the last one has no marker."""
    parent = make_folder(client, "parent").id
    for number in range(7):
        upload(client, f"{number}", b"", parent)
    names, marker = [], None
    for _ in range(10):
        page = client.folders.get_folder_items(parent, usemarker=True, marker=marker, limit=3)
        names += [entry.name for entry in page.entries]
        marker = page.next_marker
        if not marker:
            break

    assert [str(number) for number in range(7)] == names


def test_listing_with_fields_sends_those_alone(client: BoxClient) -> None:
    """With fields an entry has type, id, etag and the fields, not the rest of the mini shape."""
    upload(client, "a", b"abc")
    entry = client.folders.get_folder_items("0", fields=["size", "sha1"]).to_dict()["entries"][0]

    assert {"type", "id", "etag", "size", "sha1"} == set(entry)


def test_sorting_is_secondary_to_type(client: BoxClient) -> None:
    """Sorting by size in descending order leaves folders before files."""
    make_folder(client, "empty")
    for name, size in (("small", 1), ("large", 9)):
        upload(client, name, b"x" * size)
    page = client.folders.get_folder_items("0", sort="size", direction="DESC")

    assert ["empty", "large", "small"] == [entry.name for entry in page.entries]


def test_rename_and_move_folder(client: BoxClient, box: Sandbox) -> None:
    """PUT renames and moves; sizes of both parents follow."""
    left, right = make_folder(client, "left"), make_folder(client, "right")
    inner = make_folder(client, "inner", left.id)
    upload(client, "f", b"12345", inner.id)
    moved = client.folders.update_folder_by_id(
        inner.id, name="renamed", parent=UpdateFolderByIdParent(id=right.id)
    )

    assert ("renamed", right.id, "1") == (moved.name, moved.parent.id, moved.etag)
    tree = box.tree()
    assert (0, 5) == (tree["left"]["size"], tree["right"]["size"])


def test_stale_etag_is_refused(client: BoxClient) -> None:
    """If-Match with an old etag answers 412 for folders, files and deletions."""
    folder, file = make_folder(client, "d"), upload(client, "f", b"")
    client.folders.update_folder_by_id(folder.id, description="new")
    client.files.update_file_by_id(file.id, description="new")
    for call in (
        lambda: client.folders.update_folder_by_id(folder.id, name="x", if_match="0"),
        lambda: client.files.update_file_by_id(file.id, name="x", if_match="0"),
        lambda: client.folders.delete_folder_by_id(folder.id, if_match="0"),
        lambda: client.files.delete_file_by_id(file.id, if_match="0"),
    ):
        with pytest.raises(BoxAPIError) as error:
            call()
        assert (412, "precondition_failed") == refused(error)


def test_move_into_itself_is_refused(client: BoxClient) -> None:
    """A folder cannot become its own descendant."""
    outer = make_folder(client, "outer")
    inner = make_folder(client, "inner", outer.id)
    with pytest.raises(BoxAPIError) as error:
        client.folders.update_folder_by_id(outer.id, parent=UpdateFolderByIdParent(id=inner.id))

    assert (400, "cyclical_folder_structure") == refused(error)


def test_copy_folder_copies_the_tree(client: BoxClient, box: Sandbox) -> None:
    """A copied folder has the same files under new ids, and uses the space again."""
    source = make_folder(client, "source")
    upload(client, "f", b"12345", make_folder(client, "inner", source.id).id)
    client.folders.copy_folder(source.id, CopyFolderParent(id="0"), name="copy")
    files = box.files()

    assert files["source/inner/f"].sha1 == files["copy/inner/f"].sha1
    assert files["source/inner/f"].id != files["copy/inner/f"].id
    assert 10 == box.service_account.space_used


def test_delete_needs_recursive(client: BoxClient) -> None:
    """A folder with content is deleted only recursively."""
    folder = make_folder(client, "d")
    upload(client, "f", b"x", folder.id)
    with pytest.raises(BoxAPIError) as error:
        client.folders.delete_folder_by_id(folder.id)
    client.folders.delete_folder_by_id(folder.id, recursive=True)

    assert (400, "folder_not_empty") == refused(error)
    assert [] == client.folders.get_folder_items("0").entries


def test_trash_restores_and_purges(client: BoxClient, box: Sandbox) -> None:
    """Deleted items use space until they are purged; restored ones are where they were."""
    folder = make_folder(client, "d")
    kept, gone = upload(client, "kept", b"12", folder.id), upload(client, "gone", b"345", folder.id)
    for file in (kept, gone):
        client.files.delete_file_by_id(file.id)
    listed = client.trashed_items.get_trashed_items().entries
    assert {"kept", "gone"} == {entry.name for entry in listed}
    assert 5 == box.service_account.space_used
    client.trashed_files.restore_file_from_trash(kept.id)
    client.trashed_files.delete_trashed_file_by_id(gone.id)

    assert ["d/kept"] == list(box.files())
    assert 2 == box.service_account.space_used


def test_trashed_folder_comes_back_with_its_content(client: BoxClient, box: Sandbox) -> None:
    """A trashed folder answers 404 trashed, its files are read as trashed, and all is there when it is restored."""
    folder = make_folder(client, "d")
    file = upload(client, "f", b"x", folder.id)
    client.folders.delete_folder_by_id(folder.id, recursive=True)
    with pytest.raises(BoxAPIError) as error:
        client.folders.get_folder_by_id(folder.id)
    with pytest.raises(BoxAPIError) as changed:
        client.files.update_file_by_id(file.id, name="g")
    assert [(404, "trashed")] * 2 == [refused(error), refused(changed)]
    assert "trashed" == client.files.get_file_by_id(file.id).item_status.value
    assert "d" == client.trashed_folders.get_trashed_folder_by_id(folder.id).name
    client.trashed_folders.restore_folder_from_trash(folder.id)

    assert ["d/f"] == list(box.files())
    assert "active" == client.files.get_file_by_id(file.id).item_status.value


def test_purged_folder_frees_its_space(client: BoxClient, box: Sandbox) -> None:
    """Purging a folder removes everything below it."""
    folder = make_folder(client, "d")
    upload(client, "f", b"123", folder.id)
    client.folders.delete_folder_by_id(folder.id, recursive=True)
    client.trashed_folders.delete_trashed_folder_by_id(folder.id)

    assert (0, {}) == (box.service_account.space_used, box.files())


def test_root_cannot_be_changed(client: BoxClient) -> None:
    """The root is neither renamed nor deleted."""
    with pytest.raises(BoxAPIError) as renamed:
        client.folders.update_folder_by_id("0", name="x")
    with pytest.raises(BoxAPIError) as deleted:
        client.folders.delete_folder_by_id("0", recursive=True)

    assert (403, 403) == (refused(renamed)[0], refused(deleted)[0])


def test_shared_links(client: BoxClient) -> None:
    """A link is made, found again by its URL, and removed."""
    folder = make_folder(client, "d")
    made = client.folders.update_folder_by_id(
        folder.id, shared_link=UpdateFolderByIdSharedLink(access="company")
    )
    found = client.shared_links_folders.find_folder_for_shared_link(f"shared_link={made.shared_link.url}")
    assert folder.id == found.id
    client.shared_links_folders.remove_shared_link_from_folder(folder.id, "shared_link", shared_link=null)

    assert client.folders.get_folder_by_id(folder.id, fields=["shared_link"]).shared_link is None


def test_file_update_copy_and_versions(client: BoxClient, box: Sandbox) -> None:
    """Files are renamed, moved, described, tagged and copied."""
    folder = make_folder(client, "d")
    file = upload(client, "f.txt", b"12")
    changed = client.files.update_file_by_id(
        file.id, name="g.txt", parent=UpdateFileByIdParent(id=folder.id), description="text", tags=["a", "b"],
        fields=["name", "description", "tags", "extension", "permissions", "version_number"],
    )  # fmt: skip
    copied = client.files.copy_file(file.id, CopyFileParent(id="0"))

    assert (
        changed.name, changed.description, changed.tags, changed.extension
    ) == ("g.txt", "text", ["a", "b"], "txt")  # fmt: skip
    assert changed.permissions.can_upload
    assert {"d/g.txt", "g.txt"} == set(box.files())
    assert copied.id != file.id


def test_locked_file_refuses_others(client: BoxClient, box: Sandbox) -> None:
    """A lock is set, seen and taken away."""
    file = upload(client, "f", b"")
    locked = client.files.update_file_by_id(file.id, lock=UpdateFileByIdLock(access="lock"), fields=["lock"])
    assert box.service_account.id == locked.lock.created_by.id
    client.files.delete_file_by_id(file.id)

    assert {} == box.files()


def test_conditional_get(client: BoxClient) -> None:
    """If-None-Match with the current etag answers 304."""
    file = upload(client, "f", b"")
    assert file.id == client.files.get_file_by_id(file.id, if_none_match="7").id


def test_thumbnails_are_placeholders(client: BoxClient) -> None:
    """No thumbnails are made: the answer points at a placeholder."""
    file = upload(client, "f.png", b"")
    address = client.files.get_file_thumbnail_url(file.id, "png")
    assert requests.get(address, timeout=30).content.startswith(b"\x89PNG")
    assert client.files.get_file_thumbnail_by_id(file.id, "jpg") is None


def test_download_whole_and_in_ranges(client: BoxClient) -> None:
    """Contents come back whole, in ranges, and of older versions."""
    file = upload(client, "f", bytes(range(100)))
    whole = client.downloads.download_file(file.id)
    piece = client.downloads.download_file(file.id, range="bytes=10-19")

    assert bytes(range(100)) == whole.read()
    assert bytes(range(10, 20)) == piece.read()


def test_download_address_needs_no_token(client: BoxClient, box: Sandbox) -> None:
    """A download answers with an address elsewhere, which gives the bytes without a token until the file is purged."""
    file = upload(client, "ü.txt", b"abc")
    address = client.downloads.get_download_file_url(file.id)
    assert (200, b"abc") == ((answer := requests.get(address, timeout=30)).status_code, answer.content)
    client.files.delete_file_by_id(file.id)
    client.trashed_files.delete_trashed_file_by_id(file.id)

    assert 404 == requests.get(address, timeout=30).status_code

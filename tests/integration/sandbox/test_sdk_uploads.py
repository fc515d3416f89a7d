"""uploads and chunked_uploads through the real SDK."""

from __future__ import annotations

import base64
import hashlib
import io
from datetime import UTC, datetime

import pytest
from box_sdk_gen import BoxAPIError, BoxClient, null
from box_sdk_gen.managers.uploads import (
    PreflightFileUploadCheckParent,
    UploadFileAttributes,
    UploadFileAttributesParentField,
    UploadFileVersionAttributes,
    UploadWithPreflightCheckAttributes,
    UploadWithPreflightCheckAttributesParentField,
)
from box_sdk_gen.managers.user_collaborations import CreateCollaborationAccessibleBy, CreateCollaborationItem
from box_sdk_gen.schemas.upload_part import UploadPart
from box_sdk_gen.schemas.upload_part_plan import UploadPartPlan
from box_sdk_gen.schemas.upload_session import UploadSession

from connectors.box.sandbox import Sandbox
from tests.integration.sandbox.conftest import client_of, make_folder, upload
from tests.integration.sandbox.test_sdk_folders import refused

PART = 4096
CONTENT = bytes(range(256)) * 40


def digest(content: bytes) -> str:
    """The Digest header."""
    return "sha=" + base64.b64encode(hashlib.sha1(content).digest()).decode()


def open_session(client: BoxClient, name: str = "big.bin", size: int = len(CONTENT)) -> UploadSession:
    """A session for a new file in the root."""
    return client.chunked_uploads.create_file_upload_session("0", size, name)


def put(client: BoxClient, session: UploadSession, number: int, content: bytes | None = None) -> UploadPart:
    """Send one part of CONTENT, or other bytes in its place."""
    offset = number * PART
    piece = CONTENT[offset : offset + PART] if content is None else content
    part = client.chunked_uploads.upload_file_part_by_url(
        session.session_endpoints.upload_part,
        io.BytesIO(piece),
        digest(piece),
        f"bytes {offset}-{offset + len(piece) - 1}/{len(CONTENT)}",
    ).part
    assert part is not None
    return part


def test_upload_keeps_bytes_and_dates(client: BoxClient, box: Sandbox) -> None:
    """sha1, size and dates of an upload are those that were sent; dates in whole seconds."""
    file = upload(
        client, "f", b"abc", content_created_at="2012-12-12T10:53:43Z", content_modified_at="2012-12-12T10:55:30-08:00"
    )  # fmt: skip

    assert (hashlib.sha1(b"abc").hexdigest(), 3) == (file.sha_1, file.size)
    assert datetime(2012, 12, 12, 10, 53, 43, tzinfo=UTC) == file.content_created_at
    assert datetime(2012, 12, 12, 18, 55, 30, tzinfo=UTC) == file.content_modified_at
    assert b"abc" == box.content(file.id)


def test_wrong_content_md5_is_refused(client: BoxClient, box: Sandbox) -> None:
    """content-md5 is a SHA-1, and a wrong one stores nothing."""
    attributes = UploadFileAttributes(name="f", parent=UploadFileAttributesParentField(id="0"))
    with pytest.raises(BoxAPIError) as error:
        client.uploads.upload_file(
            attributes, io.BytesIO(b"abc"), content_md_5=hashlib.sha1(b"x").hexdigest()
        )

    assert (400, "bad_digest") == refused(error)
    assert {} == box.files()


def test_new_version_needs_the_current_etag(client: BoxClient, box: Sandbox) -> None:
    """A new version keeps the id, raises the etag, and is refused with an old etag."""
    file = upload(client, "f", b"one")
    attributes = UploadFileVersionAttributes(name="f")
    newer = client.uploads.upload_file_version(
        file.id, attributes, io.BytesIO(b"three"), if_match=file.etag
    ).entries[0]
    with pytest.raises(BoxAPIError) as error:
        client.uploads.upload_file_version(file.id, attributes, io.BytesIO(b""), if_match=file.etag)

    assert (file.id, "1", 5) == (newer.id, newer.etag, newer.size)
    assert (412, "precondition_failed") == refused(error)
    assert (2, 8) == (box.files()["f"].versions, box.service_account.space_used)


def test_versions_are_listed_promoted_and_deleted(client: BoxClient) -> None:
    """Older versions are listed without the current one; an older one can be made current again."""
    file = upload(client, "f", b"one")
    client.uploads.upload_file_version(file.id, UploadFileVersionAttributes(name="f"), io.BytesIO(b"two"))
    old = client.file_versions.get_file_versions(file.id).entries[0]
    assert hashlib.sha1(b"one").hexdigest() == old.sha_1
    assert old.id == client.file_versions.get_file_version_by_id(file.id, old.id).id
    client.file_versions.promote_file_version(file.id, id=old.id, type="file_version")
    client.file_versions.delete_file_version_by_id(file.id, old.id)

    assert b"one" == client.downloads.download_file(file.id).read()


def test_preflight(client: BoxClient) -> None:
    """A preflight gives an upload address, or the conflict that the upload would give."""
    parent = PreflightFileUploadCheckParent(id="0")
    address = client.uploads.preflight_file_upload_check(name="f", size=10, parent=parent)
    assert address.upload_url.startswith(client.network_session.base_urls.upload_url)
    made = upload(client, "f", b"")
    with pytest.raises(BoxAPIError) as error:
        client.uploads.preflight_file_upload_check(name="F", size=10, parent=parent)

    assert made.id == error.value.response_info.context_info["conflicts"]["id"]


def test_upload_with_preflight(client: BoxClient, box: Sandbox) -> None:
    """The SDK's combination of preflight and upload works."""
    attributes = UploadWithPreflightCheckAttributes(
        name="f", parent=UploadWithPreflightCheckAttributesParentField(id="0"), size=3
    )
    client.uploads.upload_with_preflight_check(attributes, io.BytesIO(b"abc"))

    assert ["f"] == list(box.files())


def test_quota_is_the_owners(client: BoxClient, box: Sandbox) -> None:
    """An upload beyond the folder owner's space or size limit is refused with the code for it."""
    box.set_space(box.service_account.id, 5)
    box.service_account.max_upload_size = 10
    with pytest.raises(BoxAPIError) as space:
        upload(client, "f", b"123456")
    with pytest.raises(BoxAPIError) as size:
        upload(client, "f", b"12345678901")

    assert (403, "storage_limit_exceeded") == refused(space)
    assert (403, "file_size_limit_exceeded") == refused(size)


def test_big_file(client: BoxClient, box: Sandbox) -> None:
    """The SDK's own chunked upload stores the file."""
    made = client.chunked_uploads.upload_big_file(io.BytesIO(CONTENT), "big.bin", len(CONTENT), "0")

    assert box.content(made.id) == CONTENT
    assert [] == box.open_sessions()


def test_big_version_reuses_known_parts(client: BoxClient, box: Sandbox) -> None:
    """A version whose first part Box knows is completed by sending the others alone (plan)."""
    made = client.chunked_uploads.upload_big_file(io.BytesIO(CONTENT), "big.bin", len(CONTENT), "0")
    changed = CONTENT[:-1] + b"!"
    before = box.calls.by_route["PUT /files/upload_sessions/:id"]
    newer = client.chunked_uploads.upload_big_file_version(made.id, io.BytesIO(changed), len(changed))

    assert (made.id, changed) == (newer.id, box.content(made.id))
    assert 1 == box.calls.by_route["PUT /files/upload_sessions/:id"] - before


def test_plan_by_id_and_by_url(client: BoxClient) -> None:
    """The plan tells hits from misses."""
    made = client.chunked_uploads.upload_big_file(io.BytesIO(CONTENT), "big.bin", len(CONTENT), "0")
    session = client.chunked_uploads.create_file_upload_session_for_existing_file(made.id, len(CONTENT))
    wanted = [
        UploadPartPlan(offset=0, size=PART, sha_512=hashlib.sha512(CONTENT[:PART]).hexdigest()),
        UploadPartPlan(offset=PART, size=PART, sha_512=hashlib.sha512(b"").hexdigest()),
    ]
    by_id = client.chunked_uploads.create_file_upload_session_plan(session.id, wanted)
    by_url = client.chunked_uploads.create_file_upload_session_plan_by_url(
        session.session_endpoints.plan, wanted
    )

    assert ([hit.offset for hit in by_id.hits], [miss.offset for miss in by_id.misses]) == ([0], [PART])
    assert by_id.hits[0].part_id == by_url.hits[0].part_id


def test_session_by_hand(client: BoxClient, box: Sandbox) -> None:
    """Create, parts in any order, list, status, commit: each by its own address."""
    session = open_session(client)
    parts = [put(client, session, number) for number in (2, 0, 1)]
    listed = client.chunked_uploads.get_file_upload_session_parts_by_url(session.session_endpoints.list_parts)
    status = client.chunked_uploads.get_file_upload_session_by_url(session.session_endpoints.status)
    assert ([part.offset for part in listed.entries], status.num_parts_processed) == ([0, PART, 2 * PART], 3)
    assert 3 == len(client.chunked_uploads.get_file_upload_session_parts(session.id).entries)
    assert session.id == client.chunked_uploads.get_file_upload_session_by_id(session.id).id
    made = client.chunked_uploads.create_file_upload_session_commit_by_url(
        session.session_endpoints.commit, parts, digest(CONTENT)
    ).entries[0]

    assert box.content(made.id) == CONTENT


def test_part_and_commit_by_id(client: BoxClient, box: Sandbox) -> None:
    """The calls that take the session's id do the same."""
    session = open_session(client, size=4000)
    piece = CONTENT[:4000]
    part = client.chunked_uploads.upload_file_part(
        session.id, io.BytesIO(piece), digest(piece), "bytes 0-3999/4000"
    ).part
    client.chunked_uploads.create_file_upload_session_commit(session.id, [part], digest(piece))

    assert 4000 == box.files()["big.bin"].size


def test_aborted_session_is_gone(client: BoxClient, box: Sandbox) -> None:
    """Abort answers 204, and the session is unknown afterwards."""
    first, second = open_session(client), open_session(client)
    client.chunked_uploads.delete_file_upload_session_by_url(first.session_endpoints.abort)
    client.chunked_uploads.delete_file_upload_session_by_id(second.id)
    with pytest.raises(BoxAPIError) as error:
        put(client, first, 0)

    assert (404, []) == (refused(error)[0], box.open_sessions())


def test_parts_are_immutable_aligned_and_checked(client: BoxClient) -> None:
    """A part sent twice, out of line, of the wrong size or with a wrong digest is refused."""
    session = open_session(client)
    put(client, session, 0)
    url = session.session_endpoints.upload_part
    size = len(CONTENT)
    for content, name, given, expected in (
        (CONTENT[:PART], f"bytes 0-{PART - 1}/{size}", None, 409),
        (CONTENT[1 : PART + 1], f"bytes 1-{PART}/{size}", None, 416),
        (CONTENT[:100], f"bytes {PART}-{PART + 99}/{size}", None, 416),
        (CONTENT[:PART], f"bytes {PART}-{2 * PART - 1}/{size + 1}", None, 416),
        (CONTENT[:PART], "bytes */5", None, 400),
        (CONTENT[:PART], f"bytes {PART}-{2 * PART - 1}/{size}", digest(b"other"), 400),
    ):
        with pytest.raises(BoxAPIError) as error:
            client.chunked_uploads.upload_file_part_by_url(
                url, io.BytesIO(content), given or digest(content), name
            )
        assert expected == refused(error)[0], name


def test_commit_is_checked(client: BoxClient) -> None:
    """A commit with a part missing, or with the wrong digest of the whole, makes no file."""
    session = open_session(client)
    parts = [put(client, session, number) for number in (0, 1)]
    commit = client.chunked_uploads.create_file_upload_session_commit_by_url
    with pytest.raises(BoxAPIError) as incomplete:
        commit(session.session_endpoints.commit, parts, digest(CONTENT))
    parts.append(put(client, session, 2))
    with pytest.raises(BoxAPIError) as wrong:
        commit(session.session_endpoints.commit, parts, digest(b""))

    assert (400, "parts_mismatch") == refused(incomplete)
    assert (400, "digest_mismatch") == refused(wrong)


def test_small_files_are_refused(client: BoxClient, box: Sandbox) -> None:
    """Below 20 MB there are no sessions."""
    box.settings.min_session_size = 20_000_000
    with pytest.raises(BoxAPIError) as error:
        open_session(client, size=19_999_999)

    assert (400, "file_size_too_small") == refused(error)


def test_session_belongs_to_its_user(client: BoxClient, box: Sandbox) -> None:
    """Another user gets 403 for a session, even if he may upload there."""
    worker = box.add_user("worker@example.com", kind="app")
    session = open_session(client)
    with pytest.raises(BoxAPIError) as error:
        put(client_of(box, worker.id), session, 0)

    assert 403 == refused(error)[0]


def test_expired_session_answers_410(client: BoxClient, box: Sandbox) -> None:
    """A session past its life is gone for good."""
    session = open_session(client)
    box.settings.clock_offset_seconds = 8 * 24 * 3600
    box.expire_tokens()
    fresh = client_of(box, box.add_user("other@example.com", kind="app").id)
    with pytest.raises(BoxAPIError) as error:
        fresh.chunked_uploads.get_file_upload_session_by_id(session.id)

    assert 410 == refused(error)[0]


def test_session_does_not_hold_its_name(client: BoxClient, box: Sandbox) -> None:
    """The name is taken only at commit, which then answers the conflict."""
    session = open_session(client)
    other = upload(client, "BIG.BIN", b"")
    parts = [put(client, session, number) for number in range(3)]
    with pytest.raises(BoxAPIError) as error:
        client.chunked_uploads.create_file_upload_session_commit(session.id, parts, digest(CONTENT))

    assert other.id == error.value.response_info.context_info["conflicts"]["id"]
    assert 1 == len(box.open_sessions())


def test_uploads_go_into_folders_of_others(client: BoxClient, box: Sandbox) -> None:
    """A collaborator's upload belongs to the folder's owner and was created by the collaborator."""
    worker = box.add_user("worker@example.com", kind="app")
    folder = make_folder(client, "landing")
    client.user_collaborations.create_collaboration(
        CreateCollaborationItem(type="folder", id=folder.id),
        CreateCollaborationAccessibleBy(type="user", id=worker.id),
        "editor",
    )
    made = upload(client_of(box, worker.id), "f", b"123", folder.id)

    assert (box.service_account.id, worker.id) == (made.owned_by.id, made.created_by.id)
    assert (3, 0) == (box.service_account.space_used, worker.space_used)


def test_committed_session_may_be_deleted(client: BoxClient) -> None:
    """Deleting a session after its commit answers 204; anything else about it answers 404."""
    session = open_session(client, size=4000)
    piece = CONTENT[:4000]
    part = client.chunked_uploads.upload_file_part(
        session.id, io.BytesIO(piece), digest(piece), "bytes 0-3999/4000"
    ).part
    client.chunked_uploads.create_file_upload_session_commit(session.id, [part], digest(piece))
    client.chunked_uploads.delete_file_upload_session_by_id(session.id)
    with pytest.raises(BoxAPIError) as error:
        client.chunked_uploads.create_file_upload_session_commit(session.id, [part], digest(piece))

    assert 404 == refused(error)[0]


def test_promoted_version_brings_its_name(client: BoxClient) -> None:
    """A version keeps the name it had, and gives it back when it is promoted."""
    file = upload(client, "old", b"one")
    client.uploads.upload_file_version(file.id, UploadFileVersionAttributes(name="new"), io.BytesIO(b"two"))
    version = client.file_versions.get_file_versions(file.id).entries[0]
    client.file_versions.promote_file_version(file.id, id=version.id, type="file_version")

    assert "old" == client.files.get_file_by_id(file.id).name


def test_version_is_trashed_and_restored(client: BoxClient, box: Sandbox) -> None:
    """A deleted version says when and by whom, and so does a restored one."""
    file = upload(client, "f", b"one")
    client.uploads.upload_file_version(file.id, UploadFileVersionAttributes(name="f"), io.BytesIO(b"two"))
    version = client.file_versions.get_file_versions(file.id).entries[0]
    client.file_versions.delete_file_version_by_id(file.id, version.id)
    trashed = client.file_versions.get_file_version_by_id(file.id, version.id)
    client.file_versions.update_file_version_by_id(file.id, version.id, trashed_at=null)
    restored = client.file_versions.get_file_version_by_id(file.id, version.id)

    assert box.service_account.id == trashed.trashed_by.id == restored.restored_by.id
    assert (None, None) == (trashed.restored_at, restored.trashed_at)

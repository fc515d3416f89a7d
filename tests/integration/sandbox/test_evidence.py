"""What the live service has been seen to answer, where it differs from Box's own pages (box.md §3.7)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.integration.sandbox.conftest import Raw

BYTES = {"Content-Type": "application/octet-stream"}


def reasons(answer: requests.Response) -> list[str]:
    """The messages of `context_info.errors`."""
    return [error["message"] for error in answer.json()["context_info"]["errors"]]


def session_of(raw: Raw, name: str, size: int) -> dict[str, Any]:
    """A new upload session in the root."""
    body = {"folder_id": "0", "file_name": name, "file_size": size}
    made: dict[str, Any] = raw("POST", "/api/2.0/files/upload_sessions", json=body).json()
    return made


def digest(content: bytes) -> dict[str, str]:
    """The Digest header."""
    return {"Digest": "sha=" + base64.b64encode(hashlib.sha1(content).digest()).decode()}


def put_part(raw: Raw, session: dict[str, Any], content: bytes, total: int) -> requests.Response:
    """The first part of a session."""
    headers = {"Content-Range": f"bytes 0-{len(content) - 1}/{total}", **digest(content), **BYTES}
    address = session["session_endpoints"]["upload_part"].removeprefix(raw.box.url)
    return raw("PUT", address, data=content, headers=headers)


# --- tokens and scopes ---


@pytest.mark.parametrize("ending", ["revoked", "expired", "deleted user", "inactive user", "never issued"])
def test_a_useless_token_has_no_body(box: Sandbox, raw: Raw, ending: str) -> None:
    """Whatever is wrong with a token: 401, no body, and `invalid_token` in the header."""
    box.settings.empty_auth_bodies = True
    worker = box.add_user("w@example.com", kind="app")
    theirs = Raw(box, worker)
    if ending == "expired":
        box.expire_tokens()
    elif ending == "deleted user":
        assert 204 == raw("DELETE", f"/2.0/users/{worker.id}").status_code
    elif ending == "inactive user":
        assert raw("PUT", f"/2.0/users/{worker.id}", json={"status": "inactive"}).ok
    elif ending == "revoked":
        box.core.auth.tokens.clear()
    else:
        theirs.session.headers["Authorization"] = "Bearer x"
    answer = theirs("GET", "/2.0/folders/0")
    theirs.session.close()

    assert (401, b"") == (answer.status_code, answer.content)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_missing_scope_has_no_body(box: Sandbox, raw: Raw) -> None:
    """A call outside the scopes: 403, no body, the reason in the header alone; other refusals have a body."""
    box.settings.empty_auth_bodies = True
    box.settings.scopes = ("root_readwrite",)
    answer, other = raw("GET", "/2.0/groups"), raw("DELETE", "/2.0/folders/0")

    assert (403, b"") == (answer.status_code, answer.content)
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert "access_denied_insufficient_permissions" == other.json()["code"]


@pytest.mark.parametrize(("status", "error"), [(401, None), (403, "insufficient_scope")])
def test_such_refusals_as_faults_look_the_same(
    box: Sandbox, raw: Raw, status: int, error: str | None
) -> None:
    """A fault with 401 or insufficient_scope comes as Box sends it, and with a body where the switch is off."""
    for empty in (True, False):
        box.settings.empty_auth_bodies = empty
        box.faults.next("GET /users/me").status(status, error=error)
        answer = raw("GET", "/2.0/users/me")

        assert (status, empty) == (answer.status_code, answer.content == b"")
        assert "www-authenticate" in answer.headers


def test_as_user_with_an_unknown_id(box: Sandbox, raw: Raw) -> None:
    """As-User for somebody whom the enterprise does not have: 404 that names the id."""
    stranger = box.add_user("out@elsewhere.org", kind="external")
    for user_id in ("999999", stranger.id):
        answer = raw("GET", "/2.0/users/me", headers={"As-User": user_id})

        assert (404, {"invalid_user_id": user_id}) == (answer.status_code, answer.json()["context_info"])


# --- uploads ---


def test_wrong_digest_of_a_commit(raw: Raw, box: Sandbox) -> None:
    """A commit whose digest is not that of the parts: 400 digest_mismatch, and no file."""
    content = b"x" * 1000
    session = session_of(raw, "big", 1000)
    part = put_part(raw, session, content, 1000).json()["part"]
    address = session["session_endpoints"]["commit"].removeprefix(box.url)
    answer = raw("POST", address, json={"parts": [part]}, headers=digest(b"other"))

    assert (400, "digest_mismatch", {}) == (answer.status_code, answer.json()["code"], box.files())


def test_overlap_as_416(raw: Raw, box: Sandbox) -> None:
    """A part that is there answers 409, or with the switch 416 that says which part it is."""
    session = session_of(raw, "big", 1000)
    part = put_part(raw, session, b"x" * 1000, 1000).json()["part"]
    first = put_part(raw, session, b"x" * 1000, 1000)
    box.settings.overlap_is_416 = True
    second = put_part(raw, session, b"x" * 1000, 1000)

    assert (409, 416) == (first.status_code, second.status_code)
    assert part == second.json()["context_info"]["conflicting_part"]


def test_sessions_end_in_utc(raw: Raw) -> None:
    """The end of a session's life is given in UTC with a Z."""
    text = session_of(raw, "big", 1000)["session_expires_at"]

    assert text.endswith("Z")
    assert datetime.fromisoformat(text).tzinfo is not None


def test_version_session_with_a_taken_name(raw: Raw) -> None:
    """A version session that would rename its file onto another one is refused when it is made."""
    ours = raw.upload("ours").json()["entries"][0]["id"]
    other = raw.upload("other").json()["entries"][0]["id"]
    body = {"file_size": 1000, "file_name": "OTHER"}
    answer = raw("POST", f"/api/2.0/files/{ours}/upload_sessions", json=body)

    assert (409, other) == (answer.status_code, answer.json()["context_info"]["conflicts"]["id"])


# --- limits ---


@pytest.mark.parametrize("path", ["/2.0/folders/0/items", "/2.0/users", "/2.0/groups"])
def test_a_limit_above_the_highest_is_lowered(raw: Raw, path: str) -> None:
    """A limit above 1,000 is taken for 1,000, and the answer says so."""
    assert 1000 == raw("GET", f"{path}?limit=5000").json()["limit"]


@pytest.mark.parametrize("charged", ["both", "token", "acting"])
def test_who_pays_for_as_user(box: Sandbox, raw: Raw, charged: str) -> None:
    """As-User uses the budget of both users by default; the switch knows the other two readings."""
    if charged != "both":
        box.settings.as_user_charges = charged
    ann = box.add_user("ann@example.com")
    theirs = Raw(box, ann)
    box.limits.calls_per_minute = 1
    raw("GET", "/2.0/users/me", headers={"As-User": ann.id})
    mine, hers = (session("GET", "/2.0/users/me").status_code for session in (raw, theirs))
    theirs.session.close()

    assert {"both": (429, 429), "token": (429, 200), "acting": (200, 429)}[charged] == (mine, hers)


def test_limits_told_in_three_ways(box: Sandbox, raw: Raw) -> None:
    """Limits and faults: 429 without Retry-After, and 403 with it."""
    box.limits.update({"calls_per_minute": 1, "refusal": "429_bare"})
    raw("GET", "/2.0/users/me")
    bare = raw("GET", "/2.0/users/me")
    box.limits.refusal = "403"
    forbidden = raw("GET", "/2.0/users/me")
    box.limits.reset()
    faults = []
    for kind in ("429_bare", "403_retry_after", "413_html"):
        box.faults.random(seed=1, probability=1.0, kinds=[kind], times=1)
        faults.append(raw("GET", "/2.0/users/me"))

    assert [(429, None), (403, True)] == [
        (answer.status_code, answer.headers.get("retry-after") and True) for answer in (bare, forbidden)
    ]
    assert [(429, None), (403, "1"), (413, None)] == [
        (answer.status_code, answer.headers.get("retry-after")) for answer in faults
    ]
    assert "413 " in faults[2].text
    assert "text/html" == faults[2].headers["content-type"]


# --- names ---


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a\tb", "a\x7fb", "trailing "])
def test_file_names_are_refused(raw: Raw, box: Sandbox, name: str) -> None:
    """A file name with a separator, a control character or a trailing space: 400, the name in the reason."""
    answer = raw.upload(name)

    assert (400, "item_name_invalid", {}) == (answer.status_code, answer.json()["code"], box.files())
    assert name in reasons(answer)[0]


@pytest.mark.parametrize(
    ("first", "second"),
    [("1", "①"), ("①", "1"), ("１", "①"), ("テスト", "ﾃｽﾄ"), ("ﬁle", "FILE"), ("№", "no")],
)
def test_folders_are_compared_in_nfkc(raw: Raw, box: Sandbox, first: str, second: str) -> None:
    """Names that are one in NFKC are one for folders and preflights, whichever of both comes first."""
    box.settings.nfkc_folders = True
    made = raw.folder(first).json()["id"]
    again = raw.folder(second)
    asked = raw("OPTIONS", "/2.0/files/content", json={"name": second, "parent": {"id": "0"}})

    assert (409, [made]) == (again.status_code, [c["id"] for c in again.json()["context_info"]["conflicts"]])
    assert (409, made) == (asked.status_code, asked.json()["context_info"]["conflicts"]["id"])


def test_the_readings_of_nfkc(raw: Raw, box: Sandbox) -> None:
    """Uploads are compared so by a switch of their own; another one spares the names that are there."""
    raw.folder("①")
    together = raw.upload("１").status_code
    box.settings.nfkc_uploads = False
    apart = raw.upload("１").status_code
    box.settings.nfkc_existing = False
    raw.folder("Ⅷ")
    spared, compared = raw.folder("viii").status_code, raw.folder("ⅷ").status_code

    assert (409, 201, 201, 409) == (together, apart, spared, compared)


def test_twins_in_nfkc_stay_apart(raw: Raw, box: Sandbox) -> None:
    """Renaming, moving, trashing and purging names that are one in NFKC leaves no name behind that holds it."""
    box.settings.nfkc_folders = True
    first = raw.folder("①").json()["id"]
    assert 200 == raw("PUT", f"/2.0/folders/{first}", json={"name": "１"}).status_code
    assert 200 == raw("PUT", f"/2.0/folders/{first}", json={"name": "②"}).status_code
    second = raw.folder("1").json()["id"]
    taken = raw("PUT", f"/2.0/folders/{second}", json={"name": "2"}).status_code
    raw("DELETE", f"/2.0/folders/{first}")

    assert (409, 200) == (taken, raw("PUT", f"/2.0/folders/{second}", json={"name": "2"}).status_code)


# --- people ---


def test_a_taken_group_name(raw: Raw) -> None:
    """A second group of a name: 409 conflict with a reason and no conflicting item, on creation and renaming."""
    raw("POST", "/2.0/groups", json={"name": "Finance"})
    other = raw("POST", "/2.0/groups", json={"name": "Other"}).json()["id"]
    for answer in (
        raw("POST", "/2.0/groups", json={"name": "FINANCE"}),
        raw("PUT", f"/2.0/groups/{other}", json={"name": "finance"}),
    ):
        assert (409, "conflict") == (answer.status_code, answer.json()["code"])
        assert "conflicts" not in answer.json()["context_info"]
        assert "already exists" in reasons(answer)[0]


@pytest.mark.parametrize(
    "field", [{"name": "x" * 51}, {"role": "emperor"}, {"job_title": "x" * 101}, {"status": "x"}]
)
def test_users_are_checked(raw: Raw, box: Sandbox, field: dict[str, str]) -> None:
    """A name of more than 50 characters and a role that there is not are refused, for new and for old users."""
    user = box.add_user("ann@example.com")
    new = raw("POST", "/2.0/users", json={"name": "Bob", "login": "bob@example.com"} | field)
    old = raw("PUT", f"/2.0/users/{user.id}", json=field)

    assert (400, 400, "ann") == (new.status_code, old.status_code, user.name)


@pytest.mark.parametrize(("role", "may_tag", "may_lock"), [
    ("co-owner", True, True), ("editor", True, True), ("viewer uploader", False, True),
    ("previewer uploader", False, False), ("uploader", False, False), ("viewer", False, False),
])  # fmt: skip
def test_tags_and_locks_by_role(raw: Raw, box: Sandbox, role: str, may_tag: bool, may_lock: bool) -> None:
    """Only editors and co-owners tag; viewer uploaders may lock as well."""
    folder = raw.folder("HR").json()["id"]
    file = raw.upload("a", parent=folder).json()["entries"][0]["id"]
    ann = box.add_user("ann@example.com")
    box.person().invite(folder, ann.login, role)
    theirs = Raw(box, ann)
    tagged = theirs("PUT", f"/2.0/files/{file}", json={"tags": ["x"]}).ok
    locked = theirs("PUT", f"/2.0/files/{file}", json={"lock": {"access": "lock"}}).ok
    theirs.session.close()

    assert (may_tag, may_lock) == (tagged, locked)


def test_files_know_two_roles(raw: Raw, box: Sandbox) -> None:
    """Single files have editors and viewers; folders all seven roles."""
    file = raw.upload("a").json()["entries"][0]["id"]
    ann = box.add_user("ann@example.com")

    def invite(role: str) -> int:
        body = {
            "item": {"type": "file", "id": file},
            "accessible_by": {"type": "user", "id": ann.id},
            "role": role,
        }
        return raw("POST", "/2.0/collaborations", json=body).status_code

    assert [400, 400, 201] == [invite(role) for role in ("co-owner", "viewer uploader", "viewer")]


# --- faults about one thing ---


def upload_named(raw: Raw, name: str) -> requests.Response:
    """A file of this name in the root."""
    return raw.upload(name)


def folder_named(raw: Raw, name: str) -> requests.Response:
    """A folder of this name in the root."""
    return raw.folder(name)


@pytest.mark.parametrize("act", [upload_named, folder_named])
def test_faults_for_one_item(box: Sandbox, raw: Raw, act: Callable[[Raw, str], requests.Response]) -> None:
    """A fault about one name leaves every other call alone, and carries Box's reason."""
    box.faults.next("POST *").about("Gehälter").status(
        403,
        error="access_denied_insufficient_permissions",
        message="Access denied - insufficient permission",
        context={"errors": [{"reason": "locked_down", "name": "item", "message": "By policy."}]},
    ).times(None)
    other, refused = act(raw, "other"), act(raw, "Gehälter")

    assert (201, 403, ["By policy."]) == (other.status_code, refused.status_code, reasons(refused))


def test_faults_for_one_id(box: Sandbox, raw: Raw) -> None:
    """A fault about an id strikes calls that have it in the path or in the body."""
    folder, other = raw.folder("a").json()["id"], raw.folder("b").json()["id"]
    box.faults.next("*").about(folder).status(403).times(None)

    assert [403, 403, 200, 201] == [
        answer.status_code
        for answer in (
            raw("GET", f"/2.0/folders/{folder}"), raw.upload("x", parent=folder),
            raw("GET", f"/2.0/folders/{other}"), raw.upload("x", parent=other),
        )
    ]  # fmt: skip


def test_a_folder_out_of_sight(box: Sandbox, raw: Raw) -> None:
    """A hidden folder and all below it are 404 for so many calls and in no listing; its name stays taken."""
    top = raw.folder("top").json()["id"]
    inner = raw.folder("inner", top).json()["id"]
    file = raw.upload("f", parent=inner).json()["entries"][0]["id"]
    box.faults.hide(top, calls=4)
    listed = raw("GET", "/2.0/folders/0/items").json()["entries"]
    taken = raw.folder("top").status_code
    hidden = [
        raw("GET", f"/2.0/folders/{top}").status_code,
        raw("GET", f"/2.0/folders/{inner}/items").status_code,
        raw("GET", f"/2.0/files/{file}").status_code,
        raw.upload("g", parent=inner).status_code,
    ]

    assert ([], 409, [404] * 4) == (listed, taken, hidden)
    assert 201 == raw.upload("g", parent=inner).status_code


def test_hiding_over_http(box: Sandbox, raw: Raw) -> None:
    """Another process hides a folder, and gives faults a subject, through the control page."""
    top = raw.folder("top").json()["id"]
    assert raw("POST", "/_sandbox/faults", json={"hide": top, "times": 1}).ok
    assert raw("POST", "/_sandbox/faults", json={"route": "*", "about": "secret", "status": 403}).ok

    assert [404, 200, 403] == [
        answer.status_code
        for answer in (*(raw("GET", f"/2.0/folders/{top}") for _ in range(2)), raw.folder("secret"))
    ]
    box.faults.hide(top, calls=None)
    assert [404] * 3 == [raw("GET", f"/2.0/folders/{top}").status_code for _ in range(3)]
    box.faults.show(top)
    assert 200 == raw("GET", f"/2.0/folders/{top}").status_code

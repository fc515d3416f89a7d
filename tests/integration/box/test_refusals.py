"""What Box refuses to one item, and what to the whole account."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.box.types import Invitee
from connectors.errors import (
    DigestMismatch,
    ItemError,
    LockedInBox,
    NotPermitted,
    PermissionMissing,
    RequestTooLarge,
    WayRefused,
)
from tests.integration.box.files import Sessions, content, opener, upload

DENIED = "access_denied_insufficient_permissions"
ANN = Invitee(login="ann@example.com")


def put(to: BoxDestination, folder_id: str) -> object:
    return to.put(upload(folder_id, "a", b"x"), opener(b"x"))


def put_large(to: BoxDestination, folder_id: str) -> object:
    data = content(5_500)
    return to.put(upload(folder_id, "big", data), opener(data), Sessions())


ACTIONS = {
    "POST /files/content": put,
    "POST /files/upload_sessions": put_large,
    "POST /folders": lambda to, folder_id: to.create_folder(folder_id, "below"),
    "POST /collaborations": lambda to, folder_id: to.collaborate(folder_id, ANN, "editor"),
}


@pytest.fixture
def landing(box: Sandbox) -> str:
    """The landing folder belongs to somebody else, who let the service account in as editor."""
    owner = box.add_user("owner@example.com")
    box.add_user("ann@example.com")
    folder_id = box.person(owner).make_folder("Landing")
    box.person(owner).invite(folder_id, box.service_account.login, "editor")
    box.person().accept()
    return folder_id


@pytest.fixture
def to(config: BoxConfig, landing: str) -> BoxDestination:
    with BoxDestination(config.model_copy(update={"landing_folder_id": landing})) as destination:
        yield destination  # type: ignore[misc]


@pytest.mark.parametrize("route", ACTIONS)
def test_one_refusal_is_one_items_failure(box: Sandbox, to: BoxDestination, landing: str, route: str) -> None:
    """Box refuses one file, folder or person for its role: the next one goes on, the landing folder is fine."""
    box.faults.next(route).status(403, error=DENIED)
    with pytest.raises(NotPermitted, match=DENIED):
        ACTIONS[route](to, landing)

    assert ACTIONS[route](to, landing)


@pytest.mark.parametrize("route", ACTIONS)
def test_an_account_that_lost_its_role_stops_everything(
    box: Sandbox, to: BoxDestination, landing: str, route: str
) -> None:
    """The service account became a viewer of the landing folder: nothing can go on, and no item is to blame."""
    grant = next(each for each in box.collaborations() if each["role"] == "editor")
    owner = box.core.store.logins["owner@example.com"]
    box.person(owner).set_role(grant["id"], "viewer")

    with pytest.raises(PermissionMissing, match="landing folder"):
        ACTIONS[route](to, landing)


def test_many_refusals_cost_one_look(box: Sandbox, to: BoxDestination, landing: str) -> None:
    """The account is looked at once for refusals that come together."""
    box.faults.next("POST /files/content").status(403, error=DENIED).times(5)
    for _ in range(5):
        with pytest.raises(NotPermitted):
            put(to, landing)

    assert 1 == box.calls.by_route["GET /folders/:id"]


def test_an_editor_cannot_make_a_co_owner(box: Sandbox, to: BoxDestination, landing: str) -> None:
    """One person's role that the account may not give is that person's failure; others come in."""
    bob = box.add_user("bob@example.com")
    with pytest.raises(NotPermitted):
        to.collaborate(landing, Invitee(user_id=bob.id), "co-owner")

    assert "created" == to.collaborate(landing, ANN, "editor").outcome


def test_a_group_that_cannot_be_looked_up_is_its_own_failure(
    box: Sandbox, to: BoxDestination, landing: str
) -> None:
    """Without the scope for groups people still come in."""
    box.settings.scopes = ("root_readwrite",)
    with pytest.raises(NotPermitted, match="group 'Finance' cannot be looked up"):
        to.collaborate(landing, Invitee(group="Finance"), "viewer")

    assert "created" == to.collaborate(landing, ANN, "editor").outcome


@pytest.mark.parametrize("route", ACTIONS)
def test_a_missing_scope_stops_everything_without_a_body(
    box: Sandbox, to: BoxDestination, landing: str, route: str
) -> None:
    """Box says it in a header alone; it holds for every item from now on."""
    box.settings.empty_auth_bodies = True
    to.whoami()
    box.settings.scopes = ("manage_groups",)
    with pytest.raises(PermissionMissing, match="insufficient_scope"):
        ACTIONS[route](to, landing)


def test_an_expired_token_without_a_body_is_renewed(box: Sandbox, to: BoxDestination, landing: str) -> None:
    """A 401 whose body is empty is answered by one new token, as any other."""
    box.settings.empty_auth_bodies = True
    put(to, landing)
    box.expire_tokens()

    assert to.create_folder(landing, "below").id


def test_a_locked_file_is_locked_in_box(box: Sandbox, to: BoxDestination, landing: str) -> None:
    """A person's lock in Box is told as that, not as a program that holds the source open."""
    receipt = to.put(upload(landing, "a", b"old"), opener(b"old"))
    owner = box.core.store.logins["owner@example.com"]
    box.person(owner).lock(receipt.file_id)
    with pytest.raises(LockedInBox, match="locked this file in Box") as caught:
        to.put(upload(landing, "a", b"new", file_id=receipt.file_id), opener(b"new"))

    assert "locked_in_box" == caught.value.reason


@pytest.mark.parametrize("html", [True, False])
def test_a_proxys_413_is_no_limit_of_the_owner(
    box: Sandbox, to: BoxDestination, landing: str, html: bool
) -> None:
    """Only Box's file_size_limit_exceeded is about the owner's plan; 413 is about the way there."""
    fault = box.faults.next("POST /files/content")
    fault.status(413, html=True) if html else fault.status(413, error="request_entity_too_large")
    with pytest.raises(RequestTooLarge, match="proxy") as caught:
        put(to, landing)

    assert "request_too_large" == caught.value.reason


@pytest.mark.parametrize("code", ["bad_digest", "digest_mismatch"])
def test_a_commit_with_the_wrong_digest_is_sent_anew(
    box: Sandbox, to: BoxDestination, landing: str, code: str
) -> None:
    """Whatever Box calls it, the session is given back and the next try sends the file again."""
    data, sessions = content(5_500), Sessions()
    box.faults.next("POST /files/upload_sessions/:id/commit").status(400, error=code)
    with pytest.raises(DigestMismatch):
        to.put(upload(landing, "big", data), opener(data), sessions)
    left = sessions.load()
    receipt = to.put(upload(landing, "big", data), opener(data), sessions)

    assert None is left
    assert data == box.content(receipt.file_id)


@pytest.mark.parametrize("action", list(ACTIONS.values()), ids=list(ACTIONS))
@pytest.mark.parametrize("code", ["forbidden_by_policy", "access_denied_item_locked", "bad_request"])
def test_other_refusals_stay_with_the_item(
    box: Sandbox, to: BoxDestination, landing: str, action: Callable[..., object], code: str
) -> None:
    """A policy, a lock or a malformed request of one item stops nothing else."""
    route = next(name for name, each in ACTIONS.items() if each is action)
    box.faults.next(route).status(400 if code == "bad_request" else 403, error=code)
    with pytest.raises(ItemError, match=code):
        action(to, landing)

    assert action(to, landing)


UPLOADS = ("POST /files/content", "POST /files/upload_sessions")


def refuse_uploads(box: Sandbox) -> None:
    """A policy of the enterprise forbids every upload, and the preflight says so; the role stays what it is."""
    for route in (*UPLOADS, "OPTIONS /files/content"):
        box.faults.next(route).status(403, error="forbidden_by_policy").times(None)


@pytest.mark.parametrize("route", UPLOADS)
def test_uploads_that_a_policy_forbids_stop_everything(
    box: Sandbox, to: BoxDestination, landing: str, route: str
) -> None:
    """The landing folder's permissions still say can_upload; asking whether Box would take a file shows it."""
    refuse_uploads(box)
    with pytest.raises(PermissionMissing, match="not even in the landing folder"):
        ACTIONS[route](to, landing)

    assert {} == dict(box.files())
    assert [landing] == [folder.id for folder in box.core.store.folders.values() if folder.name == "Landing"]


def test_uploads_that_are_forbidden_later_are_found_out(
    box: Sandbox, to: BoxDestination, landing: str
) -> None:
    """One refused file was one file's; of those refused right after it no more than ten are blamed."""
    box.faults.next("POST /files/content").status(403, error=DENIED)
    with pytest.raises(NotPermitted):
        put(to, landing)
    refuse_uploads(box)
    blamed = 0
    with pytest.raises(PermissionMissing):
        for _ in range(20):
            try:
                put(to, landing)
            except PermissionMissing:
                raise
            except ItemError:
                blamed += 1

    assert blamed < 10


def test_a_refusal_between_files_that_arrive_costs_no_second_look(
    box: Sandbox, to: BoxDestination, landing: str
) -> None:
    """Every second file is refused: the account is probed once, with two calls; none where nothing is refused (P6)."""
    for number in range(24):
        name = f"{number}.txt"
        if number % 2:
            box.faults.next("POST /files/content").about(name).status(403, error=DENIED)
            with pytest.raises(NotPermitted):
                to.put(upload(landing, name, b"x"), opener(b"x"))
        else:
            to.put(upload(landing, name, b"x"), opener(b"x"))
        if number == 0:
            assert 0 == box.calls.by_route["OPTIONS /files/content"] + box.calls.by_route["GET /folders/:id"]

    assert (1, 1) == (box.calls.by_route["OPTIONS /files/content"], box.calls.by_route["GET /folders/:id"])


@pytest.mark.parametrize(("status", "code"), [(403, DENIED), (400, "account_suspended"), (412, "no_uploads")])
def test_uploads_that_only_the_upload_refuses_stop_everything(
    box: Sandbox, to: BoxDestination, landing: str, status: int, code: str
) -> None:
    """The role allows it and so does the preflight: ten files refused alike, with none taken between, cost one try."""
    box.faults.next("POST /files/content").status(status, error=code).times(None)
    blamed = 0
    with pytest.raises(PermissionMissing, match=f"not even in the landing folder.*{code}"):
        for _ in range(40):
            try:
                put(to, landing)
            except PermissionMissing:
                raise
            except ItemError:
                blamed += 1

    assert 9 == blamed


def test_files_that_are_refused_alike_stop_nothing_else(
    box: Sandbox, to: BoxDestination, landing: str
) -> None:
    """Thirty files that a rule forbids: one try is taken, and taken away again; the next file arrives."""
    box.faults.next("POST /files/content").about("movie").status(400, error="forbidden_kind").times(None)
    for _ in range(30):
        with pytest.raises(ItemError, match="forbidden_kind"):
            to.put(upload(landing, "movie", b"m"), opener(b"m"))

    assert 31 == box.calls.by_route["POST /files/content"]
    assert {} == box.files()
    assert put(to, landing)


def version(to: BoxDestination, landing: str, file_id: str, number: int) -> object:
    """Another content of a file, which has its etag."""
    info = to.file_info(file_id)
    data = b"%d" % number
    return to.put(upload(landing, info.name, data, file_id=file_id, etag=info.etag), opener(data))


def refusals(act: Callable[[], object], *, times: int = 40) -> tuple[int, WayRefused]:
    """How many were refused by themselves before all of that way were."""
    for blamed in range(times):
        try:
            act()
        except WayRefused as exc:
            return blamed, exc
        except ItemError:
            continue
    raise AssertionError("never told")


def test_new_versions_alone(box: Sandbox, to: BoxDestination, landing: str) -> None:
    """Ten in a row cost one try; no more is asked for then. New files arrive before and after, and stop nothing."""
    receipt = to.put(upload(landing, "a", b"x"), opener(b"x"))
    box.faults.next("POST /files/:id/content").status(403, error=DENIED).times(None)
    numbers = iter(range(99))

    def act() -> None:
        number = next(numbers)
        to.put(upload(landing, f"{number}", b"x"), opener(b"x"))
        version(to, landing, receipt.file_id, number)

    blamed, told = refusals(act)

    assert (9, "new versions") == (blamed, told.way)
    assert DENIED in str(told)
    asked = box.calls.by_route["POST /files/:id/content"]
    with pytest.raises(WayRefused):
        version(to, landing, receipt.file_id, 99)
    assert asked == box.calls.by_route["POST /files/:id/content"]
    assert put_large(to, landing)
    assert not [name for name in box.files() if "boxhaul check" in name]


def test_upload_sessions_alone(box: Sandbox, to: BoxDestination, landing: str) -> None:
    """So it is of large files."""
    box.faults.next("POST /files/upload_sessions").status(403, error=DENIED).times(None)

    blamed, told = refusals(lambda: put_large(to, landing))

    assert (9, "upload sessions of large files") == (blamed, told.way)
    assert put(to, landing)
    assert [] == box.open_sessions()


def test_one_uploader_alone(box: Sandbox, config: BoxConfig) -> None:
    """Every file of one uploader is refused: after ten of his the others send them; with the last one the run ends."""
    users = [box.add_user(f"AppUser_{n}@boxdevedition.com", kind="app") for n in range(2)]
    folder = box.person(box.service_account).make_folder("Tree")
    for user in users:
        box.person(box.service_account).invite(folder, user.login, "editor")
    with BoxDestination(config.model_copy(update={"identities": [user.id for user in users]})) as to:
        refusal = box.faults.next("POST /files/content").by(users[0].id)
        refusal.status(403, error=DENIED).times(None)
        refused = 0
        for number in range(60):
            try:
                to.put(upload(folder, f"{number}", b"x"), opener(b"x"))
            except ItemError:
                refused += 1
        assert 9 == refused
        box.faults.next("POST /files/content").by(users[1].id).status(403, error=DENIED).times(None)
        with pytest.raises(PermissionMissing, match=f"the uploader {users[1].id}.*no other uploader"):
            for number in range(60, 80):
                with suppress(NotPermitted):
                    to.put(upload(folder, f"{number}", b"x"), opener(b"x"))


def test_uploaders_that_are_refused_in_one_folder_alone(box: Sandbox, config: BoxConfig) -> None:
    """The last uploader is refused in one folder and taken in another: the files of the first fail, the run goes on."""
    account = box.person(box.service_account)
    users = [box.add_user(f"AppUser_{n}@boxdevedition.com", kind="app") for n in range(2)]
    refusing, taking = account.make_folder("Refusing"), account.make_folder("Taking")
    for user in users:
        account.invite(refusing, user.login, "viewer")
        account.invite(taking, user.login, "editor")
    with BoxDestination(config.model_copy(update={"identities": [user.id for user in users]})) as to:
        for number in range(4):
            to.put(upload(taking, f"{number}", b"x"), opener(b"x"))
        for number in range(60):
            with suppress(NotPermitted):
                to.put(upload(refusing, f"{number}", b"x"), opener(b"x"))
        to.put(upload(taking, "after", b"x"), opener(b"x"))

    assert {f"Taking/{name}" for name in (*"0123", "after")} == set(box.files())

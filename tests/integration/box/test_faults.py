"""The fault matrix: every call × every fault, once and repeated, ends with the same Box as without a fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.box.types import Invitee
from connectors.errors import BoxUnreachable, ConnectionLost, ServerBusy, TransientError
from tests.integration.box.files import Killed, Sessions, content, opener, sha1, upload

BIG, BIGGER = content(6_500, seed=3), content(7_500, seed=4)

#: Every call that a migration makes.
ROUTES = [
    "POST /oauth2/token",
    "GET /users/me",
    "GET /folders/:id",
    "POST /folders",
    "POST /files/content",
    "POST /files/:id/content",
    "POST /files/upload_sessions",
    "POST /files/:id/upload_sessions",
    "PUT /files/upload_sessions/:id",
    "GET /files/upload_sessions/:id/parts",
    "POST /files/upload_sessions/:id/plan",
    "POST /files/upload_sessions/:id/commit",
    "DELETE /files/upload_sessions/:id",
    "GET /files/:id",
    "GET /folders/:id/items",
    "POST /collaborations",
    "GET /folders/:id/collaborations",
    "PUT /collaborations/:id",
    "DELETE /collaborations/:id",
    "GET /users",
    "GET /groups",
]

#: Fault → how many times in a row.
FAULTS = {
    "429": lambda rule: rule.status(429, retry_after=0.01),
    "500": lambda rule: rule.status(500),
    "500 thrice": lambda rule: rule.status(500).times(3),
    "502 html": lambda rule: rule.status(502, html=True),
    "503 date": lambda rule: rule.status(503, retry_after="Thu, 01 Jan 2026 00:00:00 GMT"),
    "504 after effect": lambda rule: rule.status(504, after_effect=True),
    "200 html": lambda rule: rule.status(200, html=True),
    "reset before": lambda rule: rule.reset("before_effect").times(2),
    "reset after": lambda rule: rule.reset("after_effect"),
    "reset after twice": lambda rule: rule.reset("after_effect").times(2),
    "truncated": lambda rule: rule.truncate(),
    "token expired": lambda rule: rule.expire_token(),
}

#: These are left to `make torture`.
REPEATED = {"500 thrice", "reset before", "reset after twice"}

#: Nothing can be expired before there is a token.
IMPOSSIBLE = {("POST /oauth2/token", "token expired")}


def migrate_a_little(box: Sandbox, config: BoxConfig) -> None:
    """One of everything: folders, small and large files, new versions, an abandoned session, grants."""
    ann, bob = Invitee(login="ann@example.com"), Invitee(group="Finance")
    with BoxDestination(config) as to:
        to.whoami()
        top = to.create_folder(to.landing_folder().id, "Top")
        below = to.create_folder(top.id, "Below")
        small = to.put(upload(below.id, "small", b"one"), opener(b"one"))
        to.put(upload(below.id, "small", b"two", file_id=small.file_id, etag=small.etag), opener(b"two"))
        store = Sessions(die_after=2)
        with pytest.raises(Killed):
            to.put(upload(top.id, "big", BIG), opener(BIG), store)
        store.die_after = None
        big = to.put(upload(top.id, "big", BIG), opener(BIG), store)
        to.put(upload(top.id, "big", BIGGER, file_id=big.file_id, etag=big.etag), opener(BIGGER))
        abandon(to, top.id)
        to.accounts.find_user("ann@example.com")
        to.collaborate(top.id, ann, "viewer")
        to.collaborate(top.id, ann, "editor")
        extra = to.collaborate(top.id, bob, "viewer")
        to.remove_collaboration(extra.id)
        assert {"small"} == {child.name for child in to.list_folder(below.id)}


def abandon(to: BoxDestination, folder_id: str) -> None:
    """A session that is begun and given back."""
    store = Sessions(die_after=1)
    with pytest.raises(Killed):
        to.put(upload(folder_id, "abandoned", BIG), opener(BIG), store)
    session = store.load()
    assert session is not None
    to.abort_session(session)


#: What Box holds in the end: path → size, sha1, versions, modified, owned by the service account.
EXPECTED = {
    "files": {
        "Top/big": (7_500, sha1(BIGGER), 2, 1_600_000_000, True),
        "Top/Below/small": (3, sha1(b"two"), 2, 1_600_000_000, True),
    },
    "folders": ["Top", "Top/Below"],
    "grants": [("Top", "editor", "accepted")],
}


def outcome(box: Sandbox) -> dict[str, Any]:
    """What Box holds, without the ids."""
    return {
        "files": {
            path: (
                file.size,
                file.sha1,
                file.versions,
                file.content_modified,
                file.owner == box.service_account.login,
            )
            for path, file in box.files().items()
        },
        "folders": box.folders(),
        "grants": sorted((each["path"], each["role"], each["status"]) for each in box.collaborations()),
    }


@pytest.fixture
def people(box: Sandbox) -> Iterator[None]:
    box.add_user("ann@example.com")
    box.add_group("Finance")
    yield


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("route", "fault"),
    [
        ("none", "none"),
        *(
            pytest.param(route, fault, marks=[pytest.mark.torture] if fault in REPEATED else [])
            for route in ROUTES
            for fault in FAULTS
            if (route, fault) not in IMPOSSIBLE
        ),
    ],
)
@pytest.mark.gate(63)
def test_every_fault_on_every_call(box: Sandbox, config: BoxConfig, route: str, fault: str) -> None:
    """Box ends as without the fault: every file once, one version per content, one folder, one grant, no session."""
    if fault in FAULTS:
        FAULTS[fault](box.faults.next(route))
    migrate_a_little(box, config)
    left_open = box.open_sessions()

    assert EXPECTED == outcome(box)
    assert set(ROUTES) <= set(box.calls.by_route)
    assert [] == box.faults.rules
    # Box tells nobody of a session whose creation was answered by nothing; it ends by itself after seven days.
    lost = {"504 after effect": 1, "200 html": 0, "reset after": 1, "reset after twice": 2, "truncated": 1}
    assert len(left_open) == (
        lost.get(fault, 0) if route.endswith("upload_sessions") and "POST" in route else 0
    )


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.gate(2)
def test_random_faults_everywhere(box: Sandbox, config: BoxConfig, seed: int) -> None:
    """One call in twelve goes wrong in a random way; Box ends the same."""
    box.faults.random(
        seed=seed,
        probability=1 / 12,
        kinds=[
            "500",
            "502",
            "504",
            "html",
            "reset_before",
            "reset_after",
            "after_effect",
            "truncate",
            "expire_token",
        ],
    )
    migrate_a_little(box, config)

    assert EXPECTED == outcome(box)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda rule: rule.status(503).times(None), ServerBusy),
        (lambda rule: rule.reset().times(None), ConnectionLost),
        (lambda rule: rule.status(200, html=True).times(None), ServerBusy),
    ],
)
def test_what_never_ends_is_given_up(
    box: Sandbox, destination: BoxDestination, fault: Any, error: type
) -> None:
    """Attempts are bounded; the error is transient, so the item waits for another time."""
    fault(box.faults.next("POST /files/content"))
    with pytest.raises(error) as caught:
        destination.put(upload("0", "a", b"x"), opener(b"x"))

    assert isinstance(caught.value, TransientError)
    assert 4 <= box.calls.by_route["POST /files/content"] <= 8


def test_retry_after_is_obeyed_to_the_second(box: Sandbox, config: BoxConfig) -> None:
    """As a number and as a date; everybody who shares the budget waits, and nobody longer than asked."""
    waits: list[float] = []
    with BoxDestination(config) as destination:
        pacer = destination._service.pacer
        pacer.wait = waits.append  # type: ignore[method-assign]
        pacer.pause = waits.append  # type: ignore[method-assign]
        box.faults.next("POST /files/content").status(429, retry_after=100)
        destination.put(upload("0", "a", b"x"), opener(b"x"))

    assert [100.0, 100.0] == waits


def test_nobody_answers(config: BoxConfig) -> None:
    """A closed port: one clear fatal error on the first call."""
    dead = config.model_copy(
        update={"base_url": "http://127.0.0.1:1", "upload_url": "http://127.0.0.1:1/api"}
    )
    with BoxDestination(dead) as destination, pytest.raises(BoxUnreachable, match="check base_url"):
        destination.whoami()


def test_a_storm_of_429s(box: Sandbox, config: BoxConfig) -> None:
    """Two thirds of all calls refused for a while: everything arrives in the end."""
    box.faults.random(seed=3, probability=0.66, kinds=["429"], times=3)
    with BoxDestination(config) as destination:
        for n in range(6):
            destination.put(upload("0", f"{n}", b"x"), opener(b"x"))

        assert 3 == destination.statistics().rate_limited
    assert 6 == len(box.files())

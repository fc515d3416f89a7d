"""Faults, limits, races and the counts: what the sandbox does on demand."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.integration.sandbox.conftest import Raw


def test_status_times(box: Sandbox, raw: Raw) -> None:
    """A status fault strikes as often as it was told, with its Retry-After, and has no effect on the Box."""
    box.faults.next("POST /files/content").status(503, retry_after=2).times(2)
    answers = [raw.upload("f") for _ in range(3)]

    assert [503, 503, 201] == [answer.status_code for answer in answers]
    assert "2" == answers[0].headers["retry-after"]


def test_nth_call(box: Sandbox, raw: Raw) -> None:
    """nth lets earlier calls pass."""
    box.faults.next("POST /folders").status(500).nth(2)

    assert [201, 500, 201] == [raw.folder(str(number)).status_code for number in range(3)]


def test_after_effect(box: Sandbox, raw: Raw) -> None:
    """A 5xx after the effect leaves the file there."""
    box.faults.next("POST /files/content").status(500, after_effect=True)

    assert (500, ["f"]) == (raw.upload("f").status_code, list(box.files()))


@pytest.mark.parametrize(("when", "expected"), [("before_effect", []), ("after_effect", ["f"])])
def test_reset(box: Sandbox, raw: Raw, when: str, expected: list[str]) -> None:
    """A reset drops the connection before or after the effect."""
    box.faults.next("POST /files/content").reset(when)
    with pytest.raises(requests.ConnectionError):
        raw.upload("f")

    assert expected == list(box.files())


def test_truncated_answer(box: Sandbox, raw: Raw) -> None:
    """A truncated answer ends before its declared length, after the effect."""
    box.faults.next("POST /files/content").truncate()
    with pytest.raises(requests.RequestException):
        raw.upload("f")

    assert ["f"] == list(box.files())


def test_html_from_the_edge(box: Sandbox, raw: Raw) -> None:
    """A 502 may be HTML."""
    box.faults.next("GET /users/me").status(502, html=True)
    answer = raw("GET", "/2.0/users/me")

    assert (502, "text/html") == (answer.status_code, answer.headers["content-type"])


def test_wrong_digest(box: Sandbox, raw: Raw) -> None:
    """The wrong-digest fault stores other bytes, and answers with their digest."""
    box.faults.next("POST /files/content").wrong_digest()
    entry = raw.upload("f", b"abc").json()["entries"][0]

    assert b"abc" != box.content(entry["id"])
    assert box.files()["f"].sha1 == entry["sha1"]


def test_expired_token(box: Sandbox, raw: Raw) -> None:
    """The expire-token fault answers 401 for that token from then on."""
    box.faults.next("GET /users/me").expire_token()

    assert [401, 401] == [raw("GET", "/2.0/users/me").status_code for _ in range(2)]


def test_random_faults_are_reproducible(box: Sandbox, raw: Raw) -> None:
    """The same seed gives the same faults for the same calls."""

    def run() -> list[int]:
        box.faults.clear()
        box.faults.random(seed=7, probability=0.4, route="GET /*", kinds=["500", "429"])
        return [raw("GET", "/2.0/users/me").status_code for _ in range(20)]

    first = run()

    assert first == run()
    assert {200, 429, 500} == set(first)


def test_faults_over_http(box: Sandbox, raw: Raw) -> None:
    """Another process sets faults, limits and switches by JSON, and reads what happened."""
    assert raw("POST", "/_sandbox/faults", json={"route": "GET /users/me", "status": 503}).ok
    assert raw("POST", "/_sandbox/settings", json={"commit_202_rounds": 2}).ok
    assert raw("POST", "/_sandbox/limits", json={"calls_per_minute": 500}).ok
    user = raw("POST", "/_sandbox/users", json={"login": "ann@example.com"}).json()
    group = raw("POST", "/_sandbox/groups", json={"name": "G", "members": [user["id"]]}).json()
    assert raw("POST", "/_sandbox/space", json={"user_id": user["id"], "space_amount": 5}).ok
    assert 400 == raw("POST", "/_sandbox/settings", json={"unknown": 2}).status_code
    assert 503 == raw("GET", "/2.0/users/me").status_code
    calls = raw("GET", "/_sandbox/calls").json()

    assert ({"GET /users/me": 1}, {"503": 1}) == (calls["by_route"], calls["by_status"])
    assert (2, 500, [user["id"]]) == (
        box.settings.commit_202_rounds, box.limits.calls_per_minute, group["members"]
    )  # fmt: skip
    for page in ("tree", "violations", "sessions", "collaborations", "settings", "limits", "users"):
        assert raw("GET", f"/_sandbox/{page}").ok
    assert raw("POST", "/_sandbox/reset").ok
    assert 0 == box.limits.as_dict()["latency_seconds"]


def test_upload_limit(box: Sandbox, raw: Raw) -> None:
    """Uploads beyond the limit answer 429 with a Retry-After after which one is accepted; other calls go on."""
    box.limits.update({"uploads_per_minute": 3, "window_seconds": 1.0})
    statuses = [raw.upload(str(number)).status_code for number in range(4)]
    refused = raw.upload("again")
    assert ([201, 201, 201, 429], 429) == (statuses, refused.status_code)
    assert 200 == raw("GET", "/2.0/users/me").status_code
    time.sleep(int(refused.headers["retry-after"]))

    assert 201 == raw.upload("again").status_code
    assert "rate_limit_exceeded" == refused.json()["code"]


def test_limits_are_per_user(box: Sandbox, raw: Raw) -> None:
    """All tokens of one user share a budget; another user has his own."""
    box.limits.calls_per_minute = 2
    other = Raw(box, box.add_user("w@example.com", kind="app"))
    again = Raw(box)
    mine = [session("GET", "/2.0/users/me").status_code for session in (raw, again, raw)]
    theirs = other("GET", "/2.0/users/me").status_code
    for session in (other, again):
        session.session.close()

    assert ([200, 200, 429], 200) == (mine, theirs)


def test_as_user_does_not_multiply_the_budget(box: Sandbox, raw: Raw) -> None:
    """By default an As-User call uses the budget of the token's own user as well."""
    ann = box.add_user("ann@example.com")
    box.limits.calls_per_minute = 2
    raw("GET", "/2.0/users/me")
    raw("GET", "/2.0/users/me", headers={"As-User": ann.id})

    assert 429 == raw("GET", "/2.0/users/me", headers={"As-User": ann.id}).status_code


def test_monthly_allotment(box: Sandbox, raw: Raw) -> None:
    """Calls are counted by the month, and refused beyond a limit that is set."""
    raw("GET", "/2.0/users/me")
    assert 0 < box.calls.this_month
    box.limits.calls_per_month = box.calls.this_month

    assert 429 == raw("GET", "/2.0/users/me").status_code


def test_concurrent_creates(box: Sandbox, raw: Raw) -> None:
    """Of many creators of one folder one gets 201 and the others 409; with the switch Box's race makes twins."""

    def create(number: int) -> int:
        session = Raw(box)
        status = session.folder("same").status_code
        session.session.close()
        return status

    with ThreadPoolExecutor(8) as pool:
        strict = sorted(pool.map(create, range(8)))
    raw("DELETE", f"/2.0/folders/{box.tree()['same']['id']}")
    box.settings.duplicate_folders_under_race = True
    box.settings.race_window_seconds = 0.3
    with ThreadPoolExecutor(8) as pool:
        racing = list(pool.map(create, range(8)))

    assert [201] + [409] * 7 == strict
    assert 1 < racing.count(201) == box.folders().count("same")


def test_duplicate_moves_up_when_the_first_goes(box: Sandbox, raw: Raw) -> None:
    """Of two folders of one name the second holds the name once the first is gone."""
    box.settings.duplicate_folders_under_race = True
    box.settings.race_window_seconds = 0.3
    threads = [threading.Thread(target=raw.folder, args=("same",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    box.settings.duplicate_folders_under_race = False
    twins = [entry["id"] for entry in raw("GET", "/2.0/folders/0/items").json()["entries"]]
    raw("DELETE", f"/2.0/folders/{twins[0]}")
    answer = raw.folder("same")

    assert (409, twins[1:]) == (
        answer.status_code, [c["id"] for c in answer.json()["context_info"]["conflicts"]]
    )  # fmt: skip


def test_counts_by_user(box: Sandbox, raw: Raw) -> None:
    """Calls are counted by user, and logged with route, status and user."""
    box.calls.reset()
    raw("GET", "/2.0/users/me")
    raw("GET", "/2.0/nothing")

    assert {box.service_account.id: 1} == dict(box.calls.by_user)
    assert [("GET /users/me", 200), ("GET unknown", 404)] == [(c.route, c.status) for c in box.calls.log]


def test_bandwidth_and_latency(box: Sandbox, raw: Raw) -> None:
    """Shaping slows an answer down by at least what was asked; nothing else changes."""
    box.limits.update({"latency_seconds": 0.2, "bytes_per_second": 100_000.0})
    box.calls.reset()
    answer = raw.upload("f", b"x" * 20_000)

    assert 201 == answer.status_code
    assert 0.4 <= box.calls.log[0].seconds

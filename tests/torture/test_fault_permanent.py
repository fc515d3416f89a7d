"""Faults that no patience cures: the right reason, the right exit code, nothing lost, and all is well once mended."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.control.faults import Fault
from flows.reporting.status import status_document
from flows.retry import retry_failures
from tests.sampling import sampled
from tests.torture.faults import PART, Scene, content

DIRECT, COLLABORATE, CREATE = "POST /files/content", "POST /collaborations", "POST /folders"
SESSION = "POST /files/upload_sessions"
COMMIT = "POST /files/upload_sessions/:id/commit"

Refuse = Callable[[Fault], Fault]


def refuse(status: int, error: str | None = None, *, html: bool = False) -> Refuse:
    """Answer like this for ever."""
    return lambda rule: rule.status(status, error=error, html=html).times(None)


@pytest.fixture
def scene(tmp_path: Path, running_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A new share and an empty Box. The clock's only change: no two seconds before a file is tried again."""
    monkeypatch.setattr("flows.orchestration.dispatch.RETRY_SECONDS", 0.02)
    scene = Scene(tmp_path, running_box)
    scene.build()
    yield scene
    running_box.faults.clear()


def trees(scene: Scene) -> dict[str, dict[str, object]]:
    """The status document's trees by name, after the check that each one's counts add up (P2)."""
    document = status_document(scene.plan())
    for tree in document["trees"]:
        counts = tree["items"]
        assert counts["total"] == sum(counts[name] for name in counts if name not in ("total", "gone")), tree
    return {tree["name"]: tree for tree in document["trees"]}


def assert_mended(scene: Scene, *, began: bool = True) -> None:
    """Without the fault, `retry` completes everything: Box is the share, without a version or session too many.

    Where no run began anything, which `retry` refuses, the next run does.
    """
    scene.box.faults.clear()
    if began:
        assert retry_failures.fn(scene.plan())["complete"]
    else:
        assert 0 == scene.run().code

    assert scene.expected() == scene.held()
    assert {} == scene.superfluous_versions()
    assert [] == scene.box.open_sessions()


#: What Box answers for ever → exit code 3, and what the one line says.
FATAL = [
    ("GET /users/me", refuse(401), "token"),
    (DIRECT, refuse(401), "token"),
    ("GET /users/me", refuse(503), "users/me"),
    ("GET /users/me", refuse(502, html=True), "users/me"),
    ("GET /users/me", refuse(200, html=True), "proxy"),
    ("GET /users/me", lambda rule: rule.reset().times(None), "Box does not answer"),
    ("POST /oauth2/token", refuse(503), "oauth2/token"),
    ("GET /folders/:id", refuse(404), "landing folder"),
    (CREATE, refuse(403, "insufficient_scope"), "scope"),
    (DIRECT, refuse(403, "storage_limit_exceeded"), "raise the quota"),
    (SESSION, refuse(403, "storage_limit_exceeded"), "raise the quota"),
    (COMMIT, refuse(403, "storage_limit_exceeded"), "raise the quota"),
    (DIRECT, refuse(400, "terms_of_service_required"), "terms_of_service_required"),
]


@pytest.mark.parametrize(("route", "fault", "told"), sampled(FATAL, every=2))
@pytest.mark.gate(3)
def test_fatal_refusals_stop_the_run(scene: Scene, route: str, fault: Refuse, told: str) -> None:
    """Nothing gets better by itself: the run stops with one line, every tree says why, and goes on when mended."""
    fault(scene.box.faults.next(route))

    ended = scene.run()

    assert 3 == ended.code, ended
    assert told in ended.message
    assert "\n" not in ended.message
    assert [] == [grant for grant in scene.box.collaborations() if grant["path"].endswith("Legal")]
    began = route not in ("GET /users/me", "POST /oauth2/token", "GET /folders/:id")
    if began:
        reason = "limit reached" if "quota" in told else "stopped"
        assert {reason} == {tree["incomplete_reason"] for tree in trees(scene).values()}
    assert_mended(scene, began=began)


#: What Box answers for ever → the reason of the items that it concerns; the rest arrives.
REFUSED = [
    (DIRECT, refuse(403, "file_size_limit_exceeded"), "too_large"),
    (DIRECT, refuse(413, html=True), "request_too_large"),
    (DIRECT, refuse(403, "access_denied_insufficient_permissions"), "not_permitted"),
    (DIRECT, refuse(400, "item_name_invalid"), "name_rejected"),
    (DIRECT, refuse(400, "item_name_too_long"), "name_rejected"),
    (DIRECT, refuse(403, "access_denied_item_locked"), "locked_in_box"),
    (DIRECT, refuse(403, "forbidden_by_policy"), "rejected"),
    (DIRECT, refuse(400, "bad_digest"), "digest_mismatch"),
    (DIRECT, refuse(400, "a_code_that_nobody_knows"), "rejected"),
    (DIRECT, refuse(418, "teapot"), "rejected"),
    (DIRECT, refuse(503), "server_busy"),
    (DIRECT, refuse(502, html=True), "server_busy"),
    (DIRECT, refuse(409, "name_temporarily_reserved"), "server_busy"),
    (DIRECT, lambda rule: rule.reset("before_effect").times(None), "connection_lost"),
    (SESSION, refuse(403, "file_size_limit_exceeded"), "too_large"),
    (SESSION, refuse(503), "server_busy"),
    (SESSION, refuse(400, "item_name_invalid"), "name_rejected"),
    (PART, refuse(503), "server_busy"),
    (PART, refuse(412), "digest_mismatch"),
    (COMMIT, refuse(500), "server_busy"),
    (COMMIT, refuse(400, "bad_digest"), "digest_mismatch"),
    (COMMIT, refuse(400, "digest_mismatch"), "digest_mismatch"),
]


@pytest.mark.parametrize(("route", "fault", "reason"), sampled(REFUSED, every=4))
@pytest.mark.gate(2)
def test_refused_files_do_not_hold_the_others(scene: Scene, route: str, fault: Refuse, reason: str) -> None:
    """The files concerned fail with their reason after a bounded number of tries; everything else arrives."""
    fault(scene.box.faults.next(route))
    concerned = [path for path, data in scene.files.items() if (len(data) < 5_000) == (route == DIRECT)]

    ended = scene.run()

    assert 1 == ended.code, ended
    failures: dict[str, int] = {}
    for tree in trees(scene).values():
        for why, count in tree["failures_by_reason"].items():  # type: ignore[attr-defined]
            failures[why] = failures.get(why, 0) + count
        assert "failed items" == tree["incomplete_reason"]
    assert {reason: len(concerned)} == failures
    others = {f"Landing/{path}" for path in scene.files if path not in concerned}
    assert others == set(scene.box.files())
    assert_mended(scene)


def test_a_refused_invitation_leaves_the_tree_incomplete(scene: Scene) -> None:
    """A collaboration that Box refuses is the tree's reason; the other tree's people are in; once, in the end."""
    scene.box.faults.next(COLLABORATE).status(403, error="forbidden_by_policy").times(2)

    assert 1 == scene.run().code
    assert {"collaboration failed"} == {tree["incomplete_reason"] for tree in trees(scene).values()}
    assert_mended(scene)


def test_a_listing_that_never_comes_lets_nobody_in(scene: Scene) -> None:
    """Without Box's listing nothing is verified: its trees are incomplete and say so, nobody is let in (P4, P11)."""
    refuse(500)(scene.box.faults.next("GET /folders/:id/items"))
    before = scene.box.collaborations()

    assert 1 == scene.run().code
    assert "verification failed" == trees(scene)["Legal"]["incomplete_reason"]
    assert "500" in trees(scene)["Legal"]["detail"]
    assert before == scene.box.collaborations()
    assert_mended(scene)


def test_429_storm(scene: Scene) -> None:
    """Two calls of three refused, for two hundred refusals: nothing fails, nothing is sent twice."""
    scene.box.faults.random(seed=6, probability=2 / 3, kinds=["429"], times=200)
    for rule in scene.box.faults.rules:
        rule.kinds = ()
        rule.status(429, retry_after=0.01)

    assert 0 == scene.run().code
    assert 200 > scene.box.calls.by_status[429] > 20
    assert 5 == scene.box.calls.by_route[DIRECT] - refused(scene.box, DIRECT)
    scene.box.faults.clear()
    assert_mended(scene)


def refused(box: Sandbox, route: str) -> int:
    """Calls of this route that were answered with 429."""
    return sum(call.route == route and call.status == 429 for call in box.calls.log)


def test_token_that_expires_in_the_middle_of_a_part(scene: Scene) -> None:
    """A token that dies under a part that is on its way costs one new token, no part and no session."""
    scene.box.faults.next(PART).nth(3).expire_token()
    scene.box.limits.bytes_per_second = 20_000

    ended = scene.run()

    scene.box.limits.bytes_per_second = None
    assert 0 == ended.code
    assert 2 == scene.box.calls.by_route[SESSION]
    assert 2 == scene.box.calls.by_route["POST /oauth2/token"]
    assert_mended(scene)


def test_tokens_that_live_for_a_moment_only(scene: Scene) -> None:
    """A token life of two seconds is renewed ahead of time, again and again, and every file arrives."""
    scene.box.settings.token_ttl = 2
    scene.box.limits.latency_seconds = 0.2

    ended = scene.run()

    scene.box.limits.latency_seconds = None
    scene.box.settings.token_ttl = 3600
    assert 0 == ended.code, ended
    assert_mended(scene)


@pytest.mark.parametrize(
    ("status", "error"), [(404, "not_found"), (410, "session_expired"), (403, "forbidden")]
)
@pytest.mark.parametrize("route", [PART, COMMIT])
@pytest.mark.gate(3)
def test_session_that_is_gone(scene: Scene, route: str, status: int, error: str) -> None:
    """A session that expired, was aborted or belongs to somebody else is replaced by a new one, within one run."""
    scene.box.faults.next(route).status(status, error=error)

    assert 0 == scene.run().code
    assert 3 == scene.box.calls.by_route[SESSION]
    scene.box.faults.clear()
    for session in scene.box.open_sessions():
        # The fault only said that it is gone: this one Box would have ended by itself.
        assert session["name"] in ("large.bin", "other.bin")
    assert scene.expected() == scene.held()
    assert {} == scene.superfluous_versions()


def test_session_that_is_really_aborted_between_runs(scene: Scene) -> None:
    """Sessions that somebody aborted while the program was away are begun anew; nothing of them is believed."""
    scene.box.faults.next(PART).nth(6).status(403, error="storage_limit_exceeded")
    assert 3 == scene.run().code
    assert 0 < len(scene.box.open_sessions())
    with scene.box.core.store.lock:
        scene.box.core.store.sessions.clear()

    assert 0 == scene.run().code
    assert_mended(scene)


def test_session_that_expired_between_runs(scene: Scene) -> None:
    """A session past its seven days is not asked for: it is begun anew (the checkpoint knows when it ends)."""
    scene.box.settings.session_ttl = 299
    scene.box.faults.next(PART).nth(6).status(403, error="storage_limit_exceeded")
    assert 3 == scene.run().code
    scene.box.settings.session_ttl = 7 * 86_400
    asked = scene.box.calls.by_route["GET /files/upload_sessions/:id/parts"]

    ended = scene.run_until_complete(2)

    assert 0 == ended[-1].code
    assert asked == scene.box.calls.by_route["GET /files/upload_sessions/:id/parts"]
    assert scene.expected() == scene.held()


def test_commit_that_answers_202_forty_times(scene: Scene) -> None:
    """Forty rounds of 202 are waited out, and the file is there once."""
    scene.box.settings.commit_202_rounds = 40
    scene.box.settings.commit_retry_after_seconds = 0

    ended = scene.run()

    scene.box.settings.commit_202_rounds = 0
    assert 0 == ended.code
    assert 82 == scene.box.calls.by_route[COMMIT]
    assert_mended(scene)


def test_commit_that_answers_parts_mismatch_for_a_while(scene: Scene) -> None:
    """400 parts_mismatch right after the last part passes by itself."""
    scene.box.settings.parts_mismatch_rounds = 2

    ended = scene.run()

    scene.box.settings.parts_mismatch_rounds = 0
    assert 0 == ended.code
    assert_mended(scene)


def test_part_that_was_stored_though_the_answer_was_500(scene: Scene) -> None:
    """A part that Box has in spite of its 500 is found in the list of parts and not sent again."""
    scene.box.faults.next(PART).nth(2).status(500, after_effect=True).times(3)

    assert 0 == scene.run().code
    # 13 and 14 parts; three were answered wrongly and none was sent twice.
    assert 27 == scene.box.calls.by_route[PART]
    assert_mended(scene)


@pytest.mark.parametrize("route", [DIRECT, COMMIT, PART, "GET /folders/:id/items"])
@pytest.mark.gate(2)
def test_wrong_sha1_in_an_answer(scene: Scene, route: str) -> None:
    """A sha1 that is not what Box stores is looked up before anything is sent again: no version is made for it."""
    scene.box.faults.next(route).wrong_answer().times(2)

    assert 0 == scene.run().code
    assert {} == scene.superfluous_versions()
    assert_mended(scene)


def test_sha1_that_stays_wrong_is_never_uploaded(scene: Scene) -> None:
    """Box stores other bytes than were sent, whatever is tried: the file fails, nobody is let in (P1)."""
    scene.box.faults.next("POST /files*content").wrong_digest().times(None)
    scene.write("Legal/brief.txt", b"brief")

    ended = scene.run()

    assert 1 == ended.code
    assert {"digest_mismatch"} == {
        reason
        for tree in trees(scene).values()
        for reason in tree["failures_by_reason"]  # type: ignore[attr-defined]
    }
    assert [] == [grant for grant in scene.box.collaborations() if grant["path"].endswith("Legal")]


def test_quota_that_runs_out_in_the_middle(scene: Scene) -> None:
    """The owner's space ends: uploads stop at once, the trees say "limit reached", and go on when it is raised."""
    box, account = scene.box, scene.box.service_account.id
    for number in range(60):
        scene.write(f"Legal/many/{number}.bin", content(300, number))
    box.set_space(account, 12_000)
    # The check before the run names the need and sends nothing.
    warned = scene.run()
    assert (3, 0) == (warned.code, len(box.files()))
    assert "the plan needs" in warned.message

    ended = scene.run(check=False)

    assert 3 == ended.code
    assert "raise the quota" in ended.message
    assert {"limit reached"} == {tree["incomplete_reason"] for tree in trees(scene).values()}
    refusals = sum(call.status == 403 for call in box.calls.log)
    # What was in flight when the first refusal came; no other file was even begun.
    assert refusals <= scene.plan().transfer.threads + 4
    box.set_space(account, -1)
    assert 0 == scene.run().code
    assert_mended(scene)


@pytest.mark.parametrize("offset", [3600.0, -3600.0])
def test_clock_that_is_an_hour_off(scene: Scene, offset: float) -> None:
    """Ours or Box's clock an hour ahead or behind: the login is corrected by Box's own time and all arrives."""
    scene.box.settings.clock_offset_seconds = offset

    ended = scene.run()

    scene.box.settings.clock_offset_seconds = 0.0
    assert 0 == ended.code, ended
    assert_mended(scene)


def test_somebody_elses_file_under_the_same_name(scene: Scene) -> None:
    """A file that this plan did not make is left as it is, and is told as a conflict (trap 7)."""
    other = b"somebody else's work"
    box = scene.box
    with box.core.store.lock:
        folder = next(one for one in box.core.store.folders.values() if one.name == "Accounting")
    assert box.files() == {}
    assert 0 == scene.run().code
    upload(scene, folder.id, "report.txt", other)
    scene.write("Accounting/report.txt", b"ours")

    ended = scene.run()

    assert 1 == ended.code
    assert {"name_in_use": 1} == trees(scene)["Accounting"]["failures_by_reason"]
    assert "complete" == trees(scene)["Legal"]["state"]
    held = box.files()["Landing/Accounting/report.txt"]
    assert (hashlib.sha1(other).hexdigest(), 1) == (held.sha1, held.versions)


def upload(scene: Scene, folder_id: str, name: str, data: bytes) -> None:
    """Store a file by other means than the plan."""
    from connectors.box.destination import BoxDestination
    from connectors.box.types import Upload
    from tests.integration.box.files import opener

    plan = scene.plan()
    with BoxDestination(plan.box, base_dir=scene.folder) as to:
        to.put(
            Upload(folder_id=folder_id, name=name, size=len(data), modified_ns=None, created_ns=None),
            opener(data),
        )


def test_empty_folders_that_remain_after_a_stop(scene: Scene) -> None:
    """A run that was stopped when every file had arrived, but not every empty folder, is completed by the next."""
    refuse(401, error="unauthorized")(scene.box.faults.next("GET /folders/:id/items"))
    assert 3 == scene.run().code
    scene.box.faults.clear()

    assert 0 == scene.run().code
    assert scene.expected() == scene.held()

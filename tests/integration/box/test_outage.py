"""Box is away for longer than a call is patient: whoever talks to it waits, then goes on; nothing is sent twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.http.routes import uploads as routes_uploads
from connectors.errors import BoxUnreachable, ServerBusy, Stopped
from tests.integration.box.files import Source, content, opener, sha1, upload
from tests.servers.proxy import Proxy

DIRECT, PART, ME = "POST /files/content", "PUT /files/upload_sessions/:id", "GET /users/me"


@pytest.fixture
def to(destination: BoxDestination) -> BoxDestination:
    """A Box that has answered once."""
    destination.whoami()
    return destination


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged as a warning."""
    caplog.set_level(logging.WARNING, logger="connectors.box")
    return lambda: [
        each.getMessage() for each in caplog.records if each.name == "connectors.box.client.outage"
    ]


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, at most half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.005)


@pytest.fixture
def restarted(box: Sandbox) -> Iterator[Sandbox]:
    """A sandbox that a test may pause: it serves again afterwards."""
    yield box
    if box._server is None:
        box.start()


def small(to: BoxDestination, name: str) -> str:
    """Store a small file; its id."""
    return to.put(upload("0", name, b"x"), opener(b"x")).file_id


@pytest.mark.parametrize(
    "fault",
    [
        lambda rule: rule.status(503),
        lambda rule: rule.status(200, html=True),
        lambda rule: rule.reset(),
    ],
)
@pytest.mark.gate(1)
def test_everything_fails_for_a_while(
    box: Sandbox, to: BoxDestination, told: Callable[[], list[str]], fault: Any
) -> None:
    """Busy, a proxy's page, cut connections: the call begins anew when Box is back, and says so twice."""
    rule = fault(box.faults.next("*")).times(None)
    with ThreadPoolExecutor(1) as thread:
        pending = thread.submit(small, to, "a")
        until(lambda: rule.struck > 15)
        assert 1 == len(told())
        box.faults.clear()
        pending.result(30)

    assert ["a"] == list(box.files())
    assert 2 == len(told())
    assert "waiting for it, 60 minutes at most" in told()[0]
    assert "Box answers again" in told()[1]


def test_nobody_listens_for_a_while(
    restarted: Sandbox, to: BoxDestination, told: Callable[[], list[str]]
) -> None:
    """Eight threads at once: all their files arrive once, and there are two warnings in all."""
    box = restarted
    box.pause()
    with ThreadPoolExecutor(8) as threads:
        pending = [threads.submit(small, to, f"{number}") for number in range(8)]
        until(lambda: to.call_counts()[DIRECT] == 8 * 8)
        probes = to.call_counts()[ME]
        until(lambda: to.call_counts()[ME] > probes + 3)
        # All wait but the one that probes.
        assert 8 * 8 == to.call_counts()[DIRECT]
        box.start()
        for each in pending:
            each.result(30)

    assert 8 == len(box.files())
    assert {1} == {file.versions for file in box.files().values()}
    assert 2 == len(told())


@pytest.fixture
def upload_host(box: Sandbox) -> Iterator[Proxy]:
    """Box's upload host as an address of its own, which can be away alone."""
    with Proxy(int(box.url.rpartition(":")[2])) as proxy:
        yield proxy


def test_the_upload_host_alone_is_away(
    box: Sandbox, config: BoxConfig, upload_host: Proxy, told: Callable[[], list[str]]
) -> None:
    """The rest of Box answers all the time: uploads wait for their host, and the lines name it."""
    name = f"127.0.0.1:{upload_host.port}"
    with BoxDestination(config.model_copy(update={"upload_url": f"http://{name}/api"})) as to:
        small(to, "before")
        upload_host.refusing = True
        upload_host.drop()
        with ThreadPoolExecutor(4) as threads:
            pending = [threads.submit(small, to, f"{number}") for number in range(4)]
            until(lambda: len(told()) > 0)
            assert to.folder_info("0").id == "0"
            upload_host.refusing = False
            for each in pending:
                each.result(30)

    assert {"before", "0", "1", "2", "3"} == set(box.files())
    assert 2 == len(told())
    assert f"Box's upload host {name} has not answered since" in told()[0]
    assert f"Box's upload host {name} answers again" in told()[1]


def test_an_upload_host_behind_a_firewall(
    config: BoxConfig, upload_host: Proxy, told: Callable[[], list[str]]
) -> None:
    """It never answers: no file is to blame, and the one line says where to look."""
    upload_host.refusing = True
    limits = config.limits.model_copy(update={"outage_minutes": 0.005})
    address = f"http://127.0.0.1:{upload_host.port}/api"
    with BoxDestination(config.model_copy(update={"limits": limits, "upload_url": address})) as to:
        to.whoami()
        with pytest.raises(
            BoxUnreachable, match=f"upload host 127.0.0.1:{upload_host.port} has not answered"
        ):
            small(to, "a")

    assert 1 == len(told())


def test_a_listing_does_not_wait_for_the_upload_host(
    box: Sandbox, config: BoxConfig, upload_host: Proxy, told: Callable[[], list[str]]
) -> None:
    """Both are away, and Box's API alone comes back: what needs no upload host goes on, an upload waits in all as long
    as the plan says, and nobody says that its host is back."""
    limits = config.limits.model_copy(update={"outage_minutes": 0.05})
    with Proxy(int(box.url.rpartition(":")[2])) as api:
        addresses = {
            "base_url": f"http://127.0.0.1:{api.port}",
            "upload_url": f"http://127.0.0.1:{upload_host.port}/api",
        }
        with BoxDestination(config.model_copy(update=addresses | {"limits": limits})) as to:
            to.whoami()
            for each in (api, upload_host):
                each.refusing = True
                each.drop()
            with ThreadPoolExecutor(2) as threads:
                sent, listed = threads.submit(small, to, "a"), threads.submit(to.folder_info, "0")
                until(lambda: len(told()) > 0)
                api.refusing = False
                assert "0" == listed.result(30).id
                assert not sent.done()
                with pytest.raises(BoxUnreachable, match="upload host"):
                    sent.result(30)

    assert [] == [line for line in told() if "upload host" in line and "answers again" in line]


def test_the_host_of_an_upload_session_is_away(
    box: Sandbox, config: BoxConfig, upload_host: Proxy, told: Callable[[], list[str]], monkeypatch: Any
) -> None:
    """Box may serve a session by a host of its own, which is waited for like the other one."""
    plain, region = routes_uploads._session, f"http://127.0.0.1:{upload_host.port}"

    def elsewhere(session: Any, request: Any) -> Any:
        answer = plain(session, request)
        places = answer["session_endpoints"]
        answer["session_endpoints"] = {name: url.replace(box.url, region) for name, url in places.items()}
        return answer

    monkeypatch.setattr(routes_uploads, "_session", elsewhere)
    # Such a host lies below box.com and speaks TLS, which none on this machine does.
    monkeypatch.setattr("connectors.box.client.transport.Addresses.allows", lambda self, url: True)
    data = content(6_500, 9)
    with BoxDestination(config) as to, ThreadPoolExecutor(1) as thread:
        to.whoami()
        upload_host.refusing = True
        pending = thread.submit(to.put, upload("0", "big", data), opener(data))
        until(lambda: len(told()) > 0)
        upload_host.refusing = False

        assert sha1(data) == pending.result(30).sha1
    assert f"upload host {region.removeprefix('http://')} has not answered" in told()[0]


def test_a_source_that_fails_says_nothing_about_box(to: BoxDestination) -> None:
    """Since when Box is silent is not the moment at which a file could not be read."""

    def fail() -> None:
        raise OSError(5, "bad disk")

    with pytest.raises(OSError, match="bad disk"):
        to.put(upload("0", "a", content(3000)), Source(content(3000), at=0, act=fail))

    assert to._transport.outages.of(to._transport.outages.api_host)._silent_since is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_box_asks_for_is_kept_however_long(
    box: Sandbox, to: BoxDestination, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than a call is patient by itself: nobody asks before it is over."""
    waits: list[float] = []
    monkeypatch.setattr(to._service.pacer, "wait", waits.append)
    monkeypatch.setattr(to._service.pacer, "pause", lambda seconds: None)
    box.faults.next(DIRECT).status(status, retry_after=3500)

    small(to, "a")

    assert [3500] == waits


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_longer_than_an_outage_stops_the_run(box: Sandbox, to: BoxDestination, status: int) -> None:
    """Two hours are told in one line; no file is to blame, and nobody asks a second time."""
    box.faults.next(DIRECT).status(status, retry_after=7200).times(None)

    with pytest.raises(BoxUnreachable, match="pause of 120 minutes"):
        small(to, "a")

    assert 1 == box.calls.by_route[DIRECT]


def test_a_call_that_fails_by_itself_costs_one_probe(
    box: Sandbox, to: BoxDestination, told: Callable[[], list[str]]
) -> None:
    """Box answers the probe: the failure is raised as it was, and nobody is told of an outage."""
    box.faults.next(DIRECT).status(503).times(None)
    asked = box.calls.by_route[ME]
    with pytest.raises(ServerBusy, match="503"):
        small(to, "a")

    assert (8, 1) == (box.calls.by_route[DIRECT], box.calls.by_route[ME] - asked)
    assert [] == told()


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_refused_probe_is_an_answer(
    box: Sandbox, to: BoxDestination, told: Callable[[], list[str]], status: int
) -> None:
    """Whatever Box says to the probe, it is there."""
    box.faults.next(DIRECT).status(503).times(None)
    box.faults.next(ME).status(status, retry_after=0).times(None)
    with pytest.raises(ServerBusy, match="503"):
        small(to, "a")

    assert [] == told()


def test_it_never_ends(restarted: Sandbox, config: BoxConfig, told: Callable[[], list[str]]) -> None:
    """After outage_minutes every thread gets the fatal error with the one line; nobody waits a second time."""
    limits = config.limits.model_copy(update={"outage_minutes": 0.005})
    with BoxDestination(config.model_copy(update={"limits": limits})) as to:
        to.whoami()
        restarted.pause()
        with ThreadPoolExecutor(4) as threads:
            pending = [threads.submit(small, to, f"{number}") for number in range(4)]
            errors = [each.exception(30) for each in pending]
        with pytest.raises(BoxUnreachable, match="the next run goes on"):
            small(to, "later")

    assert {BoxUnreachable} == {type(error) for error in errors}
    assert 1 == len(told())


def test_the_first_call_does_not_wait(box: Sandbox, config: BoxConfig, told: Callable[[], list[str]]) -> None:
    """A Box that never answered is told at once: the address may be wrong; so is one that only whoami() asks."""
    rule = box.faults.next("*").status(503).times(None)
    with BoxDestination(config) as to, pytest.raises(ServerBusy):
        small(to, "a")
    assert 8 == rule.struck

    box.faults.clear()
    with BoxDestination(config) as to:
        to.folder_info("0")
        box.faults.next("*").status(503).times(None)
        with pytest.raises(ServerBusy):
            to.whoami()

    assert [] == told()


def test_waiting_can_be_switched_off(box: Sandbox, config: BoxConfig, told: Callable[[], list[str]]) -> None:
    """outage_minutes: 0: the call's own failure, without a probe."""
    limits = config.limits.model_copy(update={"outage_minutes": 0.0})
    with BoxDestination(config.model_copy(update={"limits": limits})) as to:
        to.whoami()
        rule = box.faults.next("*").status(503).times(None)
        with pytest.raises(ServerBusy):
            small(to, "a")

    assert 8 == rule.struck
    assert [] == told()


def test_a_stop_ends_the_wait(
    restarted: Sandbox, to: BoxDestination, stop: threading.Event, told: Callable[[], list[str]]
) -> None:
    """Whoever probes and whoever waits: Stopped, as in every other wait."""
    restarted.pause()
    with ThreadPoolExecutor(3) as threads:
        pending = [threads.submit(small, to, f"{number}") for number in range(3)]
        until(lambda: len(told()) > 0)
        stop.set()
        errors = [each.exception(30) for each in pending]

    assert {Stopped} == {type(error) for error in errors}


def test_what_took_effect_before_the_outage_is_not_sent_again(
    box: Sandbox, to: BoxDestination, told: Callable[[], list[str]]
) -> None:
    """The last attempt stored the part and got no answer; it is found in the list when Box is back."""
    data = content(6_500, 9)
    box.faults.next(PART).reset("before_effect").times(7)
    box.faults.next(PART).reset("after_effect")
    with BoxDestination(to.config.model_copy(update={"part_threads": 1})) as one:
        one.whoami()
        box.faults.next(ME).status(503).times(3)
        receipt = one.put(upload("0", "big", data), opener(data))

    assert sha1(data) == receipt.sha1
    assert 7 + 7 == box.calls.by_route[PART]
    assert 2 == len(told())

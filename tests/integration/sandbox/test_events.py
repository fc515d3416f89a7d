"""The event streams: who may read which, what comes twice or late, and what people do in them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.integration.sandbox.conftest import Raw


def pages(raw: Raw, stream: str, position: object = "0", **query: Any) -> tuple[list[dict[str, Any]], str]:
    """Every event that a stream has from a position on, as it comes, and the position behind them."""
    found: list[dict[str, Any]] = []
    while True:
        words = "&".join(f"{key}={value}" for key, value in query.items())
        answer = raw("GET", f"/2.0/events?stream_type={stream}&stream_position={position}&{words}").json()
        assert answer["chunk_size"] == len(answer["entries"])
        if not answer["entries"] and str(answer["next_stream_position"]) == str(position):
            return found, str(position)
        found += answer["entries"]
        position = answer["next_stream_position"]


def ids(events: list[dict[str, Any]]) -> list[str]:
    """The ids of events."""
    return [event["event_id"] for event in events]


def busy(raw: Raw, count: int = 30) -> str:
    """A folder in which many files were made."""
    folder: str = raw.folder("HR").json()["id"]
    for number in range(count):
        raw.upload(f"{number:02}.txt", b"1", folder)
    return folder


@pytest.mark.parametrize("stream", ["admin_logs_streaming", "all"])
def test_live_streams_tell_at_least_once_and_not_in_order(raw: Raw, stream: str) -> None:
    """Nothing is missing; some come late, some again in a later page; `admin_logs` has each once and in order."""
    busy(raw)
    live, end = pages(raw, stream, limit=7)
    history, _ = pages(raw, "admin_logs")
    uploads = [event for event in live if "UPLOAD" in event["event_type"]]
    names = [event["source"].get("item_name") or event["source"]["name"] for event in uploads]

    assert {f"{number:02}.txt" for number in range(30)} == set(names)
    assert len(names) > len(set(names)) == len(set(ids(uploads)))
    assert names[:28] != sorted(names[:28])
    told = [event["source"]["item_name"] for event in history if event["event_type"] == "UPLOAD"]
    assert sorted(set(names)) == told
    assert ([], end) == pages(raw, stream, end)


def test_what_has_one_id(raw: Raw, box: Sandbox) -> None:
    """An event has the same id whenever it is asked for, in both streams of the enterprise; not after a restart."""
    busy(raw, 3)
    live, history, users = (pages(raw, name)[0] for name in ("admin_logs_streaming", "admin_logs", "all"))
    assert set(ids(live)) == set(ids(history))
    assert set(ids(live)).isdisjoint(ids(users))
    box.reset()
    anew = Raw(box)
    busy(anew, 3)
    later = ids(pages(anew, "admin_logs")[0])
    anew.session.close()
    assert set(ids(live)).isdisjoint(later)


def test_positions(raw: Raw) -> None:
    """`now` gives a place and no event; a filter may leave pages empty that are not the last; a stale place holds."""
    folder = busy(raw, 5)
    now = raw("GET", "/2.0/events?stream_type=admin_logs_streaming&stream_position=now").json()
    raw.upload("later.txt", b"1", folder)
    later, _ = pages(raw, "admin_logs_streaming", now["next_stream_position"], event_type="UPLOAD")
    old, _ = pages(raw, "admin_logs_streaming", created_before="2001-01-01T00:00:00Z", event_type="UPLOAD")
    history, _ = pages(raw, "admin_logs", created_before="2001-01-01T00:00:00Z")
    ends = [raw("GET", f"/2.0/events?stream_position={place}").status_code for place in ("-1", "x", "1.5")]

    assert [] == now["entries"]
    assert {"later.txt"} == {event["source"]["item_name"] for event in later}
    assert (6, 0) == (len({event["source"]["item_id"] for event in old}), len(history))
    assert [400, 400, 400] == ends


def test_who_may_read_the_enterprises_streams(raw: Raw, box: Sandbox) -> None:
    """Without the scope, or the role, 403; one's own stream is there all the same."""
    busy(raw, 1)
    ann = Raw(box, box.add_user("ann@example.com"))
    theirs = ann("GET", "/2.0/events?stream_type=admin_logs_streaming").status_code
    ann.session.close()
    box.settings.scopes = ("root_readwrite",)
    ours = [raw("GET", f"/2.0/events?stream_type={name}").status_code for name in ("admin_logs", "all")]

    assert (403, [403, 200]) == (theirs, ours)


def test_user_streams(raw: Raw, box: Sandbox) -> None:
    """`changes` leaves out what changes no tree, `sync` everything: nothing is marked for the sync program."""
    file = raw.upload("a.txt", b"1").json()["entries"][0]["id"]
    box.person().download(file)
    box.person().link(file)
    everything, changes, sync = (
        {event["event_type"] for event in pages(raw, name)[0]} for name in ("all", "changes", "sync")
    )

    assert {"ITEM_UPLOAD", "ITEM_DOWNLOAD", "ITEM_SHARED_CREATE"} == everything
    assert ({"ITEM_UPLOAD"}, set()) == (changes, sync)


def test_links_and_who_follows_them(raw: Raw, box: Sandbox) -> None:
    """A link made, changed and taken away; a download by nobody, which only an open link allows."""
    folder = raw.folder("HR").json()["id"]
    file = raw.upload("a.txt", b"1", folder).json()["entries"][0]["id"]
    person = box.person()
    person.link(folder, "company")
    with pytest.raises(Exception, match="open link"):
        box.download_by_link(file)
    person.link(folder, "open")
    box.download_by_link(file)
    person.unlink(folder)
    events, _ = pages(raw, "admin_logs")
    told = [(event["event_type"], event["created_by"]["id"]) for event in events[-4:]]
    us = box.service_account.id

    assert [("SHARE", us), ("ITEM_SHARED_UPDATE", us), ("DOWNLOAD", "2"), ("UNSHARE", us)] == told


def test_people_act_from_another_process(raw: Raw, box: Sandbox) -> None:
    """`POST /_sandbox/act` does what a person does, under his name and with his rights."""
    box.add_user("ann@example.com")
    folder = raw.folder("HR").json()["id"]
    file = raw.upload("a.txt", b"1", folder).json()["entries"][0]["id"]

    def act(do: str, who: str | None = "ann@example.com", **values: Any) -> requests.Response:
        body = {"login": who, "do": do, "with": values}
        return requests.post(f"{box.url}/_sandbox/act", json=body, timeout=10)

    refused = act("edit", file_id=file, content="22")
    invited = act("invite", None, item_id=folder, login="ann@example.com", role="editor")
    done = [act("edit", file_id=file, content="22"), act("rename", item_id=file, name="b.txt")]
    unknown = act("reset")
    kinds = [
        event["event_type"]
        for event in pages(raw, "admin_logs")[0]
        if event["created_by"]["login"] == "ann@example.com"
    ]

    assert (400, 200, [200, 200], 400) == (
        refused.status_code, invited.status_code, [each.status_code for each in done], unknown.status_code
    )  # fmt: skip
    assert box.collaborations()[0]["id"] == invited.json()["id"]
    assert ["EDIT", "RENAME"] == kinds

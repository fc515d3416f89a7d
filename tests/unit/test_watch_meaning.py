"""What an event of Box means for what was moved: whose doing counts, what lies around it, in which shape it comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.box.events import event_of
from flows.observation.meaning import ASKED_FOR, MEANINGS, box_ids, finding_of
from state.statuses import EventKind
from state.watch_records import InBox

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
FOUND = {
    ("folder", "1"): InBox(tree_id=1, tree="HR", begun_at=BEGUN, path="HR"),
    ("file", "7"): InBox(tree_id=1, tree="HR", begun_at=BEGUN, path="HR/a.txt"),
    ("file", "8"): InBox(
        tree_id=1, tree="HR", begun_at=BEGUN, path="HR/b.txt", adopted_at=BEGUN + timedelta(1)
    ),
}


def event(kind: str = "EDIT", item: str = "7", *, folder: str = "1", **values: Any) -> dict[str, Any]:
    """An event of the enterprise's stream about a file."""
    source = {"item_type": "file", "item_id": item, "item_name": "n.txt", "parent": {"id": folder}}
    return {
        "event_id": "e",
        "event_type": kind,
        "created_at": "2026-03-01T10:00:00-08:00",
        "created_by": {"type": "user", "id": "5", "login": "ann@example.com"},
        "source": source,
    } | values


def meant(entry: dict[str, Any]) -> tuple[str, str, str] | None:
    """(what, path, detail) of the finding, or None."""
    finding = finding_of(event_of(entry), FOUND, {"99"})
    return None if finding is None else (finding.what, finding.path, finding.detail)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (event(), ("edited", "HR/a.txt", "")),
        (event("UPLOAD"), ("edited", "HR/a.txt", "")),
        (event("UPLOAD", "123"), ("added", "HR/n.txt", "")),
        (event("COPY"), None),
        (event("RENAME"), ("renamed", "HR/a.txt", "to n.txt")),
        (event("MOVE"), ("moved", "HR/a.txt", "into HR")),
        (event("MOVE", folder="4711"), ("moved", "HR/a.txt", "out of the trees of the plan")),
        (event("EDIT", "123", folder="4711"), None),
        (event("PREVIEW"), None),
        (event("COLLABORATION_ACCEPT"), None),
        (event(created_by={"id": "99"}), None),
        (event("UNDELETE", created_by={"id": "99"}), ("restored", "HR/a.txt", "")),
        (event(created_at="2025-12-31T00:00:00Z"), None),
        (event("EDIT", "8", created_at="2026-01-01T20:00:00Z"), None),
        (event("EDIT", "8", created_at="2026-01-02T20:00:00Z"), ("edited", "HR/b.txt", "")),
        (event(created_at=None), None),
        (event(source=None), None),
        (event(source={"type": "user", "id": "7"}), None),
    ],
)
def test_meaning(entry: dict[str, Any], expected: tuple[str, str, str] | None) -> None:
    """Ours, older ones, what is elsewhere and what says nothing of content or access are no findings."""
    assert expected == meant(entry)


@pytest.mark.parametrize(
    "source",
    [
        {"folder_id": "1", "folder_name": "HR", "parent": None},
        {"type": "folder", "id": "1", "name": "HR", "parent": {"id": "0"}},
        {"type": "collaboration", "id": "c1", "role": "editor", "item": {"type": "folder", "id": "1"}},
    ],
)
def test_shapes_of_a_source(source: dict[str, Any]) -> None:
    """An older audit record, an item of a user's stream, a collaboration: each names its folder."""
    finding = finding_of(event_of(event("COLLABORATION_INVITE", source=source)), FOUND, ())

    assert finding is not None
    assert ("HR", "let in", EventKind.ACCESS_CHANGED) == (finding.path, finding.what, finding.kind)


def test_folders_above_count() -> None:
    """What lies deeper in folders that people made is found where Box tells the folders above it."""
    path = {"entries": [{"id": "0"}, {"id": "1"}, {"id": "77"}]}
    source = {"type": "file", "id": "55", "name": "d.txt", "parent": {"id": "77"}, "path_collection": path}
    entry = event_of(event("ITEM_UPLOAD", source=source))

    assert ("77", "1", "0") == entry.folder_ids
    assert {"55", "77", "1", "0"} == box_ids([entry])
    finding = finding_of(entry, FOUND, ())
    assert finding is not None
    assert ("added", "HR/d.txt") == (finding.what, finding.path)


def test_what_the_enterprises_stream_is_asked_for() -> None:
    """Every word of that stream, and none of a user's, which Box would refuse."""
    assert {"EDIT", "SHARE", "ITEM_SHARED_UPDATE", "COLLABORATION_INVITE"} <= ASKED_FOR <= MEANINGS.keys()
    assert {"ITEM_UPLOAD", "ITEM_TRASH", "COLLAB_INVITE_COLLABORATOR"}.isdisjoint(ASKED_FOR)

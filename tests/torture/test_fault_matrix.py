"""The fault matrix end to end: every fault × every route, once, thrice and beyond patience, ends with Box = share."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.torture.faults import DIGESTS, FAULTS, LOSES_THE_ANSWER, ROUTES, STORES, Scene

Cell = tuple[str, str, int]

#: More often in a row than one call is repeated: the item, or the whole run, has to be tried again.
BEYOND_PATIENCE = 12

#: One of each kind is enough where it is the number that matters.
BEYOND = (
    "429 without Retry-After",
    "503 html",
    "500 after the effect",
    "reset before the effect",
    "reset after the effect",
    "truncated answer",
    "token expired",
)


def applies(route: str, fault: str) -> bool:
    """False where the sandbox has nothing to spoil: no token before the first, no bytes, no sha1."""
    if fault == "token expired":
        return route != "POST /oauth2/token"
    if fault == "wrong bytes stored":
        return route in STORES
    return fault != "wrong sha1 in the answer" or route in DIGESTS


CELLS: list[Cell] = [
    (route, fault, times)
    for route in ROUTES
    for fault in FAULTS
    for times in (1, 3, BEYOND_PATIENCE)
    if applies(route, fault) and (times < BEYOND_PATIENCE or fault in BEYOND)
]

#: What `make test` takes of them; the rest is left to `make torture`.
SELECTED = set(random.Random(6).sample(CELLS, 16))


def parameters() -> Iterator[object]:
    """Every cell; those that are not selected are marked."""
    for cell in CELLS:
        marks = [] if cell in SELECTED else [pytest.mark.torture]
        yield pytest.param(*cell, marks=marks, id=f"{cell[0]} - {cell[1]} - {cell[2]}")


@pytest.fixture
def scene(tmp_path: Path, running_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A new share and an empty Box. The clock's only change: no two seconds before a file is tried again."""
    monkeypatch.setattr("flows.orchestration.dispatch.RETRY_SECONDS", 0.02)
    yield Scene(tmp_path, running_box)
    running_box.faults.clear()


def assert_cell(scene: Scene, route: str, fault: str, times: int) -> bool:
    """The whole story under this fault ends as without it; False when the fault never struck."""
    box = scene.box
    rule = FAULTS[fault](box.faults.next(route)).times(times)
    # Three refused tokens in a row end a run, and three spoilt contents use up the tries of one pass.
    passes = times == 1 or (times == 3 and fault not in ("token expired", "wrong bytes stored"))
    ended = scene.whole_story(runs=1 if passes else 9)

    codes = [each.code for each in ended]
    assert 0 == codes[-1], ended
    if passes:
        assert [3, 3, 0, 0, 0] == codes, ended
    assert scene.expected() == scene.held()
    # Where Box stored other bytes than were sent, the right ones had to come over them.
    spoilt = times if fault == "wrong bytes stored" else 0
    assert sum(scene.superfluous_versions().values()) <= spoilt
    lost = (
        times if fault in LOSES_THE_ANSWER and route.startswith("POST") and "upload_sessions" in route else 0
    )
    assert len(box.open_sessions()) <= lost
    assert [] == [each for each in box.violations if each.kind != "answer"]
    # A route that is used once is not used thrice because its answer was late.
    return rule.struck >= 1


def test_the_story_without_a_fault_uses_every_route(scene: Scene) -> None:
    """The scene itself: five runs, stopped by the quota twice, and every route of the matrix is used."""
    ended = scene.whole_story(runs=1)

    assert [3, 3, 0, 0, 0] == [each.code for each in ended]
    assert "space" in ended[0].message
    assert scene.expected() == scene.held()
    assert {} == scene.superfluous_versions()
    assert [] == scene.box.open_sessions()
    assert set(ROUTES) <= set(scene.box.calls.by_route)


@pytest.mark.parametrize(("route", "fault", "times"), list(parameters()))
def test_every_fault_on_every_route(scene: Scene, route: str, fault: str, times: int) -> None:
    """Box holds the share, no version too many, no folder twice, no session left, no invitation twice."""
    assert assert_cell(scene, route, fault, times), "the fault never struck"

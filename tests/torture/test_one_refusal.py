"""P11: what Box refuses of one item or person stops that one; what it refuses of everything stops the run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.reporting.status import status_document
from flows.retry import retry_failures
from tests.torture.faults import Scene
from tests.torture.refusals import (
    CODES,
    FILE,
    FOLDER,
    LARGE,
    LARGE_VERSION,
    PERSON,
    ROLE,
    TOGETHER,
    VERSION,
    Refused,
    refuse,
    told,
    words_of,
)

CODE_NAMES = list(CODES)

#: Row of what is refused together × where its codes begin: every route meets every code once.
ROUNDS = [(row, first) for row in range(len(TOGETHER)) for first in range(len(CODES))]

#: What `make test` takes of them: every row once, every code at least twice; `make torture` has the rest.
SELECTED = {(row, (3 * row + 1) % len(CODES)) for row in range(len(TOGETHER))}


def parameters() -> Iterator[object]:
    """Every round; those that are not selected are marked."""
    for row, first in ROUNDS:
        marks = [] if (row, first) in SELECTED else [pytest.mark.torture]
        refused = [(case, CODE_NAMES[(first + n) % len(CODES)]) for n, case in enumerate(TOGETHER[row])]
        yield pytest.param(
            refused, marks=marks, id=", ".join(f"{case.route} {code}" for case, code in refused)
        )


@pytest.fixture
def scene(tmp_path: Path, running_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A share that has arrived once. The clock's only change: no seconds before something is tried again."""
    monkeypatch.setattr("flows.orchestration.dispatch.RETRY_SECONDS", 0.02)
    monkeypatch.setattr("flows.transfer.sight.PAUSE_SECONDS", 0.01)
    scene = Scene(tmp_path, running_box)
    scene.build()
    assert 0 == scene.run().code
    yield scene
    running_box.faults.clear()


def digests(scene: Scene, besides: Iterable[str | None] = ()) -> set[str]:
    """The contents of the share, wherever people moved them in Box."""
    return {hashlib.sha1(data).hexdigest() for path, data in scene.files.items() if path not in besides}


@pytest.mark.parametrize("refused", list(parameters()))
@pytest.mark.gate(3)
def test_one_refusal_stops_one_thing(scene: Scene, refused: list[tuple[Refused, str]]) -> None:
    """Exit code 1; item or person named with Box's words; everything else arrives; complete once Box allows it."""
    scene.write("Accounting/beside.txt", b"beside")
    scene.write("Legal/2026/beside.txt", b"beside it")
    rules = [refuse(scene, case, code, subject=case.work(scene)) for case, code in refused]

    ended = scene.run(check=False)

    assert 1 == ended.code, ended
    assert [] == [rule.pattern for rule in rules if not rule.struck]
    report = told(scene)
    assert [] == [case.named for case, _ in refused if case.named not in report]
    assert [] == [case.route for case, code in refused if words_of(case, code) not in report]
    held = {file.sha1 for file in scene.box.files().values()}
    assert set() == digests(scene, besides=[case.missing for case, _ in refused]) - held

    scene.box.faults.clear()
    assert retry_failures.fn(scene.plan())["complete"]
    assert set() == digests(scene) - {file.sha1 for file in scene.box.files().values()}
    assert sum(scene.contents.values()) == sum(file.versions for file in scene.box.files().values())


def lose_role(scene: Scene) -> Callable[[], None]:
    """The landing folder is somebody else's by now, who made the account a viewer there; how he gives it back."""
    boss = scene.box.add_user("boss@example.com")
    hands = scene.box.person()
    hands.set_role(hands.invite(scene.landing, boss.login, "co-owner"), "owner")
    ours = next(
        grant.id
        for grant in scene.box.core.store.collaborations.values()
        if grant.user is scene.box.service_account
    )
    scene.box.person(boss).set_role(ours, "viewer")
    return lambda: scene.box.person(boss).set_role(ours, "co-owner")


def lose_scope(scene: Scene) -> Callable[[], None]:
    """The app may only look by now; how it may write again."""
    scopes, scene.box.settings.scopes = scene.box.settings.scopes, ("root_readonly", "manage_groups")
    scene.box.expire_tokens()

    def give_back() -> None:
        scene.box.settings.scopes = scopes
        scene.box.expire_tokens()

    return give_back


#: Work for which Box refuses everything once the account may not write any more.
WORKS = (FILE, VERSION, LARGE, LARGE_VERSION, FOLDER, PERSON, ROLE)


def losses() -> Iterator[object]:
    """Every work with every loss; the gate has each work once."""
    for number, case in enumerate(WORKS):
        for other, lose in enumerate((lose_role, lose_scope)):
            marks = [] if number % 2 == other else [pytest.mark.torture]
            yield pytest.param(case, lose, marks=marks, id=f"{case.route} - {lose.__name__}")


@pytest.mark.parametrize(("case", "lose"), list(losses()))
@pytest.mark.gate(3)
def test_what_is_refused_of_everything_stops_the_run(
    scene: Scene, case: Refused, lose: Callable[[Scene], Callable[[], None]]
) -> None:
    """Exit code 3, no entry and no person marked failed for it; complete once the account may do it again."""
    case.work(scene)
    give_back = lose(scene)

    ended = scene.run(check=False)

    assert 3 == ended.code, ended
    trees = status_document(scene.plan())["trees"]
    assert [0, 0] == [tree["items"]["failed"] for tree in trees]
    assert [] == [each for tree in trees for each in tree["collaborators"] if each["status"] == "failed"]
    give_back()
    assert 0 == scene.run(check=False).code
    assert set() == digests(scene) - {file.sha1 for file in scene.box.files().values()}

"""What a checkpoint belongs to, and what a plan may not believe of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.box.types import Account
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.plan.origin import begin_plan, find_plan, moved_trees, require_account
from state.checkpoint import Checkpoint
from state.records import TreeSpec

URL = "sftp://fs01.example.com/data"
LOCAL_BOX = "http://127.0.0.1:5555"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Checkpoint]:
    """An empty checkpoint."""
    with Checkpoint.open(f"sqlite:///{tmp_path / 'state.db'}") as opened:
        yield opened


def plan_of(
    *, name: str = "p", url: str = URL, client_id: str = "app", enterprise: str = "1", **changes: Any
) -> MigrationPlan:
    """A plan that signs in with this app."""
    auth = {"method": "ccg", "client_id": client_id, "client_secret": "${S}", "enterprise_id": enterprise}
    box = {"auth": auth, **changes.pop("box", {})}
    return MigrationPlan.model_validate({"name": name, "source": {"url": url}, "box": box, **changes})


def begin(checkpoint: Checkpoint, plan: MigrationPlan, *, anew: bool = False) -> int:
    """Begin the plan as a run does, which looks for its trees then."""
    plan_id = begin_plan(checkpoint, plan, source_url=plan.source.url, auth=plan.box.auth, anew=anew)
    if not checkpoint.trees(plan_id):
        checkpoint.ensure_trees(plan_id, [TreeSpec(source="A", folder="A", name="A")])
    return plan_id


def put_in_box(checkpoint: Checkpoint, plan_id: int, source: str, folder: str) -> None:
    """Its tree has a folder in Box."""
    spec = TreeSpec(source=source, folder=folder, name=folder)
    [tree] = checkpoint.ensure_trees(plan_id, [spec])
    checkpoint.record_folder_created(tree.root_folder_id, box_folder_id="77", box_name=folder, adopted=False)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"url": "sftp://fs02.example.com/data"}, "fs02"),
        ({"box": {"landing_folder_id": "12"}}, "12"),
        ({"enterprise": "2"}, "enterprise 1, not 2"),
        ({"client_id": "other-app"}, "other-app"),
    ],
)
def test_plan_that_differs_is_refused(checkpoint: Checkpoint, other: dict[str, Any], named: str) -> None:
    """Source, landing folder, enterprise and app: each is compared without asking anybody, and named in one line."""
    begin(checkpoint, plan_of())

    for believing in (find_plan, begin):
        with pytest.raises(PlanError) as caught:
            believing(checkpoint, plan_of(**other))
        assert named in str(caught.value)
        assert "--new-checkpoint" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_same_plan_is_found(checkpoint: Checkpoint) -> None:
    """What agrees is believed; before the first run nothing is known."""
    assert find_plan(checkpoint, plan_of()) is None
    assert begin(checkpoint, plan_of()) == find_plan(checkpoint, plan_of()) == begin(checkpoint, plan_of())


def test_key_file_says_which_box_it_is_for(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """A key file of another app is another Box; the same app with client id and secret is the same."""
    for client_id in ("app", "other"):
        document = {"boxAppSettings": {"clientID": client_id}, "enterpriseID": "1"}
        (tmp_path / f"{client_id}.json").write_text(json.dumps(document))
    begin(checkpoint, plan_of())

    def with_key(name: str) -> MigrationPlan:
        return plan_of(box={"auth": {"method": "jwt", "config_file": f"{name}.json"}}, base_dir=str(tmp_path))

    assert find_plan(checkpoint, with_key("app")) is not None
    with pytest.raises(PlanError, match="for the Box app app, not other"):
        find_plan(checkpoint, with_key("other"))


def test_other_account_of_the_same_app(checkpoint: Checkpoint) -> None:
    """Who signed in the first time is written down; somebody else is refused by both logins."""
    begin(checkpoint, plan_of())
    ours = Account(id="11", login="first@example.com", name="x", enterprise_id="1")
    require_account(checkpoint, plan_of(), ours)
    require_account(checkpoint, plan_of(), ours)

    with pytest.raises(PlanError, match=r"first@example.com \(11\), not second@example.com \(22\)"):
        require_account(checkpoint, plan_of(), Account(id="22", login="second@example.com", name="y"))


def test_rehearsal_has_a_place_of_its_own(checkpoint: Checkpoint) -> None:
    """What was rehearsed on a local Box is nothing that the real one has."""
    rehearsed = begin(checkpoint, plan_of(box={"base_url": LOCAL_BOX, "upload_url": LOCAL_BOX}))

    assert find_plan(checkpoint, plan_of(client_id="real")) is None
    assert rehearsed != begin(checkpoint, plan_of(client_id="real"))


def test_new_checkpoint_keeps_the_old_one(checkpoint: Checkpoint) -> None:
    """Beginning anew sets aside what differs, whole; said again of what agrees, it changes nothing."""
    old = begin(checkpoint, plan_of())
    put_in_box(checkpoint, old, "A", "A")
    other = plan_of(client_id="other")

    new = begin(checkpoint, other, anew=True)

    assert old != new
    assert new == begin(checkpoint, other, anew=True) == find_plan(checkpoint, other)
    assert ["A"] == [tree.name for tree in checkpoint.trees(old)]
    assert [None] == [tree.box_folder_id for tree in checkpoint.trees(new)]


def test_tree_that_goes_to_another_folder_is_refused(checkpoint: Checkpoint) -> None:
    """It would be sent a second time: refused by the folder that it has, until the plan says so again."""
    begun = begin(checkpoint, plan_of(trees=[{"source": "A"}]))
    put_in_box(checkpoint, begun, "A", "A")
    renamed = plan_of(trees=[{"source": "A", "folder": "Archive/A"}])

    with pytest.raises(PlanError, match=r"'A' is in Box as 'A'.*'Archive/A'.*folder: A"):
        begin(checkpoint, renamed)

    assert 1 == len(moved_trees(checkpoint, renamed))
    assert begun == begin(checkpoint, plan_of(trees=[{"source": "A"}, {"source": "B"}]))
    assert begun != begin(checkpoint, renamed, anew=True)


@pytest.mark.parametrize("trees", [[], [{"source": "A"}]])
def test_plan_that_has_another_name_now(checkpoint: Checkpoint, trees: list[dict[str, str]]) -> None:
    """The same trees under another name would all be sent again; other trees of the same share are another plan's."""
    put_in_box(checkpoint, begin(checkpoint, plan_of(trees=trees)), "A", "A")

    with pytest.raises(PlanError, match="write name: p again"):
        begin(checkpoint, plan_of(name="q", trees=trees))

    begin(checkpoint, plan_of(name="r", trees=[{"source": "B"}]))
    begun = begin(checkpoint, plan_of(name="q", trees=trees), anew=True)
    assert begun == begin(checkpoint, plan_of(name="q", trees=trees))
